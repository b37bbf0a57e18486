// tandem/model/format/testing/circuit_unitary.h - the unitary of a small circuit, multiplied out from the table of gates.
//
// Room: model, tests only.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::format {

using Column = std::vector<std::complex<double>>;

/// What the unitary gates of `circuit` make of `state`; everything else is passed over.
inline Column apply_plainly(const circuit::Circuit& circuit, Column state) {
  for (const circuit::Instruction& instruction : circuit.instructions()) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    if ((record.flags & circuit::kUnitary) == 0) continue;
    std::vector<double> angles;
    for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(instruction.angles[i].offset);
    const auto matrix = circuit::gate_unitary(instruction.gate, angles);
    const std::size_t size = std::size_t{1} << record.num_qubits;
    Column next(state.size());
    for (std::size_t z = 0; z < state.size(); ++z) {
      std::size_t column = 0;
      for (std::size_t k = 0; k < record.num_qubits; ++k) column |= ((z >> instruction.qubits[k]) & 1) << k;
      for (std::size_t row = 0; row < size; ++row) {
        std::size_t to = z;
        for (std::size_t k = 0; k < record.num_qubits; ++k) {
          const std::size_t bit = std::size_t{1} << instruction.qubits[k];
          to = ((row >> k) & 1) != 0 ? to | bit : to & ~bit;
        }
        next[to] += matrix[row * size + column] * state[z];
      }
    }
    state = std::move(next);
  }
  return state;
}

/// Row-major; bit i of an index is qubit i.
inline Column unitary_of(const circuit::Circuit& circuit) {
  TANDEM_ASSERT(circuit.num_qubits() <= 8);
  const std::size_t size = std::size_t{1} << circuit.num_qubits();
  Column matrix(size * size);
  for (std::size_t column = 0; column < size; ++column) {
    Column state(size);
    state[column] = 1;
    state = apply_plainly(circuit, std::move(state));
    for (std::size_t row = 0; row < size; ++row) matrix[row * size + column] = state[row];
  }
  return matrix;
}

/// The largest difference of two matrices or states after the one phase that brings them nearest.
inline double distance_up_to_phase(const Column& a, const Column& b) {
  if (a.size() != b.size()) return INFINITY;
  std::complex<double> overlap;
  for (std::size_t i = 0; i < a.size(); ++i) overlap += std::conj(b[i]) * a[i];
  const std::complex<double> phase = std::abs(overlap) == 0 ? 1 : overlap / std::abs(overlap);
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - phase * b[i]));
  return most;
}

}  // namespace tandem::format
