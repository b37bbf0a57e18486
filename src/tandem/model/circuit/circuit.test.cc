#include "tandem/model/circuit/circuit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tandem::circuit {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Every gate of the table once, with constants and symbols.
Circuit one_of_each() {
  Circuit circuit = Circuit::create(3, 3, {"gamma", "beta"}).value();
  for (const GateRecord& record : gate_table()) {
    Instruction instruction{.gate = record.gate};
    for (std::uint8_t i = 0; i < record.num_qubits; ++i) instruction.qubits[i] = 2u - i;
    for (std::uint8_t i = 0; i < record.num_parameters; ++i) {
      instruction.angles[i] = i == 0 ? Angle{.parameter = 1, .factor = -2, .offset = 0.25} : Angle::constant(0.1 * i);
    }
    if (record.gate == Gate::kMeasure) instruction.clbit = 1;
    EXPECT_TRUE(circuit.append(instruction).has_value()) << record.name;
  }
  return circuit;
}

TEST(Circuit, document_reads_back_for_every_gate) {
  const Circuit circuit = one_of_each();
  EXPECT_EQ(circuit.instructions().size(), kNumGates);
  EXPECT_EQ(Circuit::parse(circuit.document(), "").value(), circuit);
}

TEST(Circuit, document_has_the_documented_shape) {
  Circuit circuit = Circuit::create(2, 1, {"a"}).value();
  circuit.gate(Gate::kRx, {1}, {Angle::symbol(0, 2)}).gate(Gate::kCx, {0, 1}).gate(Gate::kBarrier, {}).measure(1, 0);
  const Json expected = Json::parse(R"({"num_qubits": 2, "num_clbits": 1, "parameters": ["a"], "instructions":
      [["rx", [1], [{"p": 0, "f": 2}]], ["cx", [0, 1], []], ["barrier", [], []], ["measure", [1], [], 0]]})");
  EXPECT_TRUE(circuit.document() == expected) << circuit.document();
  const Json terse = Json::parse(R"({"num_qubits": 2, "num_clbits": 1, "parameters": ["a"], "instructions":
      [["rx", [1], [{"p": 0, "f": 2}]], ["cx", [0, 1]], ["barrier", []], ["measure", [1], [], 0]]})");
  EXPECT_EQ(Circuit::parse(terse, "").value(), circuit);
}

TEST(Circuit, angles_follow_their_parameter) {
  const std::vector<double> values{10, 3};
  EXPECT_EQ((Angle{.parameter = 1, .factor = -2, .offset = 0.25}.value(values)), -5.75);
  EXPECT_EQ(Angle::symbol(0).value(values), 10);
  EXPECT_EQ(Angle::constant(0.5).value(values), 0.5);
}

TEST(Circuit, append_refuses_what_is_not_well_formed) {
  struct Case {
    Instruction instruction;
    ErrorNumber number;
  };
  for (const Case& c : {
           Case{{.gate = Gate::kCx, .qubits = {1, 1}}, errors::kBadCircuit},
           Case{{.gate = Gate::kCcx, .qubits = {0, 1, 0}}, errors::kBadCircuit},
           Case{{.gate = Gate::kX, .qubits = {0, 1}}, errors::kBadCircuit},
           Case{{.gate = Gate::kX, .angles = {Angle::constant(1)}}, errors::kBadCircuit},
           Case{{.gate = Gate::kX, .clbit = 1}, errors::kBadCircuit},
           Case{{.gate = Gate::kX, .qubits = {3}}, errors::kIndexOutOfRange},
           Case{{.gate = Gate::kMeasure, .clbit = 2}, errors::kIndexOutOfRange},
           Case{{.gate = Gate::kRx, .angles = {Angle::symbol(1)}}, errors::kIndexOutOfRange},
           Case{{.gate = Gate::kRx, .angles = {Angle::constant(kNan)}}, errors::kNotFinite},
           Case{{.gate = Gate::kRx, .angles = {Angle::symbol(0, kNan)}}, errors::kNotFinite},
       }) {
    Circuit circuit = Circuit::create(3, 2, {"a"}).value();
    const auto result = circuit.append(c.instruction);
    ASSERT_FALSE(result.has_value()) << static_cast<int>(c.instruction.gate);
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_TRUE(circuit.instructions().empty());
  }
}

TEST(Circuit, create_refuses_too_many_qubits_and_repeated_names) {
  EXPECT_EQ(Circuit::create(4097, 0).error().number, errors::kTooManyQubits);
  EXPECT_EQ(Circuit::create(1, 4097).error().number, errors::kTooManyQubits);
  EXPECT_EQ(Circuit::create(1, 1, {"a", "b", "a"}).error().number, errors::kBadCircuit);
  EXPECT_EQ(Circuit::create(1, 1, {""}).error().number, errors::kBadCircuit);
}

TEST(Circuit, measurements_are_terminal_until_a_measured_qubit_is_used_again) {
  const auto circuit = [] { return Circuit::create(2, 2).value(); };
  EXPECT_TRUE(circuit().measurements_are_terminal());
  EXPECT_TRUE(circuit().gate(Gate::kH, {0}).measure_all().measurements_are_terminal());
  EXPECT_TRUE(circuit().measure(0, 0).gate(Gate::kH, {1}).measure(1, 0).measurements_are_terminal());
  EXPECT_TRUE(circuit().measure(0, 0).gate(Gate::kBarrier, {}).measure(1, 1).measurements_are_terminal());
  EXPECT_FALSE(circuit().measure(0, 0).gate(Gate::kCx, {1, 0}).measurements_are_terminal());
  EXPECT_FALSE(circuit().measure(0, 0).measure(0, 1).measurements_are_terminal());
  EXPECT_FALSE(circuit().gate(Gate::kReset, {0}).measurements_are_terminal());
}

TEST(Circuit, depth_counts_the_longest_chain) {
  const auto circuit = [] { return Circuit::create(3, 3).value(); };
  EXPECT_EQ(circuit().depth(), 0u);
  EXPECT_EQ(circuit().gate(Gate::kH, {0}).gate(Gate::kH, {1}).gate(Gate::kH, {2}).depth(), 1u);
  EXPECT_EQ(circuit().gate(Gate::kH, {0}).gate(Gate::kCx, {0, 1}).gate(Gate::kCx, {1, 2}).depth(), 3u);
  // Without the barrier h 1 stands beside h 0; behind it, it waits.
  EXPECT_EQ(circuit().gate(Gate::kH, {0}).gate(Gate::kBarrier, {}).gate(Gate::kH, {1}).depth(), 2u);
  // Two measurements into one classical bit keep their order.
  EXPECT_EQ(circuit().measure(0, 0).measure(1, 0).depth(), 2u);
  EXPECT_EQ(circuit().measure_all().depth(), 1u);
}

TEST(Circuit, count_of_counts_unitary_gates_by_size) {
  const Circuit circuit = one_of_each();
  EXPECT_EQ(circuit.count_of(1), 18u);
  EXPECT_EQ(circuit.count_of(2), 15u);
  EXPECT_EQ(circuit.count_of(3), 3u);
}

TEST(Circuit, the_inverse_of_the_inverse_is_the_circuit) {
  Circuit circuit = Circuit::create(2, 0, {"a"}).value();
  circuit.gate(Gate::kS, {0}).gate(Gate::kRx, {1}, {Angle{.parameter = 0, .factor = 2, .offset = 1}});
  circuit.gate(Gate::kU, {0}, {Angle::constant(1), Angle::constant(2), Angle::symbol(0)}).gate(Gate::kBarrier, {});
  circuit.gate(Gate::kXxPlusYy, {1, 0}, {Angle::constant(1), Angle::constant(2)});
  const Circuit inverse = circuit.inverse().value();
  EXPECT_EQ(inverse.instructions().front().gate, Gate::kXxPlusYy);
  EXPECT_EQ(inverse.instructions().front().angles[0], Angle::constant(-1));
  EXPECT_EQ(inverse.instructions().front().angles[1], Angle::constant(2));
  EXPECT_EQ(inverse.instructions().back().gate, Gate::kSdg);
  EXPECT_EQ(inverse.inverse().value(), circuit);
  EXPECT_EQ(one_of_each().inverse().error().number, errors::kBadCircuit);
}

TEST(Circuit, a_condition_is_checked_written_and_counted_and_nothing_under_it_is_terminal_or_inverted) {
  Circuit circuit = Circuit::create(2, 3).value();
  circuit.measure(0, 2);
  const Instruction flip{.gate = Gate::kX, .qubits = {1}, .condition = {.first = 1, .count = 2, .value = 3}};
  EXPECT_TRUE(circuit.measurements_are_terminal());
  ASSERT_TRUE(circuit.append(flip).has_value());
  EXPECT_FALSE(circuit.measurements_are_terminal());
  EXPECT_EQ(circuit.depth(), 2u) << "it waits for the bit that was measured";
  EXPECT_FALSE(is_unitary(flip));
  EXPECT_TRUE(is_unitary({.gate = Gate::kX, .qubits = {1}}));
  Circuit alone = Circuit::create(2, 3).value();
  ASSERT_TRUE(alone.append(flip).has_value());
  EXPECT_EQ(alone.inverse().error().number, errors::kBadCircuit);
  const Json expected =
      Json::parse(R"([["measure", [0], [], 2], ["x", [1], [], {"first": 1, "bits": 2, "equals": 3}]])");
  EXPECT_TRUE(circuit.document()["instructions"] == expected) << circuit.document();
  EXPECT_EQ(Circuit::parse(circuit.document(), "").value(), circuit);
  const Json terse = Json::parse(R"({"num_qubits": 2, "num_clbits": 3, "instructions":
      [["measure", [0], [], 2], ["x", [1], {"first": 1, "bits": 2, "equals": 3}]]})");
  EXPECT_EQ(Circuit::parse(terse, "").value(), circuit);

  struct Case {
    Instruction instruction;
    ErrorNumber number;
  };
  for (const Case& c :
       {Case{{.gate = Gate::kX, .condition = {.first = 2, .count = 2}}, errors::kIndexOutOfRange},
        Case{{.gate = Gate::kX, .condition = {.first = UINT32_MAX, .count = 2}}, errors::kIndexOutOfRange},
        Case{{.gate = Gate::kX, .condition = {.value = 1}}, errors::kBadCircuit},
        Case{{.gate = Gate::kBarrier, .condition = {.count = 1}}, errors::kBadCircuit}}) {
    EXPECT_EQ(alone.append(c.instruction).error().number, c.number);
  }
  for (const auto& [text, place] :
       {std::pair(R"(["x", [1], {"first": 0, "bits": 0, "equals": 3}])", "/instructions/0/2/bits"),
        std::pair(R"(["x", [1], [], {"bits": 1}])", "/instructions/0/3"),
        std::pair(R"(["measure", [1], {"bits": 1, "equals": 1}])", "/instructions/0")}) {
    const Json document = {{"num_qubits", 2}, {"num_clbits", 3}, {"instructions", Json::array({Json::parse(text)})}};
    EXPECT_EQ(Circuit::parse(document, "").error().place, place) << text;
  }
}

TEST(Circuit, parse_names_the_place_of_the_error) {
  struct Case {
    std::string_view instructions;
    ErrorNumber number;
    std::string_view place;
  };
  for (const Case& c : {
           Case{R"([["hh", [0]]])", errors::kUnknownGate, "/c/instructions/0/0"},
           Case{R"([["h", [0]], ["cx", [0]]])", errors::kBadCircuit, "/c/instructions/1/1"},
           Case{R"([["rx", [0]]])", errors::kBadCircuit, "/c/instructions/0/2"},
           Case{R"([["rx", [0], [{"p": 0, "g": 1}]]])", errors::kUnknownKey, "/c/instructions/0/2/0/g"},
           Case{R"([["rx", [0], ["pi"]]])", errors::kWrongType, "/c/instructions/0/2/0"},
           Case{R"([["h", [-1]]])", errors::kValueOutOfRange, "/c/instructions/0/1"},
           Case{R"([["h", [2]]])", errors::kIndexOutOfRange, "/c/instructions/0"},
           Case{R"([["h", [0], [], 0]])", errors::kBadCircuit, "/c/instructions/0"},
           Case{R"([["measure", [0], []]])", errors::kBadCircuit, "/c/instructions/0"},
           Case{R"([["measure", [0], [], 9]])", errors::kIndexOutOfRange, "/c/instructions/0"},
           Case{R"([{"h": 0}])", errors::kWrongType, "/c/instructions/0"},
       }) {
    Json document{{"num_qubits", 2}, {"num_clbits", 1}, {"parameters", {"a"}}};
    document["instructions"] = Json::parse(c.instructions);
    const auto result = Circuit::parse(document, "/c");
    ASSERT_FALSE(result.has_value()) << c.instructions;
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_EQ(result.error().place, c.place) << c.instructions;
  }
}

Pub sample_pub() {
  Pub pub{.circuit = Circuit::create(2, 2, {"a"}).value(), .parameter_values = {{0.5}, {1.5}}, .shots = 100};
  pub.circuit.gate(Gate::kRx, {0}, {Angle::symbol(0)}).measure_all();
  return pub;
}

TEST(Pub, document_reads_back) {
  Pub pub = sample_pub();
  EXPECT_EQ(Pub::parse(pub.document(), "").value(), pub);
  pub.observables.push_back(observable::PauliSum::create(2, {{.z = 3, .coefficient = 1}}).value());
  pub.shots = 0;
  pub.precision = 0.01;
  EXPECT_EQ(Pub::parse(pub.document(), "").value(), pub);
  EXPECT_FALSE(pub.document().contains("tolerance"));
  pub.tolerance = 1e-4;
  EXPECT_EQ(Pub::parse(pub.document(), "").value(), pub);
  EXPECT_EQ(pub.num_bindings(), 2u);
  EXPECT_EQ(pub.binding(1)[0], 1.5);
}

TEST(Pub, a_pub_without_parameters_has_one_empty_binding) {
  const Pub pub{.circuit = Circuit::create(1, 1).value().measure_all(), .shots = 1};
  EXPECT_TRUE(pub.check().has_value());
  EXPECT_EQ(pub.num_bindings(), 1u);
  EXPECT_TRUE(pub.binding(0).empty());
}

TEST(Pub, parts_that_do_not_fit_are_refused_with_their_place) {
  const auto z = [](std::uint32_t n) { return observable::PauliSum::create(n, {{.z = 1, .coefficient = 1}}).value(); };
  struct Case {
    std::function<void(Pub&)> spoil;
    ErrorNumber number;
    std::string_view place;
  };
  const std::vector<Case> cases{
      {[](Pub& p) { p.parameter_values.clear(); }, errors::kUnboundParameter, "/parameter_values"},
      {[](Pub& p) { p.parameter_values[1].push_back(1); }, errors::kSizeMismatch, "/parameter_values/1"},
      {[](Pub& p) { p.parameter_values[1][0] = kNan; }, errors::kNotFinite, "/parameter_values/1/0"},
      {[&](Pub& p) { p.observables = {z(2), z(3)}; }, errors::kSizeMismatch, "/observables/1"},
      {[](Pub& p) { p.shots = 0; }, errors::kValueOutOfRange, "/shots"},
      {[](Pub& p) { p.shots = Pub::kShotsMax + 1; }, errors::kValueOutOfRange, "/shots"},
      {[](Pub& p) { p.precision = 0.1; }, errors::kValueOutOfRange, "/precision"},
      {[&](Pub& p) {
         p.observables = {z(2)};
         p.precision = 0.1;
       },
       errors::kValueOutOfRange, "/precision"},
      {[](Pub& p) { p.parameter_values.resize(Pub::kBindingsMax + 1, p.parameter_values[0]); },
       errors::kValueOutOfRange, "/parameter_values"},
      {[&](Pub& p) {  // 50,000 * 21 expectations are 1,050,000, the limit is 1,048,576
         p.parameter_values.resize(50'000, p.parameter_values[0]);
         p.observables.assign(21, z(2));
       },
       errors::kValueOutOfRange, ""},
      {[](Pub& p) { p.precision = -0.1; }, errors::kValueOutOfRange, "/precision"},
      {[](Pub& p) { p.tolerance = -1e-6; }, errors::kValueOutOfRange, "/tolerance"},
      {[](Pub& p) { p.tolerance = kNan; }, errors::kValueOutOfRange, "/tolerance"},
      {[](Pub& p) { p.tolerance = std::numeric_limits<double>::infinity(); }, errors::kValueOutOfRange, "/tolerance"},
  };
  for (const Case& c : cases) {
    Pub pub = sample_pub();
    c.spoil(pub);
    const auto result = pub.check();
    ASSERT_FALSE(result.has_value()) << c.place;
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_EQ(result.error().place, c.place);
  }
}

TEST(Pub, parse_puts_the_pointer_in_front) {
  Json document = sample_pub().document();
  document["shots"] = 0;
  EXPECT_EQ(Pub::parse(document, "/program/pubs/0").error().place, "/program/pubs/0/shots");
  document["shots"] = 1;
  document["parameter_values"][1][0] = "x";
  EXPECT_EQ(Pub::parse(document, "/program/pubs/0").error().place, "/program/pubs/0/parameter_values/1/0");
  document["circuit"]["instructions"][0][0] = "rxx";
  EXPECT_EQ(Pub::parse(document, "/p").error().place, "/p/circuit/instructions/0/1");
}

}  // namespace
}  // namespace tandem::circuit
