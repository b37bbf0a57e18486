// tandem/orchestrate/resilience/breaker.h - Breaker: a backend that fails again and again is left alone for a while.
//
// Room: orchestrate. Each verb of a backend has a circuit of its own, so that a provider whose queue does not answer can still be
// asked to cancel. Not here: repeating reads (middleware/remote); submissions are never repeated here, and never hedged.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "tandem/base/clock.h"
#include "tandem/base/log.h"
#include "tandem/base/meter.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::resilience {

struct BreakerOptions {
  std::uint32_t failures_max = 5;  ///< in a row; the next call is held back
  std::chrono::milliseconds pause_min{1'000};  ///< before the first probe; twice as long after each that failed
  std::chrono::milliseconds pause_max{60'000};
};

enum class Outcome : std::uint8_t { kWorked, kFailed, kCutShort };

/// Closed: calls pass. Open: they fail at once. Half open, when the pause is over: one call is the probe, and its outcome decides.
/// Threads: every method is safe to call concurrently.
class Circuit {
 public:
  Circuit(const Clock& clock, BreakerOptions options) : clock_(clock), options_(options) {}
  /// False when the call is held back; then there is no leave().
  bool enter();
  /// Whether enter() would say no.
  bool holds_back() const;
  /// How the call came out; cut short says nothing. True when that opened the circuit.
  bool leave(Outcome outcome);
  std::chrono::nanoseconds left() const;  ///< until the next probe

 private:
  bool is_shut() const { return open_ && (probing_ || clock_.monotonic() < probe_at_); }  ///< under the lock

  const Clock& clock_;
  const BreakerOptions options_;
  mutable std::mutex mutex_;
  std::uint32_t failures_ = 0;
  bool open_ = false;
  bool probing_ = false;
  std::chrono::milliseconds pause_{0};
  Instant probe_at_;
};

/// `inner` behind circuits; errors that may pass (backend::may_pass) count as failures, and no others. A call that is held back fails with
/// 5018 circuit_open, and a submission that is held back was not sent. New work is, where its quote or its submission would be.
/// References outlive it.
std::unique_ptr<backend::Backend> guard(std::unique_ptr<backend::Backend> inner, const Clock& clock, Log& log,
                                        Meter& meter, BreakerOptions options = {});

}  // namespace tandem::resilience
