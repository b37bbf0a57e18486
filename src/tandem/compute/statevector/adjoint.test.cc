// Gradients against differences of dense matrices, which share no code with the engine, and on wide states against differences of the
// engine's own expectations, which statevector.test.cc holds to dense matrices.
#include "tandem/compute/statevector/adjoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/generator.h"
#include "tandem/compute/statevector/testing/dense_reference.h"
#include "tandem/compute/statevector/testing/random_circuit.h"
#include "tandem/compute/statevector/testing/random_observable.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;
using observable::PauliSum;
using observable::PauliTerm;
using testing::Complex;
using testing::Dense;

constexpr std::uint64_t kMemory = 1ull << 30;

Executor& one_thread() {
  static ThreadExecutor executor(1);
  return executor;
}
Executor& two_threads() {
  static ThreadExecutor executor(2);
  return executor;
}

/// By five points; the remainder is h^4 / 30 times the fifth derivative, 2e-12 of it here, and rounding leaves as much.
constexpr double kStep = 0.003;
double derivative(const std::function<double(double)>& f) {
  return (8 * (f(kStep) - f(-kStep)) - (f(2 * kStep) - f(-2 * kStep))) / (12 * kStep);
}

std::vector<double> derivatives(std::vector<double> at, const std::function<double(std::span<const double>)>& f) {
  std::vector<double> out;
  for (std::size_t i = 0; i < at.size(); ++i) {
    const double middle = at[i];
    out.push_back(derivative([&](double step) {
      at[i] = middle + step;
      return f(at);
    }));
    at[i] = middle;
  }
  return out;
}

constexpr std::size_t kParameters = 5;
const std::vector<std::string> kNames{"a", "b", "c", "d", "e"};

/// Angles of a random circuit become affine in parameters, most of them, so that every parameter stands in several gates.
Circuit with_parameters(const Circuit& circuit, Xoshiro256& rng) {
  Circuit out = Circuit::create(circuit.num_qubits(), 0, kNames).value();
  for (Instruction instruction : circuit.instructions()) {
    for (std::size_t i = 0; i < circuit::gate_record(instruction.gate).num_parameters; ++i) {
      if (rng.below(5) == 0) continue;
      instruction.angles[i].parameter = static_cast<std::uint32_t>(rng.below(kParameters));
      instruction.angles[i].factor = 2 * rng.uniform() - 1;
    }
    TANDEM_ASSERT(out.append(instruction).has_value());
  }
  return out;
}

std::vector<double> random_values(Xoshiro256& rng, std::size_t count = kParameters) {
  std::vector<double> out(count);
  for (double& value : out) value = 6 * rng.uniform() - 3;
  return out;
}

using testing::random_observable;

template <class Real = double>
BasicAdjoint<Real> make_adjoint(std::uint32_t n, Executor& executor = two_threads()) {
  return BasicAdjoint<Real>::create(n, kMemory, executor).value();
}

TEST(Generator, is_how_every_gate_changes_with_every_angle) {
  Xoshiro256 rng(1);
  std::size_t angles_seen = 0;
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    for (std::size_t which = 0; which < record.num_parameters; ++which) {
      std::vector<PauliTerm> strings;
      for (int round = 0; round < 10; ++round) {
        const std::vector<double> angles =
            round == 0 ? std::vector<double>(record.num_parameters) : random_values(rng, record.num_parameters);
        const std::size_t size = std::size_t{1} << record.num_qubits;
        Dense change(size);
        for (std::size_t i = 0; i < size * size; ++i) {
          const auto entry = [&](double step, bool imaginary) {
            std::vector<double> moved = angles;
            moved[which] += step;
            const Complex value = circuit::gate_unitary(record.gate, moved)[i];
            return imaginary ? value.imag() : value.real();
          };
          change.entries[i] = {derivative([&](double step) { return entry(step, false); }),
                               derivative([&](double step) { return entry(step, true); })};
        }
        Dense sum = change * testing::dagger(Dense(size, circuit::gate_unitary(record.gate, angles)));
        const Generator generator = generator_of(record.gate, angles, which);
        for (const PauliTerm& term : generator.all())
          sum += Complex(0, term.coefficient) * testing::pauli_matrix(term, record.num_qubits);
        // A plan with readings of them holds for all angles.
        if (round == 0) strings.assign(generator.all().begin(), generator.all().end());
        EXPECT_TRUE(std::ranges::equal(generator.all(), strings, [](const PauliTerm& a, const PauliTerm& b) {
          return a.x == b.x && a.z == b.z;
        })) << record.name;
        // What is left is a phase of the whole state.
        for (std::size_t row = 0; row < size; ++row)
          for (std::size_t column = 0; column < size; ++column)
            EXPECT_LT(std::abs(sum.at(row, column) - (row == column ? sum.at(0, 0) : 0)), 1e-10) << record.name;
        ++angles_seen;
      }
    }
  }
  EXPECT_EQ(angles_seen, 210u);  // 21 angles of 16 gates
}

TEST(Adjoint, every_angle_of_every_gate_on_every_pair_of_qubits) {
  Xoshiro256 rng(2);
  constexpr std::uint32_t kQubits = 4;
  BasicAdjoint<double> adjoint = make_adjoint(kQubits);
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    if (record.num_parameters == 0) continue;
    for (std::uint32_t a = 0; a < kQubits; ++a) {
      for (std::uint32_t b = 0; b < kQubits; ++b) {
        if (a == b || (record.num_qubits == 1 && b != (a + 1) % kQubits)) continue;
        Circuit circuit = Circuit::create(kQubits, 0, kNames).value();
        const Circuit before = testing::random_circuit(rng(), kQubits, 15);
        const Circuit after = testing::random_circuit(rng(), kQubits, 15);
        for (const Instruction& other : before.instructions()) TANDEM_ASSERT(circuit.append(other).has_value());
        Instruction instruction{.gate = record.gate, .qubits = {a, record.num_qubits == 1 ? 0 : b}};
        for (std::uint32_t i = 0; i < record.num_parameters; ++i) instruction.angles[i] = Angle::symbol(i, 1.5);
        TANDEM_ASSERT(circuit.append(instruction).has_value());
        for (const Instruction& other : after.instructions()) TANDEM_ASSERT(circuit.append(other).has_value());
        const PauliSum observable = random_observable(rng, kQubits, 10);
        const std::vector<double> values = random_values(rng);
        const auto wanted = derivatives(values, [&](std::span<const double> at) {
          return testing::expectation(observable, testing::final_state(circuit, at));
        });
        const Gradient found = adjoint.gradient(circuit, values, observable).value();
        EXPECT_THAT(found.derivatives, ::testing::Pointwise(::testing::DoubleNear(1e-9), wanted))
            << record.name << ' ' << a << ' ' << b;
      }
    }
  }
}

TEST(Adjoint, random_circuits_with_shared_parameters_agree_with_dense_differences) {
  Xoshiro256 rng(3);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto n = static_cast<std::uint32_t>(1 + seed % 5);
    SCOPED_TRACE(seed);
    const Circuit circuit = with_parameters(testing::random_circuit(seed, n, 25), rng);
    const std::vector<double> values = random_values(rng);
    const std::vector<PauliSum> observables{random_observable(rng, n, 12), random_observable(rng, n, 3)};
    const std::vector<double> weights{0.7, -1.3};
    std::vector<double> wanted_values;
    const auto final = testing::final_state(circuit, values);
    for (const PauliSum& observable : observables) wanted_values.push_back(testing::expectation(observable, final));
    const auto wanted = derivatives(values, [&](std::span<const double> at) {
      const auto state = testing::final_state(circuit, at);
      return weights[0] * testing::expectation(observables[0], state) +
             weights[1] * testing::expectation(observables[1], state);
    });
    const Gradient wide = make_adjoint<double>(n).gradient(circuit, values, observables, weights).value();
    EXPECT_THAT(wide.values, ::testing::Pointwise(::testing::DoubleNear(1e-12), wanted_values));
    EXPECT_THAT(wide.derivatives, ::testing::Pointwise(::testing::DoubleNear(1e-8), wanted));
    const Gradient narrow = make_adjoint<float>(n).gradient(circuit, values, observables, weights).value();
    EXPECT_THAT(narrow.values, ::testing::Pointwise(::testing::DoubleNear(2e-5), wanted_values));
    EXPECT_THAT(narrow.derivatives, ::testing::Pointwise(::testing::DoubleNear(5e-5), wanted));
    const Gradient one = make_adjoint<double>(n).gradient(circuit, values, observables[0]).value();
    EXPECT_NEAR(one.values.at(0), wanted_values[0], 1e-12);
  }
}

TEST(Adjoint, states_of_many_tiles_agree_with_differences_of_expectations) {
  Xoshiro256 rng(4);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto n = static_cast<std::uint32_t>(14 + seed % 4);
    SCOPED_TRACE(seed);
    const Circuit circuit = with_parameters(testing::random_circuit(100 + seed, n, 90), rng);
    const std::vector<double> values = random_values(rng);
    const PauliSum observable = random_observable(rng, n, 12);
    StateVector state = StateVector::create(n, kMemory, two_threads()).value();
    const auto expectation = [&](std::span<const double> at) {
      state.set_basis_state(0);
      TANDEM_ASSERT(state.apply(circuit, at).has_value());
      return state.expectation(observable).value();
    };
    const auto wanted = derivatives(values, expectation);
    const Gradient wide = make_adjoint<double>(n).gradient(circuit, values, observable).value();
    EXPECT_NEAR(wide.values.at(0), expectation(values), 1e-12);
    EXPECT_THAT(wide.derivatives, ::testing::Pointwise(::testing::DoubleNear(1e-8), wanted));
    const Gradient narrow = make_adjoint<float>(n).gradient(circuit, values, observable).value();
    EXPECT_THAT(narrow.derivatives, ::testing::Pointwise(::testing::DoubleNear(1e-4), wanted));
  }
}

TEST(Adjoint, rotations_agree_with_the_parameter_shift_rule) {
  // Exact where each parameter is the angle of one rotation: half the difference of the values at a quarter of a turn to either side.
  constexpr std::uint32_t kQubits = 16;
  constexpr std::uint32_t kLayers = 2;
  std::vector<std::string> names(3 * kQubits * kLayers);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = fmt::format("p{}", i);
  Circuit circuit = Circuit::create(kQubits, 0, names).value();
  std::uint32_t next = 0;
  for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
    for (const Gate gate : {Gate::kRy, Gate::kRz, Gate::kRx})
      for (std::uint32_t q = 0; q < kQubits; ++q) circuit.gate(gate, {q}, {Angle::symbol(next++)});
    for (std::uint32_t q = 0; q + 1 < kQubits; ++q) circuit.gate(Gate::kCz, {q, q + 1});
  }
  Xoshiro256 rng(5);
  std::vector<double> values = random_values(rng, names.size());
  const PauliSum observable = random_observable(rng, kQubits, 20);
  const Gradient found = make_adjoint(kQubits).gradient(circuit, values, observable).value();
  StateVector state = StateVector::create(kQubits, kMemory, two_threads()).value();
  for (const std::size_t i : {0u, 3u, 15u, 16u, 31u, 32u, 45u, 48u, 60u, 70u, 95u}) {
    const double middle = values[i];
    std::array<double, 2> sides{};
    for (std::size_t side = 0; side < 2; ++side) {
      values[i] = middle + (side == 0 ? 1 : -1) * std::numbers::pi / 2;
      state.set_basis_state(0);
      ASSERT_TRUE(state.apply(circuit, values).has_value());
      sides[side] = state.expectation(observable).value();
    }
    values[i] = middle;
    EXPECT_NEAR(found.derivatives[i], (sides[0] - sides[1]) / 2, 1e-12) << i;
  }
}

TEST(Adjoint, circuits_of_many_stretches_go_back_through_all_of_them) {
  Xoshiro256 rng(6);
  const Circuit circuit = with_parameters(testing::random_circuit(9, 3, 9000), rng);
  Circuit few = Circuit::create(3, 0, kNames).value();  // or the derivatives would be as many, and differences useless
  for (Instruction instruction : circuit.instructions()) {
    for (Angle& angle : instruction.angles)
      if (!angle.is_constant() && rng.below(300) != 0) angle = Angle::constant(angle.offset);
    TANDEM_ASSERT(few.append(instruction).has_value());
  }
  const std::vector<double> values = random_values(rng);
  const PauliSum observable = random_observable(rng, 3, 8);
  const auto wanted = derivatives(values, [&](std::span<const double> at) {
    return testing::expectation(observable, testing::final_state(few, at));
  });
  EXPECT_THAT(make_adjoint(3).gradient(few, values, observable).value().derivatives,
              ::testing::Pointwise(::testing::DoubleNear(1e-8), wanted));
}

template <class Real>
void expect_same_bytes() {
  Xoshiro256 rng(7);
  constexpr std::uint32_t kQubits = 17;
  const Circuit circuit = with_parameters(testing::random_circuit(11, kQubits, 60), rng);
  const std::vector<double> values = random_values(rng);
  const PauliSum observable = random_observable(rng, kQubits, 8);
  const auto play = [&](Executor& executor, simd::Isa isa) {
    auto adjoint = make_adjoint<Real>(kQubits, executor);
    adjoint.use_isa(isa);
    const Gradient found = adjoint.gradient(circuit, values, observable).value();
    return std::pair(found.values, found.derivatives);
  };
  const auto once = play(one_thread(), simd::Isa::kPortable);
  for (const simd::Isa isa : simd::runnable_isas()) EXPECT_EQ(play(two_threads(), isa), once) << simd::to_string(isa);
}
TEST(Adjoint, same_bytes_whatever_the_number_of_threads_and_the_instruction_set_in_double) {
  expect_same_bytes<double>();
}
TEST(Adjoint, same_bytes_whatever_the_number_of_threads_and_the_instruction_set_in_float) {
  expect_same_bytes<float>();
}

template <class Real>
void expect_kept_plans_change_nothing(std::uint32_t num_qubits, int rounds) {
  // Circuits that differ in little: one gate without angles for another with the same pairs, which angles are parameters, which parameter
  // an angle is and by which factor, angles at which strings of the generator vanish, or values alone.
  Xoshiro256 rng(8);
  const std::array<Gate, 3> alike{Gate::kCx, Gate::kCy, Gate::kCh};
  BasicAdjoint<Real> one = make_adjoint<Real>(num_qubits);
  const PauliSum observable = random_observable(rng, num_qubits, 10);
  for (int round = 0; round < rounds; ++round) {
    Circuit circuit = Circuit::create(num_qubits, 0, kNames).value();
    for (std::uint32_t q = 0; q < num_qubits; ++q)
      circuit.gate(Gate::kRy, {q}, {Angle::symbol(static_cast<std::uint32_t>(rng.below(kParameters)))});
    circuit.gate(alike[rng.below(3)], {0, 1}).gate(alike[rng.below(3)], {2, 3}).gate(Gate::kX, {1});
    const Angle third = rng.below(2) == 0 ? Angle::symbol(0, rng.uniform()) : Angle::constant(0.1);
    circuit.gate(Gate::kU, {2}, {Angle::symbol(4), Angle::constant(0.1), third}).gate(Gate::kSwap, {1, 2});
    circuit.gate(Gate::kRzz, {num_qubits - 1, 0}, {Angle::symbol(3)}).gate(alike[rng.below(3)], {1, 2});
    const std::vector<double> values = rng.below(4) == 0 ? std::vector<double>(kParameters) : random_values(rng);
    const Gradient again = one.gradient(circuit, values, observable).value();
    const Gradient fresh = make_adjoint<Real>(num_qubits).gradient(circuit, values, observable).value();
    EXPECT_EQ(again.derivatives, fresh.derivatives) << round;
    EXPECT_EQ(again.values, fresh.values) << round;
  }
}
TEST(Adjoint, what_is_kept_of_circuits_changes_no_byte_of_the_next_ones) {
  expect_kept_plans_change_nothing<double>(4, 100);
  expect_kept_plans_change_nothing<float>(4, 100);
  expect_kept_plans_change_nothing<double>(17, 6);
}

TEST(Adjoint, nothing_to_derive_is_no_error) {
  Adjoint none = make_adjoint(0);
  const Gradient of_nothing = none.gradient(Circuit::create(0, 0).value(), {}, std::span<const PauliSum>(), {}).value();
  EXPECT_TRUE(of_nothing.values.empty());
  EXPECT_TRUE(of_nothing.derivatives.empty());
  Circuit unused = Circuit::create(2, 0, {"a"}).value();
  unused.gate(Gate::kX, {1});
  const PauliSum z = PauliSum::create(2, {{.z = 2, .coefficient = 3}}).value();
  const Gradient found = make_adjoint(2).gradient(unused, std::vector{1.0}, z).value();
  EXPECT_EQ(found.values, std::vector{-3.0});
  EXPECT_EQ(found.derivatives, std::vector{0.0});
}

TEST(Adjoint, says_what_does_not_fit) {
  EXPECT_EQ(Adjoint::bytes_needed(10), 32768u);
  EXPECT_TRUE(Adjoint::fits(10, 32768).has_value());
  const auto small = Adjoint::create(10, 32767, one_thread());
  ASSERT_FALSE(small.has_value());
  EXPECT_EQ(small.error().number, errors::kOutOfMemory);
  EXPECT_THAT(small.error().message, ::testing::HasSubstr("32768 bytes"));
  EXPECT_EQ(Adjoint::fits(41, UINT64_MAX).error().number, errors::kTooManyQubits);

  Adjoint adjoint = make_adjoint(2);
  const PauliSum z = PauliSum::create(2, {{.z = 1, .coefficient = 1}}).value();
  Circuit circuit = Circuit::create(2, 1, {"a"}).value();
  circuit.gate(Gate::kRx, {0}, {Angle::symbol(0)});
  const std::vector<double> one{0.5};
  EXPECT_EQ(adjoint.gradient(circuit, {}, z).error().number, errors::kSizeMismatch);
  EXPECT_EQ(adjoint.gradient(circuit, one, std::span(&z, 1), {}).error().number, errors::kSizeMismatch);
  EXPECT_EQ(adjoint.gradient(circuit, one, PauliSum::create(3, {}).value()).error().number, errors::kSizeMismatch);
  EXPECT_EQ(adjoint.gradient(circuit, one, std::span(&z, 1), std::vector<double>{NAN}).error().number,
            errors::kNotFinite);
  EXPECT_EQ(adjoint.gradient(circuit, std::vector<double>{INFINITY}, z).error().number, errors::kNotFinite);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(adjoint.gradient(circuit, one, z, source.get_token()).error().number, errors::kCancelled);
  circuit.measure(0, 0);
  EXPECT_EQ(adjoint.gradient(circuit, one, z).error().number, errors::kBadCircuit);
  // And still works afterwards: d<Z>/da of rx(a) is -sin a.
  circuit = Circuit::create(2, 0, {"a"}).value();
  circuit.gate(Gate::kRx, {0}, {Angle::symbol(0)});
  EXPECT_NEAR(adjoint.gradient(circuit, one, z).value().derivatives.at(0), -std::sin(0.5), 1e-15);
}

}  // namespace
}  // namespace tandem::statevector
