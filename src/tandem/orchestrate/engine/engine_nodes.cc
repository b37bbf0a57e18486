// What an engine does because other processes share its store.
#include "tandem/base/assert.h"
#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/engine_impl.h"
#include "tandem/orchestrate/engine/take_over.h"

namespace tandem::engine {

Result<bool> EngineImpl::runs_elsewhere(const JobId& id, std::uint64_t fence) {
  if (membership_ == nullptr) return false;
  TANDEM_TRY_ASSIGN(const std::optional<std::string> owner, owner_under(services_.store, id, fence));
  return owner && *owner != membership_->id();
}

Result<void> EngineImpl::join_others() {
  TANDEM_TRY_ASSIGN(follower_,
                    LogFollower::start(services_.store, services_.executor, services_.log, options_.log_interval,
                                       [this](const job::Event& event) { heard(event); }));
  outlet_->follow(follower_.get());
  if (options_.workers == 0) return {};
  TANDEM_ASSERT(!options_.node_id.empty());
  membership_ = std::make_unique<Membership>(services_.store, services_.clock, options_.node_id, options_.lease_ttl,
                                             options_.node_facts);
  return membership_->join();
}

void EngineImpl::beat(const std::stop_token& stop) {
  bool well = true;
  // A failing store is asked more often: there is not much of the lease left.
  while (pause(services_.executor, options_.lease_ttl / (well ? 3 : 10), stop)) {
    auto done = membership_->beat();
    if (!done && done.error().number == errors::kLeaseLost) {
      services_.log.write(LogLevel::kWarning, "node.lease_lost", {{"node", membership_->id()}});
      done = membership_->join();
    }
    if (!done && well)
      services_.log.write(LogLevel::kWarning, "node.beat_failed", {{"error", done.error().to_string()}});
    well = done.has_value();
    if (!well) continue;
    if (const auto taken = take_over(*membership_, services_.store, ledger_, services_.log); !taken)
      services_.log.write(LogLevel::kWarning, "node.take_over_failed", {{"error", taken.error().to_string()}});
    look_for_work();
  }
}

/// Beside beat(), which may be waiting for the store when the lease runs out.
void EngineImpl::guard(const std::stop_token& stop) {
  while (pause(services_.executor, options_.lease_ttl / 20, stop)) {
    if (may_start()) continue;
    std::vector<std::shared_ptr<Running>> running;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, one] : running_) {
        one->lost = true;
        running.push_back(one);
      }
    }
    for (const auto& one : running) one->stop.request_stop();
  }
}

void EngineImpl::look_for_work() {
  std::set<JobId> attended;
  {
    const std::lock_guard lock(mutex_);
    changed_->notify_all();  // whoever waited for the lease
    if (!waiting_.empty()) return;
    attended = attended_;
  }
  // What the log told while it could not be taken, such as a job that this process was still running for nobody.
  const std::string prefix = state_index_key(job::JobState::kQueued, JobId());
  const auto rows = services_.store.scan(store::Scan::prefix(store::Table::kJobIndex, prefix));
  if (!rows) return;
  for (const store::Row& row : *rows) {
    const JobId id(row.key.substr(prefix.size()));
    if (options_.runs == Runs::kEveryJob || attended.contains(id)) enqueue(id, nullptr);
  }
}

void EngineImpl::heard(const job::Event& event) {
  const bool queued = event.type == "job.queued" || event.type == "job.requeued";
  if (event.type == "job.cancel_requested") stop_cancelled(event.job);
  {
    const std::lock_guard lock(mutex_);
    if (queued && (options_.runs == Runs::kEveryJob || attended_.contains(event.job)))
      enqueue_locked(event.job, nullptr);
    else if (event.type.starts_with("job.") && !queued && event.type != "job.cancel_requested")
      waiting_.erase(event.job);  // somebody has it, or it is over
    if (waiting_.empty()) queue_.clear();  // only a worker that takes something would pass them over
    ++ended_;  // whoever waits for a job looks again
    changed_->notify_all();
  }
  listeners_->publish(event);
}

}  // namespace tandem::engine
