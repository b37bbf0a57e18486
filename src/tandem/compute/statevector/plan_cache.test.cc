#include "tandem/compute/statevector/plan_cache.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/pauli_passes.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using Cache = PlanCache<double>;

/// Turns about y with a parameter each, and cz between.
Circuit layer(std::uint32_t num_qubits) {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < num_qubits; ++i) names.push_back("a" + std::to_string(i));
  Circuit circuit = Circuit::create(num_qubits, 0, names).value();
  for (std::uint32_t i = 0; i < num_qubits; ++i) circuit.gate(Gate::kRy, {i}, {Angle::symbol(i)});
  for (std::uint32_t i = 0; i + 1 < num_qubits; ++i) circuit.gate(Gate::kCz, {i, i + 1});
  return circuit;
}

std::unique_ptr<Cache::Compiled> taken(Cache& cache, const Circuit& circuit, double value, const Frame& frame) {
  const std::vector<double> values(circuit.parameters().size(), value);
  return cache.take(circuit.instructions(), values, frame, std::max(circuit.num_qubits(), kLaneBits<double>),
                    simd::best_isa());
}

TEST(PlanCache, one_circuit_is_planned_once_and_bound_to_every_set_of_angles_once) {
  Cache cache;
  const Circuit circuit = layer(4);
  for (const double value : {0.1, 0.1, 0.2, 0.2, 0.1}) cache.give(taken(cache, circuit, value, Frame(4)));
  EXPECT_EQ(cache.made().plans, 1u);
  EXPECT_EQ(cache.made().bindings, 3u);
}

TEST(PlanCache, angles_that_are_constants_do_not_make_a_circuit_another_one) {
  Cache cache;
  for (const double value : {0.1, 0.2}) {
    Circuit circuit = Circuit::create(3, 0).value();
    circuit.gate(Gate::kRx, {1}, {Angle::constant(value)});
    cache.give(taken(cache, circuit, 0, Frame(3)));
  }
  EXPECT_EQ(cache.made().plans, 1u);
}

TEST(PlanCache, another_gate_qubit_or_bit_of_the_frame_is_another_plan) {
  Cache cache;
  Frame flipped(3);
  flipped.flipped = 2;
  Frame exchanged(3);
  std::swap(exchanged.bit_of[0], exchanged.bit_of[1]);
  Frame small(3);
  small.scale = 1e-30;
  std::uint64_t plans = 0;
  const auto expect_new = [&](Gate gate, std::uint32_t qubit, const Frame& frame) {
    Circuit circuit = Circuit::create(3, 0).value();
    circuit.gate(gate, {qubit}, {Angle::constant(0.5)});
    cache.give(taken(cache, circuit, 0, frame));
    EXPECT_EQ(cache.made().plans, ++plans);
  };
  expect_new(Gate::kRx, 0, Frame(3));
  expect_new(Gate::kRy, 0, Frame(3));
  expect_new(Gate::kRx, 1, Frame(3));
  expect_new(Gate::kRx, 0, flipped);
  expect_new(Gate::kRx, 0, exchanged);
  expect_new(Gate::kRx, 0, small);
}

TEST(PlanCache, the_way_back_is_another_plan_by_which_angles_are_parameters_but_not_by_which_parameters) {
  Cache cache;
  const auto back = [&](const Angle& first, const Angle& second, double value) {
    Circuit circuit = Circuit::create(3, 0, {"a", "b"}).value();
    circuit.gate(Gate::kRx, {0}, {first}).gate(Gate::kRzz, {1, 2}, {second});
    auto compiled = cache.take_back(circuit.instructions(), std::array{value, 2 * value}, Frame(3), kLaneBits<double>,
                                    simd::best_isa());
    const std::vector<Reading> readings = compiled->back.steps().readings;
    cache.give(std::move(compiled));
    return readings;
  };
  const Angle constant = Angle::constant(0.1);
  EXPECT_EQ(back(Angle::symbol(0), constant, 0.1).size(), 1u);
  EXPECT_EQ(cache.made().plans, 1u);
  const std::vector<Reading> other = back(Angle::symbol(1, 3), constant, 0.2);
  EXPECT_EQ(cache.made().plans, 1u);
  EXPECT_EQ(cache.made().bindings, 2u);
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0].parameter, 1u);
  EXPECT_DOUBLE_EQ(other[0].factor, 3);  // twice the factor of the angle, and rx turns by half of it
  EXPECT_EQ(back(constant, Angle::symbol(0), 0.2).at(0).z, 6u);
  EXPECT_EQ(cache.made().plans, 2u);
  EXPECT_TRUE(back(constant, constant, 0.2).empty());
  EXPECT_EQ(cache.made().plans, 3u);
  Circuit same = Circuit::create(3, 0).value();
  same.gate(Gate::kRx, {0}, {constant}).gate(Gate::kRzz, {1, 2}, {constant});
  cache.give(taken(cache, same, 0, Frame(3)));
  EXPECT_EQ(cache.made().plans, 4u);
}

TEST(PlanCache, a_plan_is_one_callers_at_a_time) {
  Cache cache;
  const Circuit circuit = layer(4);
  auto first = taken(cache, circuit, 0.1, Frame(4));
  auto second = taken(cache, circuit, 0.2, Frame(4));
  EXPECT_EQ(cache.made().plans, 2u);
  EXPECT_NE(first->angles, second->angles);
  cache.give(std::move(first));
  cache.give(std::move(second));
  cache.give(taken(cache, circuit, 0.3, Frame(4)));
  EXPECT_EQ(cache.made().plans, 2u);
}

TEST(PlanCache, those_used_longest_ago_go_first) {
  Cache cache;
  const auto circuit_of = [](std::size_t length) {
    Circuit circuit = Circuit::create(3, 0).value();
    for (std::size_t i = 0; i < length; ++i) circuit.gate(Gate::kT, {0});
    return circuit;
  };
  for (std::size_t length = 1; length <= Cache::kPlansMax; ++length)
    cache.give(taken(cache, circuit_of(length), 0, Frame(3)));
  cache.give(taken(cache, circuit_of(1), 0, Frame(3)));  // now the second one is the oldest
  cache.give(taken(cache, circuit_of(Cache::kPlansMax + 1), 0, Frame(3)));
  EXPECT_EQ(cache.made().plans, Cache::kPlansMax + 1);
  cache.give(taken(cache, circuit_of(1), 0, Frame(3)));
  EXPECT_EQ(cache.made().plans, Cache::kPlansMax + 1);
  cache.give(taken(cache, circuit_of(2), 0, Frame(3)));
  EXPECT_EQ(cache.made().plans, Cache::kPlansMax + 2);
}

TEST(PlanCache, a_state_is_the_same_with_kept_plans_and_without) {
  ThreadExecutor executor(1);
  const auto plans = std::make_shared<Cache>();
  Xoshiro256 rng(7);
  for (int round = 0; round < 100; ++round) {
    const auto n = static_cast<std::uint32_t>(3 + rng.below(4));
    auto kept = StateVector::create(n, 1 << 20, executor, plans).value();
    auto alone = StateVector::create(n, 1 << 20, executor).value();
    const std::uint64_t first = rng.below(3);  // few circuits, met again and again, also behind a measurement
    for (std::uint64_t seed = first; seed < first + 2; ++seed) {
      const Circuit circuit = testing::random_circuit(seed, n, 12);
      ASSERT_TRUE(kept.apply(circuit, {}).has_value());
      ASSERT_TRUE(alone.apply(circuit, {}).has_value());
      const double dice = rng.uniform();
      ASSERT_EQ(kept.measure(1, dice), alone.measure(1, dice));
    }
    for (std::uint64_t z = 0; z < std::uint64_t{1} << n; ++z) ASSERT_EQ(kept.amplitude(z), alone.amplitude(z));
  }
}

TEST(PlanCache, many_single_turns_keep_numbers_in_range) {
  // Each plan owes the factor of its turn to the next: the scale is taken in before numbers leave the range of float.
  ThreadExecutor executor(1);
  auto state = StateVectorF32::create(4, 1 << 20, executor).value();
  Circuit circuit = Circuit::create(4, 0).value();
  circuit.gate(Gate::kRy, {3}, {Angle::constant(1.5)});
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(state.apply(circuit, {}).has_value());
  const double half = 2000 * 1.5 / 2;
  EXPECT_NEAR(state.amplitude(0).real(), std::cos(half), 1e-3);
  EXPECT_NEAR(state.amplitude(8).real(), std::sin(half), 1e-3);
}

TEST(PlanCache, pauli_sums_are_made_ready_once_for_a_frame_and_kept_within_limits) {
  Cache cache;
  std::vector<observable::PauliTerm> terms{{.x = 1, .coefficient = 0.5}, {.z = 6, .coefficient = -1}};
  const Frame plain(3);
  Frame flipped(3);
  flipped.flipped = 2;
  Frame exchanged(3);
  std::swap(exchanged.bit_of[0], exchanged.bit_of[1]);
  for (int round = 0; round < 3; ++round)
    for (const Frame& frame : {plain, flipped, exchanged}) EXPECT_NE(cache.passes(terms, frame, 3), nullptr);
  EXPECT_EQ(cache.made().passes, 3u);
  const auto held = cache.passes(terms, plain, 3);
  EXPECT_EQ(cache.passes(terms, plain, 3), held);
  terms[0].coefficient = -0.5;
  EXPECT_NE(cache.passes(terms, plain, 3), held);
  EXPECT_EQ(cache.made().passes, 4u);
  for (std::size_t i = 0; i < Cache::kPassesMax; ++i) {
    terms[1].coefficient = static_cast<double>(i);
    cache.passes(terms, plain, 3);
  }
  EXPECT_EQ(cache.made().passes, 4 + Cache::kPassesMax);
  terms[0].coefficient = 0.5;
  terms[1].coefficient = -1;
  EXPECT_NE(cache.passes(terms, plain, 3), held);  // used longest ago
  EXPECT_EQ(held.use_count(), 1);
}

TEST(PlanCache, loops_make_their_observable_ready_once) {
  ThreadExecutor executor(1);
  auto cache = std::make_shared<Cache>();
  StateVector state = StateVector::create(4, 1 << 20, executor, cache).value();
  const auto sum = observable::PauliSum::create(4, {{.x = 1, .coefficient = 1}, {.z = 3, .coefficient = 2}}).value();
  const Circuit circuit = layer(4);
  for (const double value : {0.1, 0.2, 0.3}) {
    state.set_basis_state(0);
    ASSERT_TRUE(state.apply(circuit, std::vector<double>(4, value)).has_value());
    EXPECT_NEAR(state.expectation(sum).value(),
                std::sin(value) * std::cos(value) + 2 * std::cos(value) * std::cos(value), 1e-14);
  }
  EXPECT_EQ(cache->made().passes, 1u);
}

}  // namespace
}  // namespace tandem::statevector
