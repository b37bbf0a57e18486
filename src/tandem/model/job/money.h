// tandem/model/job/money.h - Money: an exact amount of micro-USD.
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

}  // namespace tandem::job
