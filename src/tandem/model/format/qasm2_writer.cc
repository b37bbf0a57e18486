#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <span>
#include <vector>

#include "tandem/base/text.h"
#include "tandem/model/format/qasm2.h"

namespace tandem::format {
namespace {

using circuit::Circuit;
using circuit::Gate;
using circuit::GateRecord;
using circuit::Instruction;

/// Gates that qelib1.inc has not, each up to a global phase, over those that it has.
struct Written {
  Gate gate;
  std::string_view definition;
};
constexpr std::array kWritten = {
    Written{Gate::kGpi, "gate gpi(phi) a { u3(pi, phi, pi - phi) a; }"},
    Written{Gate::kGpi2, "gate gpi2(phi) a { u3(pi/2, phi - pi/2, pi/2 - phi) a; }"},
    Written{Gate::kIswap, "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }"},
    Written{Gate::kRyy, "gate ryy(theta) a, b { rx(pi/2) a; rx(pi/2) b; rzz(theta) a, b; rx(-pi/2) a; rx(-pi/2) b; }"},
    Written{Gate::kXxPlusYy,
            "gate xx_plus_yy(theta, beta) a, b { rz(beta) a; rxx(theta/2) a, b; rx(pi/2) a; rx(pi/2) b; "
            "rzz(theta/2) a, b; rx(-pi/2) a; rx(-pi/2) b; rz(-beta) a; }"},
    Written{Gate::kMs,
            "gate ms(phi0, phi1, theta) a, b { rz(-phi0) a; rz(-phi1) b; rxx(theta) a, b; rz(phi0) a; rz(phi1) b; }"},
    Written{Gate::kCcz, "gate ccz a, b, c { h c; ccx a, b, c; h c; }"},
};

void append_list(std::string& text, std::span<const circuit::Angle> angles) {
  for (std::size_t i = 0; i < angles.size(); ++i) text += (i == 0 ? "(" : ", ") + shortest(angles[i].offset);
  if (!angles.empty()) text += ')';
}

/// Classical registers in their order. A condition compares a whole one, so that there is one for each condition's bits.
class ClassicalRegisters {
 public:
  /// Errors: 1204 format_cannot_express - two conditions share some of their bits.
  static Result<ClassicalRegisters> of(const Circuit& circuit) {
    ClassicalRegisters out;
    std::map<std::uint32_t, std::uint32_t> counts;  // by the first bit
    for (const Instruction& instruction : circuit.instructions()) {
      const circuit::Condition& condition = instruction.condition;
      if (!condition.exists()) continue;
      const auto [at, is_new] = counts.try_emplace(condition.first, condition.count);
      const auto next = std::next(at);
      const bool before = at != counts.begin() && std::prev(at)->first + std::prev(at)->second > condition.first;
      const bool behind = next != counts.end() && next->first < condition.first + condition.count;
      if (at->second != condition.count || before || behind) {
        return fail(errors::kFormatCannotExpress,
                    "OpenQASM 2 compares whole registers, and conditions on overlapping bits, one of them from bit {} "
                    "on, cannot all have their own; write json",
                    condition.first);
      }
    }
    std::uint32_t bit = 0;
    for (const auto& [first, count] : counts) {
      if (bit < first) out.firsts_.push_back(bit);
      out.firsts_.push_back(first);
      bit = first + count;
    }
    if (bit < circuit.num_clbits()) out.firsts_.push_back(bit);
    out.num_bits_ = circuit.num_clbits();
    return out;
  }

  void declare(std::string& text) const {
    for (std::size_t i = 0; i < firsts_.size(); ++i) {
      const std::uint32_t end = i + 1 < firsts_.size() ? firsts_[i + 1] : num_bits_;
      text += fmt::format("creg {}[{}];\n", name(i), end - firsts_[i]);
    }
  }
  std::string bit(std::uint32_t bit) const {
    const std::size_t i = index_of(bit);
    return fmt::format("{}[{}]", name(i), bit - firsts_[i]);
  }
  std::string condition(const circuit::Condition& condition) const {
    return fmt::format("if ({} == {}) ", name(index_of(condition.first)), condition.value);
  }

 private:
  std::string name(std::size_t i) const { return firsts_.size() == 1 ? "c" : fmt::format("c{}", i); }
  std::size_t index_of(std::uint32_t bit) const {
    return static_cast<std::size_t>(std::ranges::upper_bound(firsts_, bit) - firsts_.begin()) - 1;
  }

  std::vector<std::uint32_t> firsts_;
  std::uint32_t num_bits_ = 0;
};

void append_instruction(std::string& text, const Instruction& instruction, const ClassicalRegisters& bits) {
  const GateRecord& record = gate_record(instruction.gate);
  if (instruction.condition.exists()) text += bits.condition(instruction.condition);
  text += record.name;
  append_list(text, std::span(instruction.angles).first(record.num_parameters));
  if (instruction.gate == Gate::kBarrier) text += " q";
  for (std::size_t i = 0; i < record.num_qubits; ++i)
    text += fmt::format("{}q[{}]", i == 0 ? " " : ", ", instruction.qubits[i]);
  if (instruction.gate == Gate::kMeasure) text += " -> " + bits.bit(instruction.clbit);
  text += ";\n";
}

}  // namespace

Result<std::string> write_qasm2(const Circuit& circuit) {
  if (!circuit.parameters().empty()) {
    return fail(errors::kFormatCannotExpress,
                "OpenQASM 2 has no parameters, and the circuit has {}, the first {}; bind them or write json",
                circuit.parameters().size(), quote(circuit.parameters()[0]));
  }
  if (circuit.num_qubits() == 0)
    return fail(errors::kFormatCannotExpress, "OpenQASM 2 has no registers of 0 qubits; write json");
  TANDEM_TRY_ASSIGN(const ClassicalRegisters bits, ClassicalRegisters::of(circuit));
  std::array<bool, circuit::kNumGates> used{};
  for (const Instruction& instruction : circuit.instructions()) used[static_cast<std::size_t>(instruction.gate)] = true;
  std::string text = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\n";
  for (const Written& written : kWritten) {
    if (used[static_cast<std::size_t>(written.gate)]) text += fmt::format("{}\n", written.definition);
  }
  text += fmt::format("qreg q[{}];\n", circuit.num_qubits());
  bits.declare(text);
  for (const Instruction& instruction : circuit.instructions()) append_instruction(text, instruction, bits);
  return text;
}

}  // namespace tandem::format
