// How an engine comes to its end, also where runs do not come to theirs.
#include <algorithm>

#include "tandem/orchestrate/engine/engine_impl.h"

namespace tandem::engine {

std::size_t EngineImpl::drain(Deadline work_until, Deadline stop_until) {
  reach(one_of(kPoints, "engine.before_drain"));
  const std::size_t hanging = drain_all(work_until, stop_until);
  if (hanging != 0) leave_others();
  reach(one_of(kPoints, "engine.after_drain"));
  return hanging;
}

void EngineImpl::leave_others() {
  keeping_house_.reset();
  sweeping_.reset();
  healing_.reset();
  beating_.reset();
  guarding_.reset();
  // Its jobs are back in the queue; without a row nobody waits for the lease to run out.
  if (membership_ != nullptr) (void)membership_->leave();
  end_work();
}

std::size_t EngineImpl::hanging_locked() const {
  return slots_.hanging() + static_cast<std::size_t>(std::ranges::count_if(
                                running_, [](const auto& one) { return !one.second->place.expired(); }));
}

std::size_t EngineImpl::drain_all(Deadline work_until, Deadline stop_until) {
  std::unique_lock lock(mutex_);
  const bool first = !draining_;
  draining_ = true;
  for (const auto& [id, running] : running_) running->reason = std::max(running->reason, StopReason::kDraining);
  work_->notify_all();
  lock.unlock();
  drain_.request_stop();
  lock.lock();
  // What is not done by then goes back into the queue with its checkpoints.
  const auto idle = [&] { return running_.empty() && admitting_ == 0; };
  const auto wait_for_idle = [&](Deadline end) {
    while (!idle() && !end.expired(services_.clock))
      changed_->wait_for(lock,
                         std::min<std::chrono::nanoseconds>(end.left(services_.clock), options_.clock_look_interval));
  };
  wait_for_idle(work_until);
  if (idle()) return hanging_locked();
  std::vector<std::shared_ptr<Running>> rest;
  for (const auto& [id, running] : running_) rest.push_back(running);
  lock.unlock();
  if (first) services_.log.write(LogLevel::kInfo, "engine.draining", {{"running", std::to_string(rest.size())}});
  for (const auto& running : rest) running->stop.request_stop();
  lock.lock();
  wait_for_idle(stop_until);
  if (idle()) return hanging_locked();
  lock.unlock();
  leave_hanging(Deadline::never().at());
  lock.lock();
  // What is on its way to the store ends there. Where that takes nothing, hanging runs keep their jobs, and whoever comes next takes over.
  changed_->wait(lock, [&] {
    return admitting_ == 0 &&
           std::ranges::none_of(running_, [](const auto& one) { return one.second->place.expired(); });
  });
  return hanging_locked();
}

}  // namespace tandem::engine
