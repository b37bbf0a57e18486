#include "tandem/compute/statevector/way_back.h"

#include <algorithm>
#include <array>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/generator.h"
#include "tandem/compute/statevector/pauli_exponential.h"
#include "tandem/compute/statevector/signed_sums.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;

constexpr std::uint32_t kNone = UINT32_MAX;

/// Where the string of an angle is read.
enum class Where : std::uint8_t {
  kBehind,  ///< the gate
  kTurn,  ///< of the gate, which is about the same axis
  kBefore,  ///< the gate
};

/// Calls tell(angle, term, where) for each string that is read of an instruction by itself. The angles of u are those of a turn between two phases:
/// where each of them is one string.
template <class Tell>
void for_readings(const Instruction& instruction, std::span<const double> values, const Tell& tell) {
  const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
  if (std::ranges::all_of(instruction.angles, &circuit::Angle::is_constant)) return;
  std::array<double, 3> angles{};
  for (std::size_t i = 0; i < record.num_parameters; ++i) angles[i] = instruction.angles[i].value(values);
  const std::span<const double> all = std::span(angles).first(record.num_parameters);
  for (std::size_t i = 0; i < record.num_parameters; ++i) {
    if (instruction.angles[i].is_constant()) continue;
    if (instruction.gate == Gate::kU) {  // p(phi) ry(theta) p(lambda)
      const Generator part = generator_of(i == 0 ? Gate::kRy : Gate::kP, all.subspan(i, 1), 0);
      tell(i, part.terms[0], i == 0 ? Where::kTurn : i == 1 ? Where::kBehind : Where::kBefore);
      continue;
    }
    const bool turns = instruction.gate == Gate::kRx || instruction.gate == Gate::kRy;
    const Generator generator = generator_of(instruction.gate, all, i);
    for (const observable::PauliTerm& term : generator.all()) tell(i, term, turns ? Where::kTurn : Where::kBehind);
  }
}

}  // namespace

void WayBack::lower(std::span<const Instruction> instructions, std::span<const double> parameter_values, Frame frame) {
  std::vector<std::size_t> steps_before;
  std::vector<std::size_t> readings_before;
  std::vector<Where> where;
  there_.steps.reserve(instructions.size());
  for_exponentials(instructions, [&](std::span<const Instruction> now, const PauliExponential& found) {
    steps_before.push_back(there_.steps.size());
    readings_before.push_back(back_.readings.size());
    statevector::lower(now, parameter_values, frame, there_);
    const Instruction& instruction = now[found.phase];
    for_readings(instruction, parameter_values, [&](std::size_t, const observable::PauliTerm& term, Where at) {
      const auto placed = [&](std::uint64_t bits) {
        std::uint64_t out = 0;
        for (std::size_t k = 0; k < circuit::gate_record(instruction.gate).num_qubits; ++k)
          out |= (bits >> k & 1) << frame.bit_of[instruction.qubits[k]];
        return out;
      };
      // Of a turn, Y: one about x stands between phases that make it one about y. Of an exponential, Z of all its qubits.
      if (found.count == 0)
        back_.readings.push_back({.x = placed(term.x), .z = placed(at == Where::kTurn ? term.x : term.z)});
      else
        back_.readings.push_back({.z = frame.moved(found.qubits)});
      negative_.push_back(odd(back_.readings.back().z & frame.flipped) ? 1 : 0);
      where.push_back(at);
    });
  });
  back_.gates.resize(there_.gates.size());
  std::size_t steps_end = there_.steps.size();
  std::size_t readings_end = back_.readings.size();
  const auto append = [&](const Step& step, std::uint32_t undone) {
    back_.steps.push_back(step);
    undone_.push_back(undone);
  };
  for (std::size_t i = steps_before.size(); i-- > 0;) {
    const auto read = [&](Where at) {
      for (std::size_t r = readings_before[i]; r < readings_end; ++r) {
        const Reading& reading = back_.readings[r];
        if (where[r] == at)
          append({.kind = Step::Kind::kReading,
                  .gate = static_cast<std::uint32_t>(r),
                  .touched = reading.x | reading.z,
                  .mixing = reading.x},
                 kNone);
      }
    };
    read(Where::kBehind);
    for (std::size_t step = steps_end; step-- > steps_before[i];) {
      append(there_.steps[step], static_cast<std::uint32_t>(step));
      if (there_.steps[step].kind != Step::Kind::kTurn) continue;
      for (std::size_t r = readings_before[i]; r < readings_end; ++r) {
        if (where[r] != Where::kTurn) continue;
        Step& turn = back_.steps.back();
        turn.kind = Step::Kind::kReadTurn;
        turn.gate = static_cast<std::uint32_t>(r);
      }
    }
    read(Where::kBefore);
    steps_end = steps_before[i];
    readings_end = readings_before[i];
  }
  for (std::size_t number = 0; number < back_.steps.size(); ++number) set_inverse(number);
  set_readings(instructions, parameter_values);
}

void WayBack::lower_again(std::span<const Instruction> instructions, std::span<const double> parameter_values,
                          Frame frame) {
  statevector::lower_again(instructions, parameter_values, frame, there_);
  for (std::size_t number = 0; number < back_.steps.size(); ++number) set_inverse(number);
  set_readings(instructions, parameter_values);
}

std::size_t WayBack::bytes() const {
  return (there_.steps.size() + back_.steps.size()) * sizeof(Step) + 2 * back_.gates.size() * sizeof(PreparedGate) +
         back_.readings.size() * (sizeof(Reading) + 1) + undone_.size() * sizeof(std::uint32_t);
}

void WayBack::set_inverse(std::size_t number) {
  if (undone_[number] == kNone) return;
  Step& step = back_.steps[number];
  const Step& undone = there_.steps[undone_[number]];
  step.factor = std::conj(undone.factor);
  step.cosine = undone.cosine;
  step.sine = -undone.sine;
  if (step.kind != Step::Kind::kGate) return;
  PreparedGate& gate = back_.gates[undone.gate];
  gate = there_.gates[undone.gate];
  for (Phase& phase : gate.phases) phase.factor = std::conj(phase.factor);
  for (Pair& pair : gate.pairs) {
    std::swap(pair.matrix[1], pair.matrix[2]);
    for (std::complex<double>& entry : pair.matrix) entry = std::conj(entry);
  }
}

void WayBack::set_readings(std::span<const Instruction> instructions, std::span<const double> parameter_values) {
  std::size_t next = 0;
  for (const Instruction& instruction : instructions) {
    for_readings(instruction, parameter_values, [&](std::size_t angle, const observable::PauliTerm& term, Where) {
      Reading& reading = back_.readings[next];
      const double factor = 2 * instruction.angles[angle].factor * term.coefficient;
      reading.parameter = instruction.angles[angle].parameter;
      reading.factor = negative_[next] != 0 ? -factor : factor;
      ++next;
    });
  }
  TANDEM_ASSERT(next == back_.readings.size());
}

}  // namespace tandem::statevector
