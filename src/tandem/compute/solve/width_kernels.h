// tandem/compute/solve/width_kernels.h - one step of bucket elimination on tables of partial energies, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h, and width_plan.h for what a step is.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::solve {

/// Tables begin at multiples of this many bytes, and as many may be read behind each: it is the longest vector.
inline constexpr std::size_t kWidthBlock = 64;
/// Bits of an index, more than any table has.
inline constexpr std::size_t kWidthBits = 32;

/// A table over some variables of the step and the variable that goes, whose value is the top bit of its index.
struct WidthChild {
  const void* low;  ///< the half where that variable is 0
  const void* high;
  std::uint32_t mask;  ///< which index bits of the step it has, ascending in the same order
  // Work space of the kernel.
  std::uint32_t shuffle;
  std::ptrdiff_t offset;
  std::ptrdiff_t delta[kWidthBits];
};

/// out[y] = min(sum of low, field + sum_p couplings[p] y_p + sum of high) - base, over the 2^bits values of y.
template <class Value>
struct WidthStep {
  WidthChild* children;
  std::size_t num_children;
  const Value* couplings;  ///< one for each index bit
  std::size_t bits;
  Value field;
  Value base;
  Value* out;  ///< 2^bits values, or a block where that is more
};

template <class Value>
using WidthKernel = void (*)(const WidthStep<Value>&);

struct WidthKernels {
  WidthKernel<std::int8_t> bytes;
  WidthKernel<std::int16_t> shorts;
  WidthKernel<std::int32_t> ints;
  WidthKernel<std::int64_t> longs;
};

namespace portable {
extern const WidthKernels kWidthKernels;
}
namespace avx2 {
extern const WidthKernels kWidthKernels;
}
namespace avx512 {
extern const WidthKernels kWidthKernels;
}

}  // namespace tandem::solve
