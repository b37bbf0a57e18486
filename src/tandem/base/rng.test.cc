#include "tandem/base/rng.h"

#include <gmock/gmock.h>

#include <cmath>
#include <set>
#include <vector>

#include "tandem/base/testing/seeded_rng.h"

namespace tandem {
namespace {

// The values of this file are from a Python implementation on unbounded integers, written from the papers; SplitMix64 from
// 1234567 is also a published vector.
TEST(SplitMix64, gives_the_published_stream) {
  std::uint64_t state = 1234567;
  EXPECT_EQ(split_mix64(state), 6457827717110365317u);
  EXPECT_EQ(split_mix64(state), 3203168211198807973u);
  EXPECT_EQ(split_mix64(state), 9817491932198370423u);
}

TEST(Xoshiro256, gives_the_reference_stream) {
  struct Case {
    std::uint64_t seed;
    std::array<std::uint64_t, 5> first;
    std::uint64_t thousandth;
  };
  const std::vector<Case> cases = {
      {0,
       {0x99ec5f36cb75f2b4, 0xbf6e1f784956452a, 0x1a5f849d4933e6e0, 0x6aa594f1262d2d2c, 0xbba5ad4a1f842e59},
       0x7aac8c483a2edd2f},
      {1,
       {0xb3f2af6d0fc710c5, 0x853b559647364cea, 0x92f89756082a4514, 0x642e1c7bc266a3a7, 0xb27a48e29a233673},
       0xb8517c33c344d153},
      {42,
       {0x15780b2e0c2ec716, 0x6104d9866d113a7e, 0xae17533239e499a1, 0xecb8ad4703b360a1, 0xfde6dc7fe2ec5e64},
       0x8de5848c61ab8968},
      {~0ull,
       {0x8f5520d52a7ead08, 0xc476a018caa1802d, 0x81de31c0d260469e, 0xbf658d7e065f3c2f, 0x913593fda1bca32a},
       0xc3c93ea5cde434cc}};
  for (const Case& c : cases) {
    Xoshiro256 generator(c.seed);
    for (const std::uint64_t expected : c.first) EXPECT_EQ(generator(), expected);
    std::uint64_t last = 0;
    for (int i = 5; i < 1000; ++i) last = generator();
    EXPECT_EQ(last, c.thousandth);
  }
}

TEST(DeriveSeed, gives_the_reference_values_and_different_streams) {
  EXPECT_EQ(derive_seed(0, 0), 0xe98ff1a0396ff552u);
  EXPECT_EQ(derive_seed(1, 0), 0x6d86a80aec7e07f6u);
  EXPECT_EQ(derive_seed(1, 1), 0xed4fe97bafcee59eu);
  EXPECT_EQ(derive_seed(7, 123456789), 0xabe493bd8e8a8286u);
  EXPECT_EQ(derive_seed(~0ull, ~0ull), 0xe99ff867dbf682c9u);
  std::set<std::uint64_t> seeds;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    for (std::uint64_t index = 0; index < 100; ++index) seeds.insert(derive_seed(seed, index));
  }
  EXPECT_EQ(seeds.size(), 10'000u);
}

TEST(Below, gives_the_reference_values) {
  Xoshiro256 small(42);
  for (const std::uint64_t expected : {0u, 3u, 6u, 9u, 9u, 7u, 7u, 8u, 7u, 5u, 6u, 2u})
    EXPECT_EQ(small.below(10), expected);
  Xoshiro256 large(42);  // a bound that throws away half of the draws
  for (const std::uint64_t expected : {9147776489032658738u, 7099593415032875292u, 6633989454467100377u,
                                       7022439175346172479u, 2681029139591840946u, 7388145106668446555u}) {
    EXPECT_EQ(large.below((1ull << 63) + 1), expected);
  }
  Xoshiro256 one(1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.below(1), 0u);
}

/// Pearson's statistic of `draws` draws below `bound`, in `cells` equal cells.
double chi_square(std::uint64_t seed, std::uint64_t bound, std::uint64_t cells, int draws) {
  Xoshiro256 generator(seed);
  std::vector<int> counts(cells);
  for (int i = 0; i < draws; ++i) {
    __extension__ using Wide = unsigned __int128;
    const std::uint64_t value = generator.below(bound);
    EXPECT_LT(value, bound);
    ++counts[static_cast<std::uint64_t>(static_cast<Wide>(value) * cells / bound)];
  }
  const double expected = static_cast<double>(draws) / static_cast<double>(cells);
  double sum = 0;
  for (const int count : counts) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// Chi-square exceeds these with a probability of 1e-6 (the incomplete gamma function, integrated numerically): 35.9 for 5 degrees
// of freedom, 44.9 for 9 and 176.8 for 96. The seeds are fixed, so a pass stays a pass; fresh seeds would fail one of the five
// cases five times in a million.
TEST(Below, is_uniform_for_small_bounds_and_for_bounds_that_reject_often) {
  EXPECT_LT(chi_square(1, 6, 6, 60'000), 35.9);
  EXPECT_LT(chi_square(2, 10, 10, 100'000), 44.9);
  EXPECT_LT(chi_square(3, 97, 97, 97'000), 176.8);
  EXPECT_LT(chi_square(4, (1ull << 63) + 1, 10, 100'000), 44.9);
  EXPECT_LT(chi_square(5, 3ull << 62, 6, 60'000), 35.9);
}

TEST(Uniform, stays_in_the_unit_interval_with_mean_one_half) {
  Xoshiro256 generator(6);
  double sum = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = generator.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  // Five standard errors of 1/sqrt(12 n): fails once in 1.7 million fresh seeds.
  EXPECT_NEAR(sum / kDraws, 0.5, 5 / std::sqrt(12.0 * kDraws));
}

TEST(SeededRng, repeats_itself) {
  SeededRng first(9);
  SeededRng second(9);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.next_u64(), second.next_u64());
}

TEST(SystemRng, fills_any_size_and_does_not_repeat) {
  SystemRng rng;
  std::vector<std::uint8_t> large(1000);
  rng.fill(large);
  // 1000 bytes of one value would be an accident of 256^-999.
  EXPECT_GT(std::set<std::uint8_t>(large.begin(), large.end()).size(), 1u);
  rng.fill({});
  EXPECT_NE(rng.next_u64(), rng.next_u64());  // an accident of 2^-64
}

}  // namespace
}  // namespace tandem
