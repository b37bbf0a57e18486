// What an engine does because other processes share its store.
#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/engine_impl.h"
#include "tandem/orchestrate/engine/retention.h"
#include "tandem/orchestrate/engine/take_over.h"

namespace tandem::engine {
namespace {

constexpr auto kAfterLapse = std::chrono::milliseconds(20);

/// The job waits to be run by then.
bool brings_work(std::string_view event_type) {
  return event_type == "job.queued" || event_type == "job.requeued" || event_type == "job.resumed" ||
         event_type == "job.approved";
}

}  // namespace

Result<bool> EngineImpl::runs_elsewhere(const JobId& id, std::uint64_t fence) {
  if (!services_.store.shared()) return false;
  TANDEM_TRY_ASSIGN(const JobRecord row, ledger_.load(id));
  const bool runs = row.view.state == job::JobState::kRunning && row.view.fence == fence;
  return runs && (membership_ == nullptr || row.owner != membership_->id());
}

Result<void> EngineImpl::join_others() {
  if (takes_part()) {
    TANDEM_ASSERT(!options_.node_id.empty());
    membership_ = std::make_unique<Membership>(services_.store, services_.clock, services_.crash_points,
                                               options_.node_id, options_.lease_ttl, options_.node_facts);
  }
  TANDEM_TRY_ASSIGN(follower_, LogFollower::start(
                                   services_.store, services_.executor, services_.log, options_.log_interval,
                                   [this](const job::EventHead& head, const store::LogEntry& entry) {
                                     return glance_at(head, entry);
                                   },
                                   [this](const job::Event& event) { heard(event); }));
  outlet_->follow(follower_.get());
  return membership_ == nullptr ? Result<void>() : membership_->join();
}

Result<void> EngineImpl::keep_time() {
  return services_.store_clock == nullptr ? Result<void>()
                                          : services_.store_clock->learn(services_.store, services_.log);
}

Result<void> EngineImpl::lead() {
  bool leads = false;
  if (options_.schedules) {
    TANDEM_TRY_ASSIGN(leads, membership_->lead());
  }
  {
    const std::lock_guard lock(mutex_);
    if (leads && !leads_) {
      put_aside_until_ = 0;
      heal_by_locked(services_.clock.monotonic());
    }
    leads_ = leads;
  }
  found_ownerless_ = found_ownerless_ && leads;
  if (!leads) return {};
  if (!found_ownerless_) {
    TANDEM_TRY(take_over_ownerless(services_.store, ledger_));
    found_ownerless_ = true;
  }
  return take_over(*membership_, services_.store, ledger_, services_.log);
}

void EngineImpl::beat(const std::stop_token& stop) {
  bool well = true;
  // A failing store is asked more often: there is not much of the lease left. The lease of somebody else may end before the next
  // beat is due: who is lost then is lost for no longer.
  const auto until_next = [&]() -> std::chrono::nanoseconds {
    if (!well) return options_.lease_ttl / 10;
    return std::min<std::chrono::nanoseconds>(options_.lease_ttl / 3, membership_->next_lapse() + kAfterLapse);
  };
  while (pause(services_.executor, until_next(), stop)) {
    auto done = membership_->beat(progress_.document());
    if (!done && done.error().number == errors::kLeaseLost) {
      services_.log.write(LogLevel::kWarning, "node.lease_lost", {{"node", membership_->id()}});
      stop_lost();  // with a new lease guard() sees nothing of it
      done = membership_->join();
    }
    if (!done && well)
      services_.log.write(LogLevel::kWarning, "node.beat_failed", {{"error", done.error().to_string()}});
    well = done.has_value();
    if (!well) continue;
    (void)keep_time();  // or with the next beat
    if (const auto taken = lead(); !taken)
      services_.log.write(LogLevel::kWarning, "node.take_over_failed", {{"error", taken.error().to_string()}});
    obey();
    look_for_work();
  }
}

void EngineImpl::obey() {
  std::vector<JobId> mine;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, running] : running_)
      if (running->reason < StopReason::kCancelled) mine.push_back(id);
  }
  for (const JobId& id : mine) {
    const auto record = ledger_.load(id);
    if (!record || record->view.state != job::JobState::kRunning) continue;
    if (record->view.cancel_requested)
      stop_running(id, StopReason::kCancelled);
    else if (record->suspend_requested)
      stop_running(id, StopReason::kSuspended);
  }
}

/// Beside beat(), which may be waiting for the store when the lease runs out.
void EngineImpl::guard(const std::stop_token& stop) {
  std::chrono::nanoseconds until_look{0};
  while (pause(services_.executor, until_look, stop)) {
    until_look = membership_->left();
    if (until_look.count() > 0) continue;
    stop_lost();
    until_look = options_.lease_ttl / 20;  // then there may be a lease again
  }
}

void EngineImpl::stop_lost() {
  std::vector<std::shared_ptr<Running>> running;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, one] : running_) {
      one->reason = StopReason::kLost;
      running.push_back(one);
    }
  }
  for (const auto& one : running) one->stop.request_stop();
}

/// Removes what was kept long enough, if this is the process that does so.
void EngineImpl::keep_house(const std::stop_token& stop) {
  constexpr auto kRest = std::chrono::milliseconds(1);
  const Housekeeping housekeeping{
      .fence = [this](store::Batch& batch) { return membership_ == nullptr || membership_->require_lead(batch); },
      .rest = [&] { return pause(services_.executor, kRest, stop).has_value() && watch_.writable().has_value(); }};
  Retention retention(
      services_, ledger_,
      {.age = options_.retention_age, .jobs = options_.retention_jobs, .idempotency_age = options_.idempotency_age},
      housekeeping);
  do {
    if (!watch_.writable()) continue;
    if (const auto done = retention.look(); !done && done.error().number != errors::kPreconditionFailed) {
      services_.log.write(LogLevel::kWarning, "retention.stopped", {{"error", done.error().to_string()}});
      if (is_store_trouble(done.error())) cannot_store(done.error());
    }
  } while (pause(services_.executor, options_.retention_interval, stop));
}

void EngineImpl::release_held_keys() {
  const std::lock_guard lock(mutex_);
  release_held_keys_locked();
}

void EngineImpl::release_held_keys_locked() {
  for (const schedule::Ticket& ticket : held_keys_) queue_.release(ticket);
  if (!held_keys_.empty()) work_->notify_one();
  held_keys_.clear();
}

void EngineImpl::look_for_work() {
  release_held_keys();
  std::set<JobId> attended;
  {
    const std::lock_guard lock(mutex_);
    work_->notify_all();  // whoever waited for the lease
    if (queue_.ready()) return;
    attended = attended_;
  }
  // What the log told while it could not be taken, such as a job that this process was still running for nobody. A guest has its time.
  (void)each_queued(services_.store, [&](const Queued& queued) {
    const std::lock_guard lock(mutex_);
    if (guests_.contains(queued.ticket.job)) return;
    if (options_.runs == Runs::kEveryJob || attended.contains(JobId(queued.ticket.job))) enqueue_locked(queued);
  });
}

/// Of the jobs of others most of what is told changes nothing here, or no more than that they wait no longer.
bool EngineImpl::glance_at(const job::EventHead& head, const store::LogEntry& entry) {
  note_put_aside(head.type);
  const bool is_guest = head.type == "job.queued" && has_home(entry.value);
  if ((brings_work(head.type) && !is_guest) || head.type.ends_with("_requested")) return true;
  const JobId id{std::string(head.job)};
  {
    const std::lock_guard lock(mutex_);
    if (is_guest)
      enqueue_guest_locked(id, entry);
    else if (!held_keys_.empty() || running_.contains(id) || waiters_.contains(id))
      return true;
    else if (head.type.starts_with("job."))
      unqueue_locked(id.value);  // somebody has it, or it is over
  }
  return listeners_->listen_to(id);
}

void EngineImpl::heard(const job::Event& event) {
  const JobId& id = event.job;
  if (!event.type.ends_with("_requested") && !brings_work(event.type)) {  // somebody has it, or it is over
    {
      const std::lock_guard lock(mutex_);
      if (event.type.starts_with("job.")) {
        unqueue_locked(id.value);
        if (event.type != "job.started" && event.type != "job.planned") release_held_keys_locked();
      }
      wake_locked(id);
    }
    return listeners_->publish(event);
  }
  if (event.type == "job.cancel_requested") stop_running(id, StopReason::kCancelled);
  bool runs_here = options_.runs == Runs::kEveryJob;
  bool is_mine = false;
  {
    const std::lock_guard lock(mutex_);
    runs_here = takes_part() && (runs_here || attended_.contains(id));
    is_mine = running_.contains(id) || waits_locked(id.value);
  }
  if (event.type == "job.suspend_requested" && is_mine) {
    // It may have been resumed since.
    const auto record = ledger_.load(id);
    if (!record || record->suspend_requested) stop_running(id, StopReason::kSuspended);
  } else if (event.type == "job.queued") {
    // One that is at home here was enqueued when it was admitted, a guest when it was glanced at.
    if (runs_here && !has_home(event.data.text())) enqueue(announced_by(event));
  } else if (brings_work(event.type)) {
    if (runs_here) {
      const auto record = ledger_.load(id);
      if (record && record->view.state == job::JobState::kQueued) enqueue(queued_of(*record));
      if (!record && is_store_trouble(record.error())) {
        const std::lock_guard lock(mutex_);
        if (!running_.contains(id) && !parked_.contains(id)) park_locked(id, nullptr, {.job = id.value});
      }
    }
    release_held_keys();
  }
  wake(id);
  listeners_->publish(event);
}

}  // namespace tandem::engine
