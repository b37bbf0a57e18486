// tandem/middleware/ansatz/testing/circuit_state.h - what a circuit of numbers prepares, by the matrices of the gate table.
//
// Room: middleware, tests only. Shares nothing with the simulator. Cost: O(4^k 2^n) a gate on k of n qubits.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tandem/model/circuit/circuit.h"

namespace tandem::ansatz {

using Complex = std::complex<double>;

/// A circuit's unitary part on |0...0>, gate by gate with the table's matrices.
inline std::vector<Complex> state_of_circuit(const circuit::Circuit& circuit) {
  std::vector<Complex> psi(std::size_t{1} << circuit.num_qubits(), 0);
  psi[0] = 1;
  for (const circuit::Instruction& step : circuit.instructions()) {
    const circuit::GateRecord& record = circuit::gate_record(step.gate);
    if ((record.flags & circuit::kUnitary) == 0) continue;
    std::vector<double> parameters;
    for (std::size_t p = 0; p < record.num_parameters; ++p) parameters.push_back(step.angles[p].offset);
    const std::vector<Complex> matrix = circuit::gate_unitary(step.gate, parameters);
    const std::size_t dim = std::size_t{1} << record.num_qubits;
    std::vector<Complex> next(psi.size(), 0);
    for (std::uint64_t z = 0; z < psi.size(); ++z) {
      std::size_t column = 0;
      std::uint64_t rest = z;
      for (std::size_t k = 0; k < record.num_qubits; ++k) {
        column |= ((z >> step.qubits[k]) & 1u) << k;
        rest &= ~(std::uint64_t{1} << step.qubits[k]);
      }
      for (std::size_t row = 0; row < dim; ++row) {
        std::uint64_t target = rest;
        for (std::size_t k = 0; k < record.num_qubits; ++k)
          target |= static_cast<std::uint64_t>((row >> k) & 1u) << step.qubits[k];
        next[target] += matrix[row * dim + column] * psi[z];
      }
    }
    psi = std::move(next);
  }
  return psi;
}

}  // namespace tandem::ansatz
