// tandem/orchestrate/engine/store_clock.h - StoreClock: the wall clock that all processes of a shared store agree on.
//
// Room: orchestrate. The machine's monotonic clock and how far it is from the store's. Limits, ages and the times of events are told by it; whoever
// measures uses the monotonic clock, which is the machine's. Not here: leases (membership.h), which ask the store itself.
// Source: Cristian 1989, "Probabilistic clock synchronization": the answer was true at some moment between question and arrival.
#pragma once

#include <atomic>

#include "tandem/base/clock.h"
#include "tandem/base/log.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// Until it has learnt something it is the machine's clock; from then on it is not, so that a machine whose clock is set ends nobody's wait.
///
/// Threads: now() and the rest of Clock are safe to call concurrently; learn() on one thread at a time.
class StoreClock final : public Clock {
 public:
  explicit StoreClock(const Clock& machine) : machine_(machine) {}

  Timestamp now() const override;
  Instant monotonic() const override { return machine_.monotonic(); }
  std::chrono::nanoseconds thread_cpu() const override { return machine_.thread_cpu(); }

  /// Asks the store for its time. What is known already stays as it is where the answer does not prove it wrong, and is set right
  /// by as much as it does: a slow answer proves little; `log` hears of what is more than a second. Errors: those of Store::now().
  Result<void> learn(store::Store& store, Log& log);

 private:
  const Clock& machine_;
  std::atomic<std::int64_t> ahead_micros_ = 0;  ///< the store's clock, of the machine's monotonic one
  std::atomic<bool> knows_ = false;  ///< set after the other
};

}  // namespace tandem::engine
