// Draws of places. That they follow the probabilities of circuits: statevector.test.cc.
#include "tandem/compute/statevector/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/signed_sums.h"
#include "tandem/compute/statevector/testing/chi_square.h"
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
  // Three million shots, so some 46 a place, in several rounds. Places of less than 5 are judged together; with what the others have, the variance
  // of Pearson's statistic is 1 % above that of chi-square, and a tail of 1e-6 is 1.1e-6. Both tails, three seeds: 7e-6 in all.
  std::vector<double> probabilities = random_weights(1, 0.9);
  const std::vector<double> weights = probabilities;
  double all = 0;
  for (const double weight : weights) all += weight;
  for (double& probability : probabilities) probability /= all;
  constexpr std::uint64_t kShots = 3'000'000;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const std::vector<BasisCount> counts = sample<double>(weights, kShots, seed);
    EXPECT_EQ(total(counts), kShots);
    std::vector<std::uint64_t> drawn(weights.size());
    for (std::size_t i = 0; i < counts.size(); ++i) {
      EXPECT_TRUE(i == 0 || counts[i - 1].state < counts[i].state) << "places ascend, each once";
      drawn[counts[i].state] = counts[i].count;
      EXPECT_NE(weights[counts[i].state], 0);
    }
    const testing::Pearson found = testing::pearson(drawn, probabilities);
    EXPECT_GT(found.cells, 50'000);
    EXPECT_GT(found.tails().above, testing::kChiSquareP) << "seed " << seed;
    EXPECT_GT(found.tails().below, testing::kChiSquareP) << "seed " << seed;
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
  // The mean is normal, the squares are chi-square of 300 degrees, as nearly as 20,000 shots are: 5 deviations, 6e-7, and two tails of 1e-6.
  EXPECT_LT(std::abs(sum), 5 * std::sqrt(double{kSeeds}));
  EXPECT_GT(testing::chi_square_tails(kSeeds, squares).above, testing::kChiSquareP);
  EXPECT_GT(testing::chi_square_tails(kSeeds, squares).below, testing::kChiSquareP);
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
