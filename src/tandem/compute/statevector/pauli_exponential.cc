#include "tandem/compute/statevector/pauli_exponential.h"

namespace tandem::statevector {

using circuit::Gate;
using circuit::Instruction;

bool is_phase_of_one(Gate gate) {
  switch (gate) {
    case Gate::kZ:
    case Gate::kS:
    case Gate::kSdg:
    case Gate::kT:
    case Gate::kTdg:
    case Gate::kP:
    case Gate::kRz:
      return true;
    default:
      return false;
  }
}

PauliExponential find_exponential(std::span<const Instruction> rest) {
  std::size_t ladder = 0;
  while (ladder < rest.size() && rest[ladder].gate == Gate::kCx)
    if (++ladder > kLadderMax) return {};
  if (ladder == 0 || 2 * ladder + 1 > rest.size() || !is_phase_of_one(rest[ladder].gate)) return {};
  std::uint64_t qubits = std::uint64_t{1} << rest[ladder].qubits[0];
  for (std::size_t i = 1; i <= ladder; ++i) {
    const Instruction& cx = rest[ladder - i];
    if (rest[ladder + i] != cx) return {};
    // Z of the target is, before the gate, Z of both.
    if ((qubits >> cx.qubits[1] & 1) != 0) qubits ^= std::uint64_t{1} << cx.qubits[0];
  }
  return {.count = 2 * ladder + 1, .phase = ladder, .qubits = qubits};
}

}  // namespace tandem::statevector
