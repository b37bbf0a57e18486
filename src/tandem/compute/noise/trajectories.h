// tandem/compute/noise/trajectories.h - the error patterns of all shots of a circuit, grouped.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/compute/noise/error_sites.h"

namespace tandem::noise {

/// Shots that share one error pattern.
struct Trajectory {
  std::vector<PauliError> errors{};
  std::uint64_t shots = 0;
};

/// Shapes: patterns ascend, each once; the one without errors is left out and counted in error_free_shots.
struct Trajectories {
  std::vector<Trajectory> patterns{};
  std::uint64_t error_free_shots = 0;
  std::uint64_t shared_shots = 0;
};

/// Draws the errors of `shots` shots, keeping at most `patterns_max` >= 1 patterns as NoiseOptions says.
/// Errors: 1002 cancelled.
Result<Trajectories> draw_trajectories(const ErrorSites& sites, std::uint64_t shots, std::uint64_t patterns_max,
                                       std::uint64_t seed, const std::stop_token& stop);

/// The instructions of one trajectory: those of the circuit with its errors put in as x, y and z.
std::vector<circuit::Instruction> with_errors(std::span<const circuit::Instruction> instructions,
                                              std::span<const PauliError> errors);

}  // namespace tandem::noise
