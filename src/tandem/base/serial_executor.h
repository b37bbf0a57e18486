// tandem/base/serial_executor.h - an Executor that is the thread which calls it: loops run in order, and there are no timers.
//
// Room: base. For short computations where no pool is at hand. Timers and loops of their own are not for it (asserted).
#pragma once

#include <memory>
#include <stop_token>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"

namespace tandem {

class SerialExecutor final : public Executor {
 public:
  void post(Task task) override { task(); }
  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds /*delay*/, Task /*task*/) override { return none(); }
  void parallel(std::size_t count, std::size_t /*threads*/, const std::function<void(std::size_t)>& body) override {
    for (std::size_t i = 0; i < count; ++i) body(i);
  }
  std::unique_ptr<Timer> start_loop(const char* /*name*/, std::function<void(std::stop_token)> /*body*/) override {
    return none();
  }
  std::size_t threads() const override { return 1; }

 private:
  static std::unique_ptr<Timer> none() {
    TANDEM_ASSERT(false);
    return nullptr;
  }
};

}  // namespace tandem
