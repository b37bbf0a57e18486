// tandem/model/job/job_state.h - the states of a job and the table of legal transitions.
//
// Room: model. An illegal transition cannot be expressed: every change goes through `transition`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem::job {

enum class JobState : std::uint8_t {
  kQueued,
  kAwaitingApproval,
  kRunning,
  kSuspended,
  kAwaitingReview,
  kSucceeded,
  kFailed,
  kCancelled,
  kExpired,
};
inline constexpr std::size_t kNumJobStates = static_cast<std::size_t>(JobState::kExpired) + 1;

enum class JobEvent : std::uint8_t {
  kStart,     ///< a worker took it
  kNeedsApproval,
  kApproved,
  kRejected,
  kSuspend,
  kResume,
  kNeedsReview,
  kAccepted,
  kSucceed,
  kFail,
  kCancel,
  kExpire,
  kRequeue,   ///< a crash or drain: back to the queue, checkpoints kept
};
inline constexpr std::size_t kNumJobEvents = static_cast<std::size_t>(JobEvent::kRequeue) + 1;

std::string_view to_string(JobState state);  ///< "queued", "awaiting_approval", ...
std::string_view to_string(JobEvent event);  ///< "start", ...
std::optional<JobState> find_job_state(std::string_view name);
bool is_final(JobState state);

/// The next state; empty where the table has none.
std::optional<JobState> transition(JobState from, JobEvent event);
/// Errors: 5002 job_final, 5003 illegal_transition (both named).
Result<JobState> require_transition(JobState from, JobEvent event);

}  // namespace tandem::job
