// tandem/compute/statevector/testing/chi_square.h - do drawn counts agree with probabilities?
//
// Room: compute; tests only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tandem::statevector::testing {

/// Of chi-square. Pearson's statistic has more in its tail where few draws are expected in a cell: a right sampler gets less than this from one
/// call with a probability of about 1e-6 where hundreds are expected in every cell, 2e-5 with cells of 5, 10, 100 and 1000, 4e-5 with eight cells of
/// 5 beside a large one (both seen in 2e7 draws), and 7e-5 with one cell of 5 beside a large one (Poisson). A test with k calls has k times that
/// over seeds; with the fixed seeds here, never.
inline constexpr double kChiSquareP = 1e-6;

/// The probability that chi-square with `freedom` degrees is above `value` (the regularised incomplete gamma function Q, DLMF 8.7.1 and 8.9.2),
/// or that it is below it.
struct ChiSquareTails {
  double above = 1;
  double below = 0;
};
inline ChiSquareTails chi_square_tails(double freedom, double value) {
  const double a = freedom / 2;
  const double x = value / 2;
  if (!(x > 0)) return {};
  const double power = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a;
    double sum = term;
    for (double n = 1; term > sum * 1e-17; ++n) sum += term *= x / (a + n);
    return {.above = 1 - power * sum, .below = power * sum};
  }
  double fraction = 0;  // from its end, which is far beyond what counts
  for (double n = std::ceil(100 + 20 * std::sqrt(a)); n > 0; --n)
    fraction = n * (n - a) / (x + 2 * n + 1 - a - fraction);
  const double above = power / (x + 1 - a - fraction);
  return {.above = above, .below = 1 - above};
}

/// Pearson's statistic. Cells of less than 5 expected draws are put together, for their share of it is nothing like chi-square.
struct Pearson {
  double statistic = 0;
  double cells = 0;
  bool impossible = false;  ///< an outcome of probability 0 was drawn

  ChiSquareTails tails() const {
    if (cells < 2) return {.above = 1, .below = 1};  // nothing to tell
    return chi_square_tails(cells - 1, statistic);
  }
};
inline Pearson pearson(std::span<const std::uint64_t> counts, std::span<const double> probabilities) {
  constexpr double kExpectedMin = 5;
  struct Cell {
    double drawn = 0;
    double expected = 0;
  };
  double shots = 0;
  for (const std::uint64_t count : counts) shots += static_cast<double>(count);
  Pearson out;
  std::vector<Cell> cells;
  Cell few;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Cell cell{static_cast<double>(counts[i]), shots * probabilities[i]};
    if (cell.expected < 1e-9 && counts[i] != 0) out.impossible = true;
    if (cell.expected >= kExpectedMin) {
      cells.push_back(cell);
      continue;
    }
    few = {few.drawn + cell.drawn, few.expected + cell.expected};
    if (few.expected >= kExpectedMin) cells.push_back(std::exchange(few, {}));
  }
  if (!cells.empty()) {  // the rest is too little for a cell of its own
    Cell& least = *std::ranges::min_element(cells, {}, &Cell::expected);
    least = {least.drawn + few.drawn, least.expected + few.expected};
  }
  for (const Cell& cell : cells) out.statistic += std::pow(cell.drawn - cell.expected, 2) / cell.expected;
  out.cells = static_cast<double>(cells.size());
  return out;
}

/// How probable it is that draws by these probabilities lie as far away from them as `counts` do; 0 where one of probability 0 was drawn.
inline double chi_square_p(std::span<const std::uint64_t> counts, std::span<const double> probabilities) {
  const Pearson found = pearson(counts, probabilities);
  return found.impossible ? 0 : found.tails().above;
}

}  // namespace tandem::statevector::testing
