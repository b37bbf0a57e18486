#include "tandem/orchestrate/engine/store_clock.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace tandem::engine {

namespace {

constexpr std::int64_t kToldMicros = 1'000'000;  // a correction from which on somebody should hear of it

std::int64_t micros(Instant at) { return at.nanos / 1000; }

}  // namespace

Timestamp StoreClock::now() const {
  return knows_ ? Timestamp{micros(machine_.monotonic()) + ahead_micros_} : machine_.now();
}

Result<void> StoreClock::learn(store::Store& store, Log& log) {
  const std::int64_t asked = micros(machine_.monotonic());
  TANDEM_TRY_ASSIGN(const Timestamp told, store.now());
  const std::int64_t answered = micros(machine_.monotonic());
  // It was told at some moment in between.
  const std::int64_t least = told.micros - answered;
  const std::int64_t most = told.micros - asked;
  const std::int64_t before = ahead_micros_;
  ahead_micros_ = knows_ ? std::clamp(before, least, most) : least + (most - least) / 2;
  if (knows_ && std::abs(ahead_micros_ - before) > kToldMicros)
    log.write(LogLevel::kWarning, "store.clock_set",
              {{"ahead_s", std::to_string((ahead_micros_ - before) / 1'000'000)}});
  knows_ = true;
  return {};
}

}  // namespace tandem::engine
