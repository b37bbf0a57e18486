#include "tandem/model/job/job_state.h"

#include <array>

namespace tandem::job {
namespace {

constexpr std::array<std::string_view, kNumJobStates> kStateNames = {"queued",    "awaiting_approval", "running",
                                                                     "suspended", "awaiting_review",   "succeeded",
                                                                     "failed",    "cancelled",         "expired"};
constexpr std::array<std::string_view, kNumJobEvents> kEventNames = {
    "start",    "needs_approval", "approved", "rejected", "suspend", "resume", "needs_review",
    "accepted", "succeed",        "fail",     "cancel",   "expire",  "requeue"};

using enum JobState;
constexpr JobState kNone = static_cast<JobState>(0xff);

// clang-format off
// Rows are states, columns are events in the order of JobEvent. Final states have no way out: a retry is a new job.
constexpr std::array<std::array<JobState, kNumJobEvents>, kNumJobStates> kTable = {{
    //                  start     needs_approval     approved  rejected    suspend      resume    needs_review      accepted     succeed      fail      cancel       expire     requeue
    /* queued */       {kRunning, kNone,             kNone,    kNone,      kSuspended,  kNone,    kNone,            kNone,       kNone,       kNone,    kCancelled,  kExpired,  kNone},
    /* awaiting_appr */{kNone,    kNone,             kQueued,  kCancelled, kNone,       kNone,    kNone,            kNone,       kNone,       kNone,    kCancelled,  kExpired,  kNone},
    /* running */      {kNone,    kAwaitingApproval, kNone,    kNone,      kSuspended,  kNone,    kAwaitingReview,  kNone,       kSucceeded,  kFailed,  kCancelled,  kExpired,  kQueued},
    /* suspended */    {kNone,    kNone,             kNone,    kNone,      kNone,       kQueued,  kNone,            kNone,       kNone,       kNone,    kCancelled,  kExpired,  kNone},
    /* awaiting_rev */ {kNone,    kNone,             kNone,    kFailed,    kNone,       kNone,    kNone,            kSucceeded,  kNone,       kNone,    kCancelled,  kExpired,  kNone},
    /* succeeded */    {kNone,    kNone,             kNone,    kNone,      kNone,       kNone,    kNone,            kNone,       kNone,       kNone,    kNone,       kNone,     kNone},
    /* failed */       {kNone,    kNone,             kNone,    kNone,      kNone,       kNone,    kNone,            kNone,       kNone,       kNone,    kNone,       kNone,     kNone},
    /* cancelled */    {kNone,    kNone,             kNone,    kNone,      kNone,       kNone,    kNone,            kNone,       kNone,       kNone,    kNone,       kNone,     kNone},
    /* expired */      {kNone,    kNone,             kNone,    kNone,      kNone,       kNone,    kNone,            kNone,       kNone,       kNone,    kNone,       kNone,     kNone},
}};
// clang-format on

}  // namespace

std::string_view to_string(JobState state) { return kStateNames[static_cast<std::size_t>(state)]; }
std::string_view to_string(JobEvent event) { return kEventNames[static_cast<std::size_t>(event)]; }

std::optional<JobState> find_job_state(std::string_view name) {
  for (std::size_t i = 0; i < kNumJobStates; ++i)
    if (kStateNames[i] == name) return static_cast<JobState>(i);
  return std::nullopt;
}

bool is_final(JobState state) {
  return state == kSucceeded || state == kFailed || state == kCancelled || state == kExpired;
}

std::optional<JobState> transition(JobState from, JobEvent event) {
  const JobState to = kTable[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
  if (to == kNone) return std::nullopt;
  return to;
}

Result<JobState> require_transition(JobState from, JobEvent event) {
  if (const auto to = transition(from, event)) return *to;
  if (is_final(from)) {
    return fail(errors::kJobFinal,
                "the job has ended as {}; '{}' is no longer possible, submit a new job with retry_of", to_string(from),
                to_string(event));
  }
  return fail(errors::kIllegalTransition, "a job that is {} cannot '{}'", to_string(from), to_string(event));
}

}  // namespace tandem::job
