#include "tandem/middleware/ansatz/minimize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tandem/base/rng.h"

namespace tandem::ansatz {
namespace {

TEST(Minimize, finds_the_bottom_of_a_narrow_valley) {
  // Rosenbrock's function; its minimum is 0 at (1, 1).
  const auto valley = [](const std::vector<double>& x) -> Result<Slopes> {
    const double a = 1 - x[0];
    const double b = x[1] - x[0] * x[0];
    return Slopes{.value = a * a + 100 * b * b, .slopes = {-2 * a - 400 * x[0] * b, 200 * b}};
  };
  const auto found = minimize(valley, {-1.2, 1}, {.evaluations_max = 500, .slope_max = 1e-8, .gain_min = 0}).value();
  EXPECT_NEAR(found.at[0], 1, 1e-6);
  EXPECT_NEAR(found.at[1], 1, 1e-6);
  EXPECT_EQ(found.stop, "flat");
  EXPECT_NEAR(found.start_value, 24.2, 1e-12);
  EXPECT_LT(found.evaluations, 120u);
}

/// Sums of waves have many minima and saddles: whatever becomes of it, the lowest that was seen, and within its evaluations.
TEST(Minimize, ends_with_the_lowest_that_was_seen_and_takes_no_more_than_it_may) {
  Xoshiro256 rng(1);
  for (int round = 0; round < 200; ++round) {
    const std::size_t n = 1 + rng.below(6);
    std::vector<double> waves(n * n);
    for (double& wave : waves) wave = 6 * rng.uniform() - 3;
    std::uint32_t calls = 0;
    double lowest = std::numeric_limits<double>::infinity();
    const auto function = [&](const std::vector<double>& x) -> Result<Slopes> {
      ++calls;
      Slopes out{.value = 0, .slopes = std::vector<double>(n)};
      for (std::size_t i = 0; i < n; ++i) {
        double phase = 0;
        for (std::size_t j = 0; j < n; ++j) phase += waves[i * n + j] * x[j];
        out.value += std::sin(phase);
        for (std::size_t j = 0; j < n; ++j) out.slopes[j] += std::cos(phase) * waves[i * n + j];
      }
      lowest = std::min(lowest, out.value);
      return out;
    };
    std::vector<double> start(n);
    for (double& x : start) x = rng.uniform();
    const auto most = 1 + static_cast<std::uint32_t>(rng.below(40));
    const auto found = minimize(function, start, {.evaluations_max = most}).value();
    EXPECT_EQ(found.evaluations, calls);
    EXPECT_LE(calls, most);
    EXPECT_EQ(found.value, lowest);
    EXPECT_LE(found.value, found.start_value);
    EXPECT_EQ(function(found.at).value().value, found.value);
  }
}

TEST(Minimize, a_start_without_slopes_is_left_alone) {
  const auto flat = [](const std::vector<double>&) -> Result<Slopes> { return Slopes{.value = 3, .slopes = {0, 0}}; };
  const auto found = minimize(flat, {1, 2}, {}).value();
  EXPECT_EQ(found.stop, "flat");
  EXPECT_EQ(found.evaluations, 1u);
  EXPECT_EQ(found.at, (std::vector<double>{1, 2}));
}

TEST(Minimize, what_the_function_says_is_handed_on) {
  const auto broken = [](const std::vector<double>&) -> Result<Slopes> { return fail(errors::kCancelled, "stopped"); };
  EXPECT_EQ(minimize(broken, {1}, {}).error().number, errors::kCancelled);
  const auto bad = [](const std::vector<double>&) -> Result<Slopes> {
    return Slopes{.value = std::numeric_limits<double>::quiet_NaN(), .slopes = {0}};
  };
  EXPECT_EQ(minimize(bad, {1}, {}).error().number, errors::kNotFinite);
}

}  // namespace
}  // namespace tandem::ansatz
