// tandem/compute/statevector/fuse.h - steps on one pair of bits as one dense step, where that costs less than its pieces.
//
// Room: compute, inside statevector. What is fused follows from what steps touch, never from their angles or from the machine: the same
// circuit is rounded the same way everywhere. Not here: the numbers of a dense step in a tile (dense_work.h).
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/statevector/lowering.h"

namespace tandem::statevector {

/// What a dense step costs, in turns of one bit above the lanes over all amplitudes.
struct FuseCosts {
  double dense = 4.5;  ///< sixteen fused operations an amplitude, a turn being two, but never waiting for memory
  /// For each step in it: its product with the others, which is made anew for other angles. In turns of one amplitude.
  double bound = 512;
};

/// `steps` in an order in which they may be done, with dense ones among them.
struct FusedSteps {
  std::vector<Step> steps;
  std::vector<std::uint32_t> numbers;  ///< of each: which of the given steps it is; of a dense one the first in it
  std::vector<std::vector<std::uint32_t>> members;  ///< of dense steps, by Step::gate: the given steps, in order
};

/// `lane_bits`: the lowest bits, on which steps cost more. Cost: O(steps).
FusedSteps fuse(const Steps& steps, std::uint32_t num_bits, std::uint32_t lane_bits, const FuseCosts& costs);

/// Row-major, of two dimensions in the first entries or of four. Bit i of an index is `bits[i]`.
using Product = std::array<std::complex<double>, 16>;
/// Of steps that touch one or two `bits` and no others, in order.
Product product_of(const Steps& steps, std::span<const std::uint32_t> numbers, std::span<const std::uint64_t> bits);

}  // namespace tandem::statevector
