// tandem/compute/statevector/pauli_kernels.h - the inner loops over two states that Pauli strings need, for each instruction set and precision.
//
// Room: compute, inside statevector. See compute/simd/isa.h. Products and sums are rounded apart and stand in one order, so every set gives
// the same bytes; sums over more than eight products are taken in double.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Which part of conj(bra) ket.
enum class Part : std::uint8_t { kReal, kImaginary };

inline constexpr std::size_t kCrossAtOnce = 3;

struct SumKernels {
  /// (a, b) -> (a + b, a - b).
  void (*butterfly)(double* a, double* b, std::uint64_t count);
  void (*add)(double* to, const double* from, std::uint64_t count);
};

template <class Real>
struct PauliKernels {
  /// out[i] = Im <bra| P |ket> for X on bit bits[i], or Y. `count` bits: above the lanes, different, at most kCrossAtOnce.
  void (*cross)(const Real* ket, const Real* bra, std::uint64_t num_blocks, const std::uint32_t* bits,
                std::size_t count, bool about_y, double* out);
  /// The same for one bit of the lanes.
  double (*cross_lane)(const Real* ket, const Real* bra, std::uint64_t num_blocks, std::uint32_t bit, bool about_y);
  /// out[z] = the part of conj(bra[z ^ x]) ket[z], x being `block` among the blocks and `lane` within one.
  void (*overlaps)(const Real* ket, const Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane,
                   Part part, double* out);
  /// bra[z ^ x] += weights[z % period] ket[z], times i where `part` is imaginary. `period` is a power of two and at least kLanes.
  void (*add_image)(const Real* ket, Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane,
                    Part part, const double* weights, std::uint64_t period);
  /// Re <bra|ket>.
  double (*product)(const Real* ket, const Real* bra, std::uint64_t num_blocks);
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
