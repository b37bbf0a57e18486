// tandem/orchestrate/engine/job_runner.h - walks one job from "running" to its end: plan, rounds, result, lineage, evidence.
//
// Room: orchestrate. Everything it needs to go on after a crash is in the store; it is made anew for every start of a job.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/order_runner.h"

namespace tandem::engine {

/// Why the runner let go of a job.
enum class RunEnd : std::uint8_t {
  kFinal,  ///< a final state is stored
  kRequeued,  ///< stopped by a drain: back in the queue, checkpoints kept
  kLost,  ///< somebody else owns it now: nothing was written
  kUnstored,  ///< what it came to could not be stored: still running in the store, checkpoints kept
};

struct RunOutcome {
  RunEnd end = RunEnd::kFinal;
  std::optional<Error> error;  ///< of kLost and kUnstored
};

struct RunOptions {
  std::size_t threads = 1;
  std::uint64_t memory_bytes_max = 0;
  std::chrono::milliseconds remote_deadline{20'000};
  lineage::Versions versions;
};

/// What stops a running job.
struct RunControl {
  std::stop_token stop;  ///< any reason
  std::function<bool()> cancelled;  ///< the client asked
  std::function<bool()> draining;  ///< the server goes down
  std::function<bool()> lost;  ///< this process may not work on it any more: its lease is over
  std::function<void(const Progress&)> on_progress;
};

class JobRunner {
 public:
  JobRunner(EngineServices& services, JobLedger& ledger, RunOptions options)
      : services_(services), ledger_(ledger), options_(std::move(options)) {}

  /// `spec` may be null: it is then read from the store.
  RunOutcome run(const JobId& id, std::uint64_t fence, std::shared_ptr<const job::JobSpec> spec,
                 const RunControl& control);

  /// The plan for a job, with quotes, availability and evidence as they are now.
  Result<job::Plan> make_plan(const job::JobSpec& spec);

 private:
  struct Walked {
    job::ResultDocument result;
    Json walk_lineage;
    std::vector<Carried> carried;
  };
  Result<job::Plan> stored_or_new_plan(const JobRecord& record, const job::JobSpec& spec, std::uint64_t fence);
  Result<Walked> walk(const JobRecord& record, const job::JobSpec& spec, const job::Plan& plan,
                      const RunControl& control, Deadline deadline);
  /// To succeeded, or, where the result is not trusted enough, to whoever the plan names for that.
  Result<void> end_with_result(const JobRecord& record, const job::JobSpec& spec, const job::Plan& plan, Walked walked,
                               double elapsed_ms);
  Result<void> finish_without_result(const JobId& id, std::uint64_t fence, job::JobEvent event, const Error& error);
  RunOutcome end_with(const JobId& id, std::uint64_t fence, const Error& error, const RunControl& control);

  EngineServices& services_;
  JobLedger& ledger_;
  RunOptions options_;
};

/// What the event "job.succeeded" tells of a row that names its result.
Json succeeded_data(const JobRecord& row, const job::ResultDocument& result);

/// Reads the job document back. Errors: 3003 store_damaged.
Result<job::JobSpec> load_spec(store::Store& store, const JobRecord& record, const problem::ProblemRegistry& problems);

}  // namespace tandem::engine
