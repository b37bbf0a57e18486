// tandem/base/backoff.h - how long to wait before something is tried again.
//
// Room: base. Not here: waiting (pause.h), whether to try again.
// Source: M. Brooker, "Exponential Backoff and Jitter" (2015): sleep = min(cap, uniform(base, 3 * previous sleep)).
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include "tandem/base/rng.h"

namespace tandem {

/// The wait after one of `previous` (before the first: `shortest`), for a `uniform` drawn from [0, 1).
inline std::chrono::nanoseconds next_backoff(std::chrono::nanoseconds shortest, std::chrono::nanoseconds longest,
                                             std::chrono::nanoseconds previous, double uniform) {
  const auto low = static_cast<double>(shortest.count());
  const double high = std::max(low, 3.0 * static_cast<double>(previous.count()));
  return std::min(longest, std::chrono::nanoseconds(std::llround(low + uniform * (high - low))));
}

/// The same, drawn from `rng`.
inline std::chrono::nanoseconds next_backoff(std::chrono::nanoseconds shortest, std::chrono::nanoseconds longest,
                                             std::chrono::nanoseconds previous, Rng& rng) {
  return next_backoff(shortest, longest, previous, static_cast<double>(rng.next_u64() >> 11) * 0x1.0p-53);
}

}  // namespace tandem
