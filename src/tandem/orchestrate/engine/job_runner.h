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

/// A job that a worker is to walk.
struct Run {
  JobRecord record;  ///< the row as it is stored
  std::shared_ptr<const job::JobSpec> spec;  ///< null: to be read
  /// Makes the row a running one. It is stored with the first thing that the run stores: until then nothing was done for the job that
  /// anybody could see. Empty: `record` is running.
  Decide start;
};

/// How the walk of a job came out.
struct RunOutcome {
  /// What the row becomes; empty: nothing is written, for the reason in `error`, or because nothing was done yet.
  Decide decide;
  /// 5005 stale_fence: somebody else owns it. Others: what it came to could not be stored or may not be written; it is still
  /// running in the store, with its checkpoints.
  std::optional<Error> error;
  Run run;  ///< as it was left: its row as this worker last saw it
  std::string behind =
      {};  ///< the compartment of the bulkheads that had no room for it; empty: none of them is why it goes back
};

struct RunOptions {
  std::size_t threads = 1;
  std::uint64_t memory_bytes_max = 0;
  std::chrono::milliseconds remote_deadline{20'000};
  lineage::Versions versions;
};

/// Why a running job is to stop.
enum class StopReason : std::uint8_t {
  kNone,
  kDraining,  ///< the server goes down
  kSuspended,  ///< the client asked, and may resume it
  kCancelled,  ///< the client asked
  kLost,  ///< this process may not work on it any more: its lease is over
};

/// A run was told to stop, for whatever reason.
struct ToldToStop {
  Error why;  ///< what the job ends with if the run does not follow: the time that is over, or 1002 cancelled
  std::chrono::milliseconds heartbeat{0};  ///< limits.heartbeat; 0: none is given
  std::uint64_t begins_at =
      0;  ///< version of the row that it began with, where its start goes with what it stores first; 0: it is stored
};

struct RunControl {
  WorkerSlots::Place& place;
  std::stop_token stop;  ///< any reason
  std::stop_token drain = {};  ///< the server goes down: what works may end its work, what waits to try again ends now
  std::function<StopReason()> reason;
  std::function<bool()> holds;  ///< whether this process still has what it runs, for all that it knows by itself
  std::function<void(const Progress&)> on_progress;
  /// Called once at most, on whatever thread stops it; must be short.
  std::function<void(ToldToStop)> on_told_to_stop = {};
};

class JobRunner {
 public:
  JobRunner(EngineServices& services, JobLedger& ledger, resilience::Bulkheads& bulkheads, RunOptions options)
      : services_(services), ledger_(ledger), bulkheads_(bulkheads), options_(std::move(options)) {}

  RunOutcome run(Run run, const RunControl& control);
  /// What becomes of a job that cannot go on because of `error`.
  RunOutcome end_with(Run run, const Error& error, StopReason reason);

  /// The plan for a job, with quotes, availability and evidence as they are now. The run that it is for, if any, waits outside for
  /// providers that are slow to say. Errors: 1002 cancelled - that run was told to stop; those of route::make_plan().
  Result<job::Plan> make_plan(const job::JobSpec& spec, std::string_view tenant, const RunControl* run = nullptr);

 private:
  struct Walked {
    job::ResultDocument result;
    Json walk_lineage;
    std::vector<Carried> carried;
    std::optional<approval::Approval> approval;  ///< as it is by then
  };
  struct PlanAndDocument {
    job::Plan plan;
    std::string digest;
    JsonText document;
  };
  using Planned = std::shared_ptr<const PlanAndDocument>;
  /// A new plan is written with the first change of the row: nothing is ordered before.
  Result<Planned> stored_or_new_plan(const JobRecord& record, const job::JobSpec& spec, const RunControl& control);
  /// What the plan and, where it needs that, the word of people allow.
  struct Cleared {
    Planned plan;
    /// That covers the plan, or covered it until a price rose while it ran. Empty: it needs none, or waits for it.
    std::optional<approval::Approval> approval;
    bool waits = false;  ///< for people: nothing of it may be begun
  };
  /// The approval that a run rests on.
  class Footing;
  /// What the job may spend: what its plan needs where people approved that, else what it may without asking them. Empty: no rule
  /// asks about money.
  std::optional<SpendMax> spend_max_of(const Cleared& cleared, const access::Subject& subject) const;
  /// The plan that may be run, or the one that people have to be asked for. An approved plan that was not begun and does not hold any
  /// more is dropped, with its approval, and made anew.
  Result<Cleared> clear(Run& run, const RunControl& control);
  /// Why an approved plan is not the one to be run after all: other rules, a backend that is no more, a higher price. Empty: it is the
  /// one. Who does not say its price now is no reason: the order asks again, and spends no more than was approved.
  std::string why_void(const job::Plan& plan, const JobRecord& record, const job::JobSpec& spec,
                       const RunControl& control);
  /// From running to awaiting approval, with the request.
  Decide ask_people(const Run& run, const Planned& planned);
  /// Adds the plan to a row that has none, and the hold that it needs. Errors: 3003 store_damaged; those of the store.
  Result<void> write_plan(JobRecord& row, Change& change, const PlanAndDocument& planned,
                          const job::JobSpec& spec) const;
  /// The same without the hold. False: the row has it already.
  static bool add_plan(JobRecord& row, Change& change, const job::Plan& plan, const std::string& digest);
  /// The providers that a run uses, and the compartment of the bulkheads that had no room for it.
  struct Room {
    resilience::Bulkheads::Stay stay;
    std::string full;
    explicit Room(resilience::Bulkheads& bulkheads) : stay(bulkheads) {}
  };
  /// Errors: also 5019 backend_busy - there is no room for a round that was not begun, and `room` says where.
  Result<Walked> walk(Run& run, const Cleared& cleared, const RunControl& control, Room& room, Deadline deadline);
  std::string key_of_simulation(const job::JobSpec& spec, const backend::BackendInfo& hardware) const;
  /// The plan names somebody whose work has a price, if only 0.
  bool asks_others(const job::Plan& plan) const;
  /// To succeeded, or, where the result is not trusted enough, to whoever the plan names for that.
  Result<Decide> end_with_result(const Run& run, const Cleared& cleared, Walked walked, double elapsed_ms);

  static constexpr const char* kActor = "engine";
  EngineServices& services_;
  JobLedger& ledger_;
  resilience::Bulkheads& bulkheads_;
  RunOptions options_;
};

/// What the event "job.succeeded" tells of a result and where it is.
job::EventData succeeded(const job::ResultDocument& result, const std::string& result_sha256);

/// Reads the job document back. Errors: 3003 store_damaged.
Result<job::JobSpec> load_spec(store::Store& store, const JobRecord& record, const problem::ProblemRegistry& problems);

}  // namespace tandem::engine
