#include "tandem/compute/statevector/lowering.h"

#include <bit>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"
#include "tandem/compute/statevector/factor.h"
#include "tandem/compute/statevector/pauli_exponential.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;
using Complex = std::complex<double>;

constexpr double kRootHalf = std::numbers::sqrt2 / 2;

Complex phase_of(double angle) {
  const SinCos value = sin_cos(angle);
  return {value.cos, value.sin};
}

class Lowering {
 public:
  /// `again`: the steps are there, and get their numbers.
  Lowering(std::span<const double> values, Frame& frame, Steps& out, bool again)
      : values_(values), frame_(frame), out_(out), again_(again) {}

  void add(std::span<const Instruction> instructions) {
    for_exponentials(instructions, [&](std::span<const Instruction> now, const PauliExponential& found) {
      if (found.count == 0)
        one(now.front());
      else
        exponential(now[found.phase], frame_.moved(found.qubits));
    });
  }

 private:
  void one(const Instruction& instruction) {
    const auto qubit = [&](std::size_t i) { return std::uint64_t{1} << frame_.bit_of[instruction.qubits[i]]; };
    const auto angle = [&](std::size_t i) { return instruction.angles[i].value(values_); };
    if (is_phase_of_one(instruction.gate)) return phase(qubit(0), phase_of_one(instruction));
    switch (instruction.gate) {
      case Gate::kI:
      case Gate::kBarrier:
        return;
      case Gate::kX:
        return flip(qubit(0));
      case Gate::kY:  // X diag(i, -i)
        whole({0, 1});
        phase(qubit(0), -1);
        return flip(qubit(0));
      case Gate::kSwap:
        return std::swap(frame_.bit_of[instruction.qubits[0]], frame_.bit_of[instruction.qubits[1]]);
      case Gate::kH:
        phase(qubit(0), -1);
        return turn_y(qubit(0), kRootHalf, kRootHalf);
      case Gate::kSx:
        whole({kRootHalf, kRootHalf});
        return turn_x(qubit(0), kRootHalf, kRootHalf);
      case Gate::kSxdg:
        whole({kRootHalf, -kRootHalf});
        return turn_x(qubit(0), kRootHalf, -kRootHalf);
      case Gate::kRx: {
        const SinCos half = sin_cos(angle(0) / 2);
        return turn_x(qubit(0), half.cos, half.sin);
      }
      case Gate::kRy: {
        const SinCos half = sin_cos(angle(0) / 2);
        return turn_y(qubit(0), half.cos, half.sin);
      }
      case Gate::kU: {
        const SinCos half = sin_cos(angle(0) / 2);
        phase(qubit(0), phase_of(angle(2)));
        turn_y(qubit(0), half.cos, half.sin);
        return phase(qubit(0), phase_of(angle(1)));
      }
      case Gate::kGpi: {  // X diag(e^(i phi), e^(-i phi))
        const Complex turned = phase_of(angle(0));
        whole(turned);
        phase(qubit(0), times(std::conj(turned), std::conj(turned)));
        return flip(qubit(0));
      }
      case Gate::kGpi2: {
        const Complex after = times({0, -1}, phase_of(angle(0)));
        phase(qubit(0), std::conj(after));
        turn_y(qubit(0), kRootHalf, kRootHalf);
        return phase(qubit(0), after);
      }
      case Gate::kIswap:  // diag(1, i, i, 1), and the two exchanged
        phase(qubit(0), {0, 1});
        phase(qubit(1), {0, 1});
        phase(qubit(0) | qubit(1), -1);
        return std::swap(frame_.bit_of[instruction.qubits[0]], frame_.bit_of[instruction.qubits[1]]);
      case Gate::kCz:
        return phase(qubit(0) | qubit(1), -1);
      case Gate::kCp:
        return phase(qubit(0) | qubit(1), phase_of(angle(0)));
      case Gate::kCrz: {
        const Complex half = phase_of(angle(0) / 2);
        phase(qubit(0), std::conj(half));
        return phase(qubit(0) | qubit(1), times(half, half));
      }
      case Gate::kRzz: {
        const Complex half = phase_of(angle(0) / 2);
        whole(std::conj(half));
        return unequal(qubit(0), qubit(1), times(half, half));
      }
      default:
        return pairs(instruction);
    }
  }

  /// Of a gate that is_phase_of_one(): where the qubit is 1, with a factor of the whole state beside it.
  Complex phase_of_one(const Instruction& instruction) {
    const auto angle = [&] { return instruction.angles[0].value(values_); };
    switch (instruction.gate) {
      case Gate::kZ:
        return -1;
      case Gate::kS:
        return {0, 1};
      case Gate::kSdg:
        return {0, -1};
      case Gate::kT:
        return {kRootHalf, kRootHalf};
      case Gate::kTdg:
        return {kRootHalf, -kRootHalf};
      case Gate::kP:
        return phase_of(angle());
      default: {  // kRz
        const Complex half = phase_of(angle() / 2);
        whole(std::conj(half));
        return times(half, half);
      }
    }
  }

  /// The phase where the parity of the qubits at `bits` is odd.
  void exponential(const Instruction& instruction, std::uint64_t bits) {
    const Complex factor = phase_of_one(instruction);
    const std::uint64_t low = bits & (0 - bits);
    if (bits == low) return phase(bits, factor);
    if (std::has_single_bit(bits ^ low)) return unequal(low, bits ^ low, factor);
    const bool turned = (std::popcount(bits & frame_.flipped) & 1) != 0;
    if (turned) whole(factor);
    next({.kind = Step::Kind::kParity, .touched = bits}).factor = turned ? std::conj(factor) : factor;
  }
  void unequal(std::uint64_t a, std::uint64_t b, Complex factor) {
    phase(a, factor);
    phase(b, factor);
    phase(a | b, std::conj(times(factor, factor)));
  }

  void whole(Complex factor) { frame_.scale = times(frame_.scale, factor); }
  void flip(std::uint64_t bit) { frame_.flipped ^= bit; }

  /// Where the qubits at `bits` are all 1.
  void phase(std::uint64_t bits, Complex factor) { phase(bits, bits & frame_.flipped, factor); }

  /// Where `bits` are all 1, but 0 those of `flipped`: as they are with and without each of the latter, less where it is 1.
  void phase(std::uint64_t bits, std::uint64_t flipped, Complex factor) {
    if (bits == 0) return whole(factor);
    if (flipped == 0) {
      next({.kind = Step::Kind::kPhase, .touched = bits}).factor = factor;
      return;
    }
    const std::uint64_t bit = flipped & (0 - flipped);
    phase(bits ^ bit, flipped ^ bit, factor);
    phase(bits, flipped ^ bit, std::conj(factor));
  }

  void turn_y(std::uint64_t bit, double cosine, double sine) {
    Step& step = next({.kind = Step::Kind::kTurn, .touched = bit, .mixing = bit});
    step.cosine = cosine;
    step.sine = (frame_.flipped & bit) != 0 ? -sine : sine;
  }
  /// So that turns share readings of a tile whatever they are about. The phases join those before and behind.
  void turn_x(std::uint64_t bit, double cosine, double sine) {
    phase(bit, {0, 1});
    turn_y(bit, cosine, sine);
    phase(bit, {0, -1});
  }

  void pairs(const Instruction& instruction) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    const bool fixed = record.num_parameters == 0;
    if (again_ && fixed) {
      ++number_;
      return;
    }
    Instruction placed = instruction;
    for (std::size_t i = 0; i < record.num_qubits; ++i) placed.qubits[i] = frame_.bit_of[instruction.qubits[i]];
    PreparedGate gate = prepare(placed, values_);
    const std::uint64_t flips = frame_.flipped & gate.operands;
    for (std::size_t i = 0; i < gate.num_phases; ++i) gate.phases[i].pattern ^= flips;
    for (std::size_t i = 0; i < gate.num_pairs; ++i) {
      gate.pairs[i].a ^= flips;
      gate.pairs[i].b ^= flips;
    }
    const Step& step = next({.kind = Step::Kind::kGate,
                             .fixed = fixed,
                             .gate = static_cast<std::uint32_t>(out_.gates.size()),
                             .touched = gate.operands,
                             .mixing = gate.mixing});
    if (again_)
      out_.gates[step.gate] = gate;
    else
      out_.gates.push_back(gate);
  }

  Step& next(const Step& fresh) {
    if (!again_) return out_.steps.emplace_back(fresh);
    Step& step = out_.steps[number_++];
    TANDEM_ASSERT(step.kind == fresh.kind && step.touched == fresh.touched);
    return step;
  }

  std::span<const double> values_;
  Frame& frame_;
  Steps& out_;
  bool again_;
  std::size_t number_ = 0;  ///< of the next step, when again
};

}  // namespace

void lower(std::span<const Instruction> instructions, std::span<const double> parameter_values, Frame& frame,
           Steps& out) {
  Lowering(parameter_values, frame, out, false).add(instructions);
}

void lower_again(std::span<const Instruction> instructions, std::span<const double> parameter_values, Frame& frame,
                 Steps& steps) {
  Lowering(parameter_values, frame, steps, true).add(instructions);
}

}  // namespace tandem::statevector
