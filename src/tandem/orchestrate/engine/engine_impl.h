// tandem/orchestrate/engine/engine_impl.h - EngineImpl: the one Engine. Its methods stand in engine.cc; in engine_work.cc how jobs
// get to workers and from them to their end; in engine_heal.cc what goes on later; in engine_expiry.cc what ends a wait; in engine_verbs.cc
// what clients do to a job; in engine_nodes.cc what is about other processes; in engine_drain.cc its end.
//
// Room: orchestrate; for the sources of this part only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tandem/orchestrate/engine/crash_points.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/engine/engine_checks.h"
#include "tandem/orchestrate/engine/errands.h"
#include "tandem/orchestrate/engine/in_hand.h"
#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/job_reads.h"
#include "tandem/orchestrate/engine/job_runner.h"
#include "tandem/orchestrate/engine/listeners.h"
#include "tandem/orchestrate/engine/log_follower.h"
#include "tandem/orchestrate/engine/membership.h"
#include "tandem/orchestrate/engine/outlet.h"
#include "tandem/orchestrate/engine/progress_board.h"
#include "tandem/orchestrate/engine/provider_lines.h"
#include "tandem/orchestrate/engine/queue_delay.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/submit/reconcile.h"

namespace tandem::engine {

class EngineImpl final : public Engine {
 public:
  EngineImpl(EngineServices services, EngineOptions options);
  ~EngineImpl() override;

  Result<void> recover_and_start();

  void admit(std::shared_ptr<const job::JobSpec> spec, std::string_view tenant, std::string_view idempotency_key,
             std::string_view actor, Admitted done) override;
  Result<Admission> admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                          std::string_view actor) override;
  Result<job::Plan> plan(const job::JobSpec& spec, std::string_view tenant) override;
  Result<std::vector<budget::UsageGroup>> usage(const budget::UsageQuery& query, budget::UsageBy by) override;
  Result<budget::ChargePage> charges(const budget::UsageQuery& query, std::size_t limit,
                                     std::string_view page_token) override;
  Result<std::vector<budget::Standing>> standings(std::string_view tenant) override;
  Result<JobView> job(const JobId& id) override;
  Result<JobPage> jobs(const JobQuery& query) override { return reads_.jobs(query); }
  Result<Json> spec_document(const JobId& id) override { return reads_.spec_document(id); }
  Result<Json> plan_document(const JobId& id) override { return reads_.plan_document(id); }
  Result<Bytes> result(const JobId& id) override { return reads_.result(id); }
  Result<lineage::LineageRecord> lineage(const JobId& id) override { return reads_.lineage(id); }
  Result<lineage::ReplayPackage> replay_package(const JobId& id) override { return reads_.replay_package(id); }
  Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) override;
  Result<void> cancel(const JobId& id, std::string_view actor, std::string_view reason) override;
  Result<void> suspend(const JobId& id, std::string_view actor, std::string_view reason) override;
  Result<void> resume(const JobId& id, std::string_view actor) override;
  Result<Admission> retry(const JobId& id, std::string_view idempotency_key, std::string_view actor) override;
  Result<void> review(const JobId& id, Verdict verdict, std::string_view actor, std::string_view reason) override;
  Result<ApprovalPage> approvals(const ApprovalQuery& query) override { return reads_.approvals(query); }
  Result<approval::Approval> approval(const approval::ApprovalId& id) override;
  Result<approval::Approval> decide(const approval::ApprovalId& id, const identity::Principal& who,
                                    const approval::Word& word) override;
  Result<submit::SubmissionPage> submissions(const SubmissionQuery& query) override;
  Result<SubmissionRecord> submission(std::string_view token) override;
  Result<SubmissionRecord> release(std::string_view token, const PersonsWord& word, job::Money billed) override;
  Result<SubmissionRecord> adopt(std::string_view token, const PersonsWord& word, std::string_view handle) override;
  Result<void> remove(const JobId& id, std::string_view actor, std::string_view reason) override;
  std::unique_ptr<Timer> subscribe(std::function<void(const job::Event&)> on_event,
                                   std::function<void(const Progress&)> on_progress,
                                   std::function<void()> on_unstored) override;
  std::unique_ptr<Timer> subscribe(const JobId& id, std::function<void(const job::Event&)> on_event,
                                   std::function<void(const Progress&)> on_progress,
                                   std::function<void()> on_unstored) override;
  Result<std::size_t> attend(const JobId& id) override;
  Result<JobView> wait(const JobId& id, Deadline deadline) override;
  Result<void> ready() override;
  std::size_t drain(Deadline work_until, Deadline stop_until) override;

 private:
  /// What a worker does next.
  struct Turn {
    std::vector<std::shared_ptr<Running>> claims;
    std::optional<Claimed> job;
    bool leave = false;
  };
  class Waiter;

  /// What an admission commits; or the answer to an earlier request with the same key.
  struct Candidate {
    JobRecord record;
    Change change;
    std::string fingerprint;  ///< of the document
    std::optional<Admission> earlier;
  };
  Result<Candidate> make_candidate(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                                   std::string_view actor);
  /// Of one whose accounts others changed: again and again, on what they are by then. Waits for the store, so not on one of its
  /// threads. Errors: those of admit(); 4006 accounts_contended.
  Result<Admission> admit_again(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                                std::string_view actor);
  std::shared_ptr<void> count_admission();  ///< until what it returns is gone one is under way, and the drain waits
  void admitted(JobRecord row, SpecPtr spec);
  void reach(std::string_view point) const { services_.crash_points.reach(point); }
  std::size_t drain_all(Deadline work_until, Deadline stop_until);
  std::size_t hanging_locked() const;  ///< runs, whether their jobs could be put back or not
  void leave_others();  ///< they need not wait for this process, which runs nothing any more that counts
  Result<void> refuse_when_draining();
  /// It admits jobs that it runs itself, as a rule.
  bool keeps_fresh() const { return options_.runs == Runs::kEveryJob && options_.workers != 0; }
  bool waits_locked(const std::string& job) const;
  void enqueue(const Queued& queued);
  /// One that the process which admitted it has ready to run: two that go for the same job are one too many.
  void enqueue_guest_locked(const JobId& job, const store::LogEntry& entry);
  /// By "job.queued". None where it is damaged: the log says so.
  std::optional<Queued> queued_by(const store::LogEntry& entry) const;
  /// Those among the guests whose turn has come join the queue. Returns when the next one's comes.
  std::optional<Instant> move_guests_locked();
  void forget_guest_locked(const std::string& job);
  void note_wait_locked(const Queued& queued);
  void note_limit_locked(const Queued& queued);  ///< of its wait, if it has one
  /// Under the lock; an engine that runs nothing keeps nothing.
  void enqueue_locked(const Queued& queued);
  Result<void> enqueue_queued();  ///< all that the store has
  void wake(const JobId& id);  ///< whoever waits for it looks again
  void wake_locked(const JobId& id);
  void unqueue_locked(const std::string& job);
  void wake_all();

  // Workers.
  void work(const std::stop_token& stop);
  void add_worker();  ///< for the slot of a run that went outside; it stays, for the next one
  Turn take(const std::stop_token& stop);
  bool may_start_more_locked(std::size_t free) const;  ///< `free`: slots without a job
  std::shared_ptr<Running> pop_locked();
  /// The start of a job that no other process takes need not be stored before it is walked. One found in the store has only its id.
  std::optional<Run> take_unclaimed_locked(Running& running);
  bool read_unclaimed(Claimed& claimed);  ///< false: it has to be claimed after all, and that is under way
  Result<void> start(JobRecord& row, Change& change, Timestamp at) const;
  void claim(const std::shared_ptr<Running>& running);
  void claim_with(JobRecord record, SpecPtr spec, const std::shared_ptr<Running>& running);
  void claimed(JobRecord row, SpecPtr spec, const std::shared_ptr<Running>& running);
  void not_started(const std::shared_ptr<Running>& running);
  /// `version`: of the row that the claim was tried on.
  void claim_refused(const std::shared_ptr<Running>& running, const Error& error, std::uint64_t version);
  void give_back_claimed();  ///< what lies claimed behind long runs
  void walk(Claimed claimed);
  void ending_locked(const Running& running, int more);  ///< counts ends under way
  void end(RunOutcome outcome, const std::shared_ptr<Running>& running);
  void end_again(RunOutcome outcome, const std::shared_ptr<Running>& running, bool was_refused);
  /// The job is out of this process's hands; `unstored`: it has to come back to it.
  void let_go(const JobId& id, const std::shared_ptr<Running>& running, SpecPtr spec, std::optional<Error> unstored);
  /// Back to the queue with what was let go, where it is queued; one that stands in a line for a provider stays there.
  void look_again(const JobId& id);
  /// Whoever waited longest for room at a provider that has some goes back to the queue.
  void let_in_locked();
  /// What takes the store's time and must not wait for a worker.
  void chore(std::function<void()> work);
  void do_chores(const std::stop_token& stop);
  void release_held_keys();
  void release_held_keys_locked();
  void stop_running(const JobId& id, StopReason reason);

  Result<void> requeue(const JobId& id, const std::string& reason);
  Result<void> take_part();  ///< from the recovery of what was running on
  /// Puts back what the last process that had this store alone left running, and leaves a mark while this one is at work.
  Result<void> begin_to_work();
  void end_work();
  Result<void> keep_time();  ///< that of the store
  /// Runs jobs, or looks after those of others.
  bool takes_part() const { return options_.workers != 0 || (options_.schedules && services_.store.shared()); }
  Result<void> lead();  ///< what the leader does, if this process is it
  void obey();  ///< what clients asked of the jobs that this process runs, should the log not have told
  Result<void> join_others();
  void beat(const std::stop_token& stop);
  Result<bool> runs_elsewhere(const JobId& id, std::uint64_t fence);
  void look_for_work();
  void guard(const std::stop_token& stop);
  void stop_lost();  ///< all that this process runs: others may have it by now
  /// Of what others made: does what the head is enough for. Whether all of it is to be heard.
  bool glance_at(const job::EventHead& head, const store::LogEntry& entry);
  void heard(const job::Event& event);  ///< by any process, in the order of the log
  bool may_start() const { return membership_ == nullptr || membership_->holds(); }
  /// Called when `error` kept something from being stored: jobs wait now, and whoever waits for them hears it.
  void cannot_store(const Error& error);
  void park_locked(const JobId& id, SpecPtr spec, const schedule::Ticket& ticket);
  void heal(const std::stop_token& stop);
  void heal_by_locked(Instant at);  ///< looks by then at the latest
  void heal_claimed_locked();  ///< looks in time at what lies claimed
  Instant next_heal_locked(Instant next_try) const;
  Instant at_of(std::int64_t micros) const;
  void note_put_aside(std::string_view event);  ///< it may be due before anything that is known of
  void unpark();
  /// From now on the run has as long to stop as its job, or a lease, gives it.
  void await_stop(Stopping stopping);
  void leave_hanging(Instant told_until);  ///< those that had to have stopped by then
  /// Ends the job of a run that was told to stop and does not, as if it had: what the run still writes fails on its fence, and its slot is
  /// another's.
  void leave(const Stopping& stopping);
  void expire_waiting();
  /// Takes a job whose wait is over from those whose wait has a limit, if this is the process that ends it.
  std::optional<JobId> next_expired(std::int64_t now_micros);
  void expire_put_aside();
  void keep_house(const std::stop_token& stop);

  EngineServices services_;
  EngineOptions options_;
  std::shared_ptr<Listeners> listeners_;
  std::shared_ptr<Outlet> outlet_;
  JobLedger ledger_;
  resilience::Bulkheads bulkheads_;
  JobRunner runner_;
  JobReads reads_;
  submit::Reconciler reconciler_;
  StoreWatch watch_;
  ProgressBoard progress_;
  QueueDelay queue_delay_;
  WorkerSlots slots_;

  std::mutex mutex_;
  /// What may be queued in the store: whoever starts it finds out.
  schedule::FairQueue queue_;
  std::unordered_map<std::string, Fresh> fresh_;  ///< of what waits; a part of it
  std::unordered_map<std::string, Guest> guests_;  ///< what waits for the process that admitted it
  std::set<std::pair<Instant, std::string>> guests_by_age_;  ///< when each was heard of
  Instant own_taken_{};  ///< when a job that this process admitted came to a worker last
  std::set<std::pair<std::int64_t, std::string>> waiting_until_;  ///< microseconds, job: whose wait has a limit
  std::multimap<Instant, Stopping> stopping_;  ///< by when they have to have stopped; some have since
  ProviderLines lines_;
  std::vector<schedule::Ticket> held_keys_;  ///< one for each serial key that another process has
  std::deque<Claimed> claimed_;
  std::deque<std::function<void()>> chores_;
  std::size_t admitting_ = 0;  ///< admissions that the store has not answered
  std::size_t claiming_ = 0;  ///< claims that the store has not answered
  std::size_t ending_ = 0;  ///< ends that it has not answered
  std::size_t found_ending_ = 0;  ///< of them those of jobs found in the store
  double mean_run_s_ = 1;  ///< of late; high at first, so that nothing is claimed ahead before it is known to be short
  std::set<JobId> attended_;
  std::map<JobId, std::shared_ptr<Running>> running_;
  std::map<JobId, Parked> parked_;
  std::map<JobId, std::uint32_t> parkings_;  ///< how often in a row; a job that keeps failing is tried less and less
  std::multimap<JobId, Waiter*> waiters_;
  const std::unique_ptr<Condition> work_;  ///< whatever take() looks at
  const std::unique_ptr<Condition> chore_;
  const std::unique_ptr<Condition> changed_;  ///< running_ or admitting_ got smaller
  const std::unique_ptr<Condition> healed_;  ///< heals_at_ is earlier
  Instant heals_at_;  ///< when heal() looks next; in the past while it does
  /// When the first job ends that is put aside, in microseconds, as far as is known; empty: none does.
  std::optional<std::int64_t> put_aside_until_ = 0;
  bool found_ownerless_ = false;  ///< since this process leads; of the thread that beats
  bool at_work_ = false;  ///< the mark of begin_to_work() is this process's to erase
  bool after_loss_ = false;  ///< among the jobs found in the store may be one that took the last process down
  bool leads_ = true;  ///< false where another process looks after what waits
  bool draining_ = false;
  std::stop_source drain_;  ///< requested when draining_ is set
  std::vector<std::unique_ptr<Timer>> workers_;
  std::unique_ptr<Timer> doing_chores_;
  std::unique_ptr<Errands>
      readmissions_;  ///< admissions that lost against another of their payer's; null: without limits none does
  std::unique_ptr<Timer> sweeping_;
  std::unique_ptr<Timer> healing_;
  std::unique_ptr<Timer> keeping_house_;
  std::unique_ptr<Membership> membership_;  ///< as what follows of a shared store only; of workers
  std::unique_ptr<LogFollower> follower_;
  std::unique_ptr<Timer> beating_;
  std::unique_ptr<Timer> guarding_;
};

}  // namespace tandem::engine
