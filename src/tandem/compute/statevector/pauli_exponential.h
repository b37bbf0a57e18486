// tandem/compute/statevector/pauli_exponential.h - whether instructions are exp(-i angle/2 P) of a Pauli string P, written as gates on two qubits.
//
// Room: compute, inside statevector. Circuits write an exponential as CX gates that gather a parity on one qubit, a phase there, and the CX
// gates the other way round, between turns that make X and Y of the string Z. Here the CX gates go: what is left is one phase by parity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector {

/// Whether it multiplies the amplitudes where its one qubit is 1, and at most the whole state beside.
bool is_phase_of_one(circuit::Gate gate);

struct PauliExponential {
  std::size_t count = 0;  ///< instructions; 0: it is none
  std::size_t phase =
      0;  ///< number of the one among them that is a phase: of one qubit, here of the parity of all `qubits`
  std::uint64_t qubits = 0;
};

/// Whether `rest` begins with one: CX, once or more, a phase on one qubit, and the same CX back. What follows from gates and qubits alone. At most
/// kLadderMax CX on either side; the numbers of qubits are below 64.
PauliExponential find_exponential(std::span<const circuit::Instruction> rest);

inline constexpr std::size_t kLadderMax = 64;

/// body(instructions, exponential) for one instruction after the other, or those of an exponential together, for which `count` is above 0.
template <class Body>
void for_exponentials(std::span<const circuit::Instruction> instructions, const Body& body) {
  while (!instructions.empty()) {
    const PauliExponential found = find_exponential(instructions);
    const std::size_t count = found.count == 0 ? 1 : found.count;
    body(instructions.first(count), found);
    instructions = instructions.subspan(count);
  }
}

}  // namespace tandem::statevector
