#include "tandem/sim/sim_executor.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace tandem::sim {
namespace {

constexpr double kWakeForNothing = 0.002;

class SimTimer final : public Timer {
 public:
  SimTimer(Scheduler& scheduler, Scheduler::TimerKey key) : scheduler_(scheduler), key_(key) {}
  ~SimTimer() override { SimTimer::cancel(); }
  void cancel() override { scheduler_.cancel(key_); }

 private:
  Scheduler& scheduler_;
  Scheduler::TimerKey key_;
};

/// Destroying the handle requests stop and joins.
class SimLoop final : public Timer {
 public:
  struct State {
    explicit State(Scheduler& scheduler) : ended(scheduler) {}
    std::stop_source stop;
    std::mutex mutex;
    SimCondition ended;
    bool over = false;
  };
  explicit SimLoop(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~SimLoop() override {
    SimLoop::cancel();
    std::unique_lock lock(state_->mutex);
    state_->ended.wait(lock, [this] { return state_->over; });
  }
  void cancel() override { state_->stop.request_stop(); }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace

bool SimCondition::block(std::unique_lock<std::mutex>& lock, Scheduler::Nanos until) {
  lock.unlock();
  bool in_time = true;
  if (scheduler_.chance(kWakeForNothing)) {
    scheduler_.yield();
  } else {
    const Scheduler::Ticket self = scheduler_.ticket();
    waiting_.push_back(self);
    in_time = scheduler_.block(until);
    std::erase(waiting_, self);
  }
  lock.lock();
  return in_time;
}

bool SimCondition::wait_for(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds duration) {
  const Scheduler::Nanos left = Scheduler::kNever - scheduler_.now();
  return block(lock, scheduler_.now() + std::clamp<Scheduler::Nanos>(duration.count(), 0, left));
}

void SimCondition::notify_one() {
  if (waiting_.empty()) return;
  const std::size_t chosen = scheduler_.rng().below(waiting_.size());
  scheduler_.wake(waiting_[chosen]);
  waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(chosen));
}

void SimCondition::notify_all() {
  for (const Scheduler::Ticket& ticket : waiting_) scheduler_.wake(ticket);
  waiting_.clear();
}

std::unique_ptr<Timer> SimExecutor::post_after(std::chrono::nanoseconds delay, Task task) {
  return std::make_unique<SimTimer>(scheduler_, scheduler_.after(group_, delay.count(), std::move(task)));
}

void SimExecutor::parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& body) {
  if (count == 0) return;
  struct State {
    State(Scheduler& scheduler, std::size_t n, const std::function<void(std::size_t)>& f)
        : count(n), body(&f), all_done(scheduler) {}
    void work() {
      while (next < count) {
        const std::size_t i = next++;
        try {
          (*body)(i);
        } catch (...) {
          if (!thrown) thrown = std::current_exception();
        }
        const std::lock_guard lock(mutex);
        if (++done == count) all_done.notify_all();
      }
    }
    const std::size_t count;
    const std::function<void(std::size_t)>* body;
    std::size_t next = 0;
    std::size_t done = 0;
    std::exception_ptr thrown;
    std::mutex mutex;
    SimCondition all_done;
  };
  const auto state = std::make_shared<State>(scheduler_, count, body);
  const std::size_t at_once = std::min({count, threads_, threads > 0 ? threads : count});
  for (std::size_t helper = 1; helper < at_once; ++helper) post([state] { state->work(); });
  state->work();
  std::unique_lock lock(state->mutex);
  state->all_done.wait(lock, [&] { return state->done == count; });
  if (state->thrown) std::rethrow_exception(state->thrown);
}

std::unique_ptr<Timer> SimExecutor::start_loop(const char* /*name*/, std::function<void(std::stop_token)> body) {
  auto state = std::make_shared<SimLoop::State>(scheduler_);
  post([state, body = std::move(body)] {
    body(state->stop.get_token());
    const std::lock_guard lock(state->mutex);
    state->over = true;
    state->ended.notify_all();
  });
  return std::make_unique<SimLoop>(std::move(state));
}

}  // namespace tandem::sim
