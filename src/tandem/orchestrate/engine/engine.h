// tandem/orchestrate/engine/engine.h - Engine: admits jobs, walks them step by step, and never loses one.
//
// Room: orchestrate. Acknowledges only what is durable. A job is one row, one event log subject, checkpoints and a result;
// every transition is one compare-and-set on (id, version) plus one event in the same commit. Several processes may share a
// store: each holds a lease (membership.h), jobs go to who starts them first, and every write of a worker carries its fence.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/executor.h"
#include "tandem/base/id.h"
#include "tandem/base/log.h"
#include "tandem/base/meter.h"
#include "tandem/base/rng.h"
#include "tandem/base/span.h"
#include "tandem/evidence/lineage/lineage.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_event.h"
#include "tandem/model/job/job_spec.h"
#include "tandem/model/job/job_state.h"
#include "tandem/model/job/plan.h"
#include "tandem/model/job/result_document.h"
#include "tandem/orchestrate/engine/store_clock.h"
#include "tandem/orchestrate/resilience/bulkheads.h"
#include "tandem/orchestrate/resilience/gates.h"
#include "tandem/orchestrate/route/route.h"
#include "tandem/orchestrate/schedule/fair_queue.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/orchestrate/submit/submit.h"
#include "tandem/store/store.h"
#include "tandem/trust/access/rules.h"
#include "tandem/trust/approval/approval.h"
#include "tandem/trust/budget/limits.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::engine {

using submit::PersonsWord;
using submit::SubmissionRecord;

/// Progress of a running job, not durable.
struct Progress {
  JobId job;
  std::string step;
  std::optional<double> objective = std::nullopt;
  std::optional<double> bound = std::nullopt;  ///< proved, on the objective in its sense
  double elapsed_ms = 0;
  Json document() const;  ///< without the job
};

/// The row of a job as others see it.
struct JobView {
  JobId id;
  job::JobState state = job::JobState::kQueued;
  std::string name;
  std::string problem_type;
  std::uint64_t fence = 0;
  Timestamp created_at;
  Timestamp updated_at;
  std::string plan_digest;
  std::optional<double> objective;
  std::string error;  ///< text with number; empty unless failed, cancelled or expired
  std::uint16_t error_number = 0;
  std::string lineage_id;
  std::string tenant;
  std::string project;
  std::string submitted_by;  ///< actor: "user:ann"
  std::string approval_id;  ///< of the last request for approval of its plan; empty: there was none
  int priority = 0;
  bool cancel_requested = false;
  bool partial = false;  ///< its result rests on a partial answer
  std::optional<Progress> progress = std::nullopt;  ///< of a running job, as its process told last; not in lists
  Json document() const;
};

/// 5001: it is not there, or not for who asks; the same words for both.
Error no_such_job(const JobId& id);

/// Which jobs a page lists, newest first. Those of a tenant are found among all.
struct JobQuery {
  std::optional<job::JobState> state = std::nullopt;
  std::optional<std::uint16_t> error_number = std::nullopt;  ///< that ended with this error
  std::optional<std::string> tenant = std::nullopt;  ///< whose; empty: of all
  std::vector<std::string> projects = {};  ///< of that tenant; empty: of all
  std::size_t limit = 100;
  std::string page_token = "";  ///< of the page before
};

enum class Verdict : std::uint8_t { kAccept, kReject };

/// Which requests for approval a page lists, oldest first.
struct ApprovalQuery {
  std::optional<JobId> job = std::nullopt;  ///< all of this job's; empty: those that wait for a decision
  std::optional<std::string> tenant = std::nullopt;  ///< whose; empty: of all
  std::vector<std::string> projects = {};  ///< of that tenant; empty: of all
  std::size_t limit = 100;
  std::string page_token = "";  ///< of the page before
};

/// Work sent to providers, by what became of it.
struct SubmissionQuery : submit::SubmissionQuery {
  std::vector<std::string> projects = {};  ///< of the tenant; empty: of all
};

/// Which of the queued jobs an engine with workers runs.
enum class Runs : std::uint8_t {
  kEveryJob,  ///< in the order in which they came
  kAttended,  ///< those that attend() names; the others stay in the queue for an engine that runs every job
};

struct EngineOptions {
  /// 0: admits, reads and cancels only; nothing is recovered or run, and no other process runs anything either.
  /// Else: so many jobs compute at once; those that only wait for a provider do not count.
  std::size_t workers = 2;
  Runs runs = Runs::kEveryJob;
  std::size_t threads = 0;  ///< of the executor that one job may use; 0: all
  std::uint64_t memory_bytes_max = route::RouteInput{}.memory_bytes_max;  ///< that one step may plan for
  std::chrono::milliseconds remote_deadline{
      20'000};  ///< how long a step waits for a remote backend before it falls back
  resilience::Bulkheads::Limits
      provider_runs_max;  ///< runs that use a provider at once; those beyond it wait in the queue
  std::chrono::milliseconds reconcile_interval{1'000};
  std::chrono::milliseconds store_retry_interval{1'000};  ///< between looks whether a full disk has room again
  /// Between looks whether a limit is over because a clock was set; else its end wakes whoever sees to it.
  std::chrono::milliseconds clock_look_interval{60'000};
  std::chrono::milliseconds lease_ttl{10'000};  ///< of this process where others share the store
  std::chrono::milliseconds log_interval{1'000};  ///< between looks at a shared log when nothing said that it grew
  schedule::Weights weights;  ///< of tenants, and of "tenant/project"; 1 where none is given
  std::chrono::milliseconds queue_delay_max{
      0};  ///< of the oldest waiting job, beyond which new ones are refused; 0: none is
  std::chrono::milliseconds retention_age{0};  ///< of jobs, since their end; older ones are removed. 0: never
  std::uint64_t retention_jobs = 0;  ///< that have ended; of more, the oldest are removed. 0: no limit
  std::chrono::milliseconds idempotency_age{std::chrono::hours(30 * 24)};  ///< of a key, after which it makes a new job
  std::chrono::milliseconds retention_interval{60'000};  ///< between looks for what was kept long enough
  /// Of a shared store: this process may be the one that takes over from lost ones and ends what waited too long. One of all is.
  bool schedules = true;
  std::string node_id;  ///< of this process and no other, ever; needed where the store is shared
  Json node_facts = Json::object();  ///< for people: host, pid
  lineage::Versions versions;
};

/// References that outlive the engine.
struct EngineServices {
  store::Store& store;
  backend::BackendRegistry& backends;
  const problem::ProblemRegistry& problems;
  Executor& executor;
  const Clock& clock;  ///< of a shared store: `store_clock`, so that limits and times are the same for all
  Rng& rng;
  Log& log;
  Meter& meter;
  Tracer& tracer;
  submit::Submitter& submitter;
  const CrashPoints& crash_points;
  resilience::Gates* gates = nullptr;  ///< of the remote backends; null: there are no limits
  const access::Rules* rules = nullptr;  ///< of the house; null: there are none
  StoreClock* store_clock = nullptr;  ///< the engine keeps it right; null: the machine's clock has to do
  const budget::Limits* limits = nullptr;  ///< of payers and backends; null: there are none
};

/// What the gates of a process have to know where others share its store, as `node_id` of the options; empty: none does. `clock`: the one
/// that they agree on.
std::optional<resilience::AmongOthers> among_others(store::Store& store, const Clock& clock,
                                                    const std::string& node_id);

struct Admission {
  JobId id;
  bool replayed = false;  ///< an earlier request with the same idempotency key
};

struct JobPage {
  std::vector<JobView> jobs;
  std::string next_page_token;  ///< empty: no more
};

struct ApprovalPage {
  std::vector<approval::Approval> approvals;
  std::string next_page_token;  ///< empty: no more
};

/// What cannot be stored is not acknowledged and not forgotten. When a disk is full or a database away, running jobs stop at their last checkpoint,
/// new ones are refused, ready() and wait() say why, and the jobs go on when there is room; when the store stopped (3005),
/// after a restart.
///
/// Threads: every method is safe to call concurrently.
class Engine {
 public:
  /// Requeues what was running when a process was lost (of a shared store: whose lease ran out), or fails what took down too many
  /// (5014), and starts the workers and, beside them, the reconciler: no provider is waited for. Errors: those of the store.
  static Result<std::unique_ptr<Engine>> start(EngineServices services, EngineOptions options);
  virtual ~Engine() = default;

  using Admitted = std::function<void(Result<Admission>)>;
  /// Durable when `done` is called: one commit of job, idempotency row, hold and event. It is called once, here or on a thread of
  /// the engine or its store, and must be short.
  /// Errors: 4004 limit_exceeded; 5007 idempotency_conflict; 5023 idempotency_in_flight; 5015 queue_delay_exceeded, with retry_after_s; 5001 job_not_found - what it is a retry of; 1004 out_of_memory - a problem too large
  ///         for this machine; those of route::check_names, of ready() and of the store.
  virtual void admit(std::shared_ptr<const job::JobSpec> spec, std::string_view tenant,
                     std::string_view idempotency_key, std::string_view actor, Admitted done) = 0;
  /// The same, and waits for it.
  virtual Result<Admission> admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                                  std::string_view actor) = 0;
  /// What would be planned now, without side effect.
  virtual Result<job::Plan> plan(const job::JobSpec& spec, std::string_view tenant) = 0;

  /// What the attempts of a tenant cost, added up. Errors: those of reads.
  virtual Result<std::vector<budget::UsageGroup>> usage(const budget::UsageQuery& query, budget::UsageBy by) = 0;
  /// One by one. Errors: 1023 value_out_of_range - no token of a page; those of reads.
  virtual Result<budget::ChargePage> charges(const budget::UsageQuery& query, std::size_t limit,
                                             std::string_view page_token) = 0;
  /// The limits that concern a tenant and where they stand now. Errors: those of reads.
  virtual Result<std::vector<budget::Standing>> standings(std::string_view tenant) = 0;

  virtual Result<JobView> job(const JobId& id) = 0;  ///< 5001 job_not_found
  /// A job whose row cannot be read is left out and named in the log (job.unreadable): job() says what is wrong with it.
  virtual Result<JobPage> jobs(const JobQuery& query) = 0;
  virtual Result<Json> spec_document(const JobId& id) = 0;
  virtual Result<Json> plan_document(const JobId& id) = 0;  ///< 5004 before planning
  virtual Result<Bytes> result(const JobId& id) = 0;  ///< 5004 result_not_ready; canonical bytes as stored
  /// 5004 until the job has a result. Its orphans are those that the ledger of submissions has by now.
  virtual Result<lineage::LineageRecord> lineage(const JobId& id) = 0;
  virtual Result<lineage::ReplayPackage> replay_package(const JobId& id) = 0;
  /// Entries of the job's log after sequence `after`, in order, without gap; at most `limit` and 1000.
  virtual Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) = 0;
  virtual Result<void> cancel(const JobId& id, std::string_view actor,
                              std::string_view reason) = 0;  ///< 5002 job_final
  /// A queued job leaves the queue; a running one stops at its next checkpoint. What a provider has is stopped as by a cancel.
  /// Errors: 5002 job_final; 5003 illegal_transition - it is neither.
  virtual Result<void> suspend(const JobId& id, std::string_view actor, std::string_view reason) = 0;
  /// Back into the queue. Errors: 5003 illegal_transition - it is not suspended; 5002 job_final.
  virtual Result<void> resume(const JobId& id, std::string_view actor) = 0;
  /// A new job with the document of one that has ended. Errors: 5025 job_not_final; those of admit().
  virtual Result<Admission> retry(const JobId& id, std::string_view idempotency_key, std::string_view actor) = 0;

  /// A person's word on a job that awaits review: accepted, it has succeeded; rejected, it has failed with 5022. Result and
  /// lineage say so. Errors: 5001 job_not_found; 5002 job_final; 5003 illegal_transition - it does not await review; 1023 - a
  /// reason too long; those of the store.
  virtual Result<void> review(const JobId& id, Verdict verdict, std::string_view actor, std::string_view reason) = 0;

  virtual Result<ApprovalPage> approvals(const ApprovalQuery& query) = 0;
  virtual Result<approval::Approval> approval(const approval::ApprovalId& id) = 0;  ///< 4103 approval_not_found
  /// A person's word on a plan that awaits approval, as it stands afterwards. With the last one that it needs the job is queued again;
  /// rejected, it is cancelled with 4107. The word, its event and what becomes of the job are one commit.
  /// Errors: 4103 approval_not_found; those of Approval::decide(); those of the store.
  virtual Result<approval::Approval> decide(const approval::ApprovalId& id, const identity::Principal& who,
                                            const approval::Word& word) = 0;

  virtual Result<submit::SubmissionPage> submissions(const SubmissionQuery& query) = 0;
  virtual Result<SubmissionRecord> submission(std::string_view token) = 0;  ///< 5030 submission_not_found
  /// A person's word on work that no provider's answer resolves: what it cost, or which handle it has; durable when it returns, with what
  /// follows from it. Errors: 1020 missing_key - no reason; 1023 - a reason too long; those of Reconciler::release() and adopt().
  virtual Result<SubmissionRecord> release(std::string_view token, const PersonsWord& word, job::Money billed) = 0;
  virtual Result<SubmissionRecord> adopt(std::string_view token, const PersonsWord& word, std::string_view handle) = 0;

  /// Removes a job that has ended, with everything that only it needs, in one commit; its events stay in the log, and one says so.
  /// Of several who remove it one does, the others are told 5001. Blobs that nobody else needs are erased by the leader, later.
  /// Errors: 5001 job_not_found; 5025 job_not_final; 5027 submission_open; 1023 - a reason too long; those of the store.
  virtual Result<void> remove(const JobId& id, std::string_view actor, std::string_view reason) = 0;

  /// Puts a queued job before all others. Returns how many others are queued. Errors: 5001 job_not_found; those of the store.
  virtual Result<std::size_t> attend(const JobId& id) = 0;

  /// Calls the listener after each durable event of any job and its submissions, on progress (which has no sequence) and when
  /// jobs cannot go on because nothing can be stored, on the threads that made them; it must not block. Events come in no
  /// promised order: events() has that of the log. Destroying the handle unsubscribes.
  virtual std::unique_ptr<Timer> subscribe(std::function<void(const job::Event&)> on_event,
                                           std::function<void(const Progress&)> on_progress,
                                           std::function<void()> on_unstored) = 0;
  /// The same, of one job's events and progress; other jobs cost it nothing. Of a job that is not there, nothing comes.
  virtual std::unique_ptr<Timer> subscribe(const JobId& id, std::function<void(const job::Event&)> on_event,
                                           std::function<void(const Progress&)> on_progress,
                                           std::function<void()> on_unstored) = 0;
  /// Waits until the job ended, or people have to say something to it, or the deadline passed. Errors: 5004 result_not_ready at the deadline; 1041 disk_full,
  /// 3007 store_out_of_memory, 3008 store_unreachable, 3005 store_closed - it has not ended and cannot, because nothing can be stored.
  virtual Result<JobView> wait(const JobId& id, Deadline deadline) = 0;

  /// Whether new jobs are taken. Errors: 5012 draining; 1041 disk_full, 3007 store_out_of_memory, 3008 store_unreachable, 3005 store_closed.
  virtual Result<void> ready() = 0;

  /// Takes no new jobs, lets running steps work until `work_until`, tells them to stop, and requeues their jobs. Then the destructor is
  /// quick. The jobs of those that have not stopped by `stop_until` go back without them. Returns how many such runs there are: the
  /// destructor waits for each, so a process ends without it. Nothing is lost by that, and no other process waits for this one's lease.
  virtual std::size_t drain(Deadline work_until, Deadline stop_until) = 0;
};

}  // namespace tandem::engine
