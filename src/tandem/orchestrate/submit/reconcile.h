// tandem/orchestrate/submit/reconcile.h - Reconciler: finds out what became of submissions that nobody waits for.
//
// Room: orchestrate. It never sends work. It resolves what a crash left in intent or ambiguous, watches what is held, and
// follows confirmed work of jobs that ended, until the provider's figure is known and posted.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/orchestrate/submit/submit.h"

namespace tandem::submit {

/// What one sweep saw and did.
struct SweepReport {
  std::size_t open = 0;  ///< submissions that were not final
  std::size_t busy = 0;  ///< of them: a run has them, left alone
  std::size_t confirmed = 0;  ///< found at the provider; the job will go on with them
  std::size_t held = 0;  ///< given up waiting for; their reservation stays
  std::size_t orphaned = 0;  ///< found too late: billed and recorded
  std::size_t finished = 0;  ///< ended in another final state
  std::size_t waiting = 0;  ///< nothing new: still to be watched
  /// The provider could not be asked, or has no backend here, or rows or figures are damaged; looked at again by the next sweep.
  std::size_t failed = 0;
};

/// Threads: sweep() is safe to call concurrently with runs and with itself.
class Reconciler {
 public:
  /// Whether a worker of another process has this job under this fence: its submissions are then in good hands.
  using RunsElsewhere = std::function<Result<bool>(const JobId& job, std::uint64_t fence)>;

  /// Both must outlive it.
  Reconciler(Submitter& submitter, const backend::BackendRegistry& backends, RunsElsewhere runs_elsewhere = nullptr)
      : submitter_(submitter), backends_(backends), runs_elsewhere_(std::move(runs_elsewhere)) {}

  /// One pass over all open submissions; each is asked about once. After a crash every intent is in doubt; the run that comes
  /// back to one knows that as well, so workers need not wait for the first sweep. A record is crash-safe at every point: a sweep that dies is simply repeated.
  /// `stop` ends it before the next submission, and asks the backend to end a question under way.
  /// Errors: 1002 cancelled; those of the store. A provider that does not answer is counted, not an error.
  Result<SweepReport> sweep(std::stop_token stop);

  /// Sweeps at once and then every `interval`, on a thread of its own until the handle is destroyed.
  [[nodiscard]] std::unique_ptr<Timer> start(Executor& executor, std::chrono::milliseconds interval);

 private:
  Submitter& submitter_;
  const backend::BackendRegistry& backends_;
  const RunsElsewhere runs_elsewhere_;
};

}  // namespace tandem::submit
