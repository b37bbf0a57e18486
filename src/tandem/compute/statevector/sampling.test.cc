// Draws of places. That they follow the probabilities of circuits: statevector.test.cc.
#include "tandem/compute/statevector/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/signed_sums.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {
namespace {

constexpr std::uint32_t kBits = 16;  // four stretches

/// Blocks with these weights, and phases of any kind.
template <class Real>
simd::AlignedVector<Real> amplitudes_of(const std::vector<double>& weights) {
  simd::AlignedVector<Real> out(2 * weights.size());
  for (std::size_t place = 0; place < weights.size(); ++place) {
    const std::size_t at = place / kLanes<Real> * 2 * kLanes<Real> + place % kLanes<Real>;
    const double angle = 0.37 * static_cast<double>(place);
    out[at] = static_cast<Real>(std::sqrt(weights[place]) * std::cos(angle));
    out[at + kLanes<Real>] = static_cast<Real>(std::sqrt(weights[place]) * std::sin(angle));
  }
  return out;
}

template <class Real>
std::vector<BasisCount> sample(const std::vector<double>& weights, std::uint64_t shots, std::uint64_t seed,
                               std::size_t threads = 2, simd::Isa isa = simd::best_isa()) {
  ThreadExecutor executor(threads);
  const auto amplitudes = amplitudes_of<Real>(weights);
  const auto bits = static_cast<std::uint32_t>(std::bit_width(weights.size()) - 1);
  return sample_places<Real>(amplitudes.data(), bits, shots, seed, {}, isa, executor);
}

std::uint64_t total(const std::vector<BasisCount>& counts) {
  std::uint64_t out = 0;
  for (const BasisCount& entry : counts) out += entry.count;
  return out;
}

std::vector<double> random_weights(std::uint64_t seed, double density) {
  Xoshiro256 rng(seed);
  std::vector<double> out(std::size_t{1} << kBits);
  for (double& weight : out) weight = rng.uniform() < density ? -std::log(1 - rng.uniform()) : 0;
  return out;
}

TEST(Sampling, counts_of_every_place_follow_its_weight) {
  // Pearson's statistic over all places, three million shots, so some 46 a place, in several rounds. With D degrees of freedom it is normal
  // about D with variance 2 D (and a little more for places that are expected seldom): 6 deviations are passed in 1e-9 of seeds, and
  // these are fixed.
  const std::vector<double> weights = random_weights(1, 0.9);
  double all = 0;
  for (const double weight : weights) all += weight;
  constexpr std::uint64_t kShots = 3'000'000;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const std::vector<BasisCount> counts = sample<double>(weights, kShots, seed);
    EXPECT_EQ(total(counts), kShots);
    double statistic = 0;
    double freedom = -1;
    double variance = 0;
    std::size_t next = 0;
    for (std::uint64_t place = 0; place < weights.size(); ++place) {
      std::uint64_t drawn = 0;
      if (next < counts.size() && counts[next].state == place) drawn = counts[next++].count;
      if (weights[place] == 0) {
        EXPECT_EQ(drawn, 0u);
        continue;
      }
      const double expected = static_cast<double>(kShots) * weights[place] / all;
      statistic += std::pow(static_cast<double>(drawn) - expected, 2) / expected;
      freedom += 1;
      variance += 2 + 1 / expected;
    }
    EXPECT_EQ(next, counts.size()) << "places ascend, each once";
    EXPECT_LT(std::abs(statistic - freedom), 6 * std::sqrt(variance)) << "seed " << seed;
  }
}

TEST(Sampling, shots_of_one_call_are_independent_of_each_other) {
  // The number of draws in the first half is binomial over seeds: were shots tied to each other, as strata are, it would vary less, or more.
  const std::vector<double> weights(std::size_t{1} << kBits, 1.0);
  constexpr std::uint64_t kShots = 20'000;  // two streams
  constexpr int kSeeds = 300;
  double sum = 0;
  double squares = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    double low = 0;
    for (const BasisCount& entry : sample<float>(weights, kShots, seed))
      if (entry.state < weights.size() / 2) low += static_cast<double>(entry.count);
    const double deviation = (low - kShots / 2.0) / std::sqrt(kShots / 4.0);
    sum += deviation;
    squares += deviation * deviation;
  }
  // Mean 0 +- 1/sqrt(300), mean square 1 +- sqrt(2/300): 5 deviations, 6e-7 of seeds, which are fixed.
  EXPECT_LT(std::abs(sum / kSeeds), 5 / std::sqrt(300.0));
  EXPECT_LT(std::abs(squares / kSeeds - 1), 5 * std::sqrt(2 / 300.0));
}

TEST(Sampling, same_draws_whatever_the_number_of_threads_and_the_instruction_set) {
  const std::vector<double> weights = random_weights(2, 0.5);
  for (const std::uint64_t shots : {1u, 1000u, 20'000u, 1'500'000u}) {
    const auto wide = sample<double>(weights, shots, 7, 1, simd::Isa::kPortable);
    const auto narrow = sample<float>(weights, shots, 7, 1, simd::Isa::kPortable);
    EXPECT_EQ(total(wide), shots);
    for (const simd::Isa isa : simd::runnable_isas()) {
      EXPECT_EQ(sample<double>(weights, shots, 7, 2, isa), wide);
      EXPECT_EQ(sample<float>(weights, shots, 7, 2, isa), narrow);
    }
    EXPECT_NE(sample<double>(weights, shots, 8), wide);
  }
}

TEST(Sampling, weights_that_are_known_change_no_draw) {
  ThreadExecutor executor(2);
  const std::vector<double> weights = random_weights(3, 0.01);  // most rows have a few places, some none
  const auto amplitudes = amplitudes_of<double>(weights);
  constexpr std::size_t kRow = std::size_t{1} << kWeightRowBits<double>;
  std::vector<double> rows(weights.size() / kRow);
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = pauli_kernels<double>(simd::best_isa())
                  .product(amplitudes.data() + 2 * kRow * i, amplitudes.data() + 2 * kRow * i, kRow / kLanes<double>);
  for (const std::uint64_t shots : {1u, 100u, 100'000u})
    EXPECT_EQ(sample_places<double>(amplitudes.data(), kBits, shots, 5, rows, simd::best_isa(), executor),
              sample<double>(weights, shots, 5));
}

TEST(Sampling, places_become_states_in_order_however_many_there_are) {
  ThreadExecutor executor(2);
  Frame frame(19);
  std::ranges::rotate(frame.bit_of, frame.bit_of.begin() + 7);
  std::swap(frame.bit_of[0], frame.bit_of[18]);
  frame.flipped = 0x15a3b;
  Xoshiro256 rng(4);
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{200'000}}) {
    std::vector<BasisCount> counts;
    for (std::uint64_t place = 0; place < 1u << 19; ++place)
      if (rng.below(1u << 19) < size) counts.push_back({place, 1 + rng.below(9)});
    std::map<std::uint64_t, std::uint64_t> wanted;
    for (const BasisCount& entry : counts) wanted[frame.state(entry.state)] = entry.count;
    to_states(frame, counts, executor);
    ASSERT_EQ(counts.size(), wanted.size());
    std::size_t i = 0;
    for (const auto& [state, count] : wanted) EXPECT_EQ(counts[i++], (BasisCount{state, count}));
  }
}

TEST(Sampling, places_at_the_ends_and_beside_nothing_are_found) {
  for (const std::uint64_t place :
       {std::uint64_t{0}, std::uint64_t{16383}, std::uint64_t{16384}, std::uint64_t{65535}}) {
    std::vector<double> weights(std::size_t{1} << kBits);
    weights[place] = 1e-300;
    EXPECT_EQ(sample<double>(weights, 1000, 1), (std::vector<BasisCount>{{place, 1000}}));
  }
  EXPECT_TRUE(sample<double>(std::vector<double>(8, 1.0), 0, 1).empty());
}

}  // namespace
}  // namespace tandem::statevector
