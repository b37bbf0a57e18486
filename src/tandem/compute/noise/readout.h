// tandem/compute/noise/readout.h - histograms of basis states, and reading them wrongly.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <cstdint>
#include <stop_token>
#include <utility>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/model/device/calibration.h"

namespace tandem::noise {

/// Adds up basis states in any order. Memory: the distinct states and one buffer.
class Histogram {
 public:
  void add(std::uint64_t state, std::uint64_t count);
  /// Ascending, each state once; leaves the histogram empty.
  std::vector<statevector::BasisCount> take();

 private:
  void fold();
  std::vector<statevector::BasisCount> folded_;
  std::vector<statevector::BasisCount> buffer_;
};

/// Flips the bits of measured qubits as the calibration says, every shot on its own.
/// Errors: 1002 cancelled.
Result<std::vector<statevector::BasisCount>> misread(const std::vector<statevector::BasisCount>& states,
                                                     std::span<const std::pair<std::uint32_t, std::uint32_t>> writes,
                                                     const device::Calibration& calibration, std::uint64_t seed,
                                                     const std::stop_token& stop);

}  // namespace tandem::noise
