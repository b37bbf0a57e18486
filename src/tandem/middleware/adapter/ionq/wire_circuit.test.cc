#include "tandem/middleware/adapter/ionq/wire_circuit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>

#include "tandem/base/testing/matchers.h"

namespace tandem::ionq {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using Complex = std::complex<double>;

constexpr Gate kAllNative[] = {Gate::kGpi, Gate::kGpi2, Gate::kMs, Gate::kRzz};

/// What the vendor's documents say of a gate: on the target, where all controls are 1. Written apart from the table of gates.
std::vector<Complex> vendor_matrix(const Json& gate) {
  const std::string name = gate["gate"];
  const double angle = gate.value("rotation", 0.0);
  const double c = std::cos(angle / 2);
  const double s = std::sin(angle / 2);
  const Complex i(0, 1);
  const double r = std::sqrt(0.5);
  const auto turn = [](double turns) { return std::polar(1.0, 2 * M_PI * turns); };
  if (name == "gpi") return {0, turn(-gate["phase"].get<double>()), turn(gate["phase"]), 0};
  if (name == "gpi2") return {r, -i * turn(-gate["phase"].get<double>()) * r, -i * turn(gate["phase"]) * r, r};
  if (name == "ms") {
    const double a = gate["phases"][0];
    const double b = gate["phases"][1];
    const double half = M_PI * gate["angle"].get<double>();
    const Complex even = -i * std::sin(half);
    return {std::cos(half),
            0,
            0,
            even * turn(-a - b),
            0,
            std::cos(half),
            even * turn(a - b),
            0,
            0,
            even * turn(b - a),
            std::cos(half),
            0,
            even * turn(a + b),
            0,
            0,
            std::cos(half)};
  }
  if (name == "zz" && gate.contains("angle")) {
    const Complex same = turn(-gate["angle"].get<double>() / 2);
    return {same, 0, 0, 0, 0, std::conj(same), 0, 0, 0, 0, std::conj(same), 0, 0, 0, 0, same};
  }
  if (name == "x") return {0, 1, 1, 0};
  if (name == "y") return {0, -i, i, 0};
  if (name == "z") return {1, 0, 0, gate.contains("rotation") ? std::polar(1.0, angle) : Complex(-1)};
  if (name == "h") return {r, r, r, -r};
  if (name == "s") return {1, 0, 0, i};
  if (name == "si") return {1, 0, 0, -i};
  if (name == "t") return {1, 0, 0, std::polar(1.0, M_PI / 4)};
  if (name == "ti") return {1, 0, 0, std::polar(1.0, -M_PI / 4)};
  if (name == "v") return {(1.0 + i) / 2.0, (1.0 - i) / 2.0, (1.0 - i) / 2.0, (1.0 + i) / 2.0};
  if (name == "vi") return {(1.0 - i) / 2.0, (1.0 + i) / 2.0, (1.0 + i) / 2.0, (1.0 - i) / 2.0};
  if (name == "rx") return {c, -i * s, -i * s, c};
  if (name == "ry") return {c, -s, s, c};
  if (name == "rz") return {std::polar(1.0, -angle / 2), 0, 0, std::polar(1.0, angle / 2)};
  if (name == "swap") return {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  if (name == "xx") return {c, 0, 0, -i * s, 0, c, -i * s, 0, 0, -i * s, c, 0, -i * s, 0, 0, c};
  if (name == "yy") return {c, 0, 0, i * s, 0, c, -i * s, 0, 0, -i * s, c, 0, i * s, 0, 0, c};
  const Complex equal = std::polar(1.0, -angle / 2);
  const Complex unequal = std::polar(1.0, angle / 2);
  EXPECT_EQ(name, "zz");
  return {equal, 0, 0, 0, 0, unequal, 0, 0, 0, 0, unequal, 0, 0, 0, 0, equal};
}

/// Applies a gate as sent to every column of a unitary on `qubits` qubits; bit i of an index is qubit i.
void apply(const Json& gate, std::uint32_t qubits, std::vector<Complex>& unitary) {
  const std::size_t size = std::size_t{1} << qubits;
  const std::vector<std::uint32_t> targets = gate.contains("target")
                                                 ? std::vector<std::uint32_t>{gate["target"].get<std::uint32_t>()}
                                                 : gate["targets"].get<std::vector<std::uint32_t>>();
  const std::vector<std::uint32_t> controls = gate.value("controls", std::vector<std::uint32_t>());
  const std::vector<Complex> matrix = vendor_matrix(gate);
  const std::size_t inner = std::size_t{1} << targets.size();
  ASSERT_EQ(matrix.size(), inner * inner) << gate.dump();
  std::vector<Complex> out(unitary.size());
  for (std::size_t row = 0; row < size; ++row) {
    bool on = true;
    for (const std::uint32_t control : controls) on = on && ((row >> control) & 1) != 0;
    std::size_t inner_row = 0;
    for (std::size_t k = 0; k < targets.size(); ++k) inner_row |= ((row >> targets[k]) & 1) << k;
    for (std::size_t column = 0; column < size; ++column) {
      if (!on) {
        out[row * size + column] = unitary[row * size + column];
        continue;
      }
      for (std::size_t inner_column = 0; inner_column < inner; ++inner_column) {
        std::size_t from = row;
        for (std::size_t k = 0; k < targets.size(); ++k) {
          from = (from & ~(std::size_t{1} << targets[k])) | (((inner_column >> k) & 1) << targets[k]);
        }
        out[row * size + column] += matrix[inner_row * inner + inner_column] * unitary[from * size + column];
      }
    }
  }
  unitary = std::move(out);
}

/// Every gate of the house is said in the vendor's words so that they do the same, up to a phase of the whole state.
TEST(WireCircuit, every_unitary_gate_keeps_its_meaning) {
  const double angles[] = {0.7, -1.9, 2.3};
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    if ((record.flags & circuit::kUnitary) == 0) continue;
    SCOPED_TRACE(record.name);
    Circuit asked = Circuit::create(3, 3).value();
    circuit::Instruction instruction{.gate = record.gate};
    for (std::uint8_t i = 0; i < record.num_qubits; ++i) instruction.qubits[i] = i;
    for (std::uint8_t i = 0; i < record.num_parameters; ++i) instruction.angles[i] = Angle::constant(angles[i]);
    ASSERT_THAT(asked.append(instruction), Succeeds());
    asked.measure_all();
    const auto wire = wire_circuit(asked, {}, kAllNative);
    ASSERT_THAT(wire, Succeeds());
    const std::uint32_t n = record.num_qubits;
    const std::size_t size = std::size_t{1} << n;
    std::vector<Complex> sent(size * size);
    for (std::size_t i = 0; i < size; ++i) sent[i * size + i] = 1;
    for (const Json& gate : wire->gates) apply(gate, n, sent);
    const auto meant = circuit::gate_unitary(record.gate, std::span(angles, record.num_parameters));
    Complex overlap = 0;  // tr(meant^+ sent) is a phase times the dimension exactly when they agree
    for (std::size_t i = 0; i < sent.size(); ++i) overlap += std::conj(meant[i]) * sent[i];
    EXPECT_NEAR(std::abs(overlap), static_cast<double>(size), 1e-12);
    EXPECT_EQ(wire->qubits, 3u);
  }
}

TEST(WireCircuit, gates_are_written_as_the_vendors_own_client_writes_them) {
  Circuit asked = Circuit::create(4, 2, {"a"}).value();
  asked.gate(Gate::kH, {0})
      .gate(Gate::kRx, {1}, {Angle::symbol(0, 2)})
      .gate(Gate::kCx, {0, 1})
      .gate(Gate::kCcx, {0, 1, 2})
      .gate(Gate::kRzz, {1, 2}, {Angle::constant(0.25)})
      .gate(Gate::kI, {2})
      .gate(Gate::kCp, {2, 0}, {Angle::constant(-0.5)})
      .measure(0, 1)
      .measure(1, 0);
  const double values[] = {0.75};
  const auto wire = wire_circuit(asked, values, {});
  ASSERT_THAT(wire, Succeeds());
  EXPECT_EQ(wire->qubits, 3u);  // the fourth does nothing
  EXPECT_EQ(wire->counts.one_qubit, 2u + 11);
  EXPECT_EQ(wire->counts.two_qubits, 3u + 8);
  EXPECT_EQ(
      wire->gates.dump(),
      R"([{"gate":"h","targets":[0]},{"gate":"rx","rotation":1.5,"targets":[1]},{"controls":[0],"gate":"x","targets":[1]},)"
      R"({"controls":[0,1],"gate":"x","targets":[2]},{"gate":"zz","rotation":0.25,"targets":[1,2]},)"
      R"({"controls":[2],"gate":"z","rotation":-0.5,"targets":[0]}])");
}

Circuit native_circuit() {
  Circuit out = Circuit::create(2, 2).value();
  out.gate(Gate::kGpi2, {0}, {Angle::constant(M_PI / 2)})
      .gate(Gate::kGpi, {1}, {Angle::constant(-M_PI)})
      .gate(Gate::kI, {1})
      .gate(Gate::kMs, {0, 1}, {Angle::constant(0), Angle::constant(M_PI), Angle::constant(M_PI / 4)})
      .gate(Gate::kRzz, {1, 0}, {Angle::constant(M_PI / 2)})
      .measure_all();
  return out;
}

TEST(WireCircuit, native_gates_go_out_in_turns) {
  const auto wire = wire_circuit(native_circuit(), {}, kAllNative);
  ASSERT_THAT(wire, Succeeds());
  EXPECT_TRUE(wire->native);
  EXPECT_EQ(wire->counts.one_qubit, 2u);
  EXPECT_EQ(wire->counts.two_qubits, 2u);
  EXPECT_EQ(wire->gates.dump(), R"([{"gate":"gpi2","phase":0.25,"target":0},{"gate":"gpi","phase":-0.5,"target":1},)"
                                R"({"angle":0.125,"gate":"ms","phases":[0.0,0.5],"targets":[0,1]},)"
                                R"({"angle":0.25,"gate":"zz","targets":[1,0]}])");
}

TEST(WireCircuit, native_gates_stand_alone_and_only_where_the_machine_has_them) {
  Circuit mixed = Circuit::create(2, 2).value();
  mixed.gate(Gate::kGpi, {0}, {Angle::constant(0)}).gate(Gate::kH, {1}).measure_all();
  const auto beside = wire_circuit(mixed, {}, kAllNative);
  ASSERT_THAT(beside, FailsWith(errors::kBackendCannot));
  EXPECT_THAT(beside.error().message, testing::HasSubstr("native gates and h in one circuit"));
  const auto foreign = wire_circuit(native_circuit(), {}, std::span(kAllNative).first(2));
  ASSERT_THAT(foreign, FailsWith(errors::kBackendCannot));
  EXPECT_THAT(foreign.error().message, testing::HasSubstr("no native gate ms; it has gpi, gpi2"));
}

TEST(WireCircuit, what_the_vendor_cannot_do_is_refused_with_the_reason) {
  Circuit middle = Circuit::create(1, 1).value();
  middle.measure(0, 0).gate(Gate::kX, {0});
  const auto refused = wire_circuit(middle, {}, {});
  ASSERT_THAT(refused, FailsWith(errors::kBackendCannot));
  EXPECT_THAT(refused.error().message, testing::HasSubstr("OpenQASM 3"));
  Circuit reset = Circuit::create(1, 1).value();
  ASSERT_THAT(reset.append({.gate = Gate::kReset}), Succeeds());
  reset.measure(0, 0);
  EXPECT_THAT(wire_circuit(reset, {}, {}), FailsWith(errors::kBackendCannot));
  Circuit silent = Circuit::create(1, 1).value();
  silent.gate(Gate::kX, {0});
  EXPECT_THAT(wire_circuit(silent, {}, {}), FailsWith(errors::kBackendCannot));
}

}  // namespace
}  // namespace tandem::ionq
