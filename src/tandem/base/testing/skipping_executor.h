// tandem/base/testing/skipping_executor.h - an Executor whose timers fire at once and move the clock as far as they were set.
//
// Room: base, tests only. For code that blocks and waits (pause): hours pass in no time, on one thread.
#pragma once

#include <memory>
#include <stop_token>
#include <utility>

#include "tandem/base/executor.h"
#include "tandem/base/testing/fake_clock.h"

namespace tandem {

/// Tasks run at once on the caller's thread; a loop's body is not run. Threads: as the tasks.
class SkippingExecutor final : public Executor {
 public:
  explicit SkippingExecutor(FakeClock& clock) : clock_(clock) {}

  void post(Task task) override { task(); }
  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) override {
    clock_.advance(delay);
    task();
    return std::make_unique<FiredTimer>();
  }
  void parallel(std::size_t count, std::size_t, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  std::unique_ptr<Timer> start_loop(const char*, std::function<void(std::stop_token)>) override {
    return std::make_unique<FiredTimer>();
  }
  std::size_t threads() const override { return 1; }

 private:
  class FiredTimer final : public Timer {
   public:
    void cancel() override {}
  };
  FakeClock& clock_;
};

}  // namespace tandem
