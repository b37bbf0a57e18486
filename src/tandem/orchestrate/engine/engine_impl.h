// tandem/orchestrate/engine/engine_impl.h - EngineImpl: the one Engine. Its methods stand in engine.cc, and in engine_nodes.cc those
// that are about other processes.
//
// Room: orchestrate; for the sources of this part only.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/job_reads.h"
#include "tandem/orchestrate/engine/job_runner.h"
#include "tandem/orchestrate/engine/listeners.h"
#include "tandem/orchestrate/engine/log_follower.h"
#include "tandem/orchestrate/engine/membership.h"
#include "tandem/orchestrate/engine/outlet.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/submit/reconcile.h"

namespace tandem::engine {

class EngineImpl final : public Engine {
 public:
  EngineImpl(EngineServices services, EngineOptions options)
      : services_(services),
        options_(std::move(options)),
        listeners_(std::make_shared<Listeners>()),
        outlet_(std::make_shared<Outlet>(listeners_)),
        ledger_(services_.store, services_.clock,
                [outlet = outlet_](const job::Event& event) { outlet->publish(event); }),
        runner_(services_, ledger_,
                {.threads = options_.threads == 0 ? services_.executor.threads() : options_.threads,
                 .memory_bytes_max = options_.memory_bytes_max,
                 .remote_deadline = options_.remote_deadline,
                 .versions = options_.versions}),
        reads_(services_.store, services_.submitter),
        reconciler_(services_.submitter, services_.backends,
                    [this](const JobId& id, std::uint64_t fence) { return runs_elsewhere(id, fence); }),
        watch_(services_.store, services_.log, services_.meter),
        changed_(services_.executor.make_condition()) {
    services_.submitter.publish_to([outlet = outlet_](const job::Event& event) { outlet->publish(event); });
  }

  ~EngineImpl() override {
    drain(Deadline::after(services_.clock, std::chrono::nanoseconds(0)));
    sweeping_.reset();
    healing_.reset();
    workers_.clear();
    beating_.reset();
    guarding_.reset();
    // Its jobs are back in the queue; without a row nobody waits for the lease to run out.
    if (membership_ != nullptr) (void)membership_->leave();
    if (follower_ != nullptr) outlet_->follow(nullptr);
    follower_.reset();
  }

  Result<void> recover_and_start();

  Result<Admission> admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                          std::string_view actor) override;
  Result<job::Plan> plan(const job::JobSpec& spec) override { return runner_.make_plan(spec); }
  Result<JobView> job(const JobId& id) override { return reads_.job(id); }
  Result<JobPage> jobs(std::optional<job::JobState> state, std::size_t limit, std::string_view page_token) override {
    return reads_.jobs(state, limit, page_token);
  }
  Result<Json> spec_document(const JobId& id) override { return reads_.spec_document(id); }
  Result<Json> plan_document(const JobId& id) override { return reads_.plan_document(id); }
  Result<Bytes> result(const JobId& id) override { return reads_.result(id); }
  Result<lineage::LineageRecord> lineage(const JobId& id) override { return reads_.lineage(id); }
  Result<lineage::ReplayPackage> replay_package(const JobId& id) override { return reads_.replay_package(id); }
  Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) override {
    return reads_.events(id, after, limit);
  }
  Result<void> cancel(const JobId& id, std::string_view actor, std::string_view reason) override;
  Result<void> review(const JobId& id, Verdict verdict, std::string_view actor, std::string_view reason) override;
  std::unique_ptr<Timer> subscribe(std::function<void(const job::Event&)> on_event,
                                   std::function<void(const Progress&)> on_progress,
                                   std::function<void()> on_unstored) override {
    return std::make_unique<Subscription>(
        listeners_, listeners_->add(std::move(on_event), std::move(on_progress), std::move(on_unstored)));
  }
  Result<std::size_t> attend(const JobId& id) override;
  Result<JobView> wait(const JobId& id, Deadline deadline) override;
  Result<void> ready() override;
  void drain(Deadline deadline) override;

 private:
  struct Running {
    std::stop_source stop;
    bool cancel_requested = false;
    bool lost = false;
  };
  Result<void> refuse_when_draining();
  void enqueue(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  void work(std::stop_token stop);
  /// The error that kept its start, a checkpoint or its end from being stored.
  std::optional<Error> run_one(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  Result<void> requeue(const JobId& id, const std::string& reason);
  Result<void> join_others();
  void beat(const std::stop_token& stop);
  Result<bool> runs_elsewhere(const JobId& id, std::uint64_t fence);
  /// Under the lock; an engine that runs nothing keeps nothing.
  void enqueue_locked(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  void look_for_work();
  void stop_cancelled(const JobId& id);
  void guard(const std::stop_token& stop);
  void heard(const job::Event& event);  ///< by any process, in the order of the log
  bool may_start() const { return membership_ == nullptr || membership_->holds(); }
  /// Called when `error` kept something from being stored: jobs wait now, and whoever waits for them hears it.
  void cannot_store(const Error& error);
  void park(const JobId& id, std::shared_ptr<const job::JobSpec> spec);  ///< under the lock
  void heal(const std::stop_token& stop);
  void unpark();

  EngineServices services_;
  EngineOptions options_;
  std::shared_ptr<Listeners> listeners_;
  std::shared_ptr<Outlet> outlet_;
  JobLedger ledger_;
  JobRunner runner_;
  JobReads reads_;
  submit::Reconciler reconciler_;
  StoreWatch watch_;

  /// A job whose start, checkpoint or end could not be stored.
  struct Parked {
    std::shared_ptr<const job::JobSpec> spec;
    std::uint32_t looks_left = 0;  ///< of heal(), before it is tried again
  };

  std::mutex mutex_;
  const std::unique_ptr<Condition> changed_;  ///< queue, running, draining, ended jobs, what can be stored
  std::deque<JobId> queue_;  ///< their order; those that do not wait any more are passed over
  /// What may be queued in the store: whoever starts it finds out. A spec is null where this process did not admit it.
  std::map<JobId, std::shared_ptr<const job::JobSpec>> waiting_;
  std::set<JobId> attended_;
  std::map<JobId, std::shared_ptr<Running>> running_;
  std::map<JobId, Parked> parked_;
  std::map<JobId, std::uint32_t> parkings_;  ///< how often in a row; a job that keeps failing is tried less and less
  std::uint64_t ended_ = 0;  ///< counts jobs that ended or were parked here, so that waiters look again
  bool draining_ = false;
  std::vector<std::unique_ptr<Timer>> workers_;
  std::unique_ptr<Timer> sweeping_;
  std::unique_ptr<Timer> healing_;
  // Of a shared store only.
  std::unique_ptr<Membership> membership_;  ///< of a process with workers
  std::unique_ptr<LogFollower> follower_;
  std::unique_ptr<Timer> beating_;
  std::unique_ptr<Timer> guarding_;
};

}  // namespace tandem::engine
