// tandem/compute/statevector/plan.h - Plan: steps in stages of one pass through memory each, as work on tiles that stay in the cache.
//
// Room: compute, inside statevector. Only the bits that a step mixes must lie in the tile of its stage; phases reach anywhere. Source of
// the cost: in place, reading and writing a tile of the second-level cache is five to seven times as fast as memory.
#pragma once

#include <algorithm>
#include <cstdint>
#include <variant>
#include <vector>

#include "tandem/compute/statevector/both_turns.h"
#include "tandem/compute/statevector/dense_work.h"
#include "tandem/compute/statevector/fuse.h"
#include "tandem/compute/statevector/lowering.h"
#include "tandem/compute/statevector/phase_group.h"
#include "tandem/compute/statevector/tile_gate.h"
#include "tandem/compute/statevector/tile_readings.h"

namespace tandem::statevector {

/// In bits of the place. A tile of most work has 512 KiB, the second-level cache of the machines that this was measured on, and up to four
/// times that where there are 32 tiles still, for many threads: more is done in a pass and by a group of phases, and what is done to a
/// tile needs few readings. One of little work has 16 KiB, half the first-level cache. Its rows have at least 2 KiB.
struct TileShape {
  std::uint32_t most = 0;
  std::uint32_t least = 0;
  std::uint32_t row = 0;
  std::uint32_t widest = 0;

  constexpr std::uint32_t most_of(std::uint32_t num_bits) const {
    constexpr std::uint32_t kTilesBits = 5;
    return std::max(most, std::min(widest, num_bits - std::min(num_bits, kTilesBits)));
  }
};
template <class Real>
inline constexpr TileShape kTileShape = sizeof(Real) == 4 ? TileShape{.most = 16, .least = 11, .row = 8, .widest = 18}
                                                          : TileShape{.most = 15, .least = 10, .row = 7, .widest = 17};

/// The same where a tile of each of two states is worked on.
template <class Real>
inline constexpr TileShape kPairShape = {
    .most = kTileShape<Real>.most - 1, .least = kTileShape<Real>.least, .row = kTileShape<Real>.row};

/// Turns about one axis on bits above the lanes, within a run or above it, or turns on lanes.
template <class Real>
struct TurnWork {
  std::vector<Turn<Real>> turns;  ///< bits of the tile; ascending above the lanes
  std::vector<std::uint32_t> steps;  ///< the number of the step of each
  bool on_lanes = false;

  /// They mix nothing beyond a run.
  bool is_near() const { return on_lanes || turns.back().bit < kRunBits<Real>; }
};

/// A gate of pairs, or all steps on one bit as one such gate.
template <class Real>
struct GateWork {
  TileGate<Real> gate;
  std::vector<std::uint32_t> steps;  ///< their numbers
  std::uint64_t merged = 0;  ///< the bit of the place, where the steps are phases and turns
};

template <class Real>
struct Stage {
  TileBits tile_bits;
  std::uint64_t beside =
      0;  ///< bits above a tile that its work, a gate alone, mixes or reads itself: tiles are those where they are 0
  std::vector<std::variant<PhaseGroup<Real>, TurnWork<Real>, GateWork<Real>, DenseWork<Real>, TileReadings<Real>,
                           BothTurns<Real>>>
      work;  ///< in its order
  std::vector<std::uint32_t> readings;  ///< which one each slot of the stage's readings is
};

/// What stages there are follows from what steps touch, not from their angles: make_plan() arranges them, and bind() puts the numbers in,
/// again for every other set of angles. The result of either way is the same.
template <class Real>
struct Plan {
  std::vector<Stage<Real>> stages;
  double scale = 1;  ///< by which all amplitudes are too small afterwards
  std::uint32_t row_bits = 0;  ///< the lowest ones, which every tile has
  bool takes_scale = false;  ///< of the state before: it is in the amplitudes afterwards
  bool bound = false;

  std::size_t bytes() const;  ///< about
};

template <class Real>
struct PlanOptions {
  TileShape shape = kTileShape<Real>;
  bool takes_scale = false;
  FuseCosts fuse = {};
};

static_assert(kTileShape<float>.row <= kRunBits<float> && kTileShape<double>.row <= kRunBits<double>);

/// `num_bits` is at least kLaneBits, and so are rows, which are no longer than a run; `most` is at least three bits more. Cost: O(steps * stages), and less than a
/// microsecond a step.
template <class Real>
Plan<Real> make_plan(const Steps& steps, std::uint32_t num_bits, const PlanOptions<Real>& options = {});

/// `steps`: those of make_plan(), or with other numbers (lower_again). `scale` counts where the plan takes it; it is not 0.
template <class Real>
void bind(Plan<Real>& plan, const Steps& steps, double scale, const TileKernels<Real>& kernels);

}  // namespace tandem::statevector
