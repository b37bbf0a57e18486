// tandem/model/job/money.h - Money: an exact amount of micro-USD; MeteredUse: what a provider counts beside it.
//
// Room: model.
#pragma once

#include <compare>
#include <cstdint>

namespace tandem::job {

struct Money {
  std::int64_t usd_micros = 0;
  friend auto operator<=>(const Money&, const Money&) = default;
  friend Money operator+(Money a, Money b) { return {a.usd_micros + b.usd_micros}; }
  friend Money operator-(Money a, Money b) { return {a.usd_micros - b.usd_micros}; }
};

/// What a provider counts beside money. 0 where it counts something else.
struct MeteredUse {
  std::int64_t shots = 0;
  std::int64_t qpu_us = 0;  ///< microseconds of the device
  std::int64_t bytes = 0;  ///< of the request that carries the work; known to us, whatever the provider counts
  friend bool operator==(const MeteredUse&, const MeteredUse&) = default;
};

}  // namespace tandem::job
