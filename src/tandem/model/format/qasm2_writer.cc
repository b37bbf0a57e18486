#include <array>
#include <span>

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

void append_instruction(std::string& text, const Instruction& instruction) {
  const GateRecord& record = gate_record(instruction.gate);
  text += record.name;
  append_list(text, std::span(instruction.angles).first(record.num_parameters));
  if (instruction.gate == Gate::kBarrier) text += " q";
  for (std::size_t i = 0; i < record.num_qubits; ++i)
    text += fmt::format("{}q[{}]", i == 0 ? " " : ", ", instruction.qubits[i]);
  if (instruction.gate == Gate::kMeasure) text += fmt::format(" -> c[{}]", instruction.clbit);
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
  std::array<bool, circuit::kNumGates> used{};
  for (const Instruction& instruction : circuit.instructions()) used[static_cast<std::size_t>(instruction.gate)] = true;
  std::string text = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\n";
  for (const Written& written : kWritten) {
    if (used[static_cast<std::size_t>(written.gate)]) text += fmt::format("{}\n", written.definition);
  }
  text += fmt::format("qreg q[{}];\n", circuit.num_qubits());
  if (circuit.num_clbits() > 0) text += fmt::format("creg c[{}];\n", circuit.num_clbits());
  for (const Instruction& instruction : circuit.instructions()) append_instruction(text, instruction);
  return text;
}

}  // namespace tandem::format
