// The state in single precision, held to the one in double, which is held to dense matrices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/chi_square.h"
#include "tandem/compute/statevector/testing/random_circuit.h"
#include "tandem/compute/statevector/testing/random_observable.h"

namespace tandem::statevector {
namespace {

using circuit::Circuit;
using circuit::Gate;
using observable::PauliSum;

constexpr std::uint64_t kMemory = 1ull << 30;
constexpr double kTolerance = 3e-6;  // 80 gates of a few roundings of 6e-8 each, on amplitudes below 1

template <class Real>
BasicStateVector<Real> played(const Circuit& circuit, Executor& executor, simd::Isa isa = simd::best_isa()) {
  auto state = BasicStateVector<Real>::create(circuit.num_qubits(), kMemory, executor).value();
  state.use_isa(isa);
  EXPECT_TRUE(state.apply(circuit, {}).has_value());
  return state;
}

TEST(StateVectorF32, random_circuits_agree_with_double_precision) {
  ThreadExecutor executor(2);
  Xoshiro256 rng(5);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto n = static_cast<std::uint32_t>(1 + seed % 18);  // above 16 the tiles are gathered
    SCOPED_TRACE(fmt::format("seed {}, {} qubits", seed, n));
    const Circuit circuit = testing::random_circuit(seed, n, 80);
    const auto narrow = played<float>(circuit, executor);
    const auto wide = played<double>(circuit, executor);
    double largest = 0;
    for (std::uint64_t z = 0; z >> n == 0; ++z)
      largest = std::max(largest, std::abs(narrow.amplitude(z) - wide.amplitude(z)));
    EXPECT_LT(largest, kTolerance);
    const PauliSum observable = testing::random_observable(rng, n, 10);
    EXPECT_NEAR(narrow.expectation(observable).value(), wide.expectation(observable).value(), 10 * kTolerance);
  }
}

TEST(StateVectorF32, same_bytes_whatever_the_number_of_threads_and_the_instruction_set) {
  ThreadExecutor one(1);
  ThreadExecutor two(2);
  const Circuit circuit = testing::random_circuit(31, 17, 120);
  Xoshiro256 rng(32);
  const PauliSum observable = testing::random_observable(rng, 17, 10);
  const auto play = [&](Executor& executor, simd::Isa isa) {
    auto state = played<float>(circuit, executor, isa);
    const bool bit = state.measure(15, 0.5);
    state.reset(3, 0.25);
    std::vector<std::complex<double>> amplitudes;
    for (std::uint64_t z = 0; z >> 17 == 0; ++z) amplitudes.push_back(state.amplitude(z));
    return std::tuple(amplitudes, state.expectation(observable).value(), state.sample(10'000, 7), bit);
  };
  const auto once = play(one, simd::Isa::kPortable);
  EXPECT_EQ(once, play(one, simd::best_isa()));
  EXPECT_EQ(once, play(two, simd::best_isa()));
}

TEST(StateVectorF32, samples_follow_the_probabilities) {
  ThreadExecutor executor(2);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Circuit circuit = testing::random_circuit(100 + seed, 5, 40);
    const auto exact = played<double>(circuit, executor);
    std::vector<double> probabilities;
    for (std::uint64_t z = 0; z < 32; ++z) {
      const double probability = std::norm(exact.amplitude(z));
      probabilities.push_back(probability < 1e-12 ? 0 : probability);  // what is 0 but for rounding
    }
    std::vector<std::uint64_t> counts(32);
    for (const BasisCount& entry : played<float>(circuit, executor).sample(100'000, seed))
      counts[entry.state] = entry.count;
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 100'000u);
    EXPECT_GT(testing::chi_square_p(counts, probabilities), testing::kChiSquareP) << "seed " << seed;
  }
}

TEST(StateVectorF32, measuring_one_half_of_a_bell_pair_decides_the_other) {
  ThreadExecutor executor(1);
  Circuit bell = Circuit::create(2, 0).value();
  bell.gate(Gate::kH, {0}).gate(Gate::kCx, {0, 1});
  for (const double dice : {0.1, 0.9}) {
    auto state = played<float>(bell, executor);
    const bool first = state.measure(0, dice);
    EXPECT_EQ(first, dice > 0.5);
    EXPECT_EQ(state.measure(1, 1 - dice), first);
    EXPECT_NEAR(std::abs(state.amplitude(first ? 3 : 0)), 1, 1e-6);
  }
}

TEST(StateVectorF32, needs_half_the_memory) {
  EXPECT_EQ(StateVectorF32::bytes_needed(20), std::uint64_t{8} << 20);
  EXPECT_EQ(StateVectorF32::bytes_needed(20) * 2, StateVector::bytes_needed(20));
  EXPECT_TRUE(StateVectorF32::fits(20, std::uint64_t{8} << 20).has_value());
  EXPECT_FALSE(StateVector::fits(20, std::uint64_t{8} << 20).has_value());
}

}  // namespace
}  // namespace tandem::statevector
