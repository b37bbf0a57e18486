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
  JobReads(store::Store& store, submit::Submitter& submitter) : store_(store), submitter_(submitter) {}

  Result<JobView> job(const JobId& id) const;
  /// What an idempotency key has admitted before. Errors: 5007 idempotency_conflict - another document.
  Result<std::optional<Admission>> earlier_admission(const std::string& key, const std::string& fingerprint) const;
  Result<JobPage> jobs(const JobQuery& query) const;
  Result<Json> spec_document(const JobId& id) const;
  Result<Json> plan_document(const JobId& id) const;
  Result<Bytes> result(const JobId& id) const;
  Result<lineage::LineageRecord> lineage(const JobId& id) const;
  Result<lineage::ReplayPackage> replay_package(const JobId& id) const;
  Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) const;

 private:
  store::Store& store_;
  submit::Submitter& submitter_;
};

}  // namespace tandem::engine
