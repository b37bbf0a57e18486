// tandem/compute/noise/noise.h - runs PUBs as a noisy device would: shot noise, depolarising gates, readout flips.
//
// Room: compute. Used by the emulated device (lab/device), so that what it returns is simulated and never made up.
// Not here: density matrices, T1/T2 relaxation and crosstalk (nothing of them is simulated; QubitCalibration's times
// are for estimates), mitigation (middleware/mitigate).
//
// Model: after every unitary gate on k = 1 or 2 qubits the depolarising channel
//   rho -> (1 - p) rho + p I/2^k (x) tr_k rho,  p = Calibration::error_1q or error_2q,
// that is, with probability p one of all 4^k Pauli strings, identity included, each alike (Nielsen & Chuang 8.3.4).
// A measured qubit reads 1 instead of 0 with readout_p01 and 0 instead of 1 with readout_p10, independently.
// Method: stochastic Pauli trajectories. Every shot draws its own Pauli errors; shots with equal draws share one state.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/device/calibration.h"
#include "tandem/model/result/pub_result.h"

namespace tandem::noise {

/// Amplitude updates (gates * 2^n, summed over trajectories) one circuit may cost: some seconds on one core.
inline constexpr std::uint64_t kAmplitudeUpdatesMax = 1ull << 32;
/// Error patterns held and simulated for one circuit, however small its state is: bounds their memory.
inline constexpr std::uint64_t kTrajectoriesMax = 1ull << 18;

struct NoiseOptions {
  std::uint64_t seed = 0;
  std::uint64_t memory_bytes_max = 0;  ///< for all states held at once
  /// With kTrajectoriesMax this bounds the distinct error patterns that are simulated; at least one is. Patterns are kept
  /// in the order the shots draw them. The first shot whose pattern would be one too many, and every erring shot behind
  /// it, takes the pattern of a kept shot instead, chosen at random. Each shot alone is then still distributed as the
  /// noise says (whether a kept shot is kept does not depend on its place among them), but shots that share a pattern
  /// are correlated: averages vary as if only the kept shots had been drawn.
  std::uint64_t amplitude_updates_max = kAmplitudeUpdatesMax;
};

/// Counts of one circuit and how they were obtained.
struct NoisyCounts {
  result::Counts counts;
  std::uint64_t trajectories = 0;  ///< states simulated, the error-free one included
  std::uint64_t error_free_shots = 0;  ///< shots that drew no error
  std::uint64_t shared_shots = 0;  ///< shots dealt to a pattern that they did not draw; 0: every shot is exact
  friend bool operator==(const NoisyCounts&, const NoisyCounts&) = default;
};

/// `shots` noisy shots of a circuit whose measurements are terminal.
///
/// Threads: blocks; trajectories and loops run on `executor`. The result depends on the arguments and the seed only.
/// Errors: 1402 backend_cannot - a measurement that is not terminal, a reset, a gate on three qubits;
///         1111 bad_circuit - nothing is measured; 1104 size_mismatch - parameter values, or more qubits than calibrated;
///         1023 value_out_of_range - shots; 1102 and 1113 as StateVector; 1004 out_of_memory - a state and what is
///         drawn from it do not fit; 1002 cancelled.
Result<NoisyCounts> sample(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                           std::uint64_t shots, const device::Calibration& calibration, const NoiseOptions& options,
                           std::stop_token stop, Executor& executor);

/// Runs every binding of `pub`: counts, or expectations in one measured basis for each group of qubit-wise commuting
/// terms (the basis change is noisy too). Nothing is exact here: observables need shots or a precision.
/// Errors: those of Pub::check() and sample(); 1402 backend_cannot - observables with neither shots nor precision;
///         1111 bad_circuit - observables of a circuit that measures.
Result<result::PubResult> run(const circuit::Pub& pub, const device::Calibration& calibration,
                              const NoiseOptions& options, std::stop_token stop, Executor& executor);

}  // namespace tandem::noise
