#include "tandem/base/trig.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tandem/base/rng.h"

namespace tandem {
namespace {

// The oracle is libm in 80-bit extended precision: 11 bits more than the result can hold.
double error_at(double x) {
  const SinCos got = sin_cos(x);
  const auto wide = static_cast<long double>(x);
  const auto sine = static_cast<double>(std::abs(static_cast<long double>(got.sin) - std::sin(wide)));
  const auto cosine = static_cast<double>(std::abs(static_cast<long double>(got.cos) - std::cos(wide)));
  return std::max(sine, cosine);
}

TEST(SinCos, is_within_3e_16_of_extended_precision_over_its_range) {
  Xoshiro256 rng(1);
  double worst = 0;
  for (const double range : {1.0, 10.0, 1.0e3, kTrigReducedMax}) {
    for (int i = 0; i < 200'000; ++i) worst = std::max(worst, error_at((2 * rng.uniform() - 1) * range));
  }
  EXPECT_LT(worst, 3e-16);
}

TEST(SinCos, is_accurate_beside_multiples_of_a_quarter_of_pi) {
  double worst = 0;
  for (int k = -400'000; k <= 400'000; k += 7) {
    const double x = k * (std::numbers::pi / 4);
    for (const double y : {std::nextafter(x, -1e9), x, std::nextafter(x, 1e9)}) worst = std::max(worst, error_at(y));
  }
  EXPECT_LT(worst, 3e-16);
}

TEST(SinCos, is_exact_at_zero_and_symmetric) {
  EXPECT_EQ(sin_cos(0.0).sin, 0.0);
  EXPECT_EQ(sin_cos(0.0).cos, 1.0);
  Xoshiro256 rng(2);
  for (int i = 0; i < 10'000; ++i) {
    const double x = rng.uniform() * 100;
    EXPECT_EQ(sin_cos(-x).sin, -sin_cos(x).sin) << x;
    EXPECT_EQ(sin_cos(-x).cos, sin_cos(x).cos) << x;
  }
}

TEST(SinCos, hands_large_arguments_to_libm) {
  EXPECT_EQ(sin_cos(1.0e12).sin, std::sin(1.0e12));
  EXPECT_EQ(sin_cos(-1.0e12).cos, std::cos(1.0e12));
}

}  // namespace
}  // namespace tandem
