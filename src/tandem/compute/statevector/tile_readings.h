// tandem/compute/statevector/tile_readings.h - TileReadings: Im <bra|P|ket> of several Pauli strings, from a tile of each state.
//
// Room: compute, inside statevector. By the overlaps of their X mask, and the signed sums of those. Strings about the axis of a turn are read
// as it is done (both_turns.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/statevector/lowering.h"
#include "tandem/compute/statevector/signed_sums.h"

namespace tandem::statevector {

template <class Real>
class TileReadings {
 public:
  /// Reading i of `readings` is told in slot first_slot + i. `position`: of each bit of the place in the tile, or kOutside; X masks are
  /// inside (asserted).
  TileReadings(std::span<const Reading> readings, std::span<const std::uint32_t> position, std::size_t first_slot);
  /// What is told from now on is multiplied by `factor`, the square of the states' scale.
  void bind(double factor) { factor_ = factor; }
  /// Adds to `slots`. `base`: the bits outside the tile. `values`: as many as the tile has places, and SignedSums::kRun more.
  void apply(const Real* ket, const Real* bra, std::uint64_t base, std::span<double> values,
             const PauliKernels<Real>& kernels, double* slots) const;

  std::size_t bytes() const;  ///< about

 private:
  /// Who gets a sum.
  struct Receiver {
    std::uint32_t slot;
    std::uint64_t outside;  ///< Z bits outside the tile
    std::uint64_t mask;  ///< Z bits inside
    std::size_t place;  ///< where their sum is found
    double sign;
  };
  struct Group {
    std::uint64_t x;
    Part part;
    SignedSums sums;
    std::vector<Receiver> receivers;
  };
  double factor_ = 1;
  std::vector<Group> groups_;
};

extern template class TileReadings<float>;
extern template class TileReadings<double>;

}  // namespace tandem::statevector
