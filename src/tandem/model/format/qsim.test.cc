#include "tandem/model/format/qsim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/format/testing/circuit_unitary.h"

namespace tandem::format {
namespace {

using circuit::Circuit;
using circuit::Gate;
using std::numbers::pi;
using testing::HasSubstr;
using Complex = std::complex<double>;

/// cos(angle/2) - i sin(angle/2) A of a matrix A that is its own inverse.
Column turn(double angle, const Column& axis) {
  Column out;
  for (std::size_t i = 0; i < axis.size(); ++i)
    out.push_back((i == 0 || i == 3 ? std::cos(angle / 2) : 0) - Complex(0, std::sin(angle / 2)) * axis[i]);
  return out;
}

TEST(Qsim, gates_are_what_the_format_says) {
  const Complex i(0, 1);
  const double h = std::numbers::sqrt2 / 2;
  const Column x{0, 1, 1, 0}, y{0, -i, i, 0}, z{1, 0, 0, -1};
  const Column w{0, h * (1.0 - i), h * (1.0 + i), 0};  // (X + Y) / sqrt 2
  const auto in_plane = [&](double theta) {  // cos(theta) X + sin(theta) Y
    return Column{0, std::polar(1.0, -theta), std::polar(1.0, theta), 0};
  };
  struct Case {
    std::string line;
    Column matrix;
  };
  for (const Case& c : {
           Case{"id1 0", {1, 0, 0, 1}},
           Case{"h 0", {h, h, h, -h}},
           Case{"t 0", {1, 0, 0, std::polar(1.0, pi / 4)}},
           Case{"s 0", {1, 0, 0, i}},
           Case{"x 0", x},
           Case{"y 0", y},
           Case{"z 0", z},
           Case{"x_1_2 0", turn(pi / 2, x)},
           Case{"y_1_2 0", turn(pi / 2, y)},
           Case{"hz_1_2 0", turn(pi / 2, w)},
           Case{"rx 0 0.79", turn(0.79, x)},
           Case{"ry 0 1.05", turn(1.05, y)},
           Case{"rz 0 -0.3", turn(-0.3, z)},
           Case{"rxy 0 1.05 0.79", turn(0.79, in_plane(1.05))},
           Case{"cz 0 1", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1}},
           Case{"cnot 0 1", {1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0}},
           Case{"cnot 1 0", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0}},
           Case{"is 0 1", {1, 0, 0, 0, 0, 0, i, 0, 0, i, 0, 0, 0, 0, 0, 1}},
           Case{"sw 0 1", {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1}},
           Case{"cp 0 1 0.78", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, std::polar(1.0, 0.78)}},
           Case{"id2 0 1", {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}},
           Case{"fs 0 1 0.6 0.4",
                {1, 0, 0, 0, 0, std::cos(0.6), -i * std::sin(0.6), 0, 0, -i * std::sin(0.6), std::cos(0.6), 0, 0, 0, 0,
                 std::polar(1.0, -0.4)}},
       }) {
    const std::string qubits = c.matrix.size() == 4 ? "1" : "2";
    const auto circuit = read_circuit(qubits + "\n0 " + c.line + "\n", "t");
    ASSERT_THAT(circuit, Succeeds()) << c.line;
    EXPECT_LT(distance_up_to_phase(unitary_of(*circuit), c.matrix), 1e-15) << c.line;
  }
}

TEST(Qsim, gates_act_in_the_order_of_their_lines) {
  Circuit expected = Circuit::create(3, 3).value();
  expected.gate(Gate::kH, {1}).gate(Gate::kCx, {1, 2}).gate(Gate::kT, {0}).measure(2, 0).measure(0, 1).measure(1, 2);
  EXPECT_EQ(read_circuit("3\r\n0 h 1\n\n1 cnot 1 2\n0 t 0\n2 m 2 0\n9 m 1\n", "t").value(), expected);
}

TEST(Qsim, what_is_wrong_is_told_with_its_place) {
  struct Case {
    std::string text;
    ErrorNumber number;
    std::string place;
    std::string says;
  };
  for (const Case& c : {
           Case{"0\n", errors::kFormatSyntax, "t:1:1", "the number of qubits"},
           Case{"4097\n", errors::kTooManyQubits, "t:1:1", "4096"},
           Case{"2 2\n", errors::kFormatSyntax, "t:1:3", "the end of the line"},
           Case{"2\n0 hh 0\n", errors::kUnknownGate, "t:2:3", "'hh'"},
           Case{"2\n0 h 2\n", errors::kFormatSyntax, "t:2:5", "a qubit from 0 to 1"},
           Case{"2\n-1 h 0\n", errors::kFormatSyntax, "t:2:1", "a time"},
           Case{"2\n0 cz 1 1\n", errors::kFormatSyntax, "t:2:8", "times have to grow"},
           Case{"2\n3 h 0\n2 h 0\n", errors::kFormatSyntax, "t:3:5", "at time 2 and before that at time 3"},
           Case{"2\n0 rx 0\n", errors::kFormatSyntax, "t:2:7", "a finite number"},
           Case{"2\n0 rx 0 1 2\n", errors::kFormatSyntax, "t:2:10", "the end of the line"},
           Case{"2\n0 fs 0 1 1e308 0\n", errors::kNotFinite, "t:2:16", "twice the angle"},
           Case{"2\n0 m\n", errors::kFormatSyntax, "t:2:4", "a qubit"},
       }) {
    const auto circuit = read_circuit(c.text, "t", {}, CircuitFormat::kQsim);
    EXPECT_THAT(circuit, FailsAt(c.place, c.number)) << c.text << (circuit ? "" : circuit.error().to_string());
    if (!circuit) {
      EXPECT_THAT(circuit.error().message, HasSubstr(c.says)) << c.text;
    }
  }
  EXPECT_THAT(read_circuit("1\n0 h 0\n1 h 0\n", "t", {.instructions_max = 1}),
              FailsAt("t:3:5", errors::kModelTooLarge));
}

TEST(CircuitFile, the_format_is_told_from_the_text) {
  struct Case {
    std::string text;
    std::optional<CircuitFormat> format;
  };
  for (const Case& c : {
           Case{"// a comment\nOPENQASM 2.0;", CircuitFormat::kQasm2},
           Case{"\n include \"qelib1.inc\";", CircuitFormat::kQasm2},
           Case{"qreg q[1];", CircuitFormat::kQasm2},
           Case{"24\n0 h 0\n", CircuitFormat::kQsim},
           Case{R"({"num_qubits": 1, "num_clbits": 0, "instructions": []})", CircuitFormat::kDocument},
           Case{"3 2\n1 2 1\n", std::nullopt},
           Case{"3\n1 2 1\n", std::nullopt},
           Case{"p edge 3 2\ne 1 2\n", std::nullopt},
           Case{R"({"type": "qubo", "num_variables": 2})", std::nullopt},
           Case{"", std::nullopt},
           Case{"program:\n", std::nullopt},
           Case{R"({"program": [{"circuit": {"num_qubits": 1, "instructions": []}}]})", std::nullopt},
       }) {
    EXPECT_EQ(detect_circuit(c.text), c.format) << c.text;
  }
  for (const CircuitFormat format : {CircuitFormat::kDocument, CircuitFormat::kQasm2, CircuitFormat::kQsim})
    EXPECT_EQ(parse_circuit_format(to_string(format)).value(), format);
  EXPECT_THAT(parse_circuit_format("qasm3"), FailsWith(errors::kFormatUnknown));
  EXPECT_THAT(read_circuit("3 2\n1 2 1\n", "t"), FailsAt("t", errors::kFormatUnknown));
  EXPECT_THAT(read_circuit("qreg q[1];", "t", {.bytes_max = 3}), FailsAt("t", errors::kInputTooLarge));
}

TEST(CircuitFile, a_document_is_read_and_written) {
  Circuit circuit = Circuit::create(2, 1, {"a"}).value();
  circuit.gate(Gate::kH, {0}).gate(Gate::kRx, {1}, {circuit::Angle::symbol(0)}).measure(1, 0);
  EXPECT_EQ(read_circuit(write_circuit(circuit, CircuitFormat::kDocument).value(), "t").value(), circuit);
  EXPECT_THAT(write_circuit(circuit, CircuitFormat::kQsim), FailsWith(errors::kFormatCannotExpress));
}

}  // namespace
}  // namespace tandem::format
