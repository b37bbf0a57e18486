#include "tandem/lab/ionq/submission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/lab/ionq/tolerance.h"

namespace tandem::lab {
namespace {

using testing::HasSubstr;
using Complex = std::complex<double>;

constexpr const char* kCirq = "cirq/1.7.0 (python/3.11)";
constexpr const char* kQiskit = "qiskit-ionq/1.1.1 (qiskit/2.1)";

Json good() {
  return {{"type", "ionq.circuit.v1"},
          {"backend", "simulator"},
          {"shots", 10},
          {"metadata", {{"a", "b"}}},
          {"input",
           {{"qubits", 3},
            {"gateset", "qis"},
            {"circuit", {{{"gate", "h"}, {"target", 0}}, {{"gate", "cnot"}, {"control", 0}, {"target", 1}}}}}}};
}

Json with_gates(const char* gateset, Json gates, int qubits = 3) {
  Json out = good();
  out["input"] = {{"gateset", gateset}, {"qubits", qubits}, {"circuit", std::move(gates)}};
  return out;
}

/// What the gates make of the basis state `from`; bit i is qubit i.
std::vector<Complex> column(const circuit::Circuit& circuit, std::uint64_t from) {
  ThreadExecutor executor(1);
  auto state = statevector::StateVector::create(circuit.num_qubits(), 1u << 20, executor).value();
  state.set_basis_state(from);
  std::vector<circuit::Instruction> gates;
  for (const circuit::Instruction& one : circuit.instructions())
    if (one.gate != circuit::Gate::kMeasure) gates.push_back(one);
  EXPECT_TRUE(state.apply(gates, {}).has_value());
  std::vector<Complex> out;
  for (std::uint64_t i = 0; i < std::uint64_t{1} << circuit.num_qubits(); ++i) out.push_back(state.amplitude(i));
  return out;
}

/// Row-major, exactly: also the phase.
void expect_matrix(const Json& gates, const std::vector<Complex>& expected, int qubits) {
  const auto read = parse_ionq_submission(with_gates("native", gates, qubits), "", 5);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  const std::size_t size = std::size_t{1} << qubits;
  for (std::size_t c = 0; c < size; ++c) {
    const auto got = column(read->circuit, c);
    for (std::size_t r = 0; r < size; ++r)
      EXPECT_NEAR(std::abs(got[r] - expected[r * size + c]), 0, 1e-12) << gates << r << c;
  }
}

/// The matrices of the vendor's page "Getting started with native gates", phases and angles in turns. There the first qubit is the
/// higher bit of an index, here the lower.
TEST(IonqSubmission, native_gates_are_the_matrices_that_the_vendor_documents) {
  const Complex i(0, 1);
  const double p = 0.1;
  const double q = 0.3;
  const double root = std::sqrt(0.5);
  const auto e = [](double turns) { return std::polar(1.0, 2 * M_PI * turns); };
  expect_matrix({{{"gate", "gpi"}, {"target", 0}, {"phase", p}}}, {0, e(-p), e(p), 0}, 1);
  expect_matrix({{{"gate", "gpi2"}, {"target", 0}, {"phase", p}}}, {root, -i * e(-p) * root, -i * e(p) * root, root},
                1);
  const double half = M_PI * 0.125;  // half of the angle in radians
  const double c = std::cos(half);
  const double s = std::sin(half);
  const Json ms = {{{"gate", "ms"}, {"targets", {0, 1}}, {"phases", {p, q}}, {"angle", 0.125}}};
  expect_matrix(
      ms,
      {c, 0, 0, -i * e(-p - q) * s, 0, c, -i * e(p - q) * s, 0, 0, -i * e(q - p) * s, c, 0, -i * e(p + q) * s, 0, 0, c},
      2);
  const double quarter = M_PI * 0.25;
  const Complex a = std::polar(1.0, -quarter);
  const Complex b = std::polar(1.0, quarter);
  expect_matrix({{{"gate", "zz"}, {"targets", {0, 1}}, {"angle", 0.25}}},
                {a, 0, 0, 0, 0, b, 0, 0, 0, 0, b, 0, 0, 0, 0, a}, 2);
  expect_matrix({{{"gate", "nop"}}}, {1, 0, 0, 1}, 1);
}

/// Every gate with controls does what the gate does where the controls are 1, and nothing elsewhere.
TEST(IonqSubmission, controls_decide_whether_a_gate_acts) {
  for (const char* name : {"x", "y", "z", "h", "s", "si", "t", "ti", "v", "vi", "rx", "ry", "rz", "not"}) {
    for (const std::vector<int>& controls : {std::vector<int>{1}, std::vector<int>{1, 2}}) {
      const std::string_view word = name;
      if (controls.size() == 2 && word != "x" && word != "z") continue;
      Json plain = {{"gate", name}, {"targets", {0}}};
      if (word.size() == 2 && word[0] == 'r') plain["rotation"] = 0.7;
      Json controlled = plain;
      controlled["controls"] = controls;
      const auto free = parse_ionq_submission(with_gates("qis", {plain}), "", 5);
      const auto bound = parse_ionq_submission(with_gates("qis", {controlled}), "", 5);
      ASSERT_TRUE(free.has_value() && bound.has_value()) << name;
      for (std::uint64_t from = 0; from < 8; ++from) {
        bool on = true;
        for (const int control : controls) on = on && ((from >> control) & 1) != 0;
        std::vector<Complex> expected(8);
        expected[from] = 1;
        if (on) expected = column(free->circuit, from);
        const auto got = column(bound->circuit, from);
        for (std::size_t r = 0; r < 8; ++r) EXPECT_NEAR(std::abs(got[r] - expected[r]), 0, 1e-12) << name << from;
      }
    }
  }
}

TEST(IonqSubmission, what_the_text_does_not_allow_is_refused_with_its_place) {
  struct Case {
    const char* what;
    std::function<void(Json&)> change;
    const char* key;
  };
  const Case cases[] = {
      {"unknown member", [](Json& d) { d["lang"] = "json"; }, "lang"},
      {"null is no absence", [](Json& d) { d["session_id"] = nullptr; }, "session_id"},
      {"no backend", [](Json& d) { d.erase("backend"); }, "backend"},
      {"another type", [](Json& d) { d["type"] = "ionq.multi-circuit.v1"; }, "type"},
      {"text for a number", [](Json& d) { d["shots"] = "10"; }, "shots"},
      {"no shots", [](Json& d) { d["shots"] = 0; }, "shots"},
      {"too many shots", [](Json& d) { d["shots"] = 1'000'001; }, "shots"},
      {"half a shot", [](Json& d) { d["shots"] = 1.5; }, "shots"},
      {"a number in metadata", [](Json& d) { d["metadata"]["n"] = 1; }, "metadata.n"},
      {"null metadata", [](Json& d) { d["metadata"] = nullptr; }, "metadata"},
      {"noise of a machine",
       [](Json& d) {
         d["backend"] = "qpu.forte-1";
         d["noise"] = {{"model", "ideal"}};
       },
       "noise"},
      {"unknown noise", [](Json& d) { d["noise"] = {{"model", "loud"}}; }, "noise.model"},
      {"no seed", [](Json& d) { d["noise"] = {{"model", "ideal"}, {"seed", nullptr}}; }, "noise.seed"},
      {"debiasing of few", [](Json& d) { d["settings"] = {{"error_mitigation", {{"debiasing", true}}}}; },
       "settings.error_mitigation.debiasing"},
      {"compilation that is text", [](Json& d) { d["settings"] = {{"compilation", "fast"}}; }, "settings.compilation"},
      {"opt that is text", [](Json& d) { d["settings"] = {{"compilation", {{"opt", "1"}}}}; },
       "settings.compilation.opt"},
      {"precision that is a number", [](Json& d) { d["settings"] = {{"compilation", {{"precision", 1e-3}}}}; },
       "settings.compilation.precision"},
      {"dry run", [](Json& d) { d["dry_run"] = true; }, "dry_run"},
      {"dry run of no type", [](Json& d) { d["dry_run"] = "no"; }, "dry_run"},
      {"no gateset", [](Json& d) { d["input"].erase("gateset"); }, "input.gateset"},
      {"too wide", [](Json& d) { d["input"]["qubits"] = 6; }, "input.qubits"},
      {"too narrow", [](Json& d) { d["input"]["qubits"] = 1; }, "input.qubits"},
      {"format of v0.3", [](Json& d) { d["input"]["format"] = "ionq.circuit.v0"; }, "input.format"},
      {"unknown gate", [](Json& d) { d["input"]["circuit"][0]["gate"] = "g"; }, "input.circuit[0].gate"},
      {"native gate", [](Json& d) { d["input"]["circuit"][0] = {{"gate", "gpi"}, {"target", 0}}; },
       "input.circuit[0].gate"},
      {"unknown member of a gate", [](Json& d) { d["input"]["circuit"][0]["phase"] = 1; }, "input.circuit[0].phase"},
      {"both targets", [](Json& d) { d["input"]["circuit"][0]["targets"] = {0}; }, "input.circuit[0].target"},
      {"no target", [](Json& d) { d["input"]["circuit"][0].erase("target"); }, "input.circuit[0].target"},
      {"qubit beyond", [](Json& d) { d["input"]["circuit"][0]["target"] = 5; }, "input.circuit[0].target"},
      {"half a qubit", [](Json& d) { d["input"]["circuit"][0]["target"] = 0.5; }, "input.circuit[0].target"},
      {"control is target", [](Json& d) { d["input"]["circuit"][1]["control"] = 1; }, "input.circuit[1]"},
      {"no rotation", [](Json& d) { d["input"]["circuit"][0]["gate"] = "rx"; }, "input.circuit[0].rotation"},
      {"rotation of h", [](Json& d) { d["input"]["circuit"][0]["rotation"] = 1; }, "input.circuit[0].rotation"},
      {"one of a pair", [](Json& d) { d["input"]["circuit"][0]["gate"] = "swap"; }, "input.circuit[0].targets"},
  };
  ASSERT_TRUE(parse_ionq_submission(good(), "", 5).has_value());
  for (const Case& one : cases) {
    Json document = good();
    one.change(document);
    const auto read = parse_ionq_submission(document, "", 5);
    ASSERT_FALSE(read.has_value()) << one.what;
    EXPECT_THAT(read.error().keys, testing::ElementsAre(one.key)) << one.what << ": " << read.error().message;
  }
}

TEST(IonqSubmission, settings_that_the_text_allows_are_taken) {
  Json document = good();
  document["settings"] = {{"compilation", {{"opt", 1}, {"precision", "1E-3"}, {"more", "of it"}}},
                          {"error_mitigation", {{"debiasing", false}}}};
  EXPECT_TRUE(parse_ionq_submission(document, "", 5).has_value());
}

TEST(IonqSubmission, whole_turns_change_nothing_however_many) {
  for (const Json& gate : {Json{{"gate", "gpi"}, {"target", 0}, {"phase", 1e308}},
                           Json{{"gate", "zz"}, {"targets", {0, 1}}, {"angle", -1e308}},
                           Json{{"gate", "ms"}, {"targets", {0, 1}}, {"phases", {1e308, 3}}, {"angle", 1e17}}})
    EXPECT_TRUE(parse_ionq_submission(with_gates("native", Json::array({gate}), 2), "", 5).has_value()) << gate;
}

TEST(IonqSubmission, each_tolerance_is_of_its_client_alone) {
  const auto takes = [](const Json& document, const char* agent) {
    return parse_ionq_submission(document, agent, 5).has_value();
  };
  Json lang = good();
  lang["lang"] = "json";
  Json text = good();
  text["shots"] = "10";
  Json seed = good();
  seed["noise"] = {{"model", "ideal"}, {"seed", nullptr}};
  for (const auto& [document, cirq, qiskit] :
       {std::tuple{lang, true, false}, {text, true, false}, {seed, false, true}}) {
    EXPECT_EQ(takes(document, kCirq), cirq) << document;
    EXPECT_EQ(takes(document, kQiskit), qiskit) << document;
    EXPECT_FALSE(takes(document, "curl/7")) << document;
  }
  for (const ToleranceRecord& record : tolerance_table()) {
    EXPECT_TRUE(tolerates(std::string(record.client) + "9", record.tolerance));
    EXPECT_FALSE(tolerates("", record.tolerance));
  }
}

}  // namespace
}  // namespace tandem::lab
