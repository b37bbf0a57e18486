// tandem/compute/statevector/testing/plain_run.h - a circuit as one matrix after the other, by a loop over the amplitudes.
//
// Room: compute; tests only. For circuits too large for testing/dense_reference.h. Nothing of the engine is in it. Cost: O(2^n) an instruction.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector::testing {

/// Unitary instructions on basis states by number; qubit i is bit i.
inline void play_plainly(std::span<const circuit::Instruction> instructions, std::span<const double> values,
                         std::vector<std::complex<double>>& state) {
  for (const circuit::Instruction& instruction : instructions) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    std::vector<double> angles;
    for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(instruction.angles[i].value(values));
    const std::vector<std::complex<double>> matrix = circuit::gate_unitary(instruction.gate, angles);
    const std::size_t dimension = std::size_t{1} << record.num_qubits;
    std::array<std::uint64_t, 8> offsets{};
    for (std::size_t row = 0; row < dimension; ++row)
      for (std::size_t k = 0; k < record.num_qubits; ++k)
        offsets[row] |= static_cast<std::uint64_t>(row >> k & 1) << instruction.qubits[k];
    const std::uint64_t operands = offsets[dimension - 1];
    for (std::uint64_t z = 0; z < state.size(); ++z) {
      if ((z & operands) != 0) continue;
      std::array<std::complex<double>, 8> old{};
      for (std::size_t row = 0; row < dimension; ++row) old[row] = state[z | offsets[row]];
      for (std::size_t row = 0; row < dimension; ++row) {
        double re = 0;
        double im = 0;
        for (std::size_t column = 0; column < dimension; ++column) {
          const std::complex<double> m = matrix[row * dimension + column];
          re += m.real() * old[column].real() - m.imag() * old[column].imag();
          im += m.real() * old[column].imag() + m.imag() * old[column].real();
        }
        state[z | offsets[row]] = {re, im};
      }
    }
  }
}

}  // namespace tandem::statevector::testing
