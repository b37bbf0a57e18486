// tandem/orchestrate/submit/submission_state.h - the states of a submission and the table of legal transitions.
//
// Room: orchestrate. An illegal transition cannot be expressed: every change goes through `transition`.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem::submit {

/// reserved -> intent -> [wire, once] -> confirmed -> terminal -> settled; any doubt after intent is ambiguous.
enum class SubmissionState : std::uint8_t {
  kReserved,   ///< money is reserved, nothing was sent
  kIntent,     ///< on disk that we are about to send; from here on the provider may bill
  kAmbiguous,  ///< sent, perhaps; the reconciler looks the token up
  kConfirmed,  ///< the provider named its handle
  kTerminal,   ///< the provider is done and its raw bytes are on disk
  kSettled,    ///< billed and decodable: the good end
  kHeld,  ///< the step has moved on; the reservation stays until the provider's figure is known or a person decides
  kRefused,  ///< surely not accepted: nothing is billed
  kFailed,  ///< the provider ended the work without a usable result; billed as it says
  kCancelled,  ///< withdrawn before sending, or cancelled at the provider; billed as it says
  kOrphan,  ///< found after the step had moved on: billed, recorded, used by nobody
  kReleased,  ///< held, until a person said what it had cost
};
inline constexpr std::size_t kNumSubmissionStates = static_cast<std::size_t>(SubmissionState::kReleased) + 1;

enum class SubmissionEvent : std::uint8_t {
  kIntend,  ///< about to send
  kConfirm,  ///< accepted, found by its token, or named by a person
  kDoubt,  ///< no clear answer, or a crash after intent
  kResend,  ///< class A only: the same token and bytes again
  kRefuse,  ///< clearly not accepted
  kFinish,  ///< done; raw bytes stored
  kSettle,  ///< bill posted
  kHold,  ///< the step moves on without an answer
  kDiscover,  ///< work of a held submission was found done, and is billed
  kFail,  ///< ended without a usable result
  kCancel,  ///< withdrawn, or cancelled by the provider
  kRelease,  ///< a person says what it cost, which no provider's answer ever will
};
inline constexpr std::size_t kNumSubmissionEvents = static_cast<std::size_t>(SubmissionEvent::kRelease) + 1;

std::string_view to_string(SubmissionState state);  ///< "reserved", ...
std::string_view to_string(SubmissionEvent event);  ///< "intend", ...
std::optional<SubmissionState> find_submission_state(std::string_view name);
/// Money is settled and nothing can change any more.
bool is_final(SubmissionState state);
/// It is made by people alone: nothing that runs by itself ever does.
bool is_of_people(SubmissionEvent event);
/// A run of this attempt is under way or must be resumed before another attempt of the step may start.
bool is_in_flight(SubmissionState state);

/// The next state; empty where the table has none.
std::optional<SubmissionState> transition(SubmissionState from, SubmissionEvent event);
/// Errors: 5003 illegal_transition (both named).
Result<SubmissionState> require_transition(SubmissionState from, SubmissionEvent event);

}  // namespace tandem::submit
