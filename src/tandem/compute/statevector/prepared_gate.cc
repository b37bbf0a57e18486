#include "tandem/compute/statevector/prepared_gate.h"

#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::statevector {
namespace {

using Complex = std::complex<double>;
constexpr std::size_t kDimensionMax = 8;  // three qubits

/// The index of the matrix with its bits moved to the places of the qubits.
std::uint64_t spread(std::size_t index, const circuit::Instruction& instruction, std::size_t num_qubits) {
  std::uint64_t pattern = 0;
  for (std::size_t i = 0; i < num_qubits; ++i) pattern |= std::uint64_t{(index >> i) & 1} << instruction.qubits[i];
  return pattern;
}

/// Entries that a matrix has where the identity has none, or another one, by row * kDimensionMax + column.
using Entries = std::uint64_t;

/// Of every gate, at angles that are special to none: so that the parts of a gate do not depend on its angles.
std::array<Entries, circuit::kNumGates> entries_of_gates() {
  constexpr std::array<double, 3> kAngles{0.7, 1.1, 0.4};
  std::array<Entries, circuit::kNumGates> out{};
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    if (record.unitary == nullptr) continue;
    const std::size_t dimension = std::size_t{1} << record.num_qubits;
    const std::vector<Complex> matrix =
        circuit::gate_unitary(record.gate, std::span(kAngles).first(record.num_parameters));
    for (std::size_t row = 0; row < dimension; ++row)
      for (std::size_t column = 0; column < dimension; ++column)
        if (matrix[row * dimension + column] != (row == column ? 1.0 : 0.0))
          out[static_cast<std::size_t>(record.gate)] |= Entries{1} << (row * kDimensionMax + column);
  }
  return out;
}

}  // namespace

PreparedGate prepare(const circuit::Instruction& instruction, std::span<const double> parameter_values) {
  const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
  TANDEM_ASSERT((record.flags & circuit::kUnitary) != 0);
  std::array<double, 3> angles{};
  for (std::size_t i = 0; i < record.num_parameters; ++i) angles[i] = instruction.angles[i].value(parameter_values);
  const std::size_t dimension = std::size_t{1} << record.num_qubits;
  TANDEM_ASSERT(dimension <= kDimensionMax);
  std::array<Complex, kDimensionMax * kDimensionMax> matrix{};
  record.unitary(std::span(angles).first(record.num_parameters), std::span(matrix).first(dimension * dimension));

  static const std::array<Entries, circuit::kNumGates> kEntries = entries_of_gates();
  const Entries entries = kEntries[static_cast<std::size_t>(instruction.gate)];
  const auto has = [&](std::size_t row, std::size_t column) {
    return (entries >> (row * kDimensionMax + column) & 1) != 0;
  };
  PreparedGate gate;
  gate.operands = spread(dimension - 1, instruction, record.num_qubits);
  for (std::size_t row = 0; row < dimension; ++row) {
    std::size_t partner = row;
    for (std::size_t column = 0; column < dimension; ++column) {
      if (column == row || !(has(row, column) || has(column, row))) continue;
      TANDEM_ASSERT(partner == row);  // a third state: no gate of the table does that
      partner = column;
    }
    const Complex diagonal = matrix[row * dimension + row];
    const std::uint64_t pattern = spread(row, instruction, record.num_qubits);
    if (partner == row) {
      if (has(row, row)) gate.phases[gate.num_phases++] = {pattern, diagonal};
    } else if (partner > row) {
      Pair& pair = gate.pairs[gate.num_pairs++];
      pair.a = pattern;
      pair.b = spread(partner, instruction, record.num_qubits);
      pair.matrix = {diagonal, matrix[row * dimension + partner], matrix[partner * dimension + row],
                     matrix[partner * dimension + partner]};
      gate.mixing |= pair.a ^ pair.b;
    }
  }
  return gate;
}

Result<void> check_angles(const circuit::Circuit& circuit, std::span<const double> parameter_values) {
  TANDEM_ASSERT(circuit.parameters().size() == parameter_values.size());
  for (const circuit::Instruction& instruction : circuit.instructions()) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    for (std::size_t i = 0; i < record.num_parameters; ++i) {
      const double angle = instruction.angles[i].value(parameter_values);
      if (std::isfinite(angle)) continue;
      return fail(errors::kNotFinite, "an angle of {} is {}; use smaller parameter values", record.name, angle);
    }
  }
  return {};
}

}  // namespace tandem::statevector
