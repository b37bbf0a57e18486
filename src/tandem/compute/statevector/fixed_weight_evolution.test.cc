// Mixers that keep numbers of ones against the definition on all states, circuits, and differences of values.
#include "tandem/compute/statevector/fixed_weight_evolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/mixer_reference.h"

namespace tandem::statevector {
namespace {

using problem::Bqm;
using problem::Vartype;
using testing::Amplitude;
using ::testing::ElementsAre;
using testing::MixedAngles;

constexpr std::uint64_t kMemory = 1ull << 30;

bool keeps(std::uint64_t state, const std::vector<WeightGroup>& groups) {
  for (const WeightGroup& group : groups) {
    std::uint32_t ones = 0;
    for (const std::uint32_t q : group.qubits) ones += (state >> q & 1) != 0 ? 1 : 0;
    if (ones != group.ones) return false;
  }
  return true;
}

std::vector<std::uint64_t> states_that_keep(std::uint32_t n, const std::vector<WeightGroup>& groups) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t z = 0; z < std::uint64_t{1} << n; ++z)
    if (keeps(z, groups)) out.push_back(z);
  return out;
}

/// Disjoint groups of qubits in no order, on a ring or all with all, beside free qubits.
std::vector<WeightGroup> random_groups(std::uint32_t n, Xoshiro256& rng) {
  std::vector<std::uint32_t> qubits(n);
  std::iota(qubits.begin(), qubits.end(), 0u);
  for (std::uint32_t i = n; i > 1; --i) std::swap(qubits[i - 1], qubits[rng.below(i)]);
  std::vector<WeightGroup> out;
  for (std::uint32_t first = 0; first < n;) {
    const auto size = std::min<std::uint32_t>(n - first, 1 + static_cast<std::uint32_t>(rng.below(5)));
    const std::vector<std::uint32_t> now(qubits.begin() + first, qubits.begin() + first + size);
    first += size;
    if (rng.below(3) == 0) continue;  // free
    out.push_back({.qubits = now,
                   .ones = static_cast<std::uint32_t>(rng.below(size + 1)),
                   .pairs = rng.below(2) == 0 ? ring_pairs(now) : complete_pairs(now),
                   .strength = 0.25 + rng.uniform()});
  }
  return out;
}

std::vector<Amplitude> uniform(std::uint32_t n, const std::vector<WeightGroup>& groups) {
  const std::vector<std::uint64_t> states = states_that_keep(n, groups);
  std::vector<Amplitude> out(std::size_t{1} << n);
  for (const std::uint64_t z : states) out[z] = 1 / std::sqrt(static_cast<double>(states.size()));
  return out;
}

std::vector<Amplitude> plainly(const Bqm& model, const std::vector<WeightGroup>& groups, const MixedAngles& angles,
                               std::vector<Amplitude> start) {
  std::uint64_t in_groups = 0;
  for (const WeightGroup& group : groups)
    for (const std::uint32_t q : group.qubits) in_groups |= std::uint64_t{1} << q;
  return testing::play_layers(model, angles, std::move(start), [&](std::vector<Amplitude>& state, double beta) {
    for (std::uint32_t q = 0; q < model.num_variables(); ++q)
      if ((in_groups >> q & 1) == 0) testing::turn_axis(state, q, 1, 0, beta);
    for (const WeightGroup& group : groups)
      for (const QubitPair& pair : group.pairs) testing::exchange(state, pair.u, pair.v, beta * group.strength);
  });
}

class FixedWeight : public ::testing::Test {
 protected:
  FixedWeightEvolution evolution(const Bqm& model, const std::vector<WeightGroup>& groups) {
    return FixedWeightEvolution::create(model, groups, kMemory, executor_).value();
  }
  ThreadExecutor executor_{2};
};

TEST(Pairs, a_ring_closes_and_all_pairs_are_all) {
  const std::vector<std::uint32_t> qubits = {7, 3, 5, 0};
  EXPECT_THAT(ring_pairs(qubits), ElementsAre(QubitPair{7, 3}, QubitPair{5, 0}, QubitPair{3, 5}, QubitPair{7, 0}));
  EXPECT_THAT(complete_pairs(qubits), ElementsAre(QubitPair{7, 3}, QubitPair{3, 5}, QubitPair{5, 0}, QubitPair{7, 5},
                                                  QubitPair{3, 0}, QubitPair{7, 0}));
  EXPECT_THAT(ring_pairs(std::vector<std::uint32_t>{4, 2}), ElementsAre(QubitPair{4, 2}));
  EXPECT_TRUE(ring_pairs(std::vector<std::uint32_t>{4}).empty());
}

TEST_F(FixedWeight, states_are_those_that_keep_the_numbers_and_stay_all_that_there_is) {
  Xoshiro256 rng(1);
  for (std::uint32_t n = 1; n <= 12; ++n) {
    for (int round = 0; round < 4; ++round) {
      const std::vector<WeightGroup> groups = random_groups(n, rng);
      auto evolution = this->evolution(testing::random_model(n, 0.5, Vartype::kBinary, rng), groups);
      const std::vector<std::uint64_t> expected = states_that_keep(n, groups);
      EXPECT_EQ(std::vector<std::uint64_t>(evolution.states().begin(), evolution.states().end()), expected);
      EXPECT_EQ(FixedWeightEvolution::bytes_needed(n, groups) / 56, expected.size() + (32ull << (n - n / 2)) / 56);
      ASSERT_TRUE(evolution.value(testing::random_angles(3, rng)).has_value());
      double inside = 0;
      for (const std::uint64_t z : expected) inside += std::norm(evolution.amplitude(z));
      EXPECT_NEAR(inside, 1, 1e-12);
      for (std::uint64_t z = 0; z < std::uint64_t{1} << n; ++z) {
        if (keeps(z, groups)) continue;
        EXPECT_EQ(evolution.amplitude(z), Amplitude(0));
      }
    }
  }
}

TEST_F(FixedWeight, state_and_value_follow_the_definition) {
  Xoshiro256 rng(2);
  for (std::uint32_t n = 1; n <= 10; ++n) {
    for (const std::size_t layers : {0, 1, 3}) {
      const std::vector<WeightGroup> groups = random_groups(n, rng);
      const Bqm model = testing::random_model(n, 0.7, rng.below(2) == 0 ? Vartype::kSpin : Vartype::kBinary, rng);
      const MixedAngles angles = testing::random_angles(layers, rng);
      auto evolution = this->evolution(model, groups);
      const double value = evolution.value(angles).value();
      const std::vector<Amplitude> expected = plainly(model, groups, angles, uniform(n, groups));
      for (std::uint64_t z = 0; z < expected.size(); ++z)
        ASSERT_LT(std::abs(evolution.amplitude(z) - expected[z]), 1e-13) << n << " " << layers << " " << z;
      EXPECT_NEAR(value, testing::mean_energy(model, expected), 1e-12);
    }
  }
}

TEST_F(FixedWeight, gradients_are_differences_of_values_also_of_another_objective_and_start) {
  Xoshiro256 rng(3);
  for (const std::uint32_t n : {2u, 5u, 7u, 9u}) {
    for (const bool changed : {false, true}) {
      const std::vector<WeightGroup> groups = random_groups(n, rng);
      const Bqm model = testing::random_model(n, 0.8, Vartype::kSpin, rng);
      const Bqm objective = changed ? testing::random_model(n, 0.8, Vartype::kBinary, rng) : model;
      const MixedAngles angles = testing::random_angles(2, rng);
      auto evolution = this->evolution(model, groups);
      std::vector<Amplitude> start = uniform(n, groups);
      if (changed) {
        std::vector<Amplitude> amplitudes;
        double norm = 0;
        for (std::size_t i = 0; i < evolution.states().size(); ++i) {
          amplitudes.emplace_back(rng.uniform() - 0.5, rng.uniform() - 0.5);
          norm += std::norm(amplitudes.back());
        }
        for (Amplitude& one : amplitudes) one /= std::sqrt(norm);
        for (std::size_t i = 0; i < amplitudes.size(); ++i) start[evolution.states()[i]] = amplitudes[i];
        ASSERT_TRUE(evolution.use_start(amplitudes).has_value());
        ASSERT_TRUE(evolution.use_objective(objective).has_value());
      }
      const IsingGradient gradient = evolution.gradient(angles).value();
      const auto value = [&](const MixedAngles& at) {
        return testing::mean_energy(objective, plainly(model, groups, at, start));
      };
      EXPECT_NEAR(gradient.value, value(angles), 1e-12);
      for (std::size_t l = 0; l < 2; ++l) {
        EXPECT_NEAR(gradient.gammas[l], testing::slope_of(angles, &MixedAngles::gammas, l, value), 1e-9);
        EXPECT_NEAR(gradient.betas[l], testing::slope_of(angles, &MixedAngles::betas, l, value), 1e-9);
      }
    }
  }
}

/// RZ, RZZ, RX and XXPLUSYY on the state vector, which shares nothing with what is tested but the energies' signs.
TEST_F(FixedWeight, a_circuit_gives_the_same_state) {
  using circuit::Angle;
  using circuit::Gate;
  Xoshiro256 rng(4);
  const std::uint32_t n = 14;
  const std::vector<std::uint32_t> in_group = {0, 2, 3, 5, 6, 8, 9, 10, 11, 13};
  for (const bool ring : {false, true}) {
    const std::vector<WeightGroup> groups = {{.qubits = in_group,
                                              .ones = 4,
                                              .pairs = ring ? ring_pairs(in_group) : complete_pairs(in_group),
                                              .strength = 0.4}};
    const Bqm model = testing::random_model(n, 1, Vartype::kSpin, rng);
    const MixedAngles angles = testing::random_angles(2, rng);
    circuit::Circuit circuit = circuit::Circuit::create(n, 0).value();
    for (std::uint32_t i = 0; i < 4; ++i) circuit.gate(Gate::kX, {in_group[i]});  // one state to begin with
    std::uint64_t start = 0;
    for (std::uint32_t i = 0; i < 4; ++i) start |= std::uint64_t{1} << in_group[i];
    double turned = 0;
    for (std::size_t l = 0; l < 2; ++l) {
      for (const problem::QuadraticTerm& term : model.terms())
        circuit.gate(Gate::kRzz, {term.u, term.v}, {Angle::constant(2 * angles.gammas[l] * term.bias)});
      for (std::uint32_t q = 0; q < n; ++q)
        circuit.gate(Gate::kRz, {q}, {Angle::constant(-2 * angles.gammas[l] * model.linear()[q])});
      for (const std::uint32_t q : {1u, 4u, 7u, 12u})
        circuit.gate(Gate::kRx, {q}, {Angle::constant(2 * angles.betas[l])});
      for (const QubitPair& pair : groups[0].pairs)
        circuit.gate(Gate::kXxPlusYy, {pair.u, pair.v},
                     {Angle::constant(2 * angles.betas[l] * 0.4), Angle::constant(0)});
      turned -= angles.gammas[l] * model.offset();
    }
    StateVector state = StateVector::create(n, kMemory, executor_).value();
    state.set_basis_state(0);
    ASSERT_TRUE(state.apply(circuit, {}).has_value());
    auto evolution = this->evolution(model, groups);
    std::vector<Amplitude> amplitudes(evolution.states().size());
    for (std::size_t i = 0; i < amplitudes.size(); ++i) amplitudes[i] = evolution.states()[i] == start ? 1 : 0;
    ASSERT_TRUE(evolution.use_start(amplitudes).has_value());
    ASSERT_TRUE(evolution.value(angles).has_value());
    for (std::uint64_t z = 0; z < std::uint64_t{1} << n; ++z)
      ASSERT_LT(std::abs(evolution.amplitude(z) - state.amplitude(z) * std::polar(1.0, turned)), 1e-12)
          << ring << " " << z;
  }
}

TEST_F(FixedWeight, without_groups_it_is_the_x_mixer) {
  Xoshiro256 rng(5);
  const Bqm model = testing::random_model(11, 0.6, Vartype::kSpin, rng);
  const MixedAngles angles = testing::random_angles(3, rng);
  auto general = evolution(model, {});
  auto plain = IsingEvolution<double>::create(model, kMemory, executor_).value();
  const IsingGradient a = general.gradient(angles).value();
  const IsingGradient b = plain.gradient(angles).value();
  EXPECT_NEAR(a.value, b.value, 1e-12);
  for (std::size_t l = 0; l < 3; ++l) {
    EXPECT_NEAR(a.gammas[l], b.gammas[l], 1e-11);
    EXPECT_NEAR(a.betas[l], b.betas[l], 1e-11);
  }
}

/// 12,870 states take four tasks.
TEST_F(FixedWeight, the_same_bytes_come_from_every_number_of_threads) {
  Xoshiro256 rng(6);
  std::vector<std::uint32_t> qubits(16);
  std::iota(qubits.begin(), qubits.end(), 0u);
  const std::vector<WeightGroup> groups = {{.qubits = qubits, .ones = 8, .pairs = complete_pairs(qubits)}};
  const Bqm model = testing::random_model(16, 1, Vartype::kBinary, rng);
  const MixedAngles angles = testing::random_angles(2, rng);
  ThreadExecutor one(1);
  const IsingGradient a = evolution(model, groups).gradient(angles).value();
  const IsingGradient b = FixedWeightEvolution::create(model, groups, kMemory, one).value().gradient(angles).value();
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.gammas, b.gammas);
  EXPECT_EQ(a.betas, b.betas);
}

TEST_F(FixedWeight, what_cannot_be_is_refused) {
  Xoshiro256 rng(7);
  const Bqm model = testing::random_model(4, 1, Vartype::kSpin, rng);
  const auto error = [&](std::vector<WeightGroup> groups, std::uint64_t memory = kMemory) {
    return FixedWeightEvolution::create(model, std::move(groups), memory, executor_).error().number;
  };
  EXPECT_EQ(error({{.qubits = {0, 4}}}), errors::kIndexOutOfRange);
  EXPECT_EQ(error({{.qubits = {0, 1}, .pairs = {{0, 2}}}}), errors::kIndexOutOfRange);
  EXPECT_EQ(error({{.qubits = {0, 1}, .pairs = {{1, 1}}}}), errors::kIndexOutOfRange);
  EXPECT_EQ(error({{.qubits = {0, 1}}, {.qubits = {1, 2}}}), errors::kSizeMismatch);
  EXPECT_EQ(error({{.qubits = {0, 0}}}), errors::kSizeMismatch);
  EXPECT_EQ(error({{.qubits = {0, 1}, .ones = 3}}), errors::kSizeMismatch);
  EXPECT_EQ(error({{.qubits = {0}, .strength = std::numeric_limits<double>::infinity()}}), errors::kNotFinite);
  EXPECT_EQ(error({}, 100), errors::kOutOfMemory);
  EXPECT_EQ(FixedWeightEvolution::create(Bqm(), {}, kMemory, executor_).error().number, errors::kValueOutOfRange);
  EXPECT_EQ(FixedWeightEvolution::create(testing::random_model(41, 0, Vartype::kSpin, rng), {}, kMemory, executor_)
                .error()
                .number,
            errors::kTooManyQubits);
  auto evolution = this->evolution(model, {{.qubits = {0, 1}, .ones = 1, .pairs = {{0, 1}}}});
  ASSERT_EQ(evolution.states().size(), 8u);
  const auto start = [&](const std::vector<Amplitude>& amplitudes) {
    return evolution.use_start(amplitudes).error().number;
  };
  EXPECT_EQ(start({1}), errors::kSizeMismatch);
  EXPECT_EQ(start(std::vector<Amplitude>(8, 1)), errors::kValueOutOfRange);
  EXPECT_EQ(start(std::vector<Amplitude>(8, std::numeric_limits<double>::quiet_NaN())), errors::kNotFinite);
  EXPECT_EQ(evolution.use_objective(testing::random_model(5, 1, Vartype::kSpin, rng)).error().number,
            errors::kSizeMismatch);
  const std::vector<double> one = {1};
  EXPECT_EQ(evolution.value({.gammas = one, .betas = {}}).error().number, errors::kSizeMismatch);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(evolution.gradient({.gammas = one, .betas = one}, stop.get_token()).error().number, errors::kCancelled);
}

}  // namespace
}  // namespace tandem::statevector
