#include "tandem/model/format/qasm2.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/format/qasm2_expression.h"
#include "tandem/model/format/qasm2_lexer.h"
#include "tandem/model/format/qasm2_library.h"

namespace tandem::format {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::GateRecord;
using circuit::Instruction;
using Kind = Qasm2Token::Kind;
using Expression = Qasm2Expression;

constexpr std::uint32_t kNestingMax = 200;  // of definitions: what the stack of a thread bears
// Of the expansion, for each instruction and each byte of the text: gates of empty bodies add none of the former.
constexpr std::uint64_t kStepsEach = 64;
constexpr std::uint64_t kStepsAlways = 1'000'000;
constexpr std::string_view kIncludable = "qelib1.inc";

struct Register {
  std::uint32_t first = 0;
  std::uint32_t size = 0;
  bool quantum = true;
};

/// A register or one of its bits.
struct Operand {
  std::uint32_t first = 0;
  std::uint32_t size = 1;
  bool whole = false;
};

/// A gate of the table, or a definition by its index.
struct Callee {
  static constexpr std::uint32_t kTable = UINT32_MAX;
  Gate gate = Gate::kI;
  std::uint32_t definition = kTable;
};

/// A gate in the body of a definition; qubits are indices of its formal ones.
struct Call {
  Callee callee;
  std::vector<Expression> angles;
  std::vector<std::uint32_t> qubits;
};

struct Definition {
  std::uint32_t num_angles = 0;
  std::uint32_t num_qubits = 0;
  std::uint32_t depth = 1;  ///< of definitions within definitions
  bool opaque = false;
  bool of_library = false;
  std::vector<Call> body;
};

/// How many bits the registers declare, so that the circuit can be made before they are read. What is wrong with a declaration is said then.
std::uint32_t count_bits(std::string_view text, std::string_view keyword) {
  Qasm2Lexer lexer(text, "");
  std::uint64_t sum = 0;
  for (Qasm2Token token = lexer.next(); token.kind != Kind::kEnd; token = lexer.next()) {
    if (!token.is(keyword)) continue;
    lexer.next();
    lexer.next();
    const auto size = parse_int64(lexer.next().text);
    if (size && *size > 0) sum += static_cast<std::uint64_t>(std::min<std::int64_t>(*size, Circuit::kQubitsMax));
    sum = std::min<std::uint64_t>(sum, Circuit::kQubitsMax);
  }
  return static_cast<std::uint32_t>(sum);
}

bool has_duplicates(std::vector<std::uint32_t> values) {
  std::ranges::sort(values);
  return std::ranges::adjacent_find(values) != values.end();
}

class Qasm2Reader {
 public:
  Qasm2Reader(std::string_view text, std::string_view name, const CircuitLimits& limits)
      : words_(text, name), limits_(limits), text_bytes_(text.size()) {
    gates_ = {{"U", {.gate = Gate::kU}}, {"CX", {.gate = Gate::kCx}}};
  }

  Result<Circuit> read(Circuit circuit) {
    circuit_ = std::move(circuit);
    if (words_.here().is("OPENQASM")) TANDEM_TRY(read_version());
    while (words_.here().kind != Kind::kEnd) TANDEM_TRY(read_statement());
    if (num_qubits_ == 0) return words_.expected("a register of qubits, as 'qreg q[2];'");
    return std::move(circuit_);
  }

 private:
  // ---- statements

  Result<void> read_version() {
    words_.advance();
    if (words_.here().kind != Kind::kReal && words_.here().kind != Kind::kInteger)
      return words_.expected("a version, as 2.0");
    if (words_.here().text != "2.0" && words_.here().text != "2") {
      return fail_at(words_.place(), errors::kFormatCannotExpress,
                     "OpenQASM {} is not read; write the program in version 2.0", quote(words_.here().text));
    }
    words_.advance();
    return words_.skip(";");
  }

  Result<void> read_statement() {
    statement_ = words_.here();
    if (words_.here().kind != Kind::kName) return words_.expected("a statement");
    if (words_.here().is("qreg") || words_.here().is("creg")) return read_register();
    if (words_.here().is("include")) return read_include();
    if (words_.here().is("gate") || words_.here().is("opaque")) return read_definition();
    if (words_.here().is("measure")) return read_measurement();
    if (words_.here().is("reset")) return read_reset();
    if (words_.here().is("barrier")) return read_barrier();
    if (words_.here().is("if")) return read_conditional();
    return read_call();
  }

  Result<void> read_include() {
    words_.advance();
    if (words_.here().kind != Kind::kString) return words_.expected("the name of a file in double quotes");
    if (words_.here().text != kIncludable) {
      return fail_at(words_.place(), errors::kFormatCannotExpress,
                     "{} cannot be included, only \"{}\"; put its definitions into this text",
                     quote(words_.here().text), kIncludable);
    }
    words_.advance();
    TANDEM_TRY(words_.skip(";"));
    if (included_) return {};
    included_ = true;
    for (const GateRecord& record : circuit::gate_table()) {
      if ((record.flags & circuit::kUnitary) != 0) gates_.try_emplace(record.name, Callee{.gate = record.gate});
    }
    const Qasm2Words program = std::exchange(words_, Qasm2Words(kQasm2Library, kIncludable));
    in_library_ = true;
    while (words_.here().kind != Kind::kEnd) TANDEM_ASSERT(read_definition().has_value());
    in_library_ = false;
    words_ = program;
    return {};
  }

  Result<void> read_register() {
    const bool quantum = words_.advance().is("qreg");
    TANDEM_TRY_ASSIGN(const Qasm2Token name, words_.read_new_name("the name of a register"));
    TANDEM_TRY(words_.skip("["));
    const auto size = words_.here().kind == Kind::kInteger ? parse_int64(words_.here().text) : Result<std::int64_t>(0);
    if (words_.here().kind != Kind::kInteger || (size && *size == 0))
      return words_.expected("the size of a register, 1 or more");
    std::uint32_t& total = quantum ? num_qubits_ : num_clbits_;
    if (!size || *size > Circuit::kQubitsMax - total) {
      return fail_at(words_.place(), errors::kTooManyQubits, "with {} there are more than {} {}; use fewer",
                     words_.here().text, Circuit::kQubitsMax, quantum ? "qubits" : "classical bits");
    }
    words_.advance();
    const Register made{.first = total, .size = static_cast<std::uint32_t>(*size), .quantum = quantum};
    if (!registers_.try_emplace(name.text, made).second) {
      return fail_at(words_.place_of(name), errors::kFormatSyntax, "there is a register {} already; use another name",
                     quote(name.text));
    }
    total += made.size;
    TANDEM_TRY(words_.skip("]"));
    return words_.skip(";");
  }

  Result<void> read_measurement() {
    words_.advance();
    TANDEM_TRY_ASSIGN(const Operand from, read_operand(true));
    TANDEM_TRY(words_.skip("->"));
    TANDEM_TRY_ASSIGN(const Operand to, read_operand(false));
    TANDEM_TRY(words_.skip(";"));
    if (from.size != to.size) {
      return fail_at(words_.place_of(statement_), errors::kBadCircuit,
                     "{} qubits are measured into {} bits; use registers of one size", from.size, to.size);
    }
    for (std::uint32_t i = 0; i < from.size; ++i) {
      TANDEM_TRY(append({.gate = Gate::kMeasure, .qubits = {from.first + i}, .clbit = to.first + i}));
    }
    return {};
  }

  Result<void> read_reset() {
    words_.advance();
    TANDEM_TRY_ASSIGN(const Operand on, read_operand(true));
    TANDEM_TRY(words_.skip(";"));
    for (std::uint32_t i = 0; i < on.size; ++i) TANDEM_TRY(append({.gate = Gate::kReset, .qubits = {on.first + i}}));
    return {};
  }

  Result<void> read_barrier() {
    words_.advance();
    TANDEM_TRY(read_operands());
    return append({.gate = Gate::kBarrier});
  }

  /// "if (c == 3) x q[0];": the whole register is compared.
  Result<void> read_conditional() {
    words_.advance();
    TANDEM_TRY(words_.skip("("));
    TANDEM_TRY_ASSIGN(const Operand on, read_operand(false));
    if (!on.whole) return words_.expected("a whole register of classical bits");
    TANDEM_TRY(words_.skip("=="));
    const auto value = words_.here().kind == Kind::kInteger ? parse_int64(words_.here().text) : Result<std::int64_t>(0);
    if (words_.here().kind != Kind::kInteger) return words_.expected("a whole number");
    if (!value) {
      return fail_at(words_.place(), errors::kFormatCannotExpress,
                     "a circuit compares bits with numbers up to {}, not with {}", INT64_MAX, words_.here().text);
    }
    words_.advance();
    TANDEM_TRY(words_.skip(")"));
    statement_ = words_.here();
    condition_ = {.first = on.first, .count = on.size, .value = static_cast<std::uint64_t>(*value)};
    if (words_.here().kind != Kind::kName) return words_.expected("a gate, a measurement or a reset");
    if (words_.here().is("measure"))
      TANDEM_TRY(read_measurement());
    else if (words_.here().is("reset"))
      TANDEM_TRY(read_reset());
    else
      TANDEM_TRY(read_call());
    condition_ = {};
    return {};
  }

  Result<void> read_call() {
    TANDEM_TRY_ASSIGN(const Callee callee, read_callee());
    TANDEM_TRY(read_angles(callee, {}, expressions_));
    TANDEM_TRY(read_operands());
    TANDEM_TRY(check_count("qubits", num_qubits_of(callee), operands_.size()));
    std::uint32_t size = 1;
    bool any_whole = false;
    for (const Operand& operand : operands_) {
      if (!operand.whole) continue;
      if (any_whole && operand.size != size) {
        return fail_at(words_.place_of(statement_), errors::kBadCircuit,
                       "{} is given registers of {} and {} qubits; use registers of one size", quote(statement_.text),
                       size, operand.size);
      }
      size = operand.size;
      any_whole = true;
    }
    std::vector<double> angles(expressions_.size());
    for (std::size_t i = 0; i < angles.size(); ++i) angles[i] = expressions_[i].value({}, stack_);
    std::vector<std::uint32_t> qubits(operands_.size());
    for (std::uint32_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j < qubits.size(); ++j) qubits[j] = operands_[j].first + (operands_[j].whole ? i : 0);
      if (qubits.size() > 1 && has_duplicates(qubits)) {
        return fail_at(words_.place_of(statement_), errors::kBadCircuit,
                       "{} is given a qubit twice; use different qubits", quote(statement_.text));
      }
      ++steps_;
      TANDEM_TRY(check_steps());
      TANDEM_TRY(apply(callee, angles, qubits));
    }
    return {};
  }

  // ---- operands

  Result<Operand> read_operand(bool quantum) {
    const std::string_view what = quantum ? "a register of qubits" : "a register of classical bits";
    TANDEM_TRY_ASSIGN(const Qasm2Token name, words_.read_name(what));
    const auto found = registers_.find(name.text);
    if (found == registers_.end() || found->second.quantum != quantum) {
      return fail_at(words_.place_of(name), errors::kFormatSyntax, "{} is not {}; declare it before it is used",
                     quote(name.text), what);
    }
    const Register& whole = found->second;
    if (!words_.skip_if("[")) return Operand{.first = whole.first, .size = whole.size, .whole = true};
    if (words_.here().kind != Kind::kInteger) return words_.expected("an index");
    const auto index = parse_int64(words_.here().text);
    if (!index || *index >= whole.size) {
      return fail_at(words_.place(), errors::kIndexOutOfRange, "index {} is outside {}, which has {}; use 0 to {}",
                     words_.here().text, quote(name.text), whole.size, whole.size - 1);
    }
    words_.advance();
    TANDEM_TRY(words_.skip("]"));
    return Operand{.first = whole.first + static_cast<std::uint32_t>(*index)};
  }

  /// Up to and with the semicolon, into operands_.
  Result<void> read_operands() {
    operands_.clear();
    do {
      TANDEM_TRY_ASSIGN(const Operand operand, read_operand(true));
      operands_.push_back(operand);
    } while (words_.skip_if(","));
    return words_.skip(";");
  }

  // ---- gates

  Result<Callee> read_callee() {
    const Qasm2Token name = words_.advance();
    const auto found = gates_.find(name.text);
    if (found != gates_.end()) {
      if (found->second.definition != Callee::kTable && definitions_[found->second.definition].opaque) {
        return fail_at(words_.place_of(name), errors::kFormatCannotExpress,
                       "the gate {} is opaque: nothing says what it does; define it with 'gate'", quote(name.text));
      }
      return found->second;
    }
    std::vector<std::string_view> names;
    for (const auto& [known, callee] : gates_) names.push_back(known);
    std::ranges::sort(names);
    const std::string hint = did_you_mean(name.text, names);
    return fail_at(words_.place_of(name), errors::kUnknownGate, "there is no gate {}{}", quote(name.text),
                   !included_     ? "; include \"qelib1.inc\" or define it with 'gate'"
                   : hint.empty() ? "; define it with 'gate'"
                                  : hint);
  }

  std::size_t num_qubits_of(const Callee& callee) const {
    return callee.definition == Callee::kTable ? gate_record(callee.gate).num_qubits
                                               : definitions_[callee.definition].num_qubits;
  }
  std::size_t num_angles_of(const Callee& callee) const {
    return callee.definition == Callee::kTable ? gate_record(callee.gate).num_parameters
                                               : definitions_[callee.definition].num_angles;
  }

  Result<void> check_count(std::string_view what, std::size_t wanted, std::size_t given) const {
    if (wanted == given) return {};
    return fail_at(words_.place_of(statement_), errors::kBadCircuit, "{} takes {} {} and is given {}; correct the call",
                   quote(statement_.text), wanted, what, given);
  }

  /// "(pi/2, theta)" where it stands.
  Result<void> read_angles(const Callee& callee, const Qasm2Formals& formals, std::vector<Expression>& out) {
    out.clear();
    if (words_.skip_if("(") && !words_.skip_if(")")) {
      do {
        TANDEM_TRY(read_qasm2_expression(words_, formals, out.emplace_back()));
      } while (words_.skip_if(","));
      TANDEM_TRY(words_.skip(")"));
    }
    return check_count("angles", num_angles_of(callee), out.size());
  }

  Result<Qasm2Formals> read_formals(std::string_view what) {
    Qasm2Formals formals;
    do {
      TANDEM_TRY_ASSIGN(const Qasm2Token name, words_.read_new_name(what));
      if (!formals.try_emplace(name.text, static_cast<std::uint32_t>(formals.size())).second) {
        return fail_at(words_.place_of(name), errors::kFormatSyntax, "{} stands twice; use different names",
                       quote(name.text));
      }
    } while (words_.skip_if(","));
    return formals;
  }

  Result<void> read_definition() {
    const bool opaque = words_.advance().is("opaque");
    TANDEM_TRY_ASSIGN(const Qasm2Token name, words_.read_new_name("the name of a gate"));
    Qasm2Formals angles;
    if (words_.skip_if("(") && !words_.skip_if(")")) {
      TANDEM_TRY_ASSIGN(angles, read_formals("the name of an angle"));
      TANDEM_TRY(words_.skip(")"));
    }
    TANDEM_TRY_ASSIGN(const Qasm2Formals qubits, read_formals("the name of a qubit"));
    Definition made{.num_angles = static_cast<std::uint32_t>(angles.size()),
                    .num_qubits = static_cast<std::uint32_t>(qubits.size()),
                    .opaque = opaque,
                    .of_library = in_library_};
    if (opaque) {
      TANDEM_TRY(words_.skip(";"));
    } else {
      TANDEM_TRY(words_.skip("{"));
      while (!words_.here().is("}")) TANDEM_TRY(read_body_statement(angles, qubits, made));
      words_.advance();
    }
    return define(name, std::move(made));
  }

  /// What a program defines stands above the library; it may define a name once.
  Result<void> define(const Qasm2Token& name, Definition made) {
    const Callee callee{.definition = static_cast<std::uint32_t>(definitions_.size())};
    const auto [at, is_new] = gates_.try_emplace(name.text, callee);
    if (!is_new && !in_library_) {
      const std::uint32_t before = at->second.definition;
      const bool primitive = name.text == "CX";
      if (primitive || (before != Callee::kTable && !definitions_[before].of_library)) {
        return fail_at(words_.place_of(name), errors::kFormatSyntax, "there is a gate {} already; use another name",
                       quote(name.text));
      }
      at->second = callee;
    }
    definitions_.push_back(std::move(made));
    return {};
  }

  Result<void> read_body_statement(const Qasm2Formals& angles, const Qasm2Formals& qubits, Definition& made) {
    statement_ = words_.here();
    if (words_.here().kind != Kind::kName) return words_.expected("a gate or '}'");
    Call call;
    if (words_.skip_if("barrier")) {
      call.callee.gate = Gate::kBarrier;
      TANDEM_TRY(read_actuals(qubits, call.qubits));
      call.qubits.clear();
    } else {
      TANDEM_TRY_ASSIGN(call.callee, read_callee());
      TANDEM_TRY(read_angles(call.callee, angles, call.angles));
      TANDEM_TRY(read_actuals(qubits, call.qubits));
      TANDEM_TRY(check_count("qubits", num_qubits_of(call.callee), call.qubits.size()));
      if (call.callee.definition != Callee::kTable)
        made.depth = std::max(made.depth, 1 + definitions_[call.callee.definition].depth);
      if (made.depth > kNestingMax) {
        return fail_at(words_.place_of(statement_), errors::kModelTooLarge,
                       "definitions stand within each other more than {} deep; write some out", kNestingMax);
      }
    }
    made.body.push_back(std::move(call));
    return {};
  }

  /// The operands of a call in a body, up to and with the semicolon.
  Result<void> read_actuals(const Qasm2Formals& formals, std::vector<std::uint32_t>& out) {
    do {
      const auto found = formals.find(words_.here().text);
      if (words_.here().kind != Kind::kName || found == formals.end())
        return words_.expected("a qubit of the definition");
      out.push_back(found->second);
      words_.advance();
    } while (words_.skip_if(","));
    if (out.size() > 1 && has_duplicates(out)) {
      return fail_at(words_.place_of(statement_), errors::kBadCircuit,
                     "{} is given a qubit twice; use different qubits", quote(statement_.text));
    }
    return words_.skip(";");
  }

  Result<void> check_steps() const {
    const std::uint64_t most = kStepsAlways + kStepsEach * (text_bytes_ + circuit_.instructions().size());
    if (steps_ <= most) return {};
    return fail_at(words_.place_of(statement_), errors::kModelTooLarge,
                   "writing the definitions out takes more than {} steps; reduce the circuit", most);
  }

  Result<void> apply(const Callee& callee, std::span<const double> angles, std::span<const std::uint32_t> qubits) {
    if (callee.definition == Callee::kTable) {
      Instruction instruction{.gate = callee.gate};
      std::ranges::copy(qubits, instruction.qubits.begin());
      for (std::size_t i = 0; i < angles.size(); ++i) {
        if (!std::isfinite(angles[i])) {
          return fail_at(words_.place_of(statement_), errors::kNotFinite,
                         "an angle of {} has the value {}; use an expression with a finite one",
                         gate_record(callee.gate).name, angles[i]);
        }
        instruction.angles[i] = Angle::constant(angles[i]);
      }
      return append(instruction);
    }
    std::vector<double> inner_angles;
    std::vector<std::uint32_t> inner_qubits;
    for (const Call& call : definitions_[callee.definition].body) {
      inner_angles.clear();
      inner_qubits.clear();
      steps_ += 1 + call.qubits.size();
      for (const Expression& expression : call.angles) {
        inner_angles.push_back(expression.value(angles, stack_));
        steps_ += expression.steps.size();
      }
      for (const std::uint32_t formal : call.qubits) inner_qubits.push_back(qubits[formal]);
      TANDEM_TRY(check_steps());
      TANDEM_TRY(apply(call.callee, inner_angles, inner_qubits));
    }
    return {};
  }

  Result<void> append(const Instruction& instruction) {
    if (circuit_.instructions().size() >= limits_.instructions_max) {
      return fail_at(words_.place_of(statement_), errors::kModelTooLarge,
                     "there are more than {} instructions; reduce the circuit", limits_.instructions_max);
    }
    Instruction placed = instruction;
    // A barrier within a definition orders, whatever the bits are.
    if (instruction.gate != Gate::kBarrier) placed.condition = condition_;
    return circuit_.append(placed).map_error([&](Error error) {
      error.place = words_.place_of(statement_);
      return error;
    });
  }

  Qasm2Words words_;
  circuit::Condition condition_;  ///< of the statement
  CircuitLimits limits_;
  std::uint64_t text_bytes_;
  std::uint64_t steps_ = 0;
  Qasm2Token statement_;  ///< the first of the statement that is read, the place of what is wrong with all of it
  Circuit circuit_;
  std::unordered_map<std::string_view, Callee> gates_;
  std::vector<Definition> definitions_;
  std::unordered_map<std::string_view, Register> registers_;
  std::uint32_t num_qubits_ = 0;
  std::uint32_t num_clbits_ = 0;
  bool included_ = false;
  bool in_library_ = false;
  std::vector<Operand> operands_;  // of the statement that is read, as the next two: room that is used again
  std::vector<Expression> expressions_;
  std::vector<double> stack_;
};

}  // namespace

bool looks_like_qasm2(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kBeginnings = {"OPENQASM", "include", "qreg",
                                                                  "creg",     "gate",    "opaque"};
  const Qasm2Token first = Qasm2Lexer(text, "").next();
  return first.kind == Kind::kName && std::ranges::find(kBeginnings, first.text) != kBeginnings.end();
}

Result<Circuit> read_qasm2(std::string_view text, std::string_view name, const CircuitLimits& limits) {
  TANDEM_TRY_ASSIGN(Circuit circuit, Circuit::create(count_bits(text, "qreg"), count_bits(text, "creg")));
  return Qasm2Reader(text, name, limits).read(std::move(circuit));
}

}  // namespace tandem::format
