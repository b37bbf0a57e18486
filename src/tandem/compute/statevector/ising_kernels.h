// tandem/compute/statevector/ising_kernels.h - inner loops of the Ising evolution on a leaf: the lowest bits of a tile, in the first cache.
//
// Room: compute, inside statevector. See compute/simd/isa.h and tile_kernels.h. A quadratic form of a leaf's bits is a table of its pairs,
// one number for each of its bits, and one for the whole leaf: `terms` holds the latter first. Sums run over fixed lanes and are added in
// order, so every set gives the same bytes; in single precision they are taken in it over one leaf and in double beyond.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Blocks of a leaf, at most.
inline constexpr std::uint32_t kLeafBlockBits = 6;

/// Beyond it the rounding of an energy is more than the phase can bear.
template <class Real>
inline constexpr double kQuarterTurnsMax = sizeof(Real) == 4 ? 0x1p20 : 0x1p44;

/// How energies become phases.
template <class Real>
struct EnergyPhase {
  Real high = 0;  ///< quarter turns a unit of energy, together with `low`
  Real low = 0;
  Real re = 1;  ///< of the factor
  Real im = 0;
};

/// Of `count` turns that are alike, how many turn_alike() does together next: never one that could be done with another.
constexpr std::size_t alike_at_once(std::size_t count) { return count == 4 ? 2 : count < 3 ? count : 3; }

/// Above the lanes; together they have a kernel (BesidePhases).
inline constexpr std::uint32_t kLowestBits = 3;

/// What is done to a leaf before and after its phases, in this order. Null: nothing.
template <class Real>
struct BesidePhases {
  const Turn<Real>* turns_before = nullptr;  ///< of the kLowestBits lowest bits above the lanes, as turn_alike()
  const Turn<Real>* lanes_before = nullptr;  ///< about x, of all lanes
  const Turn<Real>* lanes_after = nullptr;
  const Turn<Real>* turns_after = nullptr;
};

template <class Real>
struct IsingKernels {
  /// leaf *= pairs * product of the terms whose bit is 1. `terms`: real and imaginary part each.
  void (*phase)(Real* leaf, const Real* pairs, const double* terms, std::uint64_t num_blocks,
                const BesidePhases<Real>& beside);
  /// leaf *= factor e^(i E (high + low) pi/2), E being `energies`, one a place; |E high| at most kQuarterTurnsMax.
  void (*phase_by)(Real* leaf, const Real* energies, const EnergyPhase<Real>& phase, std::uint64_t num_blocks,
                   const BesidePhases<Real>& beside);
  /// The same of a leaf that holds ones, or nothing yet: it is not read, and nothing is done before.
  void (*begin)(Real* leaf, const Real* pairs, const double* terms, std::uint64_t num_blocks,
                const BesidePhases<Real>& beside);
  void (*begin_by)(Real* leaf, const Real* energies, const EnergyPhase<Real>& phase, std::uint64_t num_blocks,
                   const BesidePhases<Real>& beside);
  /// Turns about x of one ratio on different bits above the lanes, ascending. Of what a turn leaves out (Turn), three together leave out
  /// one, two none (alike_at_once).
  void (*turn_alike)(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count);
  /// The sum of |ket|^2 C; C: pairs + the sum of the terms whose bit is 1, a number a place in `pairs`.
  double (*energy)(const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks);
  /// The same, and bra = C ket.
  double (*weigh)(Real* bra, const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks);
  /// Adds |ket|^2 and |ket|^2 C to the bin of C, a pair of numbers each: `bins` are `num_bins` of width 1 / per_energy from `low` on,
  /// between one of what is below and one of what is above.
  void (*tally)(const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks, double low,
                double per_energy, std::uint64_t num_bins, double* bins);
  /// Im <bra|C|ket>.
  double (*slope)(const Real* bra, const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks);
  /// Im <bra|sum X|ket> over `count` lanes from the lowest on, and over bits above the lanes, ascending.
  double (*flip_lanes)(const Real* bra, const Real* ket, std::uint64_t num_blocks, std::size_t count);
  double (*flip)(const Real* bra, const Real* ket, std::uint64_t num_blocks, const std::uint32_t* bits,
                 std::size_t count);
  /// Im (<bra_a|ket_b> + <bra_b|ket_a>), b mirrored; as TileKernels::turn_mirror.
  double (*flip_mirror)(const Real* bra_a, const Real* ket_a, const Real* bra_b, const Real* ket_b,
                        std::uint64_t num_blocks, std::uint64_t count);
};

struct AllIsingKernels {
  IsingKernels<float> narrow;
  IsingKernels<double> wide;
};

namespace portable {
extern const AllIsingKernels kIsingKernels;
}
namespace avx2 {
extern const AllIsingKernels kIsingKernels;
}
namespace avx512 {
extern const AllIsingKernels kIsingKernels;
}

}  // namespace tandem::statevector
