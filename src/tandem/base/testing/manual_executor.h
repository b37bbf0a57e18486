// tandem/base/testing/manual_executor.h - an Executor without threads: the test runs tasks and timers, in one order.
//
// Room: base, tests only.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/testing/fake_clock.h"

namespace tandem {

/// Tasks run first in, first out; timers by their time on `clock`, then in the order they were made.
/// A loop does not run by itself: run_loop() runs its body with stop already requested, so that it does what is pending
/// and returns. Threads: one.
class ManualExecutor final : public Executor {
 public:
  explicit ManualExecutor(FakeClock& clock) : clock_(clock), timers_(std::make_shared<Timers>()) {}

  void post(Task task) override { tasks_.push_back(std::move(task)); }

  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) override {
    const Key key{(clock_.monotonic() + delay).nanos, next_number_++};
    timers_->emplace(key, std::move(task));
    return std::make_unique<ManualTimer>(timers_, key);
  }

  void parallel(std::size_t count, std::size_t, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }

  std::unique_ptr<Timer> start_loop(const char* name, std::function<void(std::stop_token)> body) override {
    auto loop = std::make_shared<Loop>(Loop{.name = name, .body = std::move(body)});
    loops_.push_back(loop);
    return std::make_unique<LoopHandle>(std::move(loop));
  }

  std::size_t threads() const override { return 1; }

  /// False when no task was waiting. Timers do not count.
  bool run_one() {
    if (tasks_.empty()) return false;
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  /// Runs tasks, and timers whose time has come, until none is left; answers how many it ran.
  std::size_t run_ready() {
    std::size_t ran = 0;
    while (true) {
      if (run_one()) {
        ++ran;
      } else if (!timers_->empty() && timers_->begin()->first.first <= clock_.monotonic().nanos) {
        const auto node = timers_->extract(timers_->begin());
        node.mapped()();
        ++ran;
      } else {
        return ran;
      }
    }
  }
  /// Lets `duration` pass, stopping at every timer on the way.
  void advance(std::chrono::nanoseconds duration) {
    const Instant end = clock_.monotonic() + duration;
    run_ready();
    while (!timers_->empty() && timers_->begin()->first.first <= end.nanos) {
      clock_.advance(Instant{timers_->begin()->first.first} - clock_.monotonic());
      run_ready();
    }
    clock_.advance(end - clock_.monotonic());
  }
  /// False when no such loop was started, or it was stopped.
  bool run_loop(const std::string& name) {
    const auto found = std::find_if(loops_.begin(), loops_.end(), [&](const auto& loop) { return loop->name == name; });
    if (found == loops_.end() || (*found)->stopped) return false;
    std::stop_source stop;
    stop.request_stop();
    (*found)->body(stop.get_token());
    return true;
  }
  std::size_t tasks_waiting() const { return tasks_.size(); }
  std::size_t timers_waiting() const { return timers_->size(); }

 private:
  using Key = std::pair<std::int64_t, std::uint64_t>;
  using Timers = std::map<Key, Task>;
  struct Loop {
    std::string name;
    std::function<void(std::stop_token)> body;
    bool stopped = false;
  };
  class ManualTimer final : public Timer {
   public:
    ManualTimer(std::shared_ptr<Timers> timers, Key key) : timers_(std::move(timers)), key_(key) {}
    ~ManualTimer() override { cancel(); }
    void cancel() override { timers_->erase(key_); }

   private:
    std::shared_ptr<Timers> timers_;
    Key key_;
  };
  class LoopHandle final : public Timer {
   public:
    explicit LoopHandle(std::shared_ptr<Loop> loop) : loop_(std::move(loop)) {}
    ~LoopHandle() override { cancel(); }
    void cancel() override { loop_->stopped = true; }

   private:
    std::shared_ptr<Loop> loop_;
  };

  FakeClock& clock_;
  std::deque<Task> tasks_;
  std::shared_ptr<Timers> timers_;
  std::uint64_t next_number_ = 0;
  std::vector<std::shared_ptr<Loop>> loops_;
};

}  // namespace tandem
