// tandem/compute/statevector/machine_profile.h - MachineProfile: what this machine does in a nanosecond, as far as planned circuits feel it.
//
// Room: compute. Pure but for the clock it is given. Not here: what a circuit costs by it (circuit_report.h), where it is kept (apps).
#pragma once

#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/compute/simd/isa.h"

namespace tandem::statevector {

/// One thread on a tile in the second-level cache: nanoseconds an amplitude.
struct WorkCosts {
  double turn = 0;  ///< above the lanes, three sharing a reading
  double lane_turn = 0;
  double phases = 0;  ///< a group, with a factor beside its table
  double pairs = 0;  ///< a gate of pairs without structure, an amplitude that it touches
  double dense = 0;  ///< a dense gate on two bits above the lanes
  double fused_peak = 0;  ///< fused operations a nanosecond, on numbers in registers
};

struct MachineProfile {
  std::string isa;
  std::size_t threads = 0;
  double memory_bytes = 0;  ///< a nanosecond, all threads: read and written in place, of far more than the caches hold
  WorkCosts narrow;
  WorkCosts wide;

  /// {"isa","threads","memory_bytes_per_ns","f32":{"turn_ns","lane_turn_ns","phases_ns","pairs_ns","dense_ns","fused_per_ns"},"f64":{...}}
  Json document() const;
  /// Errors: those of ObjectReader.
  static Result<MachineProfile> parse(const Json& document, const std::string& pointer);
};

/// Measures with kernels of `isa`. Cost: about a second, and 256 MiB.
/// Errors: 1004 out_of_memory - the machine refuses those.
Result<MachineProfile> measure_machine(simd::Isa isa, Executor& executor, const Clock& clock);

}  // namespace tandem::statevector
