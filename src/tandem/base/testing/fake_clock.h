// tandem/base/testing/fake_clock.h - a Clock that stands still until a test moves it.
//
// Room: base, tests only.
#pragma once

#include <atomic>

#include "tandem/base/clock.h"

namespace tandem {

/// Starts at 2026-01-01T00:00:00Z and monotonic second 1. Threads: safe to call concurrently.
class FakeClock final : public Clock {
 public:
  static constexpr std::int64_t kStartMicros = 1'767'225'600'000'000;

  explicit FakeClock(Timestamp start = Timestamp{kStartMicros}) : wall_nanos_(start.micros * 1000) {}

  Timestamp now() const override { return Timestamp{wall_nanos_.load() / 1000}; }
  Instant monotonic() const override { return Instant{monotonic_nanos_.load()}; }
  std::chrono::nanoseconds thread_cpu() const override { return std::chrono::nanoseconds(cpu_nanos_.load()); }

  /// Lets time pass: both wall and monotonic.
  void advance(std::chrono::nanoseconds duration) {
    wall_nanos_ += duration.count();
    monotonic_nanos_ += duration.count();
  }
  /// Sets the wall clock forward or back, as an administrator or NTP does; monotonic time does not notice.
  void step_wall(std::chrono::nanoseconds by) { wall_nanos_ += by.count(); }
  void use_cpu(std::chrono::nanoseconds duration) { cpu_nanos_ += duration.count(); }

 private:
  std::atomic<std::int64_t> wall_nanos_;
  std::atomic<std::int64_t> monotonic_nanos_{1'000'000'000};
  std::atomic<std::int64_t> cpu_nanos_{0};
};

}  // namespace tandem
