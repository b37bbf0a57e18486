// tandem/compute/statevector/dense_work.h - DenseWork: dense gates on pairs of bits of a tile.
//
// Room: compute, inside statevector. Not here: which steps become one dense gate (fuse.h).
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/fuse.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// First where they are (add), then their numbers, as often as they change (bind). Immutable otherwise.
template <class Real>
class DenseWork {
 public:
  /// A dense gate of these steps on the bits of the place `bits`, which are the bits `low` and `high` of the tile, low < high. No bit of a
  /// tile is in two gates of one work.
  void add(DensePair pair, std::array<std::uint64_t, 2> bits, std::vector<std::uint32_t> steps);
  void bind(const Steps& steps);
  /// `passage`: null for none.
  void apply(Real* tile, std::uint64_t num_blocks, const TileKernels<Real>& kernels,
             const Passage<Real>* passage = nullptr) const;

  /// They mix nothing beyond a run.
  bool is_near() const { return pairs_.back().high < kRunBits<Real>; }
  std::size_t size() const { return gates_.size(); }
  std::size_t bytes() const;  ///< about

 private:
  struct Gate {
    DensePair pair;
    std::array<std::uint64_t, 2> bits;
    std::vector<std::uint32_t> steps;  ///< their numbers
  };
  std::vector<Gate> gates_;
  std::vector<DensePair> pairs_;  ///< the same pairs, for the kernel
  simd::AlignedVector<Real> coefficients_;  ///< kDenseNumbers of each
};

extern template class DenseWork<float>;
extern template class DenseWork<double>;

}  // namespace tandem::statevector
