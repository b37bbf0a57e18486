#include "tandem/compute/statevector/circuit_report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tandem/compute/statevector/plan_cache.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;

/// A machine on which a gigabyte takes a second and every piece of work a nanosecond an amplitude.
MachineProfile plain_machine() {
  const WorkCosts costs{.turn = 1, .lane_turn = 1, .phases = 1, .pairs = 1, .dense = 1, .fused_peak = 1};
  return {.isa = "portable", .threads = 2, .memory_bytes = 1, .narrow = costs, .wide = costs};
}

Result<CircuitReport> report_of(const Circuit& circuit, ReportOptions options) {
  ThreadExecutor executor(2);
  const SystemClock clock;
  return report_circuit(circuit, plain_machine(), options, executor, clock);
}

TEST(CircuitReport, counts_what_a_stage_has_to_do_and_to_move) {
  // In double three bits are lanes. One tile: ry on a lane and above it, a phase between two turns, and a gate of pairs on half of it. The
  // turn about x has a phase on either side: the one before it joins the other, the one behind it is a group by itself.
  Circuit circuit = Circuit::create(12, 1, {"a"}).value();
  circuit.gate(Gate::kRy, {0}, {Angle::symbol(0)})
      .gate(Gate::kRy, {5}, {Angle::symbol(0)})
      .gate(Gate::kCz, {0, 5})
      .gate(Gate::kRx, {5}, {Angle::symbol(0)})
      .gate(Gate::kCx, {8, 9})
      .measure(0, 0);
  const CircuitReport report = report_of(circuit, {.measuring = Measuring::kPlanOnly}).value();
  EXPECT_EQ(report.gates, 5u);
  EXPECT_EQ(report.state_bytes, 65536u);
  ASSERT_EQ(report.stages.size(), 1u);
  const StageReport& stage = report.stages[0];
  EXPECT_FALSE(stage.gathered);
  EXPECT_EQ(stage.lane_turns, 1u);
  EXPECT_EQ(stage.turns, 2u);
  EXPECT_EQ(stage.phase_groups, 2u);
  EXPECT_EQ(stage.pair_gates, 1u);
  EXPECT_EQ(stage.moved_bytes, 2 * 65536.0);
  EXPECT_DOUBLE_EQ(stage.memory_s, 2 * 65536e-9);
  EXPECT_DOUBLE_EQ(stage.work_s, 5.5 * 4096e-9 / 2);  // five pieces, and one on half of the amplitudes, by two threads
  EXPECT_EQ(report.measured_s(), 0);
  EXPECT_EQ(report.share_of_limit(), 0);
  // Two a turn, four for the phases; an exchange has none. At an operation a nanosecond on each of two threads.
  EXPECT_DOUBLE_EQ(stage.fused, 14 * 4096.0);
  EXPECT_DOUBLE_EQ(report.arithmetic_limit_s, 7 * 4096e-9);
  EXPECT_EQ(report.memory_limit_s, 0);  // it fits into caches
  EXPECT_DOUBLE_EQ(report.limit_s(), 7 * 4096e-9);
}

TEST(CircuitReport, the_limit_is_that_of_the_machine_whatever_our_loops_cost) {
  Circuit circuit = Circuit::create(23, 0).value();
  for (std::uint32_t i = 0; i < 23; ++i) circuit.gate(Gate::kRy, {i}, {Angle::constant(0.3)});
  const auto limit_of = [&](double cost, double bytes, double peak) {
    MachineProfile machine = plain_machine();
    machine.memory_bytes = bytes;
    machine.wide = {.turn = cost, .lane_turn = cost, .phases = cost, .pairs = cost, .fused_peak = peak};
    ThreadExecutor executor(2);
    const SystemClock clock;
    return report_circuit(circuit, machine, {.measuring = Measuring::kPlanOnly}, executor, clock).value().limit_s();
  };
  const double amplitudes = 1 << 23;
  const double passes = 2;  // 23 bits in tiles of 15
  EXPECT_DOUBLE_EQ(limit_of(1, 1, 1000), passes * 2 * 16 * amplitudes * 1e-9);
  EXPECT_DOUBLE_EQ(limit_of(1, 1000, 1), 23 * 2 * amplitudes * 1e-9 / 2);
  EXPECT_EQ(limit_of(1, 1, 1), limit_of(100, 1, 1));
}

TEST(CircuitReport, gates_of_pairs_need_what_their_numbers_need) {
  const auto fused_of = [](Gate gate, std::initializer_list<std::uint32_t> qubits,
                           std::initializer_list<Angle> angles) {
    Circuit circuit = Circuit::create(12, 0).value();
    circuit.gate(gate, qubits, angles);
    return report_of(circuit, {.measuring = Measuring::kPlanOnly}).value().fused() / 4096;
  };
  EXPECT_EQ(fused_of(Gate::kCx, {8, 9}, {}), 0);
  EXPECT_EQ(fused_of(Gate::kCry, {8, 9}, {Angle::constant(1)}), 2);  // half of the amplitudes, four each
  EXPECT_EQ(fused_of(Gate::kCry, {0, 9}, {Angle::constant(1)}), 2);  // a control among the lanes
  EXPECT_EQ(fused_of(Gate::kCcz, {7, 8, 9}, {}), 0.5);  // an eighth
}

TEST(CircuitReport, a_dense_gate_is_one_piece_of_work) {
  Circuit circuit = Circuit::create(20, 0).value();
  for (int i = 0; i < 3; ++i)
    for (const std::uint32_t qubit : {4u, 9u, 4u}) {
      circuit.gate(Gate::kU, {qubit}, {Angle::constant(1), Angle::constant(2), Angle::constant(3)});
      circuit.gate(Gate::kCx, {4, 9});
    }
  const CircuitReport report = report_of(circuit, {.measuring = Measuring::kPlanOnly}).value();
  ASSERT_EQ(report.stages.size(), 1u);
  EXPECT_EQ(report.stages[0].dense_gates, 1u);
  EXPECT_EQ(report.stages[0].turns + report.stages[0].phase_groups + report.stages[0].pair_gates, 0u);
  EXPECT_EQ(report.moved_bytes(), 32.0 * (1 << 20));
  EXPECT_DOUBLE_EQ(report.stages[0].work_s, (1 << 20) * 1e-9 / 2);
  EXPECT_EQ(report.fused(), 16.0 * (1 << 20));  // a row of four complex numbers for each amplitude
}

TEST(CircuitReport, a_gate_alone_moves_the_amplitudes_it_changes) {
  Circuit circuit = Circuit::create(20, 0).value();
  circuit.gate(Gate::kCx, {18, 19});
  const CircuitReport report = report_of(circuit, {.measuring = Measuring::kPlanOnly}).value();
  EXPECT_EQ(report.moved_bytes(), 16.0 * (1 << 20));  // half of them, read and written
}

TEST(CircuitReport, a_run_is_timed_stage_by_stage) {
  Circuit circuit = Circuit::create(18, 0).value();
  for (std::uint32_t i = 0; i < 18; ++i) circuit.gate(Gate::kH, {i});
  for (const Precision precision : {Precision::kSingle, Precision::kDouble}) {
    const CircuitReport report = report_of(circuit, {.precision = precision, .memory_bytes_max = 1 << 23}).value();
    EXPECT_GE(report.stages.size(), 2u);
    for (const StageReport& stage : report.stages) EXPECT_GT(stage.measured_s, 0);
    EXPECT_GT(report.share_of_limit(), 0);
  }
}

TEST(CircuitReport, layers_are_told_from_what_is_planned) {
  // Without fields 16 of 17 qubits are held: three passes for two layers, and the other half afterwards.
  Circuit circuit = Circuit::create(17, 0).value();
  for (std::uint32_t i = 0; i < 17; ++i) circuit.gate(Gate::kH, {i});
  for (int layer = 0; layer < 2; ++layer) {
    for (std::uint32_t i = 0; i < 17; ++i) circuit.gate(Gate::kRzz, {i, (i + 1) % 17}, {Angle::constant(0.3)});
    for (std::uint32_t i = 0; i < 17; ++i) circuit.gate(Gate::kRx, {i}, {Angle::constant(0.4)});
  }
  circuit.gate(Gate::kRy, {3}, {Angle::constant(0.5)});
  const CircuitReport report = report_of(circuit, {.memory_bytes_max = 1 << 23}).value();
  using Kind = StageReport::Kind;
  std::vector<Kind> kinds;
  std::size_t turns = 0;
  std::size_t phases = 0;
  for (const StageReport& stage : report.stages) {
    kinds.push_back(stage.kind);
    EXPECT_GT(stage.measured_s, 0);
    if (stage.kind == Kind::kPlan) continue;
    EXPECT_EQ(stage.moved_bytes, 2.0 * 16 * (1 << 16));
    turns += stage.turns + stage.lane_turns;
    phases += stage.phase_groups;
  }
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kIsing, Kind::kIsing, Kind::kIsing, Kind::kMirror, Kind::kPlan}));
  EXPECT_EQ(turns, 2 * 17u);
  EXPECT_EQ(phases, 2u);
  EXPECT_EQ(to_string(Kind::kMirror), "mirror");
}

TEST(CircuitReport, a_tolerance_decides_the_precision) {
  Circuit circuit = Circuit::create(18, 18).value();
  for (std::uint32_t i = 0; i < 18; ++i) circuit.gate(Gate::kRy, {i}, {Angle::constant(0.3)});
  circuit.measure_all();
  const auto with = [&](double tolerance) {
    return report_of(circuit, {.tolerance = tolerance, .measuring = Measuring::kPlanOnly});
  };
  const CircuitReport plain = with(0).value();
  EXPECT_EQ(plain.precision, Precision::kDouble);
  EXPECT_LT(plain.double_rounding, plain.single_rounding);
  const CircuitReport coarse = with(plain.single_rounding).value();
  EXPECT_EQ(coarse.precision, Precision::kSingle);
  EXPECT_EQ(2 * coarse.state_bytes, plain.state_bytes);
  EXPECT_EQ(with(plain.double_rounding)->precision, Precision::kDouble);
  EXPECT_EQ(with(0.5 * plain.double_rounding).error().place, "/tolerance");
  EXPECT_EQ(with(std::nan("")).error().number, errors::kValueOutOfRange);
  // As a run of the circuit chooses it.
  PlanCache<float> narrow;
  PlanCache<double> wide;
  const circuit::Pub pub{.circuit = circuit, .shots = 1, .tolerance = plain.single_rounding};
  EXPECT_EQ(choose_precision(pub, narrow, wide)->rounding, plain.single_rounding);
}

TEST(CircuitReport, what_cannot_be_is_refused) {
  EXPECT_EQ(report_of(Circuit::create(41, 0).value(), {}).error().number, errors::kTooManyQubits);
  EXPECT_EQ(report_of(Circuit::create(10, 0).value(), {.memory_bytes_max = 16383}).error().number,
            errors::kOutOfMemory);
  Circuit reset = Circuit::create(2, 0).value();
  reset.gate(Gate::kReset, {0});
  EXPECT_EQ(report_of(reset, {.memory_bytes_max = 1 << 20}).error().number, errors::kBadCircuit);
}

TEST(MachineProfile, is_read_as_it_was_written) {
  ThreadExecutor executor(2);
  const SystemClock clock;
  const MachineProfile measured = measure_machine(simd::best_isa(), executor, clock).value();
  EXPECT_EQ(measured.threads, 2u);
  EXPECT_GT(measured.memory_bytes, 0);
  for (const WorkCosts& costs : {measured.narrow, measured.wide}) {
    for (const double value : {costs.turn, costs.lane_turn, costs.phases, costs.pairs, costs.dense, costs.fused_peak}) {
      EXPECT_GT(value, 0);
      EXPECT_TRUE(std::isfinite(value));
    }
  }
  EXPECT_EQ(MachineProfile::parse(measured.document(), "").value().document(), measured.document());
  EXPECT_EQ(MachineProfile::parse(Json::object(), "").error().number, errors::kMissingKey);
}

}  // namespace
}  // namespace tandem::statevector
