// tandem/hybrid/refine/refine.h - refinement of one core by several arms on the same model, graded against the exact shadow.
//
// Room: hybrid. Arms: exact shadow, annealing control and uniform random control with the same number of samples,
// QAOA on the simulator and on a device. Grades: regret, P(optimum), rank, each with an interval.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/hybrid/loop.h"
#include "tandem/hybrid/narrow/narrow.h"
#include "tandem/middleware/ansatz/training.h"
#include "tandem/middleware/encode/encode.h"
#include "tandem/model/job/result_document.h"

namespace tandem::refine {

/// The classical arms: an instrument that the quantum arms are graded with, not a choice of the router. What they find may be
/// shown to the client, but it is no merit of the hybrid run and later rounds do not build on it.
struct Control {
  std::string_view arm;
  std::string_view backend;
  std::string_view shown;  ///< to people
};
inline constexpr std::array<Control, 3> kControls = {{
    {"exact_shadow", "cpu.branch_and_bound", "the exact shadow"},
    {"annealing_control", "cpu.annealing", "the annealing control"},
    {"random_control", "cpu.random", "the random control"},
}};
bool is_control(std::string_view arm);

struct RefineOptions {
  std::vector<std::string> quantum_backends;  ///< an arm each: "simulator.statevector", "lab.device"
  std::vector<std::string> controls_left_out;  ///< backends of controls that must not run
  std::uint32_t layers = 10;  ///< at most
  /// Gates on two qubits that a backend carries in one circuit; a backend that is not named here carries any number.
  std::map<std::string, std::uint64_t> gates_2q_max;
  std::uint64_t shots = 1000;
  std::uint64_t seed = 1;
  std::uint32_t qubits_max = 20;  ///< least of the quantum backends
  /// Qubits start by the incumbent's values on the core, slack bits alike for 0 and 1. Circuits that keep cardinalities do not.
  bool warm_start = false;
  /// Angles are fitted to the core, on the simulator and within the limits of TrainOptions.
  bool train = false;
  std::vector<ansatz::Training> trained;  ///< before, on this core: is taken as it is
};

/// The circuit of a quantum arm, for lineage.
struct ArmCircuit {
  std::string backend;
  std::string schedule;  ///< of the QAOA angles
  std::string mixer;  ///< "x", "xy_complete", "xy_ring"
  std::uint32_t layers = 0;
  std::string start = "uniform";  ///< or "warm"
  std::optional<ansatz::Training> training;
  std::uint64_t gates_2q = 0;  ///< on two qubits or more
  std::string sha256;
  Json document() const;
};

/// The core encoded, and the orders of its arms, labelled "<prefix>/<arm>@<backend>".
struct Refinement {
  encode::Encoding encoding;
  std::vector<hybrid::Order> orders;
  std::vector<ArmCircuit> circuits;  ///< one a quantum backend, in their order
  std::vector<ansatz::Training>
      trained;  ///< one for each depth and number of layers, as RefineOptions::trained wants them
};
/// Every sampling arm draws `shots` samples. Circuits keep the cardinalities of the core, so the random control draws
/// uniformly among the assignments that do; annealing flips freely and pays the penalties. A backend whose gates err gets
/// as many layers as its gates carry, at least one. Training is done here, on the calling thread.
/// Errors: those of encode() and train_angles().
Result<Refinement> prepare(const narrow::Core& core, const RefineOptions& options, const std::string& prefix,
                           const std::stop_token& stop = {});

/// Samples of one arm over the encoded core, and how good they were.
struct ArmResult {
  job::ArmSummary summary;
  result::SampleSet samples;
};
/// Grades every arm against the shadow's optimum. An arm that failed has its reason in the summary.
std::vector<ArmResult> grade(const Refinement& refinement, std::span<const hybrid::Reply> replies);

/// Wilson score interval of a share, z = 1.96. `low <= successes / n <= high`; n = 0 gives [0, 1].
std::pair<double, double> wilson_interval(double successes, double n);

}  // namespace tandem::refine
