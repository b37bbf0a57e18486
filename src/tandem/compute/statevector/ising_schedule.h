// tandem/compute/statevector/ising_schedule.h - layers of phases and mixers as passes over the state.
//
// Room: compute, inside statevector. Mixers of different qubits commute, and phases need no bits together: so a pass over tiles that hold
// some qubits ends one layer on them and begins the next. p layers take p + 1 passes while two kinds of tiles hold all qubits between them.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/compute/statevector/ising_form.h"

namespace tandem::statevector {

/// Tiles that hold the same bits. Those of the first kind lie in a row in memory; others are gathered by rows, block by block, so that
/// the bits that are mixed come right above the lanes and a chunk of them is small.
struct TileKind {
  TileOrder order;  ///< of a chunk
  std::uint32_t first = 0;  ///< positions that are mixed: [first, last)
  std::uint32_t last = 0;
  std::uint32_t row_bits = 0;  ///< lowest bits of the place, in a tile with all values; chunks have the lanes alone
  bool in_a_row = false;
};

struct IsingShape {
  std::uint32_t lane_bits = 0;
  std::uint32_t leaf_bits = 0;
  std::uint32_t tile_bits = 0;  ///< at most, but for kWiderBits
  std::uint32_t row_bits = 0;  ///< at most, where that costs no further kind
};

/// By so many bits tiles are larger, where that makes kinds fewer: a pass over a large state costs more than work in the cache of the
/// third level instead of the second.
inline constexpr std::uint32_t kWiderBits = 2;

/// So many bits of a tile at most are mixed by a sweep over all of it, the others by parts that stay in a nearer cache.
inline constexpr std::uint32_t kSweptBits = 3;

/// Together they mix every one of `num_qubits` bits once.
std::vector<TileKind> tile_kinds(std::uint32_t num_qubits, const IsingShape& shape);

/// What is done to a tile at a stretch. Layers count from 0; kNoLayer: that is left out.
struct IsingWork {
  static constexpr std::uint32_t kNoLayer = UINT32_MAX;
  enum class Kind : std::uint8_t {
    kAbove,  ///< mixes the bits above a part, of layer `after`
    kMirror,  ///< mixes the qubit that a symmetry took out: a place with the one that has all bits flipped, of layer `after`
    kLeaves,  ///< for each part, leaf by leaf: mixes its bits of layer `before`, phases of `phase`, mixes of `after`
  };
  Kind kind = Kind::kLeaves;
  std::uint32_t before = kNoLayer;
  std::uint32_t phase = kNoLayer;
  std::uint32_t after = kNoLayer;
};

struct IsingPass {
  std::size_t kind = 0;  ///< of tiles
  std::vector<IsingWork> work;
};

/// All layers, in order. At least one pass. `mirrors`: the first kind of tiles does.
std::vector<IsingPass> ising_passes(std::size_t num_kinds, std::uint32_t num_layers, bool mirrors);

}  // namespace tandem::statevector
