// tandem/orchestrate/engine/job_record.h - the stored row of a job, and the only way it changes.
//
// Room: orchestrate. Every change is one compare-and-set on the row's version plus one event in the same batch, and a change by
// a worker also checks its fence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/json.h"
#include "tandem/model/job/job_event.h"
#include "tandem/model/job/job_state.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/store/store.h"

namespace tandem::engine {

struct JobRecord {
  JobView view;
  std::uint64_t version = 0;  ///< of the store's row; 0: not stored yet
  std::string spec_sha256;  ///< blob
  std::string result_sha256;  ///< blob; empty until final
  std::optional<Json> plan;
  std::string actor;
  std::string cancel_reason;
  std::int64_t deadline_micros = 0;  ///< of total_time; 0: none
  std::uint32_t starts = 0;  ///< times a worker took it

  Bytes value() const;
  static Result<JobRecord> parse(const store::Row& row);
};

/// "state/<state>/<id>": ids sort by creation.
std::string state_index_key(job::JobState state, const JobId& id);

/// Adds the row of `record` (expecting its version) to `batch`, moving its index entry when the state changed.
void put_job(store::Batch& batch, const JobRecord& record, std::optional<job::JobState> previous_state);

/// Errors: 5001 job_not_found.
Result<JobRecord> load_job(store::Store& store, const JobId& id);

/// Ids of all jobs in a state, oldest first.
Result<std::vector<JobId>> jobs_in_state(store::Store& store, job::JobState state);

}  // namespace tandem::engine
