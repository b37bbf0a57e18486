// tandem/orchestrate/engine/job_record.h - the stored row of a job, and the only way it changes.
//
// Room: orchestrate. Every change is one compare-and-set on the row's version plus one event in the same batch, and a change by
// a worker also checks its fence.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/json.h"
#include "tandem/model/job/job_event.h"
#include "tandem/model/job/job_state.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/schedule/fair_queue.h"
#include "tandem/store/store.h"
#include "tandem/trust/budget/limits.h"

namespace tandem::engine {

struct JobRecord {
  JobView view;
  std::uint64_t version = 0;  ///< of the store's row; 0: not stored yet
  std::string spec_sha256;  ///< blob
  std::string result_sha256;  ///< of the row result_key(); empty until there is one
  std::optional<JsonText> plan;  ///< from the first thing that is stored of a run until the lineage has it
  std::string cancel_reason;
  std::int64_t deadline_micros = 0;  ///< of total_time; 0: none
  std::uint32_t starts = 0;  ///< times a worker took it
  std::string owner;  ///< the node that runs it, where several share the store; empty unless it is running
  std::uint32_t lost_leases = 0;  ///< processes that were lost while they ran it
  std::int64_t rank = 0;  ///< among what waits: schedule::rank_of
  std::string serial_key;
  bool suspend_requested = false;
  std::int64_t queue_until_micros = 0;  ///< latest first start; 0: none
  std::vector<std::string> submitted_before;  ///< actors: of the jobs that this one is a retry of, each once
  std::uint32_t approvals = 0;  ///< requests for approval that it made
  std::int64_t approval_until_micros = 0;  ///< of the last of them

  schedule::Ticket ticket() const;
  Bytes value() const;
  static Result<JobRecord> parse(const store::Row& row);
};

/// Whose money it spends.
budget::Payer payer_of(const JobRecord& record);

/// "state/<state>/<id>": ids sort by creation.
std::string state_index_key(job::JobState state, const JobId& id);

/// "owner/<node>/<id>" of running jobs that have an owner.
std::string owner_index_key(std::string_view node, const JobId& id);

/// "<id>/result" in Table::kStep: no two jobs have one result, so it stands with what is the job's own, in the order of the ids.
std::string result_key(const JobId& id);

/// "error/<number>/<id>" of jobs that ended with an error.
std::string error_index_key(std::uint16_t number, const JobId& id);

/// Nobody works on it, and its total time goes on.
bool is_put_aside(job::JobState state);
/// When it ends although it is put aside in this state, in microseconds; 0: never.
std::int64_t put_aside_until(const JobRecord& record, job::JobState state);
/// It waits for people: nothing happens before one of them says something.
bool awaits_people(job::JobState state);

/// Jobs that are put aside although their time is over: the first page. "due/<micros>/<id>" in the index.
Result<std::vector<JobId>> due_put_aside(store::Store& store, std::int64_t now_micros);

/// When the first one that is put aside ends, in microseconds; empty: none does.
Result<std::optional<std::int64_t>> next_put_aside(store::Store& store);

/// Every index entry that a stored job has, but for its answers (answer_index.h).
std::vector<std::string> job_index_keys(const JobRecord& record);

/// What a key of idempotency stands for.
struct IdempotencyEntry {
  std::string fingerprint;  ///< of the document
  JobId job;
  Timestamp created_at;
  static std::string row_key(std::string_view tenant, std::string_view key);  ///< in Table::kIdempotency
  Bytes value() const;
  static Result<IdempotencyEntry> parse(const store::Row& row);
};

/// What the index has of a job before a change.
struct Indexed {
  job::JobState state = job::JobState::kQueued;
  std::string owner;
  explicit Indexed(const JobRecord& record) : state(record.view.state), owner(record.owner) {}
};

/// "serial/<tenant>/<key>" while a job with the key is running.
std::string serial_index_key(std::string_view tenant, std::string_view key);

/// Adds the row of `record` (expecting its version) to `batch`, and moves its index entries where they changed.
void put_job(store::Batch& batch, const JobRecord& record, const std::optional<Indexed>& previous);

/// Errors: 5001 job_not_found.
Result<JobRecord> load_job(store::Store& store, const JobId& id);

/// Every row under a prefix, read page by page.
Result<std::vector<store::Row>> rows_under(store::Store& store, store::Table table, std::string_view prefix);

/// Ids of all jobs in a state, oldest first.
Result<std::vector<JobId>> jobs_in_state(store::Store& store, job::JobState state);

/// A job in the queue.
struct Queued {
  schedule::Ticket ticket;
  std::int64_t since_micros = 0;  ///< when it came into the queue
  std::int64_t until_micros = 0;  ///< it ends as expired when it has not started by then; 0: it waits for ever
};
Queued queued_of(const JobRecord& record);
/// What "job.queued" tells.
Queued announced_by(const job::Event& event);
// What follows is told by the bytes of "job.queued", as stored or its data alone: of most jobs that others admitted a process need not
// know more.
bool is_at_home(std::string_view announcement, std::string_view process);  ///< `process` has it ready to run
bool has_home(std::string_view announcement);  ///< some process has
bool may_expire(std::string_view announcement);  ///< announced_by().until_micros is not 0

/// All queued jobs, oldest first, page by page; what is needed stands in the index. Errors: 3003 store_damaged; those of reads.
Result<void> each_queued(store::Store& store, const std::function<void(const Queued&)>& take);

/// When the job came into the queue that waits longest, in microseconds; empty: none waits. One look at the oldest
/// kQueueLook jobs: where as many have come back into the queue since, one behind them may have waited longer. Errors: as each_queued.
inline constexpr std::size_t kQueueLook = 64;
Result<std::optional<std::int64_t>> longest_queued_since(store::Store& store);

/// Ids of the jobs that a node runs, oldest first.
Result<std::vector<JobId>> jobs_of_owner(store::Store& store, std::string_view node);

}  // namespace tandem::engine
