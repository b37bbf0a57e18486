// tandem/compute/statevector/prepared_gate.h - one instruction as what it does to amplitudes: phases and rotated pairs.
//
// Room: compute; for the sources of this part and of compute/noise.
// Every gate of the table falls apart into phases of single basis states and 2 x 2 rotations of pairs of them (a test
// holds the table to that), so controls, diagonals and permutations need no code of their own: what a gate leaves alone
// is in no list.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <span>

#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector {

/// amplitude(state) *= factor where the operand bits of `state` are `pattern`.
struct Phase {
  std::uint64_t pattern = 0;
  std::complex<double> factor;
};

/// (amplitude(a), amplitude(b)) -> matrix * (amplitude(a), amplitude(b)), a and b being the states whose operand bits are
/// `a` and `b` and whose other bits agree.
struct Pair {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::array<std::complex<double>, 4> matrix;  ///< row-major
};

/// Patterns have their bits at the places of the qubits.
struct PreparedGate {
  std::uint64_t operands = 0;  ///< the qubits the gate acts on
  std::uint64_t mixing = 0;  ///< those among them that a pair changes
  std::uint8_t num_phases = 0;
  std::uint8_t num_pairs = 0;
  std::array<Phase, 8> phases{};
  std::array<Pair, 4> pairs{};
};

/// Prepares a unitary instruction (asserted) on qubits below 64 with finite angles, which decide factors and matrices, but not which
/// phases and pairs there are.
PreparedGate prepare(const circuit::Instruction& instruction, std::span<const double> parameter_values);

/// Whether every angle of the circuit is finite; sizes must agree (asserted). Errors: 1102 not_finite.
Result<void> check_angles(const circuit::Circuit& circuit, std::span<const double> parameter_values);

}  // namespace tandem::statevector
