// tandem/compute/statevector/testing/circuit_fuzz.h - one random circuit by seed: the engine, with its own tiles, against the plain loop.
//
// Room: compute; tests only. Small tiles and what lies between the parts: plan.test.cc.
#pragma once

#include <cmath>
#include <string>

#include "tandem/base/executor.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/plain_run.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

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

/// Gates one by one, or layers: a turn on every qubit in a random order of gates, then some of two qubits, so that many turns meet in a tile.
inline circuit::Circuit circuit_of_seed(std::uint32_t n, Xoshiro256& rng) {
  circuit::Circuit circuit = circuit::Circuit::create(n, 0).value();
  if (rng.below(2) == 0) {
    for (std::uint64_t i = 1 + rng.below(n < 10 ? 40 : 60); i > 0; --i) append_gate(circuit, 0, rng);
    return circuit;
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
  return circuit;
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

/// Of the difference of two states of norm 1. Rounding: some 6e-8, or 1e-16, times the root of the number of gates.
template <class Real>
inline constexpr double kFuzzTolerance = sizeof(Real) == 4 ? 1e-5 : 2e-14;

template <class Real>
std::string failure_in(std::uint32_t n, Xoshiro256& rng, Executor& executor) {
  constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;
  const Bound bound = with_parameters_of(circuit_of_seed(n, rng));
  circuit::Circuit start = circuit::Circuit::create(n, 0).value();
  for (std::uint32_t qubit = 0; qubit < n; ++qubit)
    start.gate(circuit::Gate::kU, {qubit}, {random_angle(rng), random_angle(rng), random_angle(rng)});
  const auto isas = simd::runnable_isas();
  const simd::Isa isa = isas[rng.below(isas.size())];
  const auto state_of = [&](std::span<const double> values, simd::Isa by, std::shared_ptr<PlanCache<Real>> plans) {
    auto state = BasicStateVector<Real>::create(n, kMemory, executor, std::move(plans)).value();
    state.use_isa(by);
    TANDEM_ASSERT(state.apply(start, {}).has_value());
    TANDEM_ASSERT(state.apply(bound.circuit, values).has_value());
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
