// tandem/base/clock.h - the Clock seam. Nothing reads a clock but through it.
//
// Room: base. SystemClock stands in clock_real.cc; testing/fake_clock.h has the double.
#pragma once

#include <chrono>
#include <compare>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem {

/// UTC wall time in microseconds since 1970; for records, never for measuring.
struct Timestamp {
  std::int64_t micros = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};
/// Monotonic time; for measuring and deadlines, meaningless outside the process.
struct Instant {
  std::int64_t nanos = 0;
  friend auto operator<=>(const Instant&, const Instant&) = default;
  friend std::chrono::nanoseconds operator-(Instant a, Instant b) {
    return std::chrono::nanoseconds(a.nanos - b.nanos);
  }
  friend Instant operator+(Instant a, std::chrono::nanoseconds d) { return Instant{a.nanos + d.count()}; }
};

/// Threads: every method is safe to call concurrently.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
  virtual Instant monotonic() const = 0;
  /// CPU time used by the calling thread; for cost models and work accounting.
  virtual std::chrono::nanoseconds thread_cpu() const = 0;
};

/// A point in monotonic time by which something must be done; passed down instead of durations.
class Deadline {
 public:
  static Deadline never() { return Deadline(Instant{INT64_MAX}); }
  static Deadline after(const Clock& clock, std::chrono::nanoseconds duration) {
    return Deadline(clock.monotonic() + duration);
  }
  explicit Deadline(Instant at) : at_(at) {}
  bool expired(const Clock& clock) const { return clock.monotonic() >= at_; }
  /// Zero when expired.
  std::chrono::nanoseconds left(const Clock& clock) const;
  Instant at() const { return at_; }

 private:
  Instant at_;
};

/// RFC 3339 UTC with microseconds: "2026-11-24T14:50:33.123456Z".
std::string format_rfc3339(Timestamp time);
/// Errors: 1019 bad_timestamp.
Result<Timestamp> parse_rfc3339(std::string_view text);

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
  Instant monotonic() const override;
  std::chrono::nanoseconds thread_cpu() const override;
};

}  // namespace tandem
