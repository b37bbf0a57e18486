// tandem/compute/statevector/testing/chi_square.h - do drawn counts agree with probabilities?
//
// Room: compute; tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <vector>

namespace tandem::statevector::testing {

/// Upper 1e-6 quantile of chi-square for 2^k - 1 degrees of freedom, k = 1..5 (from the incomplete gamma function): a
/// right sampler fails a test that uses it with probability 1e-6 over seeds; with the fixed seeds here, never.
inline double chi_square_limit(std::size_t outcomes) {
  switch (outcomes) {
    case 2:
      return 23.93;
    case 4:
      return 30.66;
    case 8:
      return 40.52;
    case 16:
      return 56.49;
    case 32:
      return 83.64;
    default:
      ADD_FAILURE() << "no limit for " << outcomes << " outcomes";
      return 0;
  }
}

/// Pearson's statistic; an outcome of probability 0 must not be drawn.
inline double chi_square(std::span<const std::uint64_t> counts, std::span<const double> probabilities) {
  double shots = 0;
  for (const std::uint64_t count : counts) shots += static_cast<double>(count);
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = shots * probabilities[i];
    if (expected < 1e-9) {
      EXPECT_EQ(counts[i], 0u) << "outcome " << i << " cannot happen";
      continue;
    }
    const double distance = static_cast<double>(counts[i]) - expected;
    sum += distance * distance / expected;
  }
  return sum;
}

}  // namespace tandem::statevector::testing
