// tandem/compute/statevector/testing/circuit_fuzz.h - one random circuit by seed: state, draws and derivatives of the engine, with its own
// tiles, against the plain loop.
//
// Room: compute; tests only. Small tiles and what lies between the parts: plan.test.cc.
#pragma once

#include <bit>
#include <cmath>
#include <string>

#include "tandem/base/executor.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/adjoint.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/chi_square.h"
#include "tandem/compute/statevector/testing/exponentials.h"
#include "tandem/compute/statevector/testing/plain_run.h"
#include "tandem/compute/statevector/testing/random_circuit.h"
#include "tandem/compute/statevector/testing/random_observable.h"

namespace tandem::statevector::testing {

/// Every 64th seed has a circuit whose tiles have more than 64 blocks, and every 4096th one that takes several tiles.
inline std::uint32_t qubits_of_seed(std::uint64_t seed, Xoshiro256& rng) {
  if (seed % 4096 == 4095) return static_cast<std::uint32_t>(16 + rng.below(3));
  if (seed % 64 == 63) return static_cast<std::uint32_t>(12 + rng.below(4));
  return static_cast<std::uint32_t>(1 + rng.below(9));
}

/// The angles at which gates are something simpler, and some that are nothing special.
inline circuit::Angle some_angle(Xoshiro256& rng) {
  constexpr double kPi = std::numbers::pi;
  constexpr std::array kSpecial{0.0, -0.0, kPi, -kPi, kPi / 2, -kPi / 2, kPi / 4, 2 * kPi, 3 * kPi, 1e-9, 4 * kPi};
  return rng.below(4) == 0 ? circuit::Angle::constant(kSpecial[rng.below(kSpecial.size())]) : random_angle(rng);
}

/// Some gate on `count` qubits, or on any number where that is 0.
inline void append_gate(circuit::Circuit& circuit, std::size_t count, Xoshiro256& rng) {
  for (;;) {
    const circuit::GateRecord& record = circuit::gate_table()[rng.below(circuit::kNumGates)];
    if ((record.flags & circuit::kUnitary) == 0 || record.num_qubits > circuit.num_qubits()) continue;
    if (count != 0 && record.num_qubits != count) continue;
    circuit::Instruction instruction{.gate = record.gate};
    instruction.qubits = random_qubits(rng, circuit.num_qubits(), record.num_qubits);
    for (std::size_t i = 0; i < record.num_parameters; ++i) instruction.angles[i] = some_angle(rng);
    TANDEM_ASSERT(circuit.append(instruction).has_value());
    return;
  }
}

/// Gates one by one, exponentials of Pauli strings, or layers: a turn on every qubit in a random order of gates, then some of two qubits, so that many turns meet in a tile.
inline void append_gates(circuit::Circuit& circuit, Xoshiro256& rng) {
  const std::uint32_t n = circuit.num_qubits();
  const std::uint64_t kind = rng.below(5);
  if (kind < 2) {
    for (std::uint64_t i = 1 + rng.below(n < 10 ? 40 : 60); i > 0; --i) append_gate(circuit, 0, rng);
    return;
  }
  if (kind == 2) {  // of Pauli strings, and gates between them
    for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) {
      append_exponential(circuit, random_string(rng, n), some_angle(rng), rng);
      for (std::uint64_t j = rng.below(4); j > 0; --j) append_gate(circuit, 0, rng);
    }
    return;
  }
  for (std::uint64_t layer = 1 + rng.below(4); layer > 0; --layer) {
    for (std::uint32_t qubit = 0; qubit < n; ++qubit) {
      const circuit::Gate gate =
          std::array{circuit::Gate::kRx, circuit::Gate::kRy, circuit::Gate::kRz, circuit::Gate::kH}[rng.below(4)];
      circuit::Instruction instruction{.gate = gate, .qubits = {qubit}};
      if (gate != circuit::Gate::kH) instruction.angles[0] = some_angle(rng);
      TANDEM_ASSERT(circuit.append(instruction).has_value());
    }
    for (std::uint64_t i = rng.below(n); n > 1 && i > 0; --i) append_gate(circuit, 2, rng);
  }
}

/// H on every qubit, then phases and turns about x, as QAOA has them: from kIsingQubitsMin qubits on they are run as layers.
inline void append_qaoa_layers(circuit::Circuit& circuit, Xoshiro256& rng) {
  const std::uint32_t n = circuit.num_qubits();
  for (std::uint32_t q = 0; q < n; ++q) circuit.gate(circuit::Gate::kH, {q});
  const std::uint64_t fields = rng.below(2);
  for (std::uint64_t layer = 1 + rng.below(3); layer > 0; --layer) {
    for (std::uint64_t i = rng.below(2 * n); n > 1 && i > 0; --i) {
      const auto pair = random_qubits(rng, n, 2);
      if (rng.below(4) == 0) {
        circuit.gate(circuit::Gate::kCx, {pair[0], pair[1]})
            .gate(circuit::Gate::kRz, {pair[1]}, {some_angle(rng)})
            .gate(circuit::Gate::kCx, {pair[0], pair[1]});
      } else {
        circuit.gate(circuit::Gate::kRzz, {pair[0], pair[1]}, {some_angle(rng)});
      }
    }
    for (std::uint32_t q = 0; fields != 0 && q < n; ++q) circuit.gate(circuit::Gate::kRz, {q}, {some_angle(rng)});
    for (std::uint32_t q = 0; q < n; ++q) circuit.gate(circuit::Gate::kRx, {q}, {some_angle(rng)});
  }
}

/// The circuit with its angles as parameters, and their values.
struct Bound {
  circuit::Circuit circuit;
  std::vector<double> values;
};
inline Bound with_parameters_of(const circuit::Circuit& circuit) {
  std::vector<std::string> names;
  std::vector<double> values;
  std::vector<circuit::Instruction> instructions(circuit.instructions().begin(), circuit.instructions().end());
  for (circuit::Instruction& instruction : instructions) {
    for (std::size_t i = 0; i < circuit::gate_record(instruction.gate).num_parameters; ++i) {
      values.push_back(instruction.angles[i].value({}));
      instruction.angles[i] = circuit::Angle::symbol(static_cast<std::uint32_t>(names.size()));
      names.push_back(fmt::format("p{}", names.size()));
    }
  }
  circuit::Circuit out = circuit::Circuit::create(circuit.num_qubits(), 0, names).value();
  for (const circuit::Instruction& instruction : instructions) TANDEM_ASSERT(out.append(instruction).has_value());
  return {std::move(out), std::move(values)};
}

inline double plain_value(const observable::PauliSum& observable, std::span<const std::complex<double>> state) {
  constexpr std::array<std::complex<double>, 4> kPowersOfI{1.0, {0, 1}, -1.0, {0, -1}};
  std::complex<double> sum = 0;
  for (const observable::PauliTerm& term : observable.terms()) {
    std::complex<double> of_term = 0;
    for (std::uint64_t z = 0; z < state.size(); ++z) {
      const auto moved = state[z] * (std::popcount(z & term.z) % 2 == 0 ? 1.0 : -1.0);
      of_term += std::conj(state[z ^ term.x]) * moved;
    }
    sum += term.coefficient * kPowersOfI[static_cast<std::size_t>(std::popcount(term.x & term.z)) % 4] * of_term;
  }
  return sum.real();
}

/// What is wrong with values and derivatives; along one direction through all parameters, by differences of the plain loop's values.
template <class Real>
std::string failure_of_gradient(const Bound& bound, simd::Isa isa, Xoshiro256& rng, Executor& executor) {
  const std::uint32_t n = bound.circuit.num_qubits();
  std::vector<observable::PauliSum> observables;
  for (int i = 0; i < 2; ++i) observables.push_back(random_observable(rng, n, 1 + rng.below(6)));
  const std::vector<double> weights{2 * rng.uniform() - 1, 2 * rng.uniform() - 1};
  auto adjoint = BasicAdjoint<Real>::create(n, std::uint64_t{1} << 30, executor).value();
  adjoint.use_isa(isa);
  const auto gradient = adjoint.gradient(bound.circuit, bound.values, observables, weights);
  if (!gradient) return gradient.error().message;
  double sizes = 0;
  for (const auto& observable : observables)
    for (const observable::PauliTerm& term : observable.terms()) sizes += std::abs(term.coefficient);
  const auto weighted = [&](std::span<const double> values) {
    std::vector<std::complex<double>> state(std::size_t{1} << n);
    state[0] = 1;
    play_plainly(bound.circuit.instructions(), values, state);
    return weights[0] * plain_value(observables[0], state) + weights[1] * plain_value(observables[1], state);
  };
  const double value = weights[0] * gradient->values[0] + weights[1] * gradient->values[1];
  constexpr double kTolerance = sizeof(Real) == 4 ? 1e-5 : 1e-12;
  if (const double wanted = weighted(bound.values); !(std::abs(value - wanted) <= kTolerance * sizes))
    return fmt::format("the value is {} instead of {}", value, wanted);
  constexpr double kStep = 1e-4;
  std::vector<double> ahead = bound.values, behind = bound.values;
  double slope = 0;
  double length = 0;
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    const double direction = 2 * rng.uniform() - 1;
    slope += direction * gradient->derivatives[i];
    length += std::abs(direction);
    ahead[i] += kStep * direction;
    behind[i] -= kStep * direction;
  }
  // A difference is off by a sixth of the third derivative, which is at most (2 length)^3 sizes, times the square of the step.
  const double wanted = (weighted(ahead) - weighted(behind)) / (2 * kStep);
  const double tolerance = sizes * (1e-9 + kStep * kStep * std::pow(2 * length, 3) / 6 + length * kTolerance);
  if (!(std::abs(slope - wanted) <= tolerance)) return fmt::format("the slope is {} instead of {}", slope, wanted);
  return "";
}

/// What is wrong with draws. A right sampler is refused in less than one of 10^10 calls.
template <class Real>
std::string failure_of_draws(const BasicStateVector<Real>& state, std::span<const std::complex<double>> wanted,
                             Xoshiro256& rng) {
  const std::uint64_t shots = 1 + rng.below(20'000);
  std::vector<std::uint64_t> counts(wanted.size());
  std::uint64_t drawn = 0;
  for (const BasisCount& one : state.sample(shots, rng())) {
    if (one.count == 0 || one.state >= counts.size() || counts[one.state] != 0) return "a draw that cannot be";
    counts[one.state] = one.count;
    drawn += one.count;
  }
  if (drawn != shots) return fmt::format("{} draws instead of {}", drawn, shots);
  std::vector<double> probabilities(wanted.size());
  for (std::size_t z = 0; z < wanted.size(); ++z) {
    probabilities[z] = std::norm(wanted[z]);
    if (probabilities[z] < 1e-12) {  // that of rounding
      if (counts[z] > 1) return fmt::format("{} draws of {}, which has probability {}", counts[z], z, probabilities[z]);
      counts[z] = 0;
      probabilities[z] = 0;
    }
  }
  constexpr double kNever = 1e-12;
  const double p = chi_square_p(counts, probabilities);
  return p > kNever ? "" : fmt::format("{} draws have a chi-square of probability {}", shots, p);
}

/// Of the difference of two states of norm 1. Rounding: some 6e-8, or 1e-16, times the root of the number of gates.
template <class Real>
inline constexpr double kFuzzTolerance = sizeof(Real) == 4 ? 1e-5 : 2e-14;

template <class Real>
std::string failure_in(std::uint32_t n, Xoshiro256& rng, Executor& executor) {
  constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;
  circuit::Circuit circuit = circuit::Circuit::create(n, 0).value();
  circuit::Circuit start = circuit;
  if (rng.below(4) == 0)
    append_qaoa_layers(circuit, rng);
  else
    for (std::uint32_t qubit = 0; qubit < n; ++qubit)
      start.gate(circuit::Gate::kU, {qubit}, {random_angle(rng), random_angle(rng), random_angle(rng)});
  append_gates(circuit, rng);
  const Bound bound = with_parameters_of(circuit);
  const auto isas = simd::runnable_isas();
  const simd::Isa isa = isas[rng.below(isas.size())];
  const Then then = rng.below(2) == 0 ? Then::kSample : Then::kAnything;
  const auto state_of = [&](std::span<const double> values, simd::Isa by, std::shared_ptr<PlanCache<Real>> plans) {
    auto state = BasicStateVector<Real>::create(n, kMemory, executor, std::move(plans)).value();
    state.use_isa(by);
    if (!start.instructions().empty()) TANDEM_ASSERT(state.apply(start, {}).has_value());
    TANDEM_ASSERT(state.apply(bound.circuit, values, {}, then).has_value());
    return state;
  };
  const auto plans = std::make_shared<PlanCache<Real>>();
  if (rng.below(2) == 0) {  // the plan was made for other angles
    std::vector<double> others = bound.values;
    for (double& value : others) value = some_angle(rng).value({});
    static_cast<void>(state_of(others, isa, plans));
  }
  const auto state = state_of(bound.values, isa, plans);
  std::vector<std::complex<double>> wanted(std::size_t{1} << n);
  wanted[0] = 1;
  play_plainly(start.instructions(), {}, wanted);
  play_plainly(bound.circuit.instructions(), bound.values, wanted);
  double sum = 0;
  for (std::uint64_t z = 0; z < wanted.size(); ++z) sum += std::norm(state.amplitude(z) - wanted[z]);
  const std::string what = fmt::format("{} qubits, {} gates, {} bits, {}", n, bound.circuit.instructions().size(),
                                       8 * sizeof(Real), simd::to_string(isa));
  if (!(std::sqrt(sum) < kFuzzTolerance<Real>)) return fmt::format("off by {} with {}", std::sqrt(sum), what);
  if (rng.below(8) == 0) {
    if (const std::string failure = failure_of_draws(state, wanted, rng); !failure.empty())
      return fmt::format("{} with {}", failure, what);
  }
  if (n < 16 && rng.below(8) == 0) {
    if (const std::string failure = failure_of_gradient<Real>(bound, isa, rng, executor); !failure.empty())
      return fmt::format("{} with {}", failure, what);
  }
  if (rng.below(8) != 0) return "";
  for (const simd::Isa other : isas) {
    const auto again = state_of(bound.values, other, nullptr);
    for (std::uint64_t z = 0; z < wanted.size(); ++z)
      if (again.amplitude(z) != state.amplitude(z))
        return fmt::format("other bytes by {} with {}", simd::to_string(other), what);
  }
  return "";
}

/// What is wrong with the circuit of `seed`; empty: nothing. The same on every machine that runs the same instruction sets.
inline std::string failure_of_seed(std::uint64_t seed, Executor& executor) {
  Xoshiro256 rng(seed);
  const std::uint32_t n = qubits_of_seed(seed, rng);
  return rng.below(2) == 0 ? failure_in<float>(n, rng, executor) : failure_in<double>(n, rng, executor);
}

}  // namespace tandem::statevector::testing
