// tandem/lab/provider/delays.h - Delays: work that is done later, and none of it after close().
//
// Room: lab; for the sources of this part only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "tandem/base/executor.h"

namespace tandem::lab {

/// Threads: safe to call concurrently.
class Delays {
 public:
  explicit Delays(Executor& executor) : executor_(executor), gate_(std::make_shared<Gate>()) {}
  ~Delays() { close(); }

  /// Runs `task` on the executor's pool once `delay` has passed.
  void add(std::chrono::nanoseconds delay, Task task) {
    auto run = [gate = gate_, task = std::move(task)] {
      {
        const std::lock_guard lock(gate->mutex);
        if (gate->closed) return;
        ++gate->running;
      }
      task();
      const std::lock_guard lock(gate->mutex);
      --gate->running;
      gate->changed.notify_all();
    };
    auto timer = executor_.post_after(delay, [gate = gate_, &executor = executor_, run = std::move(run)] {
      const std::lock_guard lock(gate->mutex);
      if (!gate->closed) executor.post(run);
    });
    const std::lock_guard lock(timers_mutex_);
    timers_.push_back(std::move(timer));
  }

  /// Waits for what runs; what has not begun never does.
  void close() {
    {
      std::unique_lock lock(gate_->mutex);
      gate_->closed = true;
      gate_->changed.wait(lock, [&] { return gate_->running == 0; });
    }
    const std::lock_guard lock(timers_mutex_);
    timers_.clear();
  }

 private:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool closed = false;
    std::size_t running = 0;
  };

  Executor& executor_;
  std::shared_ptr<Gate> gate_;
  std::mutex timers_mutex_;
  std::vector<std::unique_ptr<Timer>> timers_;  ///< fired ones stay: a fault script delays few requests
};

}  // namespace tandem::lab
