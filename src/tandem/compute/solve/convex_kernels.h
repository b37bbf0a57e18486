// tandem/compute/solve/convex_kernels.h - the inner loops of branch and bound on spins, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h.
#pragma once

#include <cstddef>

namespace tandem::solve {

/// Doubles in a block; sums of products add up one number a lane, and then the lanes in order.
inline constexpr std::size_t kConvexBlock = 8;

/// Arrays padded to whole blocks with numbers that do not matter where `next` is 0.
struct SpinStep {
  double* image;  ///< out: from + spin * along
  const double* from;
  const double* along;
  double* fields;  ///< out: fields_from + spin * row
  const double* fields_from;
  const double* row;
  const double* next;
  double spin;
  std::size_t num_blocks;
};

struct ConvexKernels {
  /// y += factor * x.
  void (*add)(double* y, const double* x, double factor, std::size_t count);
  /// Sum of products.
  double (*dot)(const double* a, const double* b, std::size_t num_blocks);
  /// The sum of the products of image and next.
  double (*step)(const SpinStep&);
};

namespace portable {
extern const ConvexKernels kConvexKernels;
}
namespace avx2 {
extern const ConvexKernels kConvexKernels;
}
namespace avx512 {
extern const ConvexKernels kConvexKernels;
}

}  // namespace tandem::solve
