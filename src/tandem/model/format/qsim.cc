#include "tandem/model/format/qsim.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"

namespace tandem::format {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;

constexpr double kHalfPi = std::numbers::pi / 2;

/// A gate of the format. What it is here, up to a global phase, is said by instructions_of().
struct Word {
  std::string_view name;
  std::uint8_t num_qubits;
  std::uint8_t num_angles;
  Gate gate;  ///< of the same operands, where that is all
};
constexpr std::array kWords = {
    Word{"id1", 1, 0, Gate::kI},       Word{"h", 1, 0, Gate::kH},      Word{"t", 1, 0, Gate::kT},
    Word{"x", 1, 0, Gate::kX},         Word{"y", 1, 0, Gate::kY},      Word{"z", 1, 0, Gate::kZ},
    Word{"s", 1, 0, Gate::kS},         Word{"x_1_2", 1, 0, Gate::kSx}, Word{"y_1_2", 1, 0, Gate::kRy},
    Word{"rx", 1, 1, Gate::kRx},       Word{"ry", 1, 1, Gate::kRy},    Word{"rz", 1, 1, Gate::kRz},
    Word{"rxy", 1, 2, Gate::kU},       Word{"cz", 2, 0, Gate::kCz},    Word{"hz_1_2", 1, 0, Gate::kGpi2},
    Word{"cnot", 2, 0, Gate::kCx},     Word{"sw", 2, 0, Gate::kSwap},  Word{"is", 2, 0, Gate::kIswap},
    Word{"fs", 2, 2, Gate::kXxPlusYy}, Word{"cp", 2, 1, Gate::kCp},    Word{"id2", 2, 0, Gate::kBarrier},
};

class QsimReader {
 public:
  QsimReader(std::string_view text, std::string_view name, const CircuitLimits& limits)
      : scanner_(text, name), limits_(limits) {}

  Result<Circuit> read() {
    std::int64_t qubits = 0;
    if (!next_content() || !scanner_.read_integer(qubits) || qubits < 1) return expected("the number of qubits");
    if (qubits > Circuit::kQubitsMax) {
      return fail_at(scanner_.place(), errors::kTooManyQubits, "{} qubits are above the limit of {}; use fewer", qubits,
                     Circuit::kQubitsMax);
    }
    TANDEM_TRY(read_end_of_line());
    last_time_.assign(static_cast<std::size_t>(qubits), -1);
    while (next_content()) TANDEM_TRY(read_line());
    TANDEM_TRY_ASSIGN(Circuit circuit, Circuit::create(static_cast<std::uint32_t>(qubits), num_clbits_));
    for (const Instruction& instruction : instructions_) TANDEM_TRY(circuit.append(instruction));
    return circuit;
  }

 private:
  bool next_content() {
    while (scanner_.next_line()) {
      if (scanner_.has_token()) return true;
    }
    return false;
  }

  tl::unexpected<Error> expected(std::string_view what) const {
    return tl::unexpected<Error>(scanner_.unexpected_token(
        errors::kFormatSyntax, what, "after the number of qubits, each line is 'time gate qubits angles'"));
  }

  Result<void> read_end_of_line() {
    if (!scanner_.has_token()) return {};
    scanner_.token();
    return expected("the end of the line");
  }

  Result<std::uint32_t> read_qubit() {
    std::int64_t qubit = 0;
    if (!scanner_.read_integer(qubit) || qubit < 0 || qubit >= std::ssize(last_time_))
      return expected(fmt::format("a qubit from 0 to {}", last_time_.size() - 1));
    std::int64_t& last = last_time_[static_cast<std::size_t>(qubit)];
    if (last >= time_) {
      return fail_at(scanner_.place(), errors::kFormatSyntax,
                     "qubit {} is used at time {} and before that at time {}; times have to grow on each qubit", qubit,
                     time_, last);
    }
    last = time_;
    return static_cast<std::uint32_t>(qubit);
  }

  Result<void> read_line() {
    if (!scanner_.read_integer(time_) || time_ < 0) return expected("a time, 0 or more");
    const std::string_view name = scanner_.token();
    if (name == "m") return read_measurement();
    const auto* const word = std::ranges::find(kWords, name, &Word::name);
    if (word == kWords.end()) return unknown(name);
    std::array<std::uint32_t, 2> qubits{};
    for (std::uint8_t i = 0; i < word->num_qubits; ++i) {
      TANDEM_TRY_ASSIGN(qubits[i], read_qubit());
    }
    std::array<double, 2> angles{};
    for (std::uint8_t i = 0; i < word->num_angles; ++i) {
      if (!scanner_.read_number(angles[i])) return expected(scanner_.number_expected());
    }
    TANDEM_TRY(read_end_of_line());
    return append(*word, qubits, angles);
  }

  tl::unexpected<Error> unknown(std::string_view name) const {
    std::array<std::string_view, kWords.size()> names;
    std::ranges::transform(kWords, names.begin(), &Word::name);
    const std::string hint = did_you_mean(name, names);
    return fail_at(scanner_.place(), errors::kUnknownGate, "the format has no gate {}{}", quote(name),
                   hint.empty() ? fmt::format("; it has {} and m", fmt::join(names, ", ")) : hint);
  }

  Result<void> read_measurement() {
    do {
      TANDEM_TRY_ASSIGN(const std::uint32_t qubit, read_qubit());
      if (num_clbits_ == Circuit::kQubitsMax) {
        return fail_at(scanner_.place(), errors::kTooManyQubits, "more than {} qubits are measured; measure fewer",
                       Circuit::kQubitsMax);
      }
      TANDEM_TRY(push({.gate = Gate::kMeasure, .qubits = {qubit}, .clbit = num_clbits_++}));
    } while (scanner_.has_token());
    return {};
  }

  Result<void> push(Instruction instruction) {
    if (instructions_.size() == limits_.instructions_max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge,
                     "there are more than {} instructions; reduce the circuit", limits_.instructions_max);
    }
    instructions_.push_back(instruction);
    return {};
  }

  Result<void> append(const Word& word, std::array<std::uint32_t, 2> q, std::array<double, 2> angles) {
    Instruction out{.gate = word.gate, .qubits = {q[0], q[1]}};
    if (word.name == "id2") {
      TANDEM_TRY(push({.gate = Gate::kI, .qubits = {q[0]}}));
      return push({.gate = Gate::kI, .qubits = {q[1]}});
    }
    if (word.name == "fs") {  // fSim: exp(-i theta/2 (XX + YY)), then exp(-i phi) on 11
      if (!std::isfinite(2 * angles[0])) {
        return fail_at(scanner_.place(), errors::kNotFinite, "twice the angle {} is not finite; use a smaller one",
                       angles[0]);
      }
      out.angles[0] = Angle::constant(2 * angles[0]);
      TANDEM_TRY(push(out));
      return push({.gate = Gate::kCp, .qubits = {q[0], q[1]}, .angles = {Angle::constant(-angles[1])}});
    }
    if (word.name == "rxy") {  // a turn by angles[1] about the axis at angles[0] in the plane of X and Y
      out.angles = {Angle::constant(angles[1]), Angle::constant(angles[0] - kHalfPi),
                    Angle::constant(kHalfPi - angles[0])};
    } else if (word.name == "y_1_2") {
      out.angles[0] = Angle::constant(kHalfPi);
    } else if (word.name == "hz_1_2") {  // the root of (X + Y) / sqrt 2
      out.angles[0] = Angle::constant(kHalfPi / 2);
    } else if (word.num_angles == 1) {
      out.angles[0] = Angle::constant(angles[0]);
    }
    return push(out);
  }

  LineScanner scanner_;
  CircuitLimits limits_;
  std::int64_t time_ = 0;
  std::vector<std::int64_t> last_time_;  ///< of each qubit; -1: not used yet
  std::vector<Instruction> instructions_;
  std::uint32_t num_clbits_ = 0;
};

}  // namespace

bool looks_like_qsim(std::string_view text) {
  LineScanner scanner(text, "");
  std::int64_t number = 0;
  while (scanner.next_line()) {
    if (scanner.has_token()) break;
  }
  if (!scanner.read_integer(number) || scanner.has_token()) return false;
  while (scanner.next_line()) {
    if (!scanner.has_token()) continue;
    return scanner.read_integer(number) && scanner.has_token() && scanner.peek() >= 'a' && scanner.peek() <= 'z';
  }
  return false;
}

Result<Circuit> read_qsim(std::string_view text, std::string_view name, const CircuitLimits& limits) {
  return QsimReader(text, name, limits).read();
}

}  // namespace tandem::format
