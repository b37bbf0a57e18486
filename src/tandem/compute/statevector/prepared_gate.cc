#include "tandem/compute/statevector/prepared_gate.h"

#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::statevector {
namespace {

using Complex = std::complex<double>;
constexpr std::size_t kDimensionMax = 8;  // three qubits

PairKind kind_of(const std::array<Complex, 4>& m) {
  if (m == std::array<Complex, 4>{0, 1, 1, 0}) return PairKind::kExchange;
  const bool real_diagonal = m[0].imag() == 0 && m[3].imag() == 0;
  if (real_diagonal && m[1].imag() == 0 && m[2].imag() == 0) return PairKind::kReal;
  if (real_diagonal && m[1].real() == 0 && m[2].real() == 0) return PairKind::kRotationX;
  return PairKind::kGeneral;
}

/// The index of the matrix with its bits moved to the places of the qubits.
std::uint64_t spread(std::size_t index, const circuit::Instruction& instruction, std::size_t num_qubits) {
  std::uint64_t pattern = 0;
  for (std::size_t i = 0; i < num_qubits; ++i) pattern |= std::uint64_t{(index >> i) & 1} << instruction.qubits[i];
  return pattern;
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

  PreparedGate gate;
  gate.operands = spread(dimension - 1, instruction, record.num_qubits);
  for (std::size_t row = 0; row < dimension; ++row) {
    std::size_t partner = row;
    for (std::size_t column = 0; column < dimension; ++column) {
      const bool linked = matrix[row * dimension + column] != 0.0 || matrix[column * dimension + row] != 0.0;
      if (column == row || !linked) continue;
      TANDEM_ASSERT(partner == row);  // a third state: no gate of the table does that
      partner = column;
    }
    const Complex diagonal = matrix[row * dimension + row];
    const std::uint64_t pattern = spread(row, instruction, record.num_qubits);
    if (partner == row) {
      if (diagonal != 1.0) gate.phases[gate.num_phases++] = {pattern, diagonal};
    } else if (partner > row) {
      Pair& pair = gate.pairs[gate.num_pairs++];
      pair.a = pattern;
      pair.b = spread(partner, instruction, record.num_qubits);
      pair.matrix = {diagonal, matrix[row * dimension + partner], matrix[partner * dimension + row],
                     matrix[partner * dimension + partner]};
      pair.kind = kind_of(pair.matrix);
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
