// tandem/orchestrate/engine/job_reads.h - JobReads: what the store has of jobs, for whoever asks. It changes nothing.
//
// Room: orchestrate. Errors are those that engine.h names.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tandem/orchestrate/engine/engine.h"

namespace tandem::engine {

/// Threads: safe to call concurrently.
class JobReads {
 public:
  JobReads(store::Store& store, submit::Submitter& submitter, Log& log)
      : store_(store), submitter_(submitter), log_(log) {}

  Result<JobView> job(const JobId& id) const;
  /// What a key of idempotency stands for.
  struct KeyUse {
    std::optional<Admission> admission;  ///< empty: the key may be used
    store::Expect row = store::Expect::absent();  ///< what a use of it must find
  };
  /// `row_key`: of the key; one that was used before `since`, or whose job is gone, may be used anew.
  /// Errors: 5007 idempotency_conflict - another document.
  Result<KeyUse> key_use(const std::string& row_key, const std::string& fingerprint, Timestamp since) const;
  Result<JobPage> jobs(const JobQuery& query) const;
  Result<ApprovalPage> approvals(const ApprovalQuery& query) const;
  Result<Json> spec_document(const JobId& id) const;
  Result<Json> plan_document(const JobId& id) const;
  Result<Bytes> result(const JobId& id) const;
  Result<lineage::LineageRecord> lineage(const JobId& id) const;
  Result<lineage::ReplayPackage> replay_package(const JobId& id) const;
  Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) const;

 private:
  store::Store& store_;
  submit::Submitter& submitter_;
  Log& log_;
};

}  // namespace tandem::engine
