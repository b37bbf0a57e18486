// tandem/compute/statevector/pauli_kernels.h - the inner loops over two states that Pauli strings need, for each instruction set and precision.
//
// Room: compute, inside statevector. See compute/simd/isa.h. Products and sums stand in one order and are fused where they say so, so every
// set gives the same bytes; sums over more than two products are taken in double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Which part of conj(bra) ket.
enum class Part : std::uint8_t { kReal, kImaginary };

struct SumKernels {
  /// (a, b) -> (a + b, a - b).
  void (*butterfly)(double* a, double* b, std::uint64_t count);
  void (*add)(double* to, const double* from, std::uint64_t count);
};

/// Amplitudes, `out` and `weights` begin on a cache line.
template <class Real>
struct PauliKernels {
  /// out[z - first] = the part of conj(bra[z ^ x]) ket[z] of the places z of `count` blocks from block `first` on, x being `block` among the
  /// blocks and `lane` within one.
  void (*overlaps)(const Real* ket, const Real* bra, std::uint64_t first, std::uint64_t count, std::uint64_t block,
                   std::uint32_t lane, Part part, double* out);
  /// bra[z ^ x] += weights[z % period] ket[z], times i where `part` is imaginary. `period` is a power of two and at least kLanes.
  void (*add_image)(const Real* ket, Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane,
                    Part part, const double* weights, std::uint64_t period);
  /// Re <bra|ket>.
  double (*product)(const Real* ket, const Real* bra, std::uint64_t num_blocks);
  /// out[i] = the weight of block i, in double: upper lanes are added to lower ones, half of them at a time.
  void (*weights)(const Real* ket, std::uint64_t num_blocks, double* out);
  SumKernels sums;
};

struct AllPauliKernels {
  PauliKernels<float> narrow;
  PauliKernels<double> wide;
};

namespace portable {
extern const AllPauliKernels kPauliKernels;
}
namespace avx2 {
extern const AllPauliKernels kPauliKernels;
}
namespace avx512 {
extern const AllPauliKernels kPauliKernels;
}

}  // namespace tandem::statevector
