#include "tandem/model/circuit/circuit.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_set>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem::circuit {
namespace {

Angle negated(const Angle& angle) {
  // 0 - x and not -x, so that no -0 appears in documents.
  return {.parameter = angle.parameter, .factor = 0 - angle.factor, .offset = 0 - angle.offset};
}

Result<void> check_angle(const Angle& angle, std::size_t num_parameters, std::string_view gate) {
  if (!std::isfinite(angle.factor) || !std::isfinite(angle.offset)) {
    return fail(errors::kNotFinite, "an angle of {} is {} * parameter + {}; use finite numbers", gate, angle.factor,
                angle.offset);
  }
  if (!angle.is_constant() && angle.parameter >= num_parameters) {
    return fail(errors::kIndexOutOfRange, "{} uses parameter {} of {}; declare it first", gate, angle.parameter,
                num_parameters);
  }
  return {};
}

Result<void> check_qubits(const Instruction& instruction, const GateRecord& record, std::uint32_t num_qubits) {
  for (std::size_t i = 0; i < instruction.qubits.size(); ++i) {
    const std::uint32_t qubit = instruction.qubits[i];
    if (i >= record.num_qubits) {
      if (qubit != 0)
        return fail(errors::kBadCircuit, "{} takes {} qubits; leave the others 0", record.name, record.num_qubits);
      continue;
    }
    if (qubit >= num_qubits) {
      return fail(errors::kIndexOutOfRange, "{} acts on qubit {} of {}; use qubits below {}", record.name, qubit,
                  num_qubits, num_qubits);
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (instruction.qubits[j] == qubit) {
        return fail(errors::kBadCircuit, "{} names qubit {} twice; use different qubits", record.name, qubit);
      }
    }
  }
  return {};
}

Result<void> check_condition(const Instruction& instruction, std::string_view gate, std::uint32_t num_clbits) {
  const Condition& condition = instruction.condition;
  if (!condition.exists()) {
    if (condition == Condition{}) return {};
    return fail(errors::kBadCircuit, "a condition of {} on no classical bit; leave all of it 0", gate);
  }
  if (condition.first >= num_clbits || condition.count > num_clbits - condition.first) {
    return fail(errors::kIndexOutOfRange,
                "{} is under a condition on {} classical bits from {} on, of {}; use bits below {}", gate,
                condition.count, condition.first, num_clbits, num_clbits);
  }
  if (instruction.gate == Gate::kBarrier)
    return fail(errors::kBadCircuit, "a barrier is under a condition; leave one of the two out");
  return {};
}

}  // namespace

bool Condition::holds(std::span<const std::uint64_t> bits) const {
  if (count < 64 && value >> count != 0) return false;  // more than the bits can hold
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool is = (bits[(first + i) / 64] >> ((first + i) % 64) & 1) != 0;
    if (is != (i < 64 && (value >> i & 1) != 0)) return false;
  }
  return true;
}

bool is_unitary(const Instruction& instruction) {
  return instruction.gate != Gate::kMeasure && instruction.gate != Gate::kReset && !instruction.condition.exists();
}

Instruction inverse_of(const Instruction& instruction) {
  const GateRecord& record = gate_record(instruction.gate);
  Instruction inverse = instruction;
  inverse.gate = record.inverse;
  const auto& angles = instruction.angles;
  switch (record.inverse_rule) {
    case InverseRule::kNegateAll:
      inverse.angles = {negated(angles[0]), negated(angles[1]), negated(angles[2])};
      break;
    case InverseRule::kNegateFirst:
      inverse.angles[0] = negated(angles[0]);
      break;
    case InverseRule::kNegateLast:
      inverse.angles[2] = negated(angles[2]);
      break;
    case InverseRule::kSame:
      break;
    case InverseRule::kOpposite:
      inverse.angles[0].offset += inverse.angles[0].offset > 0 ? -std::numbers::pi : std::numbers::pi;
      break;
    case InverseRule::kEuler:
      inverse.angles = {negated(angles[0]), negated(angles[2]), negated(angles[1])};
      break;
    case InverseRule::kPiZero:
      inverse.angles[0] = Angle::constant(std::numbers::pi);
      break;
    case InverseRule::kNone:
      TANDEM_ASSERT(false);
  }
  return inverse;
}

Result<Circuit> Circuit::create(std::uint32_t num_qubits, std::uint32_t num_clbits,
                                std::vector<std::string> parameters) {
  if (num_qubits > kQubitsMax || num_clbits > kQubitsMax) {
    return fail(errors::kTooManyQubits,
                "a circuit of {} qubits and {} classical bits is above the limit of {}; use fewer", num_qubits,
                num_clbits, kQubitsMax);
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : parameters) {
    if (name.empty()) return fail(errors::kBadCircuit, "a parameter has an empty name; name every parameter");
    if (!seen.insert(name).second) {
      return fail(errors::kBadCircuit, "the parameter {} is declared twice; use different names", quote(name));
    }
  }
  Circuit circuit;
  circuit.num_qubits_ = num_qubits;
  circuit.num_clbits_ = num_clbits;
  circuit.parameters_ = std::move(parameters);
  return circuit;
}

Result<void> Circuit::append(const Instruction& instruction) {
  const GateRecord& record = gate_record(instruction.gate);
  if (instructions_.size() >= kInstructionsMax) {
    return fail(errors::kBadCircuit, "a circuit of more than {} instructions is above the limit; split it",
                kInstructionsMax);
  }
  TANDEM_TRY(check_qubits(instruction, record, num_qubits_));
  for (std::size_t i = 0; i < instruction.angles.size(); ++i) {
    if (i >= record.num_parameters && instruction.angles[i] != Angle{}) {
      return fail(errors::kBadCircuit, "{} takes {} angles; leave the others 0", record.name, record.num_parameters);
    }
    TANDEM_TRY(check_angle(instruction.angles[i], parameters_.size(), record.name));
  }
  if (instruction.gate == Gate::kMeasure) {
    if (instruction.clbit >= num_clbits_) {
      return fail(errors::kIndexOutOfRange, "a measurement writes classical bit {} of {}; use bits below {}",
                  instruction.clbit, num_clbits_, num_clbits_);
    }
  } else if (instruction.clbit != 0) {
    return fail(errors::kBadCircuit, "{} writes no classical bit; leave it 0", record.name);
  }
  TANDEM_TRY(check_condition(instruction, record.name, num_clbits_));
  Instruction& added = instructions_.emplace_back(instruction);
  for (Angle& angle : added.angles) {
    if (angle.is_constant()) angle.factor = 0;  // it means nothing there, and equal circuits must compare equal
  }
  return {};
}

Circuit& Circuit::gate(Gate gate, std::initializer_list<std::uint32_t> qubits, std::initializer_list<Angle> angles) {
  const GateRecord& record = gate_record(gate);
  TANDEM_ASSERT(qubits.size() == record.num_qubits && angles.size() == record.num_parameters);
  Instruction instruction{.gate = gate};
  std::ranges::copy(qubits, instruction.qubits.begin());
  std::ranges::copy(angles, instruction.angles.begin());
  TANDEM_ASSERT(append(instruction).has_value());
  return *this;
}

Circuit& Circuit::measure(std::uint32_t qubit, std::uint32_t clbit) {
  TANDEM_ASSERT(append({.gate = Gate::kMeasure, .qubits = {qubit}, .clbit = clbit}).has_value());
  return *this;
}

Circuit& Circuit::measure_all() {
  for (std::uint32_t qubit = 0; qubit < num_qubits_; ++qubit) measure(qubit, qubit);
  return *this;
}

bool Circuit::measurements_are_terminal() const {
  std::vector<bool> measured(num_qubits_);
  for (const Instruction& instruction : instructions_) {
    if (instruction.gate == Gate::kReset || instruction.condition.exists()) return false;
    const std::uint8_t operands = gate_record(instruction.gate).num_qubits;
    for (std::uint8_t i = 0; i < operands; ++i) {
      if (measured[instruction.qubits[i]]) return false;
    }
    if (instruction.gate == Gate::kMeasure) measured[instruction.qubits[0]] = true;
  }
  return true;
}

std::size_t Circuit::depth() const {
  std::vector<std::size_t> qubits(num_qubits_);
  std::vector<std::size_t> clbits(num_clbits_);
  for (const Instruction& instruction : instructions_) {
    if (instruction.gate == Gate::kBarrier) {
      if (!qubits.empty()) std::ranges::fill(qubits, *std::ranges::max_element(qubits));
      continue;
    }
    const auto operands = std::span(instruction.qubits).first(gate_record(instruction.gate).num_qubits);
    std::size_t level = instruction.gate == Gate::kMeasure ? clbits[instruction.clbit] : 0;
    const auto condition = std::span(clbits).subspan(instruction.condition.first, instruction.condition.count);
    for (const std::size_t bit : condition) level = std::max(level, bit);
    for (const std::uint32_t qubit : operands) level = std::max(level, qubits[qubit]);
    for (const std::uint32_t qubit : operands) qubits[qubit] = level + 1;
    if (instruction.gate == Gate::kMeasure) clbits[instruction.clbit] = level + 1;
  }
  return qubits.empty() ? 0 : *std::ranges::max_element(qubits);
}

std::size_t Circuit::count_of(int num_qubits) const {
  return static_cast<std::size_t>(std::ranges::count_if(instructions_, [num_qubits](const Instruction& instruction) {
    const GateRecord& record = gate_record(instruction.gate);
    return (record.flags & kUnitary) != 0 && record.num_qubits == num_qubits;
  }));
}

Result<Circuit> Circuit::inverse() const {
  Circuit inverse = *this;
  inverse.instructions_.clear();
  inverse.instructions_.reserve(instructions_.size());
  for (std::size_t i = instructions_.size(); i-- > 0;) {
    const GateRecord& record = gate_record(instructions_[i].gate);
    if (record.inverse_rule == InverseRule::kNone || instructions_[i].condition.exists()) {
      return fail(errors::kBadCircuit, "instruction {} is a {}{}, which has no inverse; remove it first", i,
                  record.name, instructions_[i].condition.exists() ? " under a condition" : "");
    }
    inverse.instructions_.push_back(inverse_of(instructions_[i]));
  }
  return inverse;
}

}  // namespace tandem::circuit
