// tandem/middleware/ansatz/training.h - angles of QAOA fitted to one instance: from a schedule downhill, by gradients of the simulator.
//
// Room: middleware. Deterministic: the simulator's bytes depend neither on threads nor on the machine. Not here: schedules (qaoa.h), the
// descent itself (minimize.h).
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "tandem/base/executor.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/middleware/ansatz/qaoa.h"

namespace tandem::ansatz {

struct TrainOptions {
  /// Of value and gradient. Measured: what is gained beyond is below a thousandth of the spread of energies.
  std::uint32_t evaluations_max = 60;
  /// Amplitudes times layers times evaluations, two or three seconds of one core; where numbers of ones are kept, times a quarter of
  /// the pairs and free qubits that a layer mixes.
  std::uint64_t work_max = std::uint64_t{1} << 27;
  std::uint64_t memory_bytes_max = std::uint64_t{1} << 30;
};
/// With fewer evaluations than this nothing is trained: the first few only find the length of a step.
inline constexpr std::uint32_t kEvaluationsMin = 8;

struct Training {
  Depth depth = Depth::kFree;
  QaoaAngles start;
  QaoaAngles end;  ///< its schedule is "trained(...)" where something was gained
  /// Means of the model's energy under both, on a perfect device: never higher at the end. Empty: nothing was evaluated.
  std::optional<double> start_value;
  std::optional<double> end_value;
  std::uint32_t evaluations = 0;
  std::string stop;  ///< that of Minimum; "budget": there was none to begin with

  Json document() const;
  /// Errors: those of ObjectReader; 1104 size_mismatch.
  static Result<Training> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Training&, const Training&) = default;
};

/// The mean of the whole `bqm` under qaoa_circuit(bqm, angles, options) goes down from `start`. Within `options` of both: a warm start and
/// cardinalities are as the circuit has them.
/// Errors: 1002 cancelled; 1004 out_of_memory; 1104 size_mismatch.
Result<Training> train_angles(const problem::Bqm& bqm, const QaoaAngles& start, const QaoaOptions& options,
                              const TrainOptions& limits, Executor& executor, const std::stop_token& stop = {});

}  // namespace tandem::ansatz
