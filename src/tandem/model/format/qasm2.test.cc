#include "tandem/model/format/qasm2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/format/testing/circuit_unitary.h"

namespace tandem::format {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using std::numbers::pi;
using testing::HasSubstr;

constexpr std::string_view kHead = "OPENQASM 2.0;\ninclude \"qelib1.inc\";\n";

Circuit read(const std::string& statements) {
  const auto circuit = read_circuit(std::string(kHead) + statements, "t.qasm");
  EXPECT_THAT(circuit, Succeeds()) << statements;
  return circuit.value();
}

double angle_of(const std::string& expression) {
  return read("qreg q[1]; rz(" + expression + ") q[0];").instructions()[0].angles[0].offset;
}

TEST(Qasm2, registers_follow_each_other_in_the_order_of_their_declaration) {
  Circuit expected = Circuit::create(5, 3).value();
  expected.gate(Gate::kX, {0}).gate(Gate::kX, {3}).gate(Gate::kCx, {1, 4}).measure(2, 1).measure(3, 2).measure(4, 0);
  EXPECT_EQ(read("qreg a[2]; creg c[1]; qreg b[3]; creg d[2];\n"
                 "x a[0]; x b[1]; cx a[1], b[2]; measure b[0] -> d[0]; measure b[1] -> d[1]; measure b[2] -> c[0];"),
            expected);
}

TEST(Qasm2, a_statement_on_registers_is_one_on_each_of_their_bits) {
  Circuit expected = Circuit::create(4, 2).value();
  expected.gate(Gate::kH, {0}).gate(Gate::kH, {1});
  expected.gate(Gate::kCx, {0, 2}).gate(Gate::kCx, {1, 3}).gate(Gate::kCz, {3, 0}).gate(Gate::kCz, {3, 1});
  expected.gate(Gate::kBarrier, {}).measure(2, 0).measure(3, 1);
  ASSERT_TRUE(expected.append({.gate = Gate::kReset, .qubits = {0}}).has_value());
  ASSERT_TRUE(expected.append({.gate = Gate::kReset, .qubits = {1}}).has_value());
  EXPECT_EQ(
      read("qreg a[2]; qreg b[2]; creg c[2]; h a; cx a, b; cz b[1], a; barrier a, b[0]; measure b -> c; reset a;"),
      expected);
}

TEST(Qasm2, angles_are_worked_out) {
  struct Case {
    std::string text;
    double value;
  };
  for (const Case& c : {Case{"pi", pi},       Case{"-pi/2", -pi / 2}, Case{"2*pi/4", 2 * pi / 4}, Case{"1-2-3", -4},
                        Case{"16/4/2", 2},    Case{"1+2*3", 7},       Case{"(1+2)*3", 9},         Case{"2^3^2", 512},
                        Case{"-2^2", -4},     Case{"2^-1", 0.5},      Case{"3*-2", -6},           Case{"-(-1)", 1},
                        Case{"+.5e1", 5},     Case{"1.", 1},          Case{"1E-2", 0.01},         Case{"sqrt(9)", 3},
                        Case{"exp(0)", 1},    Case{"ln(1)+1", 1},     Case{"cos(0)", 1},          Case{"sin(0)+2", 2},
                        Case{"tan(0)-1", -1}, Case{"007", 7}}) {
    EXPECT_EQ(angle_of(c.text), c.value) << c.text;
  }
  EXPECT_NEAR(angle_of("sin(pi/6)"), 0.5, 1e-15);
  EXPECT_NEAR(angle_of("tan(pi/4)"), 1, 1e-15);
  EXPECT_NEAR(angle_of("ln(exp(1.5))"), 1.5, 1e-15);
}

TEST(Qasm2, a_gate_that_is_defined_is_replaced_by_its_body) {
  Circuit expected = Circuit::create(3, 0).value();
  expected.gate(Gate::kRx, {2}, {Angle::constant(1)})
      .gate(Gate::kBarrier, {})
      .gate(Gate::kRx, {0}, {Angle::constant(-2)});
  expected.gate(Gate::kCx, {2, 0});
  EXPECT_EQ(read("gate half(x) q { rx(x/2) q; }\n"
                 "gate both(x, y) q, r { half(x) q; barrier q, r; half(-y) r; cx q, r; }\n"
                 "gate nothing q {} qreg q[3]; both(2, 4) q[2], q[0]; nothing q[1];"),
            expected);
}

TEST(Qasm2, a_definition_of_the_program_stands_above_the_library) {
  Circuit expected = Circuit::create(2, 0).value();
  expected.gate(Gate::kX, {0}).gate(Gate::kP, {1}, {Angle::constant(0.5)}).gate(Gate::kX, {1});
  // What was defined before means what it meant then.
  EXPECT_EQ(
      read(
          "qreg q[2]; gate old a { h a; } gate h a { x a; } gate u1(l) a { p(2*l) a; } h q[0]; u1(0.25) q[1]; h q[1];"),
      expected);
  EXPECT_EQ(read("qreg q[1]; gate old a { h a; } gate h a { x a; } old q[0];").instructions()[0].gate, Gate::kH);
}

TEST(Qasm2, without_the_library_there_are_two_gates) {
  Circuit expected = Circuit::create(2, 0).value();
  expected.gate(Gate::kU, {0}, {Angle::constant(1), Angle::constant(2), Angle::constant(3)}).gate(Gate::kCx, {0, 1});
  EXPECT_EQ(read_circuit("OPENQASM 2.0; qreg q[2]; U(1,2,3) q[0]; CX q[0],q[1];", "t").value(), expected);
  const auto without = read_circuit("OPENQASM 2.0; qreg q[1];\n h q[0];", "t");
  EXPECT_THAT(without, FailsAt("t:2:2", errors::kUnknownGate));
  EXPECT_THAT(without.error().message, HasSubstr("include \"qelib1.inc\""));
}

/// `inner` on the last qubits where the first `controls` are 1.
Column controlled(const Column& inner, std::size_t controls) {
  std::size_t side = 1;
  while (side * side < inner.size()) ++side;
  const std::size_t size = side << controls;
  const std::size_t on = (std::size_t{1} << controls) - 1;
  Column out(size * size);
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t column = 0; column < size; ++column) {
      const bool acts = (row & on) == on && (column & on) == on;
      const bool same = row == column && (row & on) != on;
      out[row * size + column] = acts ? inner[(row >> controls) * side + (column >> controls)] : same ? 1 : 0;
    }
  }
  return out;
}

/// Diagonal of a phase, as a matrix.
Column diagonal(std::initializer_list<std::complex<double>> entries) {
  Column out(entries.size() * entries.size());
  std::size_t row = 0;
  for (const auto entry : entries) {
    out[row * entries.size() + row] = entry;
    ++row;
  }
  return out;
}

TEST(Qasm2, gates_of_the_library_are_what_their_names_say) {
  using namespace std::complex_literals;
  const auto phase = [](double angle) { return std::polar(1.0, angle); };
  const auto turn = [&](double theta, double phi, double lambda) {
    return Column{std::cos(theta / 2), -phase(lambda) * std::sin(theta / 2), phase(phi) * std::sin(theta / 2),
                  phase(phi + lambda) * std::cos(theta / 2)};
  };
  const Column not_gate{0, 1, 1, 0};
  const Column root_of_not{(1.0 + 1i) / 2.0, (1.0 - 1i) / 2.0, (1.0 - 1i) / 2.0, (1.0 + 1i) / 2.0};
  Column shifted = turn(0.3, 0.5, -0.7);
  for (auto& entry : shifted) entry *= phase(1.1);
  // exp(-i theta/2 Z X): turns the second qubit about X one way or the other.
  const double c = std::cos(0.45), s = std::sin(0.45);
  const Column cross{c, 0, -1i * s, 0, 0, c, 0, 1i * s, -1i * s, 0, c, 0, 0, 1i * s, 0, c};
  struct Case {
    std::string call;
    Column matrix;
  };
  for (const Case& g :
       {Case{"u3(0.3, 0.5, -0.7) q[0];", turn(0.3, 0.5, -0.7)}, Case{"u2(0.5, -0.7) q[0];", turn(pi / 2, 0.5, -0.7)},
        Case{"u1(0.4) q[0];", diagonal({1, phase(0.4)})}, Case{"u0(3) q[0];", diagonal({1, 1})},
        Case{"cu1(0.4) q[0], q[1];", controlled(diagonal({1, phase(0.4)}), 1)},
        Case{"cu3(0.3, 0.5, -0.7) q[0], q[1];", controlled(turn(0.3, 0.5, -0.7), 1)},
        Case{"cu(0.3, 0.5, -0.7, 1.1) q[0], q[1];", controlled(shifted, 1)},
        Case{"csx q[0], q[1];", controlled(root_of_not, 1)}, Case{"rzx(0.9) q[0], q[1];", cross},
        Case{"c2p(0.4) q[0], q[1], q[2];", controlled(diagonal({1, phase(0.4)}), 2)},
        Case{"c3p(0.4) q[0], q[1], q[2], q[3];", controlled(diagonal({1, phase(0.4)}), 3)},
        Case{"c4p(0.4) q[0], q[1], q[2], q[3], q[4];", controlled(diagonal({1, phase(0.4)}), 4)},
        Case{"c3x q[0], q[1], q[2], q[3];", controlled(not_gate, 3)},
        Case{"c3sqrtx q[0], q[1], q[2], q[3];", controlled(root_of_not, 3)},
        Case{"c4x q[0], q[1], q[2], q[3], q[4];", controlled(not_gate, 4)}}) {
    std::size_t qubits = 0;
    while ((std::size_t{1} << (2 * qubits)) < g.matrix.size()) ++qubits;
    const Circuit circuit = read("qreg q[" + std::to_string(qubits) + "]; " + g.call);
    EXPECT_LT(distance_up_to_phase(unitary_of(circuit), g.matrix), 1e-14) << g.call;
  }
}

TEST(Qasm2, gates_of_relative_phase_move_states_as_the_gate_that_they_stand_for) {
  for (const auto& [call, controls] :
       {std::pair{"rccx q[0], q[1], q[2];", 2}, std::pair{"rc3x q[0], q[1], q[2], q[3];", 3}}) {
    const std::string qubits = std::to_string(controls + 1);
    const Column relative = unitary_of(read("qreg q[" + qubits + "]; " + call));
    const Column wanted = controlled({0, 1, 1, 0}, static_cast<std::size_t>(controls));
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(std::abs(relative[i]), wanted[i].real(), 1e-14) << call;
  }
}

TEST(Qasm2, a_condition_is_on_its_whole_register_and_on_all_that_a_call_becomes) {
  const Circuit got = read(
      "qreg q[2]; creg a[1]; creg b[2]; gate both x, y { h x; barrier x; cx x, y; }\n"
      "measure q -> b; if (b == 2) both q[0], q[1]; if(a==0) measure q[1] -> a[0];\n"
      "if (b == 3) reset q; x q[0];");
  Circuit expected = Circuit::create(2, 3).value();
  const auto under = [&](circuit::Condition condition, circuit::Instruction instruction) {
    instruction.condition = condition;
    ASSERT_TRUE(expected.append(instruction).has_value());
  };
  const circuit::Condition two{.first = 1, .count = 2, .value = 2};
  const circuit::Condition three{.first = 1, .count = 2, .value = 3};
  expected.measure(0, 1).measure(1, 2);
  under(two, {.gate = Gate::kH, .qubits = {0}});
  expected.gate(Gate::kBarrier, {});
  under(two, {.gate = Gate::kCx, .qubits = {0, 1}});
  under({.first = 0, .count = 1, .value = 0}, {.gate = Gate::kMeasure, .qubits = {1}, .clbit = 0});
  under(three, {.gate = Gate::kReset, .qubits = {0}});
  under(three, {.gate = Gate::kReset, .qubits = {1}});
  expected.gate(Gate::kX, {0});
  EXPECT_EQ(got, expected);
}

TEST(Qasm2, conditions_are_written_over_registers_of_their_own_where_they_do_not_overlap) {
  Circuit circuit = Circuit::create(2, 6).value();
  circuit.measure(0, 0).measure(1, 5);
  const auto under = [&](circuit::Condition condition) {
    return circuit.append({.gate = Gate::kX, .qubits = {1}, .condition = condition});
  };
  ASSERT_TRUE(under({.first = 1, .count = 2, .value = 3}).has_value());
  ASSERT_TRUE(under({.first = 3, .count = 1, .value = 0}).has_value());
  ASSERT_TRUE(under({.first = 1, .count = 2, .value = 0}).has_value());
  const std::string text = write_qasm2(circuit).value();
  EXPECT_THAT(text, HasSubstr("creg c0[1];\ncreg c1[2];\ncreg c2[1];\ncreg c3[2];\n"));
  EXPECT_THAT(text, HasSubstr("measure q[1] -> c3[1];\nif (c1 == 3) x q[1];\nif (c2 == 0) x q[1];\n"));
  EXPECT_EQ(read_circuit(text, "t.qasm").value(), circuit);
  for (const circuit::Condition& overlapping :
       {circuit::Condition{.first = 2, .count = 2, .value = 1}, circuit::Condition{.first = 1, .count = 1, .value = 1},
        circuit::Condition{.first = 0, .count = 6, .value = 1}}) {
    Circuit other = circuit;
    ASSERT_TRUE(other.append({.gate = Gate::kX, .qubits = {1}, .condition = overlapping}).has_value());
    EXPECT_EQ(write_qasm2(other).error().number, errors::kFormatCannotExpress);
  }
}

TEST(Qasm2, what_is_wrong_is_told_with_its_place) {
  struct Case {
    std::string text;
    ErrorNumber number;
    std::string place;
    std::string says;
  };
  for (const Case& c : {
           Case{"qreg q[2]\nx q[0];", errors::kFormatSyntax, "t.qasm:4:1", "expected ';', found 'x'"},
           Case{"qreg q[2];\n  x q[2];", errors::kIndexOutOfRange, "t.qasm:4:7", "use 0 to 1"},
           Case{"qreg q[2];\nx r[0];", errors::kFormatSyntax, "t.qasm:4:3", "'r' is not a register of qubits"},
           Case{"creg q[2];\nx q[0];", errors::kFormatSyntax, "t.qasm:4:3", "'q' is not a register of qubits"},
           Case{"qreg q[2]; creg q[2];", errors::kFormatSyntax, "t.qasm:3:17", "a register 'q' already"},
           Case{"qreg q[0];", errors::kFormatSyntax, "t.qasm:3:8", "1 or more"},
           Case{"qreg q[4096]; qreg r[1];", errors::kTooManyQubits, "t.qasm:3:22", "4096 qubits"},
           Case{"qreg q[99999999999999999999];", errors::kTooManyQubits, "t.qasm:3:8", "4096 qubits"},
           Case{"qreg q[2]; rX(1) q[0];", errors::kUnknownGate, "t.qasm:3:12", "there is no gate 'rX'"},
           Case{"qreg q[2]; cx q[0], q[0];", errors::kBadCircuit, "t.qasm:3:12", "a qubit twice"},
           Case{"qreg q[2]; cx q, q[1];", errors::kBadCircuit, "t.qasm:3:12", "a qubit twice"},
           Case{"qreg q[2]; qreg r[3]; cx q, r;", errors::kBadCircuit, "t.qasm:3:23", "registers of 2 and 3 qubits"},
           Case{"qreg q[2]; creg c[3]; measure q -> c;", errors::kBadCircuit, "t.qasm:3:23",
                "2 qubits are measured into 3"},
           Case{"qreg q[2]; h q[0], q[1];", errors::kBadCircuit, "t.qasm:3:12", "takes 1 qubits and is given 2"},
           Case{"qreg q[2]; rx q[0];", errors::kBadCircuit, "t.qasm:3:12", "takes 1 angles and is given 0"},
           Case{"qreg q[2]; rx(1/0) q[0];", errors::kNotFinite, "t.qasm:3:12", "an angle of rx has the value inf"},
           Case{"qreg q[2]; rx(theta) q[0];", errors::kFormatSyntax, "t.qasm:3:15", "found 'theta'"},
           Case{"qreg q[2]; rx(1e999) q[0];", errors::kNumberOutOfRange, "t.qasm:3:15", "too large"},
           Case{"qreg q[2]; rx(1 q[0];", errors::kFormatSyntax, "t.qasm:3:17", "expected ')'"},
           Case{"qreg q[2]; rx(", errors::kFormatSyntax, "t.qasm:3:15", "the end of the text"},
           Case{"qreg q[1]; creg c[2];\nif (c[0] == 1) x q[0];", errors::kFormatSyntax, "t.qasm:4:10",
                "a whole register"},
           Case{"qreg q[1]; creg c[1];\nif (q == 1) x q[0];", errors::kFormatSyntax, "t.qasm:4:5", "classical bits"},
           Case{"qreg q[1]; creg c[1];\nif (c = 1) x q[0];", errors::kFormatSyntax, "t.qasm:4:7", "expected '=='"},
           Case{"qreg q[1]; creg c[1];\nif (c == -1) x q[0];", errors::kFormatSyntax, "t.qasm:4:10", "a whole number"},
           Case{"qreg q[1]; creg c[1];\nif (c == 9223372036854775808) x q[0];", errors::kFormatCannotExpress,
                "t.qasm:4:10", "up to 9223372036854775807"},
           Case{"qreg q[1]; creg c[1];\nif (c == 1) if (c == 0) x q[0];", errors::kUnknownGate, "t.qasm:4:13", "'if'"},
           Case{"qreg q[1]; creg c[1];\nif (c == 1) barrier q;", errors::kUnknownGate, "t.qasm:4:13", "'barrier'"},
           Case{"qreg q[1]; creg c[1];\nif (c == 1) ;", errors::kFormatSyntax, "t.qasm:4:13", "a gate"},
           Case{"opaque box(x) a, b; qreg q[2];\nbox(1) q[0], q[1];", errors::kFormatCannotExpress, "t.qasm:4:1",
                "opaque"},
           Case{"include \"other.inc\";", errors::kFormatCannotExpress, "t.qasm:3:10", "only \"qelib1.inc\""},
           Case{"include \"other.inc;", errors::kFormatSyntax, "t.qasm:3:9", "a string without an end"},
           Case{"gate g a { x b; }", errors::kFormatSyntax, "t.qasm:3:14", "a qubit of the definition"},
           Case{"gate g a { g a; }", errors::kUnknownGate, "t.qasm:3:12", "there is no gate 'g'"},
           Case{"gate g a, a { x a; }", errors::kFormatSyntax, "t.qasm:3:11", "stands twice"},
           Case{"gate g a { } gate g a { }", errors::kFormatSyntax, "t.qasm:3:19", "a gate 'g' already"},
           Case{"gate measure a { }", errors::kFormatSyntax, "t.qasm:3:6", "the name of a gate"},
           Case{"gate g a, b { cx a, a; }", errors::kBadCircuit, "t.qasm:3:15", "a qubit twice"},
           Case{"creg c[1];", errors::kFormatSyntax, "t.qasm:3:11", "a register of qubits"},
           Case{"qreg q[1]; x q[0]; $", errors::kFormatSyntax, "t.qasm:3:20", "expected a statement, found '$'"},
       }) {
    const auto circuit = read_circuit(std::string(kHead) + c.text, "t.qasm");
    EXPECT_THAT(circuit, FailsAt(c.place, c.number)) << c.text;
    if (!circuit) {
      EXPECT_THAT(circuit.error().message, HasSubstr(c.says)) << c.text;
    }
  }
  EXPECT_THAT(read_circuit("OPENQASM 3.0;\nqubit q;", "t"), FailsAt("t:1:10", errors::kFormatCannotExpress));
}

TEST(Qasm2, a_text_that_grows_without_bound_is_refused) {
  const auto doubled = [](std::string body) {
    std::string text = std::string(kHead) + "gate g0 a {" + std::move(body) + "}\n";
    for (int i = 1; i < 60; ++i) text += fmt::format("gate g{} a {{ g{} a; g{} a; }}\n", i, i - 1, i - 1);
    return text + "qreg q[1]; g59 q[0];";
  };
  const CircuitLimits limits{.instructions_max = 1000};
  EXPECT_THAT(read_circuit(doubled("x a;"), "t", limits), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(read_circuit(doubled(""), "t", limits), FailsWith(errors::kModelTooLarge));
  std::string chain = std::string(kHead) + "gate g0 a { x a; }\n";
  for (int i = 1; i < 300; ++i) chain += fmt::format("gate g{} a {{ g{} a; }}\n", i, i - 1);
  EXPECT_THAT(read_circuit(chain, "t"), FailsWith(errors::kModelTooLarge));
  const std::string brackets(100'000, '(');
  EXPECT_THAT(read_circuit(std::string(kHead) + "qreg q[1]; rx(" + brackets, "t"), FailsWith(errors::kModelTooLarge));
  const std::string signs(100'000, '-');
  EXPECT_THAT(read_circuit(std::string(kHead) + "qreg q[1]; rx(" + signs, "t"), FailsWith(errors::kModelTooLarge));
}

TEST(Qasm2, what_is_written_is_the_circuit_that_is_read) {
  Circuit plain = Circuit::create(4, 2).value();
  Circuit all = Circuit::create(4, 2).value();
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    if (record.gate == Gate::kMeasure || record.gate == Gate::kReset) continue;
    circuit::Instruction instruction{.gate = record.gate};
    for (std::uint8_t i = 0; i < record.num_qubits; ++i) instruction.qubits[i] = 3u - i;
    for (std::uint8_t i = 0; i < record.num_parameters; ++i)
      instruction.angles[i] = Angle::constant(0.1 + 1.0 / (i + 3));
    ASSERT_TRUE(all.append(instruction).has_value());
    const bool known = record.gate != Gate::kGpi && record.gate != Gate::kGpi2 && record.gate != Gate::kIswap &&
                       record.gate != Gate::kRyy && record.gate != Gate::kXxPlusYy && record.gate != Gate::kMs &&
                       record.gate != Gate::kCcz;
    if (known) {
      ASSERT_TRUE(plain.append(instruction).has_value());
    }
  }
  plain.measure(1, 0);
  ASSERT_TRUE(plain.append({.gate = Gate::kReset, .qubits = {1}}).has_value());
  EXPECT_EQ(read_circuit(write_circuit(plain, CircuitFormat::kQasm2).value(), "t").value(), plain);
  const Circuit again = read_circuit(write_circuit(all, CircuitFormat::kQasm2).value(), "t").value();
  EXPECT_LT(distance_up_to_phase(unitary_of(again), unitary_of(all)), 1e-13);
  EXPECT_THAT(write_circuit(Circuit::create(1, 0, {"a"}).value(), CircuitFormat::kQasm2),
              FailsWith(errors::kFormatCannotExpress));
}

}  // namespace
}  // namespace tandem::format
