// tandem/compute/statevector/tile_gate.h - TileGate: a gate that is no turn, as pairs of blocks of a tile.
//
// Room: compute, inside statevector.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/prepared_gate.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

inline constexpr std::uint32_t kOutside = UINT32_MAX;

template <class Real>
class TileGate {
 public:
  /// Where the phases and pairs of `gate` are; bind() gives their numbers. `position`: of each bit of the place in the tile, or kOutside.
  /// Bits that are mixed are inside (asserted).
  TileGate(const PreparedGate& gate, std::span<const std::uint32_t> position);
  /// A phase where of `bits` of the place an odd number are 1; bind_parity() gives its number.
  static TileGate of_parity(std::uint64_t bits, std::span<const std::uint32_t> position);
  void bind_parity(std::complex<double> factor);
  /// Of a gate with the same phases and pairs.
  void bind(const PreparedGate& gate);
  /// `base`: the bits outside the tile.
  void apply(Real* tile, std::uint64_t num_blocks, std::uint64_t base, const TileKernels<Real>& kernels) const;

  std::size_t bytes() const;  ///< about
  double share() const;  ///< of the tile that it reads and writes
  /// Fused operations an amplitude of all tiles that its numbers need, once it is bound: none to exchange, four for a phase or a real or
  /// imaginary mixture, eight for any other.
  double fused() const;

 private:
  struct Part {
    std::uint64_t outside = 0;  ///< what `base` must have at the gate's bits outside
    PairWork<Real> work{};  ///< its coefficients are at `coefficients`
    std::size_t coefficients = 0;
    std::uint32_t lane_a = 0;  ///< of the operands among the lanes
    std::uint32_t lane_b = 0;
  };
  TileGate() = default;
  void take_operands(std::uint64_t bits, std::span<const std::uint32_t> position);
  void add(std::uint64_t a, std::uint64_t b, std::uint64_t outside);
  void write(Part& part, std::span<const std::complex<double>, 4> matrix);

  std::uint64_t outside_ = 0;  ///< bits of the gate outside
  std::uint64_t block_operands_ = 0;
  std::uint32_t lane_operands_ = 0;
  std::vector<Part> parts_;  ///< of the phases, then of the pairs
  bool of_parity_ = false;
  /// Of the parts; of a parity a table of the factors in a run where it is even above the run, then one where it is odd.
  simd::AlignedVector<Real> coefficients_;
};

extern template class TileGate<float>;
extern template class TileGate<double>;

}  // namespace tandem::statevector
