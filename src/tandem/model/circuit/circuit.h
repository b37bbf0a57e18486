// tandem/model/circuit/circuit.h - Circuit and Pub: what a quantum computer is asked to do.
//
// Room: model. Not here: running (compute/*), rewriting (middleware/transpile), files (model/format).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/circuit/gate.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::circuit {

/// factor * parameter[index] + offset; index kNone: the constant `offset`.
struct Angle {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::uint32_t parameter = kNone;
  double factor = 0;
  double offset = 0;
  static Angle constant(double radians) { return {.offset = radians}; }
  static Angle symbol(std::uint32_t parameter, double factor = 1) { return {.parameter = parameter, .factor = factor}; }
  bool is_constant() const { return parameter == kNone; }
  double value(std::span<const double> parameters) const {
    return is_constant() ? offset : factor * parameters[parameter] + offset;
  }
  friend bool operator==(const Angle&, const Angle&) = default;
};

/// Classical bits that hold a number when the step is reached, bit `first` being its lowest. A bit that was not measured yet is 0.
struct Condition {
  std::uint32_t first = 0;
  std::uint32_t count = 0;  ///< 0: there is no condition
  std::uint64_t value = 0;  ///< that they have to hold; bits above the 64th have to be 0
  bool exists() const { return count != 0; }
  /// `bits`: 64 a word, the lowest first.
  bool holds(std::span<const std::uint64_t> bits) const;
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// One step. Unused entries of the arrays are 0. kMeasure: qubits[0] -> clbit. kBarrier has no operands: it spans all qubits.
/// Where the condition does not hold nothing is done.
struct Instruction {
  Gate gate = Gate::kI;
  std::array<std::uint32_t, 3> qubits{};
  std::array<Angle, 3> angles{};
  std::uint32_t clbit = 0;
  Condition condition{};
  friend bool operator==(const Instruction&, const Instruction&) = default;
};

/// A gate, or a barrier, whatever was measured before: neither a measurement, nor a reset, nor under a condition.
bool is_unitary(const Instruction& instruction);

/// The inverse of one unitary instruction (asserted); a barrier is its own inverse.
Instruction inverse_of(const Instruction& instruction);

/// Limits: kQubitsMax qubits and classical bits, kInstructionsMax instructions.
/// Threads: build on one thread, then immutable.
class Circuit {
 public:
  static constexpr std::uint32_t kQubitsMax = 4096;
  static constexpr std::size_t kInstructionsMax = 50'000'000;

  Circuit() = default;
  /// Errors: 1113 too_many_qubits; 1111 bad_circuit - an empty or repeated parameter name.
  static Result<Circuit> create(std::uint32_t num_qubits, std::uint32_t num_clbits,
                                std::vector<std::string> parameters = {});

  /// Appends one instruction.
  /// Errors: 1111 bad_circuit - a repeated qubit, an unused entry that is not 0, a barrier under a condition, or above kInstructionsMax;
  ///         1101 index_out_of_range - a qubit, classical bit or parameter; 1102 not_finite.
  Result<void> append(const Instruction& instruction);
  /// Shorthand for our own builders, where arguments are right by construction (asserted).
  Circuit& gate(Gate gate, std::initializer_list<std::uint32_t> qubits, std::initializer_list<Angle> angles = {});
  Circuit& measure(std::uint32_t qubit, std::uint32_t clbit);
  Circuit& measure_all();  ///< qubit i -> clbit i

  std::uint32_t num_qubits() const { return num_qubits_; }
  std::uint32_t num_clbits() const { return num_clbits_; }
  std::span<const std::string> parameters() const { return parameters_; }
  std::span<const Instruction> instructions() const { return instructions_; }
  /// True when no qubit is used after it was measured, nothing is reset and nothing is under a condition: shots can be drawn from one final
  /// state.
  bool measurements_are_terminal() const;
  /// Longest chain of instructions that share qubits or classical bits; a barrier orders but does not count.
  std::size_t depth() const;
  std::size_t count_of(int num_qubits) const;  ///< unitary gates on that many qubits
  /// The inverse circuit. Errors: 1111 bad_circuit when something is measured, reset or under a condition.
  Result<Circuit> inverse() const;

  /// {"num_qubits","num_clbits","parameters","instructions":[["rx",[0],[{"p":0,"f":2,"o":0.1}|0.5]],["measure",[0],[],0]]};
  /// "f" is 1 and "o" is 0 where they are absent, and a list of angles may be left out. A condition stands last:
  /// ["x",[0],[],{"first":0,"bits":2,"equals":3}].
  Json document() const;
  /// Errors: those of ObjectReader and append(); 1110 unknown_gate.
  static Result<Circuit> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Circuit&, const Circuit&) = default;

 private:
  std::uint32_t num_qubits_ = 0;
  std::uint32_t num_clbits_ = 0;
  std::vector<std::string> parameters_;
  std::vector<Instruction> instructions_;
};

/// The unit of quantum work: a circuit, values for its parameters, and either shots or observables with a precision.
struct Pub {
  static constexpr std::uint64_t kShotsMax = 100'000'000;
  static constexpr std::size_t kBindingsMax = 100'000;
  /// Bounds the size of a result; all outcomes of 20 qubits fit. An entry takes some hundred bytes until it is stored.
  static constexpr std::uint64_t kEntriesMax = std::uint64_t{1} << 20;
  Circuit circuit{};
  std::vector<std::vector<double>> parameter_values{};  ///< one row a binding; empty: one empty binding
  std::vector<observable::PauliSum> observables{};  ///< empty: counts are wanted
  std::uint64_t shots = 0;  ///< 0 with observables: exact where the backend can
  double precision = 0;  ///< standard error wanted of each expectation; 0: none
  /// Of a simulator: by how much rounding may move the probability of any set of outcomes, or an expectation, at most. It may calculate less
  /// precisely, and so faster, as far as it can promise that beforehand. 0: in double precision, with no promise.
  double tolerance = 0;

  std::size_t num_bindings() const { return parameter_values.empty() ? 1 : parameter_values.size(); }
  std::span<const double> binding(std::size_t index) const {
    return parameter_values.empty() ? std::span<const double>() : std::span<const double>(parameter_values[index]);
  }
  /// How many outcomes or expectations a result may hold, over all bindings.
  std::uint64_t entries_max() const;
  /// Whether the parts fit together: what parse() also checks, for PUBs built in code.
  /// Errors: 1112 unbound_parameter - no values; 1104 size_mismatch - a row or an observable of another size;
  ///         1102 not_finite; 1023 value_out_of_range - shots, precision, tolerance, the number of rows or the
  ///         size of the result.
  Result<void> check() const;
  Json document() const;  ///< {"circuit","parameter_values","observables","shots","precision","tolerance"}
  /// Errors: those of check() and of the parts. All but "circuit" may be absent.
  static Result<Pub> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Pub&, const Pub&) = default;
};

}  // namespace tandem::circuit
