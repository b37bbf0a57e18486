#include "tandem/orchestrate/engine/store_clock.h"

#include <algorithm>

namespace tandem::engine {

Result<void> StoreClock::learn(store::Store& store) {
  const Instant asked = machine_.monotonic();
  TANDEM_TRY_ASSIGN(const Timestamp told, store.now());
  const std::int64_t took = std::chrono::floor<std::chrono::microseconds>(machine_.monotonic() - asked).count();
  // It was told at some moment of that time, by a machine's clock that may have been set meanwhile.
  const std::int64_t least = told.micros - machine_.now().micros;
  const std::int64_t most = least + took;
  ahead_micros_ = knows_ ? std::clamp(ahead_micros_.load(), least, most) : least + took / 2;
  knows_ = true;
  return {};
}

}  // namespace tandem::engine
