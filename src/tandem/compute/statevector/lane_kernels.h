// tandem/compute/statevector/lane_kernels.h - turns of the bits within a block, in registers, behind the phases that stand before them.
//
// Room: compute, inside statevector; for its kernels only (compute/simd/isa.h).
#pragma once

#include "tandem/compute/statevector/tile_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {

/// Turns on the lane bits of `kBits`, one a bit.
template <class Real, unsigned kBits, bool kAboutX>
struct LaneTurns {
  Vector<Real> keep[kLaneBits<Real>];
  Vector<Real> mix[kLaneBits<Real>];  ///< about y within a vector: less than 0 where the bit is 0

  LaneTurns() = default;
  explicit LaneTurns(const Turn<Real>* turns) {
#pragma GCC unroll 4
    for (std::size_t bit = 0; bit < kLaneBits<Real>; ++bit) {
      if ((kBits >> bit & 1) == 0) continue;
      const Turn<Real>& turn = *turns++;
      const Real ratio = turn.large ? Real(1) : turn.ratio;
      keep[bit] = all(turn.large ? turn.ratio : Real(1));
      mix[bit] = all(ratio);
      if (kAboutX || !is_within(bit)) continue;
      for (std::size_t l = 0; l < kWidth<Real>; ++l) mix[bit][l] = (l >> bit & 1) != 0 ? ratio : -ratio;
    }
  }

  /// To several blocks at once, bit by bit, so that none waits for itself. `kAnyLarge`: some turns may leave out the sine, which takes a
  /// product more for all.
  template <bool kAnyLarge, std::size_t kBlocks>
  __attribute__((always_inline)) void apply(Half<Real> (&re)[kBlocks], Half<Real> (&im)[kBlocks]) const {
    if constexpr ((kBits & 1) != 0) each<0, kAnyLarge>(re, im);
    if constexpr ((kBits & 2) != 0) each<1, kAnyLarge>(re, im);
    if constexpr ((kBits & 4) != 0) each<2, kAnyLarge>(re, im);
    if constexpr ((kBits & 8) != 0) each<3, kAnyLarge>(re, im);
  }

 private:
  static constexpr bool is_within(std::size_t bit) { return std::size_t{1} << bit < kWidth<Real>; }

  template <std::size_t kBit, bool kAnyLarge>
  __attribute__((always_inline)) Vector<Real> kept(Vector<Real> x) const {
    return kAnyLarge ? keep[kBit] * x : x;
  }
  template <std::size_t kBit, bool kAnyLarge, std::size_t kBlocks>
  __attribute__((always_inline)) void each(Half<Real> (&re)[kBlocks], Half<Real> (&im)[kBlocks]) const {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kBlocks; ++j) one<kBit, kAnyLarge>(re[j], im[j]);
  }
  template <std::size_t kBit, bool kAnyLarge>
  __attribute__((always_inline)) void one(Half<Real>& re, Half<Real>& im) const {
    const Half<Real> pr = swapped(re, std::size_t{1} << kBit), pi = swapped(im, std::size_t{1} << kBit);
#pragma GCC unroll 4
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      if constexpr (kAboutX) {
        re.v[k] = fma(mix[kBit], pi.v[k], kept<kBit, kAnyLarge>(re.v[k]));
        im.v[k] = fnma(mix[kBit], pr.v[k], kept<kBit, kAnyLarge>(im.v[k]));
      } else if (is_within(kBit) || (k * kWidth<Real> >> kBit & 1) != 0) {
        re.v[k] = fma(mix[kBit], pr.v[k], kept<kBit, kAnyLarge>(re.v[k]));
        im.v[k] = fma(mix[kBit], pi.v[k], kept<kBit, kAnyLarge>(im.v[k]));
      } else {
        re.v[k] = fnma(mix[kBit], pr.v[k], kept<kBit, kAnyLarge>(re.v[k]));
        im.v[k] = fnma(mix[kBit], pi.v[k], kept<kBit, kAnyLarge>(im.v[k]));
      }
    }
  }
};

/// TileKernels::turn_lanes.
template <class Real>
void turn_lanes(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count,
                const RunPhases<Real>& phases, const Passage<Real>* passage);

}  // namespace tandem::statevector::TANDEM_ISA
