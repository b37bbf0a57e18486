// tandem/lab/provider/shifted_clock.h - ShiftedClock: the clock of a provider who does not know the time as we do.
//
// Room: lab.
#pragma once

#include <chrono>

#include "tandem/base/clock.h"

namespace tandem::lab {

/// Threads: as the clock behind it, which must outlive it.
class ShiftedClock final : public Clock {
 public:
  ShiftedClock(const Clock& inner, std::chrono::milliseconds offset) : inner_(inner), offset_(offset) {}
  Timestamp now() const override { return Timestamp{inner_.now().micros + std::chrono::microseconds(offset_).count()}; }
  Instant monotonic() const override { return inner_.monotonic(); }
  std::chrono::nanoseconds thread_cpu() const override { return inner_.thread_cpu(); }

 private:
  const Clock& inner_;
  std::chrono::milliseconds offset_;
};

}  // namespace tandem::lab
