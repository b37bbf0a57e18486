#include "tandem/compute/statevector/way_back.h"

#include <algorithm>
#include <array>

#include "tandem/compute/statevector/generator.h"
#include "tandem/compute/statevector/signed_sums.h"

namespace tandem::statevector {
namespace {

using circuit::Instruction;

Step inverse_of(Step step, const Steps& there, Steps& back) {
  step.factor = std::conj(step.factor);
  step.sine = -step.sine;
  if (step.kind != Step::Kind::kGate) return step;
  PreparedGate gate = there.gates[step.gate];
  for (Phase& phase : gate.phases) phase.factor = std::conj(phase.factor);
  for (Pair& pair : gate.pairs) {
    std::swap(pair.matrix[1], pair.matrix[2]);
    for (std::complex<double>& entry : pair.matrix) entry = std::conj(entry);
  }
  step.gate = static_cast<std::uint32_t>(back.gates.size());
  back.gates.push_back(gate);
  return step;
}

/// `frame`: behind the gate, which is where the derivative is read.
void add_readings(const Instruction& instruction, std::span<const double> values, const Frame& frame,
                  std::vector<Reading>& readings) {
  const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
  if (std::ranges::all_of(instruction.angles, &circuit::Angle::is_constant)) return;
  std::array<double, 3> angles{};
  for (std::size_t i = 0; i < record.num_parameters; ++i) angles[i] = instruction.angles[i].value(values);
  for (std::size_t i = 0; i < record.num_parameters; ++i) {
    if (instruction.angles[i].is_constant()) continue;
    const Generator generator = generator_of(instruction.gate, std::span(angles).first(record.num_parameters), i);
    for (const observable::PauliTerm& term : generator.all()) {
      const auto placed = [&](std::uint64_t bits) {
        std::uint64_t out = 0;
        for (std::size_t k = 0; k < record.num_qubits; ++k)
          out |= (bits >> k & 1) << frame.bit_of[instruction.qubits[k]];
        return out;
      };
      Reading reading{.x = placed(term.x), .z = placed(term.z), .parameter = instruction.angles[i].parameter};
      const double factor = 2 * instruction.angles[i].factor * term.coefficient;
      reading.factor = odd(reading.z & frame.flipped) ? -factor : factor;
      readings.push_back(reading);
    }
  }
}

}  // namespace

void lower_back(std::span<const Instruction> instructions, std::span<const double> parameter_values, Frame frame,
                Steps& out) {
  Steps there;
  there.steps.reserve(instructions.size());
  std::vector<std::size_t> steps_before;
  std::vector<std::size_t> readings_before;
  for (const Instruction& instruction : instructions) {
    steps_before.push_back(there.steps.size());
    readings_before.push_back(out.readings.size());
    lower(std::span(&instruction, 1), parameter_values, frame, there);
    add_readings(instruction, parameter_values, frame, out.readings);
  }
  std::size_t step = there.steps.size();
  std::size_t reading = out.readings.size();
  out.steps.reserve(out.steps.size() + step + reading);
  for (std::size_t i = instructions.size(); i-- > 0;) {
    for (; reading > readings_before[i]; --reading) {
      const Reading& read = out.readings[reading - 1];
      out.steps.push_back({.kind = Step::Kind::kReading,
                           .gate = static_cast<std::uint32_t>(reading - 1),
                           .touched = read.x | read.z,
                           .mixing = read.x});
    }
    for (; step > steps_before[i]; --step) out.steps.push_back(inverse_of(there.steps[step - 1], there, out));
  }
}

}  // namespace tandem::statevector
