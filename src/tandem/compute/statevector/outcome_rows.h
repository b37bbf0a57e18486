// tandem/compute/statevector/outcome_rows.h - basis states of qubits -> outcomes of classical bits.
//
// Room: compute; for the sources of this part and of compute/noise.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "tandem/compute/statevector/statevector.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/result/outcome.h"

namespace tandem::statevector {

inline void set_bit(std::span<std::uint64_t> row, std::uint32_t bit, bool value) {
  const std::uint64_t mask = std::uint64_t{1} << (bit % 64);
  row[bit / 64] = value ? row[bit / 64] | mask : row[bit / 64] & ~mask;
}

/// The measurements of a circuit in their order: the last one that writes a classical bit decides it.
class OutcomeRows {
 public:
  explicit OutcomeRows(const circuit::Circuit& circuit) : OutcomeRows(circuit.instructions(), circuit.num_clbits()) {}
  OutcomeRows(std::span<const circuit::Instruction> instructions, std::uint32_t num_bits) : num_bits_(num_bits) {
    for (const circuit::Instruction& instruction : instructions) {
      if (instruction.gate == circuit::Gate::kMeasure) writes_.emplace_back(instruction.qubits[0], instruction.clbit);
    }
  }
  bool empty() const { return writes_.empty(); }
  /// Qubit and classical bit of each measurement.
  std::span<const std::pair<std::uint32_t, std::uint32_t>> writes() const { return writes_; }

  /// Bits that nothing writes stay 0.
  result::Counts counts(std::span<const BasisCount> states) const {
    const std::size_t words = (num_bits_ + 63) / 64;
    std::vector<std::uint64_t> rows(states.size() * words);
    std::vector<std::uint64_t> counts(states.size());
    for (std::size_t i = 0; i < states.size(); ++i) {
      const auto row = std::span(rows).subspan(i * words, words);
      for (const auto& [qubit, bit] : writes_) set_bit(row, bit, ((states[i].state >> qubit) & 1) != 0);
      counts[i] = states[i].count;
    }
    return result::Counts::from_histogram(num_bits_, rows, counts);
  }

 private:
  std::uint32_t num_bits_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> writes_;
};

}  // namespace tandem::statevector
