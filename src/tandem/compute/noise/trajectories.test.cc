#include "tandem/compute/noise/trajectories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tandem::noise {
namespace {

using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;

/// One h, then twenty cx.
Circuit test_circuit() {
  Circuit circuit = Circuit::create(2, 0).value();
  circuit.gate(Gate::kH, {0});
  for (int i = 0; i < 20; ++i) circuit.gate(Gate::kCx, {1, 0});
  return circuit;
}

ErrorSites test_sites(const Circuit& circuit) {
  device::Calibration calibration;
  calibration.error_1q = 0.5;
  calibration.error_2q = 0.05;
  return ErrorSites(circuit.instructions(), calibration);
}

TEST(Trajectories, every_shot_is_in_exactly_one_group) {
  const Circuit circuit = test_circuit();
  const ErrorSites sites = test_sites(circuit);
  for (const std::uint64_t patterns_max : {1u, 3u, 50u, 100'000u}) {
    const Trajectories drawn = draw_trajectories(sites, 1'000, patterns_max, 7, {}).value();
    std::uint64_t shots = drawn.error_free_shots;
    for (std::size_t i = 0; i < drawn.patterns.size(); ++i) {
      EXPECT_FALSE(drawn.patterns[i].errors.empty());
      EXPECT_TRUE(i == 0 || drawn.patterns[i - 1].errors < drawn.patterns[i].errors);
      shots += drawn.patterns[i].shots;
    }
    EXPECT_EQ(shots, 1'000u);
    EXPECT_LE(drawn.patterns.size(), patterns_max);
    EXPECT_EQ(drawn.shared_shots > 0, patterns_max < 100);
  }
}

TEST(Trajectories, a_pattern_has_its_probability_however_few_are_kept) {
  // A lone X behind h: one of the frequent patterns (0.125 * no error at twenty sites), beside thousands of rare ones.
  // Dealing shots by what is frequent among the kept would give it too much. 4000 seeds; 5.5 standard errors: 4e-8.
  const Circuit circuit = test_circuit();
  const ErrorSites sites = test_sites(circuit);
  const std::vector<PauliError> wanted{{.instruction = 0, .pauli = 1}};
  const double probability = 0.125 * std::pow(1 - 0.05 * 15 / 16, 20);
  constexpr int kSeeds = 4'000;
  constexpr std::uint64_t kShots = 100;
  for (const std::uint64_t patterns_max : {1u, 2u, 5u, 20u}) {
    double sum = 0;
    double squares = 0;
    for (int seed = 0; seed < kSeeds; ++seed) {
      const auto drawn = draw_trajectories(sites, kShots, patterns_max, static_cast<std::uint64_t>(seed), {}).value();
      const auto found = std::ranges::find(drawn.patterns, wanted, &Trajectory::errors);
      const double share = found == drawn.patterns.end() ? 0 : static_cast<double>(found->shots) / kShots;
      sum += share;
      squares += share * share;
    }
    const double mean = sum / kSeeds;
    const double error = std::sqrt((squares / kSeeds - mean * mean) / kSeeds);
    EXPECT_NEAR(mean, probability, 5.5 * error) << patterns_max;
  }
}

TEST(Trajectories, errors_stand_behind_their_instruction_on_its_qubits) {
  Circuit circuit = Circuit::create(3, 0).value();
  circuit.gate(Gate::kH, {2}).gate(Gate::kBarrier, {}).gate(Gate::kCx, {2, 0}).gate(Gate::kS, {1});
  const auto text = [&](const std::vector<PauliError>& errors) {
    std::string result;
    for (const Instruction& i : with_errors(circuit.instructions(), errors)) {
      result += std::string(circuit::gate_record(i.gate).name) + std::to_string(i.qubits[0]) + " ";
    }
    return result;
  };
  EXPECT_EQ(text({}), "h2 barrier0 cx2 s1 ");
  // Bits of `pauli`: x and z of the first qubit, then of the second.
  EXPECT_EQ(text({{0, 0b01}, {2, 0b1100}, {3, 0b10}}), "h2 x2 barrier0 cx2 y0 s1 z1 ");
  EXPECT_EQ(text({{2, 0b0111}}), "h2 barrier0 cx2 y2 x0 s1 ");
}

TEST(Trajectories, a_request_to_stop_is_seen) {
  std::stop_source source;
  source.request_stop();
  const Circuit circuit = test_circuit();
  EXPECT_EQ(draw_trajectories(test_sites(circuit), 10, 1, 1, source.get_token()).error().number, errors::kCancelled);
}

}  // namespace
}  // namespace tandem::noise
