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

/// Measurements and barriers are not, and the identity does nothing.
bool is_sent(Gate gate) { return (circuit::gate_record(gate).flags & circuit::kUnitary) != 0 && gate != Gate::kI; }

/// Those that the vendor knows as native alone.
bool is_native_only(Gate gate) { return gate == Gate::kGpi || gate == Gate::kGpi2 || gate == Gate::kMs; }

/// Collects the gates of one circuit, those that are sent.
class Writer {
 public:
  Writer(WireCircuit& out, std::span<const double> parameters) : out_(out), parameters_(parameters) {}

  /// Phases and angles are whole turns on the wire.
  void write_native(const Instruction& instruction) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    const auto turns = [&](std::size_t i) { return instruction.angles[i].value(parameters_) / (2 * std::numbers::pi); };
    const auto& qubits = instruction.qubits;
    count(record.num_qubits);
    if (instruction.gate == Gate::kRzz) {
      out_.gates.push_back({{"gate", "zz"}, {"targets", {qubits[0], qubits[1]}}, {"angle", turns(0)}});
    } else if (instruction.gate == Gate::kMs) {
      out_.gates.push_back(
          {{"gate", "ms"}, {"targets", {qubits[0], qubits[1]}}, {"phases", {turns(0), turns(1)}}, {"angle", turns(2)}});
    } else {
      out_.gates.push_back({{"gate", record.name}, {"target", qubits[0]}, {"phase", turns(0)}});
    }
  }

  void write(const Instruction& instruction) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
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

/// That a circuit with native gates holds nothing else, and only what the machine has.
Result<void> check_native(const circuit::Circuit& circuit, std::span<const Gate> native_gates) {
  for (const Instruction& instruction : circuit.instructions()) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    if (!is_sent(instruction.gate)) continue;
    if (instruction.gate != Gate::kRzz && !is_native_only(instruction.gate)) {
      return fail(errors::kBackendCannot,
                  "native gates and {} in one circuit: IonQ takes gpi, gpi2, ms and rzz alone, or other gates alone",
                  record.name);
    }
    if (std::find(native_gates.begin(), native_gates.end(), instruction.gate) != native_gates.end()) continue;
    std::vector<std::string_view> names;
    for (const Gate gate : native_gates) names.push_back(circuit::gate_record(gate).name);
    return fail(errors::kBackendCannot, "this machine has no native gate {}; it has {}", record.name,
                names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", ")));
  }
  return {};
}

}  // namespace

Result<WireCircuit> wire_circuit(const circuit::Circuit& circuit, std::span<const double> parameters,
                                 std::span<const Gate> native_gates) {
  if (!circuit.measurements_are_terminal()) {
    return fail(
        errors::kBackendCannot,
        "a measurement before the end, or a reset: IonQ takes those as OpenQASM 3 only, which its published API text "
        "does not describe; measure at the end, or use a simulator here");
  }
  WireCircuit out;
  const auto& all = circuit.instructions();
  out.native = std::any_of(all.begin(), all.end(),
                           [](const Instruction& instruction) { return is_native_only(instruction.gate); });
  if (out.native) TANDEM_TRY(check_native(circuit, native_gates));
  Writer writer(out, parameters);
  bool measures = false;
  for (const Instruction& instruction : circuit.instructions()) {
    const std::uint8_t operands = circuit::gate_record(instruction.gate).num_qubits;
    for (std::uint8_t i = 0; i < operands; ++i) out.qubits = std::max(out.qubits, instruction.qubits[i] + 1);
    measures = measures || instruction.gate == Gate::kMeasure;
    if (is_sent(instruction.gate)) out.native ? writer.write_native(instruction) : writer.write(instruction);
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
