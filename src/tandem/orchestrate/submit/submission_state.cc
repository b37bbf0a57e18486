#include "tandem/orchestrate/submit/submission_state.h"

#include <array>

namespace tandem::submit {
namespace {

constexpr std::array<std::string_view, kNumSubmissionStates> kStateNames = {
    "reserved", "intent",  "ambiguous", "confirmed", "terminal", "settled",
    "held",     "refused", "failed",    "cancelled", "orphan",   "released"};
constexpr std::array<std::string_view, kNumSubmissionEvents> kEventNames = {"intend",   "confirm", "doubt",  "resend",
                                                                            "refuse",   "finish",  "settle", "hold",
                                                                            "discover", "fail",    "cancel", "release"};

using enum SubmissionState;
constexpr SubmissionState kNone = static_cast<SubmissionState>(0xff);

// clang-format off
// Rows are states, columns are events in the order of SubmissionEvent. Nothing leads from `ambiguous` or `held` to `refused`:
// once a provider may have the work, only its own word about that work ends the doubt, or that of a person who answers for it.
constexpr std::array<std::array<SubmissionState, kNumSubmissionEvents>, kNumSubmissionStates> kTable = {{
    //              intend   confirm     doubt       resend      refuse    finish     settle    hold   discover  fail     cancel      release
    /* reserved  */ {kIntent, kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kCancelled, kNone},
    /* intent    */ {kNone,   kConfirmed, kAmbiguous, kNone,      kRefused, kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
    /* ambiguous */ {kNone,   kConfirmed, kAmbiguous, kAmbiguous, kNone,    kNone,     kNone,    kHeld, kNone,    kNone,   kNone,      kNone},
    /* confirmed */ {kNone,   kNone,      kNone,      kNone,      kNone,    kTerminal, kNone,    kHeld, kNone,    kFailed, kCancelled, kNone},
    /* terminal  */ {kNone,   kNone,      kNone,      kNone,      kNone,    kTerminal, kSettled, kNone, kOrphan,  kFailed, kNone,      kNone},
    /* settled   */ {kNone,   kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
    /* held      */ {kNone,   kHeld,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kOrphan,  kFailed, kCancelled, kReleased},
    /* refused   */ {kNone,   kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
    /* failed    */ {kNone,   kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
    /* cancelled */ {kNone,   kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
    /* orphan    */ {kNone,   kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
    /* released  */ {kNone,   kNone,      kNone,      kNone,      kNone,    kNone,     kNone,    kNone, kNone,    kNone,   kNone,      kNone},
}};
// clang-format on

}  // namespace

std::string_view to_string(SubmissionState state) { return kStateNames[static_cast<std::size_t>(state)]; }
std::string_view to_string(SubmissionEvent event) { return kEventNames[static_cast<std::size_t>(event)]; }

std::optional<SubmissionState> find_submission_state(std::string_view name) {
  for (std::size_t i = 0; i < kNumSubmissionStates; ++i)
    if (kStateNames[i] == name) return static_cast<SubmissionState>(i);
  return std::nullopt;
}

bool is_final(SubmissionState state) {
  return state == kSettled || state == kRefused || state == kFailed || state == kCancelled || state == kOrphan ||
         state == kReleased;
}

bool is_of_people(SubmissionEvent event) { return event == SubmissionEvent::kRelease; }

bool is_in_flight(SubmissionState state) { return !is_final(state) && state != kHeld; }

std::optional<SubmissionState> transition(SubmissionState from, SubmissionEvent event) {
  const SubmissionState to = kTable[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
  if (to == kNone) return std::nullopt;
  return to;
}

Result<SubmissionState> require_transition(SubmissionState from, SubmissionEvent event) {
  if (const auto to = transition(from, event)) return *to;
  return fail(errors::kIllegalTransition, "a submission that is {} cannot '{}'", to_string(from), to_string(event));
}

}  // namespace tandem::submit
