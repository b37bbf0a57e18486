// tandem/compute/statevector/both_kernels.h - the inner loops that turn a tile of each of two states and read between them on the way.
//
// Room: compute, inside statevector. See compute/simd/isa.h and tile_kernels.h. Im <bra|P|ket> with P = X or Y on the bit of a turn about x
// or y is the same before and after the turn, but for its scale: so it costs two fused operations a pair and no reading of its own.
// Sums over more than eight products are taken in double, in one order whatever the set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

inline constexpr std::size_t kBothAtOnce = 3;

template <class Real>
struct BothKernels {
  /// At most kBothAtOnce turns about y, on different bits above the lanes, ascending. Adds to found[i] what is read of turn i, of
  /// the states before all of them.
  void (*turn)(Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count,
               double* found);
  /// Turns about y on lanes, ascending, one after the other: read of the states before turn i, and behind those before it.
  void (*turn_lanes)(Real* ket, Real* bra, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count,
                     double* found);
  /// Phases of both, of which there are some.
  void (*multiply)(Real* ket, Real* bra, std::uint64_t num_blocks, const RunPhases<Real>& phases);
};

struct AllBothKernels {
  BothKernels<float> narrow;
  BothKernels<double> wide;
};

namespace portable {
extern const AllBothKernels kBothKernels;
}
namespace avx2 {
extern const AllBothKernels kBothKernels;
}
namespace avx512 {
extern const AllBothKernels kBothKernels;
}

}  // namespace tandem::statevector
