#include "tandem/middleware/adapter/ionq/wire_circuit.h"

#include <algorithm>
#include <numbers>
#include <string_view>

#include "tandem/base/assert.h"

namespace tandem::ionq {
namespace {

using circuit::Gate;
using circuit::Instruction;

constexpr double kHalfPi = std::numbers::pi / 2;

/// How a gate of ours is said: the vendor's word, how many of its qubits are controls, and whether its angle is the rotation.
struct Word {
  Gate gate;
  std::string_view name;
  std::uint8_t controls;
};
/// A phase is a z with a rotation, as the vendor's client says it.
constexpr Word kWords[] = {
    {Gate::kX, "x", 0},        {Gate::kY, "y", 0},     {Gate::kZ, "z", 0},       {Gate::kH, "h", 0},
    {Gate::kS, "s", 0},        {Gate::kSdg, "si", 0},  {Gate::kT, "t", 0},       {Gate::kTdg, "ti", 0},
    {Gate::kSx, "v", 0},       {Gate::kSxdg, "vi", 0}, {Gate::kRx, "rx", 0},     {Gate::kRy, "ry", 0},
    {Gate::kRz, "rz", 0},      {Gate::kP, "z", 0},     {Gate::kCx, "x", 1},      {Gate::kCy, "y", 1},
    {Gate::kCz, "z", 1},       {Gate::kCh, "h", 1},    {Gate::kCp, "z", 1},      {Gate::kCrx, "rx", 1},
    {Gate::kCry, "ry", 1},     {Gate::kCrz, "rz", 1},  {Gate::kSwap, "swap", 0}, {Gate::kRxx, "xx", 0},
    {Gate::kRyy, "yy", 0},     {Gate::kRzz, "zz", 0},  {Gate::kCcx, "x", 2},     {Gate::kCcz, "z", 2},
    {Gate::kCswap, "swap", 1},
};

const Word* find_word(Gate gate) {
  const auto found =
      std::find_if(std::begin(kWords), std::end(kWords), [&](const Word& word) { return word.gate == gate; });
  return found == std::end(kWords) ? nullptr : found;
}

/// Collects the gates of one circuit.
class Writer {
 public:
  Writer(WireCircuit& out, std::span<const double> parameters) : out_(out), parameters_(parameters) {}

  void write(const Instruction& instruction) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    if ((record.flags & circuit::kUnitary) == 0 || instruction.gate == Gate::kI) return;
    const auto& qubits = instruction.qubits;
    const auto angle = [&](std::size_t i) { return instruction.angles[i].value(parameters_); };
    if (const Word* word = find_word(instruction.gate)) {
      const double rotation = record.num_parameters == 0 ? 0 : angle(0);
      const std::span<const std::uint32_t> all(qubits.data(), record.num_qubits);
      return add(word->name, all.first(word->controls), all.subspan(word->controls),
                 std::span(&rotation, record.num_parameters == 0 ? 0 : 1));
    }
    switch (instruction.gate) {  // what the vendor has no word for, up to a phase of the whole state
      case Gate::kU:
        add("rz", qubits[0], angle(2));
        add("ry", qubits[0], angle(0));
        return add("rz", qubits[0], angle(1));
      case Gate::kIswap:
        return add_exchange(qubits, -kHalfPi);
      case Gate::kXxPlusYy:
        add("rz", qubits[0], angle(1));
        add_exchange(qubits, angle(0) / 2);
        return add("rz", qubits[0], -angle(1));
      default:
        TANDEM_ASSERT(false);  // a test walks through the table of gates
    }
  }

 private:
  void add(std::string_view name, std::span<const std::uint32_t> controls, std::span<const std::uint32_t> targets,
           std::span<const double> rotation) {
    count(controls.size() + targets.size());
    Json gate = {{"gate", name}, {"targets", Json::array()}};
    for (const std::uint32_t qubit : targets) gate["targets"].push_back(qubit);
    for (const std::uint32_t qubit : controls) gate["controls"].push_back(qubit);
    for (const double angle : rotation) gate["rotation"] = angle;  // one, or none
    out_.gates.push_back(std::move(gate));
  }
  void add(std::string_view name, std::uint32_t qubit, double rotation) {
    add(name, {}, std::span(&qubit, 1), std::span<const double>(&rotation, 1));
  }
  /// exp(-i rotation/2 (XX + YY)).
  void add_exchange(const std::array<std::uint32_t, 3>& qubits, double rotation) {
    const std::span<const std::uint32_t> pair(qubits.data(), 2);
    add("xx", {}, pair, std::span(&rotation, 1));
    add("yy", {}, pair, std::span(&rotation, 1));
  }
  /// What a gate on the wire is billed as, at most.
  void count(std::size_t num_qubits) {
    if (num_qubits == 1) ++out_.counts.one_qubit;
    if (num_qubits == 2) ++out_.counts.two_qubits;
    if (num_qubits ==
        3) {  // a Toffoli is six CNOTs and nine rotations (Nielsen & Chuang, figure 4.9); others are one with
      out_.counts.one_qubit += 11;  // two rotations more, or two CNOTs
      out_.counts.two_qubits += 8;
    }
  }

  WireCircuit& out_;
  std::span<const double> parameters_;
};

}  // namespace

Result<WireCircuit> wire_circuit(const circuit::Circuit& circuit, std::span<const double> parameters) {
  if (!circuit.measurements_are_terminal()) {
    return fail(
        errors::kBackendCannot,
        "a measurement before the end, or a reset: IonQ takes those as OpenQASM 3 only, which its published API text "
        "does not describe; measure at the end, or use a simulator here");
  }
  WireCircuit out;
  Writer writer(out, parameters);
  bool measures = false;
  for (const Instruction& instruction : circuit.instructions()) {
    const std::uint8_t operands = circuit::gate_record(instruction.gate).num_qubits;
    for (std::uint8_t i = 0; i < operands; ++i) out.qubits = std::max(out.qubits, instruction.qubits[i] + 1);
    measures = measures || instruction.gate == Gate::kMeasure;
    writer.write(instruction);
  }
  if (!measures) return fail(errors::kBackendCannot, "the circuit measures nothing; add measurements");
  return out;
}

std::vector<std::optional<std::uint32_t>> measured_qubits(const circuit::Circuit& circuit) {
  std::vector<std::optional<std::uint32_t>> out(circuit.num_clbits());
  for (const Instruction& instruction : circuit.instructions()) {
    if (instruction.gate == Gate::kMeasure) out[instruction.clbit] = instruction.qubits[0];
  }
  return out;
}

}  // namespace tandem::ionq
