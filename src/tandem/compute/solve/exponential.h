// tandem/compute/solve/exponential.h - exponentially distributed numbers, the same bytes on every machine.
//
// Room: compute, inside solve.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tandem::solve {

/// Natural logarithm of x in [1, 2], from sums and products only: the same bytes on every machine.
constexpr double log_between_one_and_two(double x) {
  const double y = (x - 1) / (x + 1);  // ln x = 2 atanh y, y <= 1/3
  const double square = y * y;
  double power = y;
  double sum = 0;
  for (int k = 1; k < 40; k += 2) {
    sum += power / k;
    power *= square;
  }
  return 2 * sum;
}
inline constexpr double kLogTwo = log_between_one_and_two(2);
inline constexpr std::size_t kLogBits = 11;

/// ln of the middle of each of 2^kLogBits parts of [1, 2].
inline constexpr auto kLogTable = [] {
  std::array<double, std::size_t{1} << kLogBits> table{};
  for (std::size_t k = 0; k < table.size(); ++k) {
    table[k] = log_between_one_and_two(1 + (static_cast<double>(k) + 0.5) / static_cast<double>(table.size()));
  }
  return table;
}();

/// -ln u of a uniform u in (0, 1), exponentially distributed: a step up by d is taken at temperature t where d < t * it.
inline double exponential(std::uint64_t random) {
  const int zeros = std::countl_zero(random | 1);
  const std::uint64_t mantissa = random << zeros << 1;
  return kLogTwo * (zeros + 1) - kLogTable[mantissa >> (64 - kLogBits)];
}

}  // namespace tandem::solve
