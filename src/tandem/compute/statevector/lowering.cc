#include "tandem/compute/statevector/lowering.h"

#include <cmath>
#include <numbers>

#include "tandem/base/assert.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;
using Complex = std::complex<double>;

/// 2 x 2, row-major: e^(i (whole)) (1, e^(i after)) turn(angle) (1, e^(i before)), the phases on the state 1.
struct Euler {
  double whole = 0;
  double before = 0;
  double after = 0;
  double angle = 0;
  bool about_x = false;
};

Euler euler_of(const std::array<Complex, 4>& m) {
  Euler out;
  out.angle = 2 * std::atan2(std::abs(m[2]), std::abs(m[0]));
  if (m[2] == 0.0) {
    out.whole = std::arg(m[0]);
    out.after = std::arg(m[3] / m[0]);
  } else if (m[0] == 0.0) {
    out.after = std::arg(-m[2] / m[1]);
    out.whole = std::arg(-m[1]);
  } else {
    out.whole = std::arg(m[0]);
    out.after = std::arg(m[2] / m[0]);
    out.before = std::arg(-m[1] / m[0]);
    // About x both are -90 and 90 degrees, or the other way round with the angle negated.
    const Complex ratio = m[2] / m[0];
    if (m[0] == m[3] && m[1] == m[2] && std::abs(ratio.real()) <= 1e-15 * std::abs(ratio.imag())) {
      out.about_x = true;
      if (ratio.imag() > 0) out.angle = -out.angle;
      out.after = out.before = 0;
    }
  }
  return out;
}

class Lowering {
 public:
  Lowering(std::span<const double> values, Frame& frame, Steps& out) : values_(values), frame_(frame), out_(out) {}

  void add(const Instruction& instruction) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    if (instruction.gate == Gate::kBarrier || instruction.gate == Gate::kI) return;
    if (instruction.gate == Gate::kX) {
      frame_.flipped ^= std::uint64_t{1} << frame_.bit_of[instruction.qubits[0]];
    } else if (instruction.gate == Gate::kSwap) {
      std::swap(frame_.bit_of[instruction.qubits[0]], frame_.bit_of[instruction.qubits[1]]);
    } else if (record.num_qubits == 1 && (record.flags & circuit::kDiagonal) == 0) {
      single(instruction);
    } else {
      several(instruction, record);
    }
  }

 private:
  void phase(std::uint64_t bits, double angle) {
    if (bits == 0)
      frame_.scale *= std::polar(1.0, angle);
    else if (angle != 0)
      out_.steps.push_back({.kind = Step::Kind::kPhase, .touched = bits, .angle = angle});
  }

  /// On the qubit's state 1.
  void phase_of_qubit(std::uint64_t bit, double angle) {
    if ((frame_.flipped & bit) == 0) return phase(bit, angle);
    phase(0, angle);
    phase(bit, -angle);
  }

  void single(const Instruction& instruction) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    std::array<double, 3> angles{};
    for (std::size_t i = 0; i < record.num_parameters; ++i) angles[i] = instruction.angles[i].value(values_);
    std::array<Complex, 4> matrix{};
    record.unitary(std::span(angles).first(record.num_parameters), matrix);
    const Euler euler = euler_of(matrix);
    const std::uint64_t bit = std::uint64_t{1} << frame_.bit_of[instruction.qubits[0]];
    phase(0, euler.whole);
    phase_of_qubit(bit, euler.before);
    if (euler.angle != 0) {
      const bool flipped = (frame_.flipped & bit) != 0 && !euler.about_x;
      out_.steps.push_back({.kind = euler.about_x ? Step::Kind::kTurnX : Step::Kind::kTurnY,
                            .touched = bit,
                            .mixing = bit,
                            .angle = flipped ? -euler.angle : euler.angle});
    }
    phase_of_qubit(bit, euler.after);
  }

  void several(const Instruction& instruction, const circuit::GateRecord& record) {
    Instruction placed = instruction;
    for (std::size_t i = 0; i < record.num_qubits; ++i) placed.qubits[i] = frame_.bit_of[instruction.qubits[i]];
    PreparedGate gate = prepare(placed, values_);
    const std::uint64_t flips = frame_.flipped & gate.operands;
    for (std::size_t i = 0; i < gate.num_phases; ++i) gate.phases[i].pattern ^= flips;
    for (std::size_t i = 0; i < gate.num_pairs; ++i) {
      gate.pairs[i].a ^= flips;
      gate.pairs[i].b ^= flips;
    }
    if (gate.is_identity()) return;
    if (gate.num_pairs == 0 && record.num_qubits <= 2) return diagonal(gate);
    out_.steps.push_back({.kind = Step::Kind::kGate,
                          .touched = gate.operands,
                          .mixing = gate.mixing,
                          .gate = static_cast<std::uint32_t>(out_.gates.size())});
    out_.gates.push_back(gate);
  }

  /// Phases of patterns of one or two bits as phases of bits that are all 1.
  void diagonal(const PreparedGate& gate) {
    const auto angle_of = [&](std::uint64_t pattern) {
      for (std::size_t i = 0; i < gate.num_phases; ++i)
        if (gate.phases[i].pattern == pattern) return std::arg(gate.phases[i].factor);
      return 0.0;
    };
    const std::uint64_t u = gate.operands & (0 - gate.operands);
    const std::uint64_t v = gate.operands ^ u;
    const double none = angle_of(0);
    phase(0, none);
    phase(u, angle_of(u) - none);
    if (v == 0) return;
    phase(v, angle_of(v) - none);
    phase(u | v, angle_of(u | v) - angle_of(u) - angle_of(v) + none);
  }

  std::span<const double> values_;
  Frame& frame_;
  Steps& out_;
};

}  // namespace

void lower(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values, Frame& frame,
           Steps& out) {
  Lowering lowering(parameter_values, frame, out);
  for (const Instruction& instruction : instructions) lowering.add(instruction);
}

}  // namespace tandem::statevector
