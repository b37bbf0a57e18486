// tandem/compute/statevector/testing/random_circuit.h - random circuits over the whole gate table, by seed.
//
// Room: compute; tests and benchmarks only.
#pragma once

#include <array>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector::testing {

/// Different qubits below n, in random order; count <= n.
inline std::array<std::uint32_t, 3> random_qubits(Xoshiro256& rng, std::uint32_t n, std::size_t count) {
  std::array<std::uint32_t, 3> qubits{};
  for (std::size_t i = 0; i < count;) {
    qubits[i] = static_cast<std::uint32_t>(rng.below(n));
    bool repeated = false;
    for (std::size_t j = 0; j < i; ++j) repeated = repeated || qubits[j] == qubits[i];
    if (!repeated) ++i;
  }
  return qubits;
}

inline circuit::Angle random_angle(Xoshiro256& rng) {
  return circuit::Angle::constant((2 * rng.uniform() - 1) * 2 * std::numbers::pi);
}

/// `length` unitary instructions, each gate of the table that fits alike; at most `qubits_max` qubits a gate.
inline circuit::Circuit random_circuit(std::uint64_t seed, std::uint32_t n, std::size_t length,
                                       std::size_t qubits_max = 3) {
  Xoshiro256 rng(seed);
  circuit::Circuit circuit = circuit::Circuit::create(n, n).value();
  while (circuit.instructions().size() < length) {
    const circuit::GateRecord& record = circuit::gate_table()[rng.below(circuit::kNumGates)];
    if ((record.flags & circuit::kUnitary) == 0 || record.num_qubits > n || record.num_qubits > qubits_max) continue;
    circuit::Instruction instruction{.gate = record.gate};
    instruction.qubits = random_qubits(rng, n, record.num_qubits);
    for (std::size_t i = 0; i < record.num_parameters; ++i) instruction.angles[i] = random_angle(rng);
    TANDEM_ASSERT(circuit.append(instruction).has_value());
  }
  return circuit;
}

}  // namespace tandem::statevector::testing
