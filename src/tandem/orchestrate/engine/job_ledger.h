// tandem/orchestrate/engine/job_ledger.h - the one way a job's row changes: read, decide, compare-and-set with its events.
//
// Room: orchestrate.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/crash_point.h"
#include "tandem/model/job/job_state.h"
#include "tandem/orchestrate/engine/job_rows.h"

namespace tandem::engine {

/// What a change tells.
struct Told {
  job::EventData data;
  std::optional<Timestamp> at = {};  ///< when it happened, where that was before the change is made
};

/// What a change adds to the commit beside the row itself.
struct Change {
  store::Batch batch;
  std::vector<Told> events;
  bool keeps_row = false;  ///< the row is only checked, not written
};

/// Moves a job on that has no result, for the `decide` of an update: to its end, when `reason` stays in its row and its hold is
/// released, or back into the queue. Errors: those of require_transition() and of the store.
Result<void> move_without_result(store::Store& store, JobRecord& row, Change& change, job::JobEvent event,
                                 const Error& reason);

/// Ends the last request for approval of a job without its decision: kExpired or kVoid. Errors: 3003 store_damaged; those of the store.
Result<void> close_approval(store::Store& store, const JobRecord& row, Change& change, approval::State how,
                            const std::string& why);

/// What removes a job: all of it, and the event that says so, which is appended last.
struct Removal {
  store::Batch batch;
  job::Event event;
};

/// Changes a row and names the events; called again when another writer was faster.
using Decide = std::function<Result<void>(JobRecord&, Change&)>;

/// Of a start: somebody else took the job, ended it, put it aside or removed it before.
bool is_too_late(const Error& error);

/// Threads: safe to call concurrently.
class JobLedger {
 public:
  using Publish = std::function<void(job::Event)>;
  JobLedger(store::Store& store, const Clock& clock, const CrashPoints& crash_points, Publish publish)
      : store_(store), rows_(store), clock_(clock), crash_points_(crash_points), publish_(std::move(publish)) {}

  /// The row as it is stored now. Errors: 5001 job_not_found; those of the store.
  Result<JobRecord> load(const JobId& id) { return rows_.load(id); }

  /// Reads the row, lets `decide` change it and name the events, commits all of it, publishes the events. When somebody else
  /// changed the row meanwhile, everything is done again from the reading on. With `fence` the caller must still own the job: it runs
  /// under that fence, or `decide` starts it. Returns the row as committed. Errors: 5005 stale_fence, 5001 job_not_found, what
  /// `decide` says, those of the store; 3004 precondition_failed - the change rests on another row that is not so, twice alike.
  Result<JobRecord> update(const JobId& id, std::optional<std::uint64_t> fence, const std::string& actor,
                           const Decide& decide);

  /// update() under the fence of a row that the caller has: it is read only where somebody else changed it since.
  Result<JobRecord> advance(const JobRecord& known, const std::string& actor, const Decide& decide);

  /// Adds to `batch` the check that the job runs under this fence. Errors: 5005 stale_fence, 5001 job_not_found, those
  /// of the store.
  Result<void> require_owned(store::Batch& batch, const JobId& id, std::uint64_t fence);

  /// The same without reading and without waiting, once, on a row that the caller has. `done` is called when it is committed or
  /// refused, on a thread of the store, or at once with what `decide` says; it must be short. 3004 precondition_failed: somebody
  /// else changed the row, or took its serial key.
  void change(JobRecord record, const std::string& actor, const Decide& decide,
              std::function<void(Result<JobRecord>)> done);

  /// The first row of a job, without waiting; `done` as in change().
  void insert(JobRecord record, Change change, std::function<void(Result<JobRecord>)> done);

  /// Removes jobs, all or none of them, in one commit. Errors: 3004 precondition_failed - one of them changed; those of the store.
  Result<void> remove(std::span<Removal> removals);

 private:
  struct Prepared {
    JobRecord record;  ///< as it will be
    store::Batch batch;
    std::vector<job::Event> events;
  };
  /// What `decide` makes of a row that is stored.
  Result<Prepared> decided(JobRecord record, const std::string& actor, const Decide& decide);
  Prepared prepare(JobRecord record, const std::optional<Indexed>& previous, const std::string& actor, Change change);
  Result<JobRecord> commit_and_wait(Prepared prepared);
  void commit(Prepared prepared, std::function<void(Result<JobRecord>)> done);
  /// The crash points on this side of the commit of these events.
  void reach(std::string_view side, const std::vector<job::Event>& events) const;
  /// Tells of what was committed.
  void tell(std::vector<job::Event> events, const store::Committed& committed);

  store::Store& store_;
  JobRows rows_;
  const Clock& clock_;
  const CrashPoints& crash_points_;
  Publish publish_;
};

}  // namespace tandem::engine
