#include "tandem/sim/scheduler.h"

#include <algorithm>

#include "tandem/base/assert.h"

namespace tandem::sim {

void Group::resume() {
  paused_ = false;
  scheduler_.runnable_.insert(scheduler_.runnable_.end(), parked_.begin(), parked_.end());
  parked_.clear();
}

void Scheduler::spawn(Group& group, std::function<void()> body) {
  if (idle_.empty()) {
    idle_.push_back(strands_.size());
    strands_.push_back({.fibre = std::make_unique<Fibre>()});
  }
  const std::size_t index = idle_.back();
  idle_.pop_back();
  Strand& strand = strands_[index];
  strand.group = &group;
  strand.fibre->start(std::move(body));
  ++group.fibres_;
  runnable_.push_back(index);
}

Scheduler::TimerKey Scheduler::after(Group& group, Nanos delay, std::function<void()> body) {
  const TimerKey key{now_ + std::max<Nanos>(0, std::min(delay, kNever - now_)), next_timer_++};
  timers_.emplace(key, Due{.group = &group, .body = std::move(body)});
  return key;
}

void Scheduler::forget(const Group& group) {
  std::erase_if(timers_, [&](const auto& timer) { return timer.second.group == &group; });
}

Scheduler::Ticket Scheduler::ticket() const { return {.fibre = running_, .number = strands_[running_].blocked}; }

bool Scheduler::block(Nanos until) {
  const std::size_t self = running_;
  Fibre& fibre = *strands_[self].fibre;
  strands_[self].waiting = true;
  TimerKey key{kNever, 0};
  if (until != kNever) {
    key = {until, next_timer_++};
    timers_.emplace(key, Due{.ticket = ticket()});
  }
  fibre.leave();
  return until == kNever || timers_.erase(key) != 0;
}

void Scheduler::wake(const Ticket& ticket) {
  Strand& strand = strands_[ticket.fibre];
  if (!strand.waiting || strand.blocked != ticket.number) return;
  strand.waiting = false;
  ++strand.blocked;
  runnable_.push_back(ticket.fibre);
}

void Scheduler::yield() {
  runnable_.push_back(running_);
  strands_[running_].fibre->leave();
}

void Scheduler::fire_due() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_) {
    const auto node = timers_.extract(timers_.begin());
    Due due = std::move(node.mapped());
    if (due.body)
      spawn(*due.group, std::move(due.body));
    else
      wake(due.ticket);
  }
}

bool Scheduler::run(std::uint64_t steps_max) {
  while (!stopped_) {
    if (steps_ == steps_max) return false;
    fire_due();
    if (runnable_.empty()) {
      if (timers_.empty()) return false;
      now_ = std::max(now_, timers_.begin()->first.first);
      continue;
    }
    const std::size_t chosen = rng_.below(runnable_.size());
    const std::size_t index = runnable_[chosen];
    runnable_[chosen] = runnable_.back();
    runnable_.pop_back();
    Group& group = *strands_[index].group;
    if (group.paused_) {
      group.parked_.push_back(index);
      continue;
    }
    ++steps_;
    now_ += static_cast<Nanos>(rng_.below(kStepNanosMax));
    mix(index ^ static_cast<std::uint64_t>(now_) << 8);
    running_ = index;
    Fibre& fibre = *strands_[index].fibre;  // strands_ may grow meanwhile
    if (!fibre.enter()) {
      --group.fibres_;
      idle_.push_back(index);
    }
  }
  return true;
}

}  // namespace tandem::sim
