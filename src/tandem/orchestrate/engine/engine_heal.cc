// What goes on later: jobs that could not be stored, runs that do not stop, and what the clock ends.
//
// One thread sleeps until the first of it is due; whoever makes something due earlier wakes it.
#include <algorithm>

#include "tandem/orchestrate/engine/engine_impl.h"

namespace tandem::engine {
namespace {

constexpr auto kClaimedTimeMax = std::chrono::milliseconds(200);  ///< beyond it claimed work goes back
constexpr std::uint32_t kBackOffMax = 6;  ///< doublings of the time between two tries to store what one job does

}  // namespace

void EngineImpl::cannot_store(const Error& error) {
  watch_.note(error);
  wake_all();
  listeners_->publish_stall();
  const std::lock_guard lock(mutex_);
  heal_by_locked(services_.clock.monotonic() + options_.store_retry_interval);
}

void EngineImpl::park_locked(const JobId& id, SpecPtr spec, const schedule::Ticket& ticket) {
  reach(one_of(kPoints, "engine.parked"));
  const std::uint32_t times = parkings_[id]++;
  parked_[id] = {.spec = std::move(spec), .ticket = ticket, .looks_left = 1u << std::min(times, kBackOffMax)};
  heal_by_locked(services_.clock.monotonic() + options_.store_retry_interval);
}

void EngineImpl::heal_by_locked(Instant at) {
  if (at >= heals_at_) return;
  heals_at_ = at;
  healed_->notify_one();
}

void EngineImpl::heal_claimed_locked() {
  if (!claimed_.empty()) heal_by_locked(claimed_.front().at + kClaimedTimeMax);
}

Instant EngineImpl::at_of(std::int64_t micros) const {
  const std::chrono::microseconds left(std::max<std::int64_t>(0, micros - services_.clock.now().micros));
  return services_.clock.monotonic() + left;
}

Instant EngineImpl::next_heal_locked(Instant next_try) const {
  const Instant now = services_.clock.monotonic();
  Instant out = std::min(now + options_.clock_look_interval, next_try);
  if (!watch_.writable()) return out;
  if (!stopping_.empty()) out = std::min(out, stopping_.begin()->first);
  if (services_.store.shared() && membership_ == nullptr) out = std::min(out, now + options_.lease_ttl / 3);
  if (leads_ && !waiting_until_.empty()) out = std::min(out, at_of(waiting_until_.begin()->first));
  if (leads_ && takes_part() && put_aside_until_) out = std::min(out, at_of(*put_aside_until_));
  // Where a worker is free it is about to take what lies there.
  if (!claimed_.empty())
    out = std::min(out, std::max(claimed_.front().at + kClaimedTimeMax, now + kClaimedTimeMax / 2));
  return out;
}

void EngineImpl::heal(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    healed_->notify_one();
  });
  bool has_failed = false;  // something, which is tried again
  std::chrono::nanoseconds until_try{0};
  while (true) {
    bool tries = false;
    {
      std::unique_lock lock(mutex_);
      if (stop.stop_requested() || draining_) return;
      const bool had_failed = std::exchange(has_failed, !parked_.empty() || !watch_.writable());
      if (!had_failed) until_try = options_.store_retry_interval;
      const Instant begin = services_.clock.monotonic();
      heals_at_ = next_heal_locked(has_failed ? begin + until_try : Deadline::never().at());
      const std::chrono::nanoseconds left = heals_at_ - begin;
      // A wait that lasted as long as it should is over, whatever the clock says.
      const bool waited = left.count() <= 0 || !healed_->wait_for(lock, left);
      if (stop.stop_requested() || draining_) return;
      heals_at_ = Instant{};  // awake: nobody need wake it
      const std::chrono::nanoseconds passed = services_.clock.monotonic() - begin;
      until_try -= waited ? std::max(left, passed) : passed;
      tries = has_failed && until_try.count() <= 0;
    }
    if (tries) until_try = options_.store_retry_interval;
    if (tries && watch_.may_recover() && watch_.probe()) {
      const std::lock_guard lock(mutex_);
      work_->notify_all();
    }
    if (!watch_.writable()) continue;
    if (services_.store.shared() && membership_ == nullptr)
      (void)keep_time();  // who has a lease does so with each beat
    if (tries) unpark();
    give_back_claimed();
    leave_hanging(services_.clock.monotonic());
    expire_waiting();
    expire_put_aside();
  }
}

/// A long run may have taken the workers after these were claimed: they go back to where others find them.
void EngineImpl::give_back_claimed() {
  std::deque<Claimed> late;
  {
    const std::lock_guard lock(mutex_);
    if (slots_.free() != 0 || draining_) return;
    while (!claimed_.empty() && services_.clock.monotonic() - claimed_.front().at > kClaimedTimeMax) {
      claimed_.front().running->look_again = true;
      late.push_back(std::move(claimed_.front()));
      claimed_.pop_front();
      ending_locked(*late.back().running, 1);
    }
  }
  for (Claimed& one : late) {
    StopReason reason = StopReason::kNone;
    {
      const std::lock_guard lock(mutex_);
      reason = std::max(one.running->reason, StopReason::kDraining);
    }
    RunOutcome outcome = runner_.end_with(
        std::move(one.run), make_error(errors::kCancelled, "no worker was free for it after all"), reason);
    // It was not walked: that start does not count, and what limits its wait goes on.
    if (outcome.decide) {
      outcome.decide = [inner = std::move(outcome.decide)](JobRecord& row, Change& change) {
        --row.starts;
        return inner(row, change);
      };
    }
    end(std::move(outcome), one.running);
  }
}

void EngineImpl::await_stop(Stopping stopping) {
  const auto time = stopping.told.heartbeat.count() != 0 ? stopping.told.heartbeat : options_.lease_ttl;
  const std::lock_guard lock(mutex_);
  const Instant by = services_.clock.monotonic() + time;
  stopping_.emplace(by, std::move(stopping));
  heal_by_locked(by);
}

void EngineImpl::leave_hanging(Instant told_until) {
  std::vector<Stopping> late;
  {
    const std::lock_guard lock(mutex_);
    const auto end = stopping_.upper_bound(told_until);
    std::vector<Stopping> later;  // until there is a lease again
    for (auto at = stopping_.begin(); at != end; ++at) {
      const Running& running = *at->second.running;
      if (running.place.expired()) continue;
      // Whose lease is over has its job taken over by others, unless it is back before they do: then it is its own to give back.
      const bool is_ours = running.reason != StopReason::kLost || may_start();
      (is_ours ? late : later).push_back(std::move(at->second));
    }
    stopping_.erase(stopping_.begin(), end);
    const Instant again = services_.clock.monotonic() + std::chrono::nanoseconds(options_.lease_ttl);
    for (Stopping& one : later) stopping_.emplace(again, std::move(one));
  }
  for (const Stopping& one : late) leave(one);
}

void EngineImpl::leave(const Stopping& stopping) {
  const auto& [id, running, told] = stopping;
  StopReason reason = StopReason::kNone;
  {
    const std::lock_guard lock(mutex_);
    reason = running->reason;
  }
  auto row = ledger_.load(id);
  if (!row && is_store_trouble(row.error())) {
    await_stop(stopping);
    return cannot_store(row.error());
  }
  const bool runs = row && row->view.state == job::JobState::kRunning &&
                    row->owner == (membership_ != nullptr ? membership_->id() : "");
  const bool begins = row && row->view.state == job::JobState::kQueued && row->version == told.begins_at;
  if (reason == StopReason::kLost) {  // nothing is known of it but that it is not over
    const auto given_back =
        runs ? requeue(id, "its process had no lease for a while, and it did not stop") : Result<void>();
    if (!given_back && is_store_trouble(given_back.error())) {
      await_stop(stopping);
      return cannot_store(given_back.error());
    }
    row = ledger_.load(id);
  } else if (runs || begins) {
    const std::uint64_t fence = row->view.fence;
    Run run{.record = *row, .spec = nullptr, .start = {}};
    if (begins)
      run.start = [this, at = services_.clock.now()](JobRecord& r, Change& change) { return start(r, change, at); };
    const RunOutcome end = runner_.end_with(std::move(run), told.why, reason);
    if (end.decide) row = ledger_.update(id, fence, "engine", end.decide);
    if (end.error) row = tl::unexpected(*end.error);
    if (row && end.decide && job::is_final(row->view.state)) services_.meter.add("tandem_jobs_ended_total", 1);
    if (!row) {  // that, or the run stored something after all: look again
      await_stop(stopping);
      if (is_store_trouble(row.error())) cannot_store(row.error());
      return;
    }
  }
  // Else it is over already, or somebody else's: what this run would still do is nobody's.
  services_.log.write(LogLevel::kError, "job.left_running",
                      {{"job_id", id.value}, {"state", row ? std::string(to_string(row->view.state)) : "removed"}});
  std::shared_ptr<WorkerSlots::Place> place;
  {
    const std::lock_guard lock(mutex_);
    place = running->place.lock();
    if (place == nullptr) return;  // it came back meanwhile, and finds that its job is not its own
    running->left = true;
    if (row && row->view.state == job::JobState::kQueued) running->look_again = true;
  }
  place->give_up();
  place.reset();
  let_go(id, running, nullptr, std::nullopt);
}

void EngineImpl::unpark() {
  // They stay among the parked until it is known what became of them, so that nobody starts them meanwhile.
  std::vector<std::pair<JobId, Parked>> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, parked] : parked_)
      if (--parked.looks_left == 0) due.emplace_back(id, parked);
  }
  for (auto& [id, parked] : due) {
    reach(one_of(kPoints, "engine.unparked"));
    auto record = ledger_.load(id);
    if (record && record->view.state == job::JobState::kRunning) {
      const auto done = requeue(id, "its progress could not be stored");
      if (!done && done.error().number == errors::kStaleFence) {  // another process has it by now
        const std::lock_guard lock(mutex_);
        parked_.erase(id);
        parkings_.erase(id);
        queue_.release(parked.ticket);
        continue;
      }
      record = done ? ledger_.load(id) : tl::unexpected(done.error());
    }
    if (!record && is_store_trouble(record.error())) {
      {
        const std::lock_guard lock(mutex_);
        park_locked(id, std::move(parked.spec), parked.ticket);
      }
      cannot_store(record.error());
      continue;
    }
    const std::lock_guard lock(mutex_);
    parked_.erase(id);
    queue_.release(parked.ticket);
    work_->notify_one();
    if (!record || record->view.state != job::JobState::kQueued) {  // cancelled or gone by now
      parkings_.erase(id);
      continue;
    }
    const Queued queued = queued_of(*record);
    if (parked.spec != nullptr) fresh_.emplace(id.value, Fresh{.record = *std::move(record), .spec = parked.spec});
    enqueue_locked(queued);
  }
}

}  // namespace tandem::engine
