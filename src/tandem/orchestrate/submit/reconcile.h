// tandem/orchestrate/submit/reconcile.h - Reconciler: finds out what became of submissions that nobody waits for, by itself or with a
// person's word.
//
// Room: orchestrate. It never sends work. It resolves what a crash left in intent or ambiguous, watches what is held, and
// follows confirmed work of jobs that ended, until the provider's figure is known and posted. What no answer of a provider resolves, a
// person does: with the handle of the work, or with what it cost.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

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

/// What a person says of a submission, and who it is.
struct PersonsWord {
  std::string_view actor;  ///< "user:ann"
  std::string_view reason;  ///< kept with the record; not empty
};
inline constexpr std::size_t kHandleBytesMax = 256;  ///< of one that a person names

/// Threads: every method is safe to call concurrently with runs and with each other.
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

  /// A person says what held work has cost: nothing, or `billed`. That is posted, the rest of the reservation goes back, and the record is
  /// final. Where the provider can be asked it is, first: what it says counts before what a person says. Returns the record as it is then.
  /// Errors: 5030 submission_not_found; 5029 submission_not_held - it is not held, it is resolved by now (also by that question), the
  ///         provider has the work, or a run or a sweep has it; 1023 value_out_of_range - `billed` below 0 or above budget::kAmountMax;
  ///         5005 stale_fence - it changed meanwhile; those of the budget and of the store.
  Result<SubmissionRecord> release(std::string_view token, const PersonsWord& word, job::Money billed,
                                   std::stop_token stop);

  /// A person names the provider's handle of work that is held or ambiguous. The provider is asked, and has to say that the work bears
  /// our token; one that cannot say so (class D) only has to know the handle, and the record keeps that this rests on the person's word.
  /// From there on it goes as a sweep would go on: work that has ended is billed, its bytes are stored, and it is an orphan of its job;
  /// that of a job which still waits for it is confirmed. With the handle that it has already, only that second part. Returns the record
  /// as it is then.
  /// Errors: 5030; 5029 - it is resolved, it has another handle, or somebody has it; 1023 - no handle can be like this; 1401
  ///         unknown_backend - it is not among the backends of this process; 1408 unknown_handle - the provider has no such work of ours;
  ///         5005; those of the provider, of the budget and of the store.
  Result<SubmissionRecord> adopt(std::string_view token, const PersonsWord& word, std::string_view handle,
                                 std::stop_token stop);

  /// Sweeps at once and then every `interval`, on a thread of its own until the handle is destroyed.
  [[nodiscard]] std::unique_ptr<Timer> start(Executor& executor, std::chrono::milliseconds interval);

 private:
  struct Taken;
  /// The record of a submission, and a claim on it, for whoever acts on it by hand.
  Result<Taken> take(std::string_view token, const std::stop_token& stop);

  Submitter& submitter_;
  const backend::BackendRegistry& backends_;
  const RunsElsewhere runs_elsewhere_;
};

}  // namespace tandem::submit
