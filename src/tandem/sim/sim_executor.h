// tandem/sim/sim_executor.h - the seams of base as one simulated process has them: executor, condition, clock, entropy.
//
// Room: sim. Threads: one, that of the scheduler; what blocks is called from a fibre.
#pragma once

#include <memory>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/sim/scheduler.h"

namespace tandem::sim {

/// Who is woken first is drawn; now and then somebody wakes for nothing, as the rules of a condition allow.
class SimCondition final : public Condition {
 public:
  explicit SimCondition(Scheduler& scheduler) : scheduler_(scheduler) {}
  using Condition::wait;
  void notify_one() override;
  void notify_all() override;
  void wait(std::unique_lock<std::mutex>& lock) override { block(lock, Scheduler::kNever); }
  bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds duration) override;

 private:
  bool block(std::unique_lock<std::mutex>& lock, Scheduler::Nanos until);

  Scheduler& scheduler_;
  std::vector<Scheduler::Ticket> waiting_;
};

/// Tasks, timers and loops are fibres of the group. It outlives them and its handles.
class SimExecutor final : public Executor {
 public:
  SimExecutor(Scheduler& scheduler, Group& group, std::size_t threads)
      : scheduler_(scheduler), group_(group), threads_(threads) {}
  void post(Task task) override { scheduler_.spawn(group_, std::move(task)); }
  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) override;
  void parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& body) override;
  std::unique_ptr<Timer> start_loop(const char* name, std::function<void(std::stop_token)> body) override;
  std::size_t threads() const override { return threads_; }
  std::unique_ptr<Condition> make_condition() override { return std::make_unique<SimCondition>(scheduler_); }

 private:
  Scheduler& scheduler_;
  Group& group_;
  std::size_t threads_;
};

/// The wall clock may be wrong and may jump; the monotonic one is the scheduler's.
class SimClock final : public Clock {
 public:
  static constexpr std::int64_t kStartMicros = 1'767'225'600'000'000;  ///< 2026-01-01

  explicit SimClock(const Scheduler& scheduler) : scheduler_(scheduler) {}
  Timestamp now() const override { return {kStartMicros + scheduler_.now() / 1000 + offset_micros_}; }
  Instant monotonic() const override { return {scheduler_.now() + 1'000'000'000}; }
  std::chrono::nanoseconds thread_cpu() const override { return std::chrono::nanoseconds(scheduler_.now()); }
  void set_offset(std::int64_t micros) { offset_micros_ = micros; }

 private:
  const Scheduler& scheduler_;
  std::int64_t offset_micros_ = 0;
};

class SimRng final : public Rng {
 public:
  explicit SimRng(std::uint64_t seed) : generator_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override {
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(generator_() >> 56);
  }

 private:
  Xoshiro256 generator_;
};

}  // namespace tandem::sim
