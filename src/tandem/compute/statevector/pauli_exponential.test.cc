// Exponentials of Pauli strings that are written as ladders of CX: what is found, and states and derivatives against cos - i sin P by a plain loop.
#include "tandem/compute/statevector/pauli_exponential.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "tandem/compute/statevector/adjoint.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/testing/exponentials.h"
#include "tandem/compute/statevector/testing/kernel_reference.h"
#include "tandem/compute/statevector/testing/plain_run.h"
#include "tandem/compute/statevector/testing/random_circuit.h"
#include "tandem/compute/statevector/testing/random_observable.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using testing::PauliString;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 28;

PauliExponential found_in(const Circuit& circuit, std::size_t first = 0) {
  return find_exponential(circuit.instructions().subspan(first));
}

Circuit empty(std::uint32_t n) { return Circuit::create(n, n, {"a"}).value(); }

TEST(PauliExponential, is_found_whatever_the_shape_of_its_ladder) {
  Circuit chain = empty(4);
  chain.gate(Gate::kCx, {0, 2}).gate(Gate::kCx, {2, 3}).gate(Gate::kRz, {3}, {Angle::symbol(0)});
  chain.gate(Gate::kCx, {2, 3}).gate(Gate::kCx, {0, 2}).gate(Gate::kH, {1});
  EXPECT_EQ(found_in(chain).count, 5u);
  EXPECT_EQ(found_in(chain).phase, 2u);
  EXPECT_EQ(found_in(chain).qubits, 0b1101u);
  Circuit star = empty(4);
  star.gate(Gate::kCx, {0, 1}).gate(Gate::kCx, {3, 1}).gate(Gate::kT, {1});
  star.gate(Gate::kCx, {3, 1}).gate(Gate::kCx, {0, 1});
  EXPECT_EQ(found_in(star).qubits, 0b1011u);
  // A control on what is gathered leaves it as it is, and twice the same qubit is none.
  Circuit odd = empty(3);
  odd.gate(Gate::kCx, {0, 1}).gate(Gate::kCx, {1, 2}).gate(Gate::kCx, {0, 1}).gate(Gate::kP, {1}, {Angle::symbol(0)});
  odd.gate(Gate::kCx, {0, 1}).gate(Gate::kCx, {1, 2}).gate(Gate::kCx, {0, 1});
  EXPECT_EQ(found_in(odd).count, 7u);
  EXPECT_EQ(found_in(odd).qubits, 0b010u);
}

TEST(PauliExponential, is_not_found_where_it_is_none) {
  Circuit circuit = empty(3);
  circuit.gate(Gate::kCx, {0, 1}).gate(Gate::kCx, {1, 2}).gate(Gate::kRz, {2}, {Angle::symbol(0)});
  EXPECT_EQ(found_in(circuit).count, 0u) << "it does not end";
  circuit.gate(Gate::kCx, {1, 2}).gate(Gate::kCx, {1, 0});
  EXPECT_EQ(found_in(circuit).count, 0u) << "it ends otherwise";
  EXPECT_EQ(found_in(circuit, 1).count, 3u) << "but there is one in it";
  EXPECT_EQ(found_in(circuit, 2).count, 0u) << "a phase alone";
  for (const Gate gate : {Gate::kRx, Gate::kX, Gate::kH, Gate::kCz}) {
    Circuit other = empty(3);
    other.gate(Gate::kCx, {0, 1});
    if (gate == Gate::kRx)
      other.gate(gate, {1}, {Angle::symbol(0)});
    else if (gate == Gate::kCz)
      other.gate(gate, {1, 2});
    else
      other.gate(gate, {1});
    other.gate(Gate::kCx, {0, 1});
    EXPECT_EQ(found_in(other).count, 0u);
  }
  EXPECT_EQ(found_in(empty(1)).count, 0u);
}

TEST(PauliExponential, is_one_step_and_of_two_qubits_phases) {
  for (std::uint32_t weight = 1; weight <= 8; ++weight) {
    Circuit circuit = Circuit::create(9, 0).value();
    circuit.gate(Gate::kX, {0});
    const PauliString string{.z = ((std::uint64_t{1} << weight) - 1) << 1};
    Xoshiro256 rng(weight);
    testing::append_exponential(circuit, string, Angle::constant(0.3), rng);
    Frame frame(9);
    Steps steps;
    lower(circuit.instructions(), {}, frame, steps);
    const auto parities = std::ranges::count(steps.steps, Step::Kind::kParity, &Step::kind);
    EXPECT_EQ(parities, weight > 2 ? 1 : 0);
    EXPECT_EQ(steps.steps.size(), weight == 2 ? 3u : 1u);
    EXPECT_TRUE(steps.gates.empty());
  }
}

template <class Real>
void expect_states(std::uint32_t n, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  ThreadExecutor executor(2);
  Circuit circuit = testing::random_circuit(seed, n, 12, 2);
  std::vector<testing::Amplitude> wanted(std::size_t{1} << n);
  wanted[0] = 1;
  testing::play_plainly(circuit.instructions(), {}, wanted);
  for (int i = 0; i < 6; ++i) {
    const PauliString string = testing::random_string(rng, n);
    const double angle = (2 * rng.uniform() - 1) * 2 * std::numbers::pi;
    testing::append_exponential(circuit, string, Angle::constant(angle), rng);
    testing::exponential_plainly(string, angle, wanted);
    const auto q = static_cast<std::uint32_t>(rng.below(n));
    circuit.gate(Gate::kX, {q}).gate(Gate::kU, {q}, {Angle::constant(1), Angle::constant(angle), Angle::constant(2)});
    testing::play_plainly(circuit.instructions().last(2), {}, wanted);
  }
  for (const simd::Isa isa : simd::runnable_isas()) {
    auto state = BasicStateVector<Real>::create(n, kMemory, executor).value();
    state.use_isa(isa);
    ASSERT_TRUE(state.apply(circuit, {}).has_value());
    double sum = 0;
    for (std::uint64_t z = 0; z < wanted.size(); ++z) sum += std::norm(state.amplitude(z) - wanted[z]);
    EXPECT_LT(std::sqrt(sum), sizeof(Real) == 4 ? 1e-5 : 2e-14)
        << n << " qubits, seed " << seed << ", " << simd::to_string(isa);
  }
}

TEST(PauliExponential, states_are_those_of_cosine_and_sine_times_the_string) {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    const auto n = static_cast<std::uint32_t>(2 + seed % 10);
    expect_states<double>(n, seed);
    expect_states<float>(n, seed);
  }
  for (const std::uint32_t n : {14u, 17u, 18u}) {  // several runs, and several tiles
    expect_states<double>(n, 1000 + n);
    expect_states<float>(n, 1000 + n);
  }
}

template <class Real>
void expect_derivatives(std::uint32_t n, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  ThreadExecutor executor(2);
  constexpr std::uint32_t kParameters = 5;
  Circuit circuit = Circuit::create(n, 0, {"a", "b", "c", "d", "e"}).value();
  for (std::uint32_t q = 0; q < n; ++q) circuit.gate(Gate::kRy, {q}, {Angle::constant(6 * rng.uniform())});
  std::vector<double> values;
  for (std::uint32_t i = 0; i < kParameters; ++i) {
    testing::append_exponential(circuit, testing::random_string(rng, n), Angle::symbol(i, 1.5), rng);
    circuit.gate(Gate::kX, {static_cast<std::uint32_t>(rng.below(n))});
    values.push_back(6 * rng.uniform());
  }
  const auto observable = testing::random_observable(rng, n, 8);
  auto adjoint = BasicAdjoint<Real>::create(n, kMemory, executor).value();
  const Gradient found = adjoint.gradient(circuit, values, observable).value();
  auto state = StateVector::create(n, kMemory, executor).value();
  const auto value = [&](std::span<const double> at) {
    state.set_basis_state(0);
    EXPECT_TRUE(state.apply(circuit, at).has_value());
    return state.expectation(observable).value();
  };
  constexpr double kTolerance = sizeof(Real) == 4 ? 3e-5 : 1e-12;
  EXPECT_NEAR(found.values[0], value(values), kTolerance);
  for (std::uint32_t i = 0; i < kParameters; ++i) {
    std::vector<double> more = values, less = values;
    more[i] += std::numbers::pi / 2 / 1.5;
    less[i] -= std::numbers::pi / 2 / 1.5;
    EXPECT_NEAR(found.derivatives[i], 1.5 * (value(more) - value(less)) / 2, kTolerance) << "parameter " << i;
  }
}

TEST(PauliExponential, derivatives_are_those_of_the_parameter_shift) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto n = static_cast<std::uint32_t>(2 + seed % 9);
    SCOPED_TRACE(seed);
    expect_derivatives<double>(n, seed);
    expect_derivatives<float>(n, seed);
  }
  expect_derivatives<double>(16, 77);
}

TEST(PauliExponential, a_plan_holds_for_other_angles) {
  ThreadExecutor executor(1);
  Xoshiro256 rng(3);
  Circuit circuit = Circuit::create(6, 0, {"a"}).value();
  for (std::uint32_t q = 0; q < 6; ++q) circuit.gate(Gate::kRy, {q}, {Angle::constant(0.4 + q)});
  testing::append_exponential(circuit, {.x = 0b010110, .z = 0b111010}, Angle::symbol(0), rng);
  const auto plans = std::make_shared<PlanCache<double>>();
  auto state = StateVector::create(6, kMemory, executor, plans).value();
  for (const double angle : {0.3, -2.0, 0.0, 9.0}) {
    auto fresh = StateVector::create(6, kMemory, executor).value();
    const std::vector<double> values{angle};
    state.set_basis_state(0);
    ASSERT_TRUE(state.apply(circuit, values).has_value());
    ASSERT_TRUE(fresh.apply(circuit, values).has_value());
    for (std::uint64_t z = 0; z < 64; ++z) EXPECT_EQ(state.amplitude(z), fresh.amplitude(z));
  }
  EXPECT_EQ(plans->made().plans, 1u);
}

}  // namespace
}  // namespace tandem::statevector
