// The judge of the tests of draws: its probabilities, and that it condemns and acquits.
#include "tandem/compute/statevector/testing/chi_square.h"

#include <gtest/gtest.h>

#include <vector>

#include "tandem/base/rng.h"

namespace tandem::statevector::testing {
namespace {

TEST(ChiSquare, tails_are_those_of_closed_forms) {
  for (const double x : {0.01, 0.5, 1.0, 2.0, 5.0, 30.0, 60.0}) {
    EXPECT_NEAR(chi_square_tails(2, x).above / std::exp(-x / 2), 1, 1e-12) << x;
    EXPECT_NEAR(chi_square_tails(1, x).above / std::erfc(std::sqrt(x / 2)), 1, 1e-12) << x;
    EXPECT_NEAR(chi_square_tails(1, x).below, std::erf(std::sqrt(x / 2)), 1e-13) << x;
  }
  // Of 2 m degrees it is the probability of fewer than m events of a Poisson process with the mean x / 2.
  for (const double m : {5.0, 500.0, 30'000.0}) {
    for (const double deviations : {-6.0, -1.0, 0.0, 1.0, 4.75, 7.0}) {
      const double mean = m + deviations * std::sqrt(m);
      if (mean <= 0) continue;
      double below = 0;
      for (double n = 0; n < m; ++n) below += std::exp(n * std::log(mean) - mean - std::lgamma(n + 1));
      EXPECT_NEAR(chi_square_tails(2 * m, 2 * mean).above / below, 1, 1e-8) << m << " " << deviations;
    }
  }
}

TEST(ChiSquare, sees_a_probability_that_is_off_by_a_tenth) {
  Xoshiro256 rng(1);
  const std::vector<double> right{0.1, 0.2, 0.3, 0.4};
  const std::vector<double> wrong{0.11, 0.19, 0.3, 0.4};
  std::vector<std::uint64_t> counts(4);
  for (int i = 0; i < 100'000; ++i) {
    const double u = rng.uniform();
    ++counts[u < 0.1 ? 0 : u < 0.3 ? 1 : u < 0.6 ? 2 : 3];
  }
  EXPECT_GT(chi_square_p(counts, right), kChiSquareP);
  EXPECT_LT(chi_square_p(counts, wrong), kChiSquareP);
  EXPECT_EQ(chi_square_p(std::vector<std::uint64_t>{1, 99}, std::vector<double>{0, 1}), 0);
}

TEST(ChiSquare, cells_of_few_draws_are_judged_together) {
  // A thousand cells of a thousandth of a draw each: one draw in one of them alone would count as 1000.
  std::vector<double> probabilities(1001, 1e-7);
  probabilities[1000] = 1 - 1e-4;
  std::vector<std::uint64_t> counts(1001);
  counts[17] = 1;
  counts[1000] = 9999;
  EXPECT_GT(chi_square_p(counts, probabilities), 0.1);
  // Draws that come as expected are right; ten times as many of one in twenty are seen.
  std::vector<double> less(2001, 1e-5);
  less[2000] = 1 - 2e-2;
  std::vector<std::uint64_t> many(2001);
  for (std::size_t i = 0; i < 2000; ++i) many[i] = 1;
  many[2000] = 98'000;
  EXPECT_GT(chi_square_p(many, less), kChiSquareP);  // 2000 expected and drawn
  for (std::size_t i = 0; i < 100; ++i) many[i] = 10;
  EXPECT_LT(chi_square_p(many, less), kChiSquareP);  // and 900 more
}

}  // namespace
}  // namespace tandem::statevector::testing
