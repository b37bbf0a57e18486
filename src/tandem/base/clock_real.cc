#include <ctime>

#include "tandem/base/assert.h"
#include "tandem/base/clock.h"

namespace tandem {
namespace {

std::int64_t nanos_of(clockid_t id) {
  timespec time{};
  TANDEM_ASSERT(clock_gettime(id, &time) == 0);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Timestamp SystemClock::now() const { return Timestamp{nanos_of(CLOCK_REALTIME) / 1000}; }
Instant SystemClock::monotonic() const { return Instant{nanos_of(CLOCK_MONOTONIC)}; }
std::chrono::nanoseconds SystemClock::thread_cpu() const {
  return std::chrono::nanoseconds(nanos_of(CLOCK_THREAD_CPUTIME_ID));
}

}  // namespace tandem
