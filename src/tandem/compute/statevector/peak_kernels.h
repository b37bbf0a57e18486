// tandem/compute/statevector/peak_kernels.h - as many fused operations as a core can do, for each instruction set: what other loops are held
// against.
//
// Room: compute, inside statevector. See compute/simd/isa.h.
#pragma once

#include <cstdint>

namespace tandem::statevector {

/// `rounds` rounds of fused operations on numbers in registers; what comes out only keeps the compiler from leaving it out.
struct PeakKernels {
  double (*narrow)(std::uint64_t rounds);
  double (*wide)(std::uint64_t rounds);
  std::uint64_t narrow_in_round;  ///< operations on one number each
  std::uint64_t wide_in_round;
};

namespace portable {
extern const PeakKernels kPeakKernels;
}
namespace avx2 {
extern const PeakKernels kPeakKernels;
}
namespace avx512 {
extern const PeakKernels kPeakKernels;
}

}  // namespace tandem::statevector
