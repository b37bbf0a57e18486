#include "tandem/compute/statevector/lowering.h"

#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;
using Complex = std::complex<double>;

/// 2 x 2, row-major: whole (1, after) (cosine, -sine, sine, cosine) (1, before), the phases on the state 1.
struct Euler {
  Complex whole = 1;
  Complex before = 1;
  Complex after = 1;
  double cosine = 1;
  double sine = 0;
  bool about_x = false;
};

Euler euler_of(const std::array<Complex, 4>& m) {
  Euler out;
  const double cosine = size_of(m[0]);
  const double sine = size_of(m[2]);
  const double size = std::sqrt(cosine * cosine + sine * sine);
  out.cosine = cosine / size;
  out.sine = sine / size;
  if (m[2] == 0.0) {
    out.whole = unit_of(m[0]);
    out.after = unit_of(m[3] * std::conj(out.whole));
  } else if (m[0] == 0.0) {
    out.whole = unit_of(-m[1]);
    out.after = unit_of(m[2] * std::conj(out.whole));
  } else {
    out.whole = unit_of(m[0]);
    const Complex below = m[2] * std::conj(out.whole);
    out.after = unit_of(below);
    out.before = unit_of(-m[1] * std::conj(out.whole));
    // About x both are -90 and 90 degrees, or the other way round with the sine negated.
    if (m[0] == m[3] && m[1] == m[2] && std::abs(below.real()) <= 1e-15 * std::abs(below.imag())) {
      out.about_x = true;
      if (below.imag() > 0) out.sine = -out.sine;
      out.after = out.before = 1;
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
  void phase(std::uint64_t bits, Complex factor) {
    if (bits == 0)
      frame_.scale *= factor;
    else if (factor != 1.0)
      out_.steps.push_back({.kind = Step::Kind::kPhase, .touched = bits, .factor = factor});
  }

  /// On the qubit's state 1.
  void phase_of_qubit(std::uint64_t bit, Complex factor) {
    if ((frame_.flipped & bit) == 0) return phase(bit, factor);
    phase(0, factor);
    phase(bit, std::conj(factor));
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
    if (euler.sine != 0) {
      const bool flipped = (frame_.flipped & bit) != 0 && !euler.about_x;
      out_.steps.push_back({.kind = euler.about_x ? Step::Kind::kTurnX : Step::Kind::kTurnY,
                            .touched = bit,
                            .mixing = bit,
                            .cosine = euler.cosine,
                            .sine = flipped ? -euler.sine : euler.sine});
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
    const auto factor_of = [&](std::uint64_t pattern) {
      for (std::size_t i = 0; i < gate.num_phases; ++i)
        if (gate.phases[i].pattern == pattern) return unit_of(gate.phases[i].factor);
      return Complex(1);
    };
    const std::uint64_t u = gate.operands & (0 - gate.operands);
    const std::uint64_t v = gate.operands ^ u;
    const Complex none = factor_of(0);
    phase(0, none);
    phase(u, factor_of(u) * std::conj(none));
    if (v == 0) return;
    phase(v, factor_of(v) * std::conj(none));
    phase(u | v, factor_of(u | v) * std::conj(factor_of(u)) * (std::conj(factor_of(v)) * none));
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
