// tandem/orchestrate/engine/retention.h - Retention: removes, in small steps, what was kept long enough.
//
// Room: orchestrate; for the sources of this part only. Jobs that ended go by age and by number, the oldest first; idempotency keys by
// age; blobs when nobody names them (blob_sweep.h). Done by one process, the leader: Housekeeping::fence.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tandem/orchestrate/engine/blob_sweep.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/engine/job_ledger.h"

namespace tandem::engine {

struct RetentionLimits {
  std::chrono::milliseconds age{0};  ///< of a job, since its end; 0: for ever
  std::uint64_t jobs = 0;  ///< that have ended; 0: no limit
  std::chrono::milliseconds idempotency_age{0};
};

/// Counts tandem_jobs_removed_total, tandem_idempotency_keys_expired_total, tandem_blobs_erased_total.
///
/// Threads: one. Cost: jobs that ended later than younger ones are read at each look, those that must stay (an open submission) once an
/// hour.
class Retention {
 public:
  static constexpr std::size_t kJobsAtOnce = 16;  ///< removed in one commit,
  static constexpr std::size_t kOperationsAtOnce = 3'000;  ///< or fewer: as soon as the commit has so many operations
  static constexpr std::size_t kKeysAtOnce = 500;  ///< idempotency rows read at once, and at most erased in one commit
  static constexpr int kSweepShare = 20;  ///< after a sweep the next one waits so many times as long as it took,
  static constexpr int kSweepShareBehind = 3;  ///< and so many times where it could not take all
  static constexpr std::size_t kStayingMax =
      10'000;  ///< jobs that are passed over for kKeysInterval, since they must stay
  static constexpr std::chrono::hours kKeysInterval{1};  ///< between two readings of all idempotency keys

  Retention(const EngineServices& services, JobLedger& ledger, RetentionLimits limits, Housekeeping housekeeping);

  /// Everything that is due. Errors: those of the store; 3004 precondition_failed - another process leads by now.
  Result<void> look();

 private:
  Result<void> remove_jobs();
  /// Empty: the job stays.
  Result<std::optional<Removal>> removal_of(const JobRecord& record, std::string_view reason);
  Result<void> remove(std::vector<Removal> removals, const std::vector<JobRecord>& records);
  Result<void> expire_keys();
  Result<void> sweep_blobs();
  bool leads() const;

  const EngineServices& services_;
  JobLedger& ledger_;
  const RetentionLimits limits_;
  const Housekeeping housekeeping_;
  std::set<JobId> staying_;  ///< whose submissions were open when last looked at
  Instant keys_due_;
  Instant sweep_due_;
};

}  // namespace tandem::engine
