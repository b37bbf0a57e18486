// tandem/compute/statevector/phase_group.h - PhaseGroup: many commuting phases of one and two bits, applied to a tile at once.
//
// Room: compute, inside statevector. The phase of a place is a quadratic form of its bits. A tile is walked as a tree over its higher bits,
// which carries the factor of the place and those of the bits below; the lowest ones are a table that is made again only when a factor
// in it has changed. Two complex products an amplitude, and none where the factor is 1.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/factor.h"
#include "tandem/compute/statevector/lowering.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Bits of a tile, ascending, as bits of the place of an amplitude; the others are the same all over the tile.
using TileBits = std::vector<std::uint32_t>;

/// A run of a tile, or all of a smaller one.
template <class Real>
struct PhaseLeaf {
  static constexpr std::uint64_t kNone = UINT64_MAX;
  std::uint64_t place = 0;  ///< of its first amplitude in the tile
  std::uint64_t next = kNone;  ///< the same of the leaf after it
  RunPhases<Real> phases = {};
};

/// First which phases there are (add, arrange), then their factors, as often as they change (bind).
template <class Real>
class PhaseGroup {
 public:
  explicit PhaseGroup(std::uint32_t num_bits) : num_bits_(num_bits), num_slots_(num_bits), partners_(num_bits) {}
  /// The phase of step number `step`, where the bits of `mask`, one or two, are 1.
  void add(std::uint64_t mask, std::uint32_t step);
  /// To be called once all is added.
  void arrange(const TileBits& tile_bits);
  /// `scale`: a factor of every place.
  void bind(std::span<const Step> steps, double scale, const TileKernels<Real>& kernels);

  /// What a thread needs beside the tile, in numbers.
  static constexpr std::size_t kLeafBits = kRunBits<Real>;
  static constexpr std::size_t kScratch = std::size_t{2} << kLeafBits;

  /// What the leaves of a tile are to be multiplied by, each once, in an order that makes few tables. `base`: the bits outside the tile.
  /// `scratch`: kScratch numbers.
  void for_leaves(std::uint64_t base, Real* scratch, const TileKernels<Real>& kernels,
                  const std::function<void(const PhaseLeaf<Real>&)>& leaf) const;

  std::size_t bytes() const;  ///< about
  /// Fused operations an amplitude that its numbers need at least, once it is bound: a complex product, or none where the lowest bits
  /// have no phase and most leaves may be left as they are.
  double fused() const { return ones_ ? 0 : 4; }

 private:
  struct Partner {
    std::uint32_t bit;
    std::uint32_t slot;  ///< of the factor
  };
  struct Source {
    std::uint32_t step;
    std::uint32_t slot;
  };
  class Walk;
  void make_base();

  std::uint32_t num_bits_;
  std::uint32_t num_slots_;  ///< one for each bit of the place, then one for each pair
  std::vector<Source> sources_;
  std::vector<std::vector<Partner>> partners_;  ///< each pair with both of its bits
  // Arranged: positions are bits of the tile from here on.
  std::uint32_t tile_bits_ = 0;
  std::uint32_t leaf_bits_ = 0;
  std::vector<std::uint32_t> tile_slots_;  ///< of the bits of the tile
  std::vector<std::uint32_t> order_;  ///< of the bits above the leaf: what changes the leaf's table first
  std::vector<std::vector<Partner>>
      below_;  ///< of each bit above the leaf: those in the leaf, and above it those that come later
  std::vector<std::vector<Partner>> in_leaf_;  ///< of each bit of the leaf: those below it
  std::vector<std::vector<Partner>> from_outside_;  ///< of each bit of the place outside: bits of the tile
  std::vector<std::uint32_t> outside_;
  // Bound.
  bool bound_ = false;
  double scale_ = 1;
  std::vector<Factor> factors_;  ///< by slot
  std::vector<Factor> before_;  ///< those that the tables were made of
  simd::AlignedVector<Real> base_;  ///< pairs within the leaf
  simd::AlignedVector<Real> table_;  ///< and its bits, as they are where no bit above or outside changes them
  bool ones_ = false;  ///< the table has nothing else
};

extern template class PhaseGroup<float>;
extern template class PhaseGroup<double>;

}  // namespace tandem::statevector
