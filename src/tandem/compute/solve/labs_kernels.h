// tandem/compute/solve/labs_kernels.h - all flip energies of a binary sequence under flips, in O(n) a flip, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h.
//
// Spins s_0 .. s_{n-1} are -1 or +1, and 0 beyond. With the correlations C_d = sum_i s_i s_{i+d}, the convolution A_t = sum_i s_i s_{t-i}
// and the fields F_j = sum_{i != j} C_{j-i} s_i, flipping s_j adds 4 (n - 2 + A_{2j} - s_j F_j) to the sum of C_d^2 over d = 1 .. n-1, for it
// adds -2 s_j (s_{j-d} + s_{j+d}) to C_d. Flipping s_m changes
//   C_d by -2 s_m (s_{m+d} + s_{m-d})                                             for d != 0,
//   A_t by -4 s_m s_{t-m}                                                         for t != 2m,
//   F_j by -4 s_m C_{j-m} - 2 s_m A_{m+j} + 8 s_j + 4 s_{2m-j}, all from before,  for j != m, and
//   F_m by -2 s_m (n - 2 + A_{2m}),
// since the change of F_j is again a correlation and a convolution.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::solve {

/// Lanes of one block.
inline constexpr std::size_t kLabsBlock = 32;

/// Where the arrays of a sequence lie. Each is written over whole blocks: `num_lanes` is the number of spins rounded up to them.
template <class Lane>
struct LabsArrays {
  std::size_t num_spins;
  std::size_t num_lanes;
  Lane* spins;  ///< s_x at num_lanes + x, of 3 num_lanes
  Lane* reversed;  ///< s_x at 2 num_lanes - x, of 3 num_lanes
  Lane* halves[2];  ///< even and odd ones: s_{2v} and s_{2v+1} at num_lanes + v, of 2 num_lanes
  Lane* correlation;  ///< C_d at num_lanes + d, of 2 num_lanes; C_0 stands as 0
  Lane* convolution;  ///< A_t at t, of 2 num_lanes
  Lane* diagonal;  ///< A_{2j} at j; beyond the spins the greatest number, so that no choice falls there
  Lane* field;  ///< F_j at j
  Lane* tabu_until;  ///< free from this iteration on
  Lane* number;  ///< j at j
};

/// Of all spins, and of those whose tenure ended: A_{2j} - s_j F_j, the greatest number where there are none.
template <class Lane>
struct LabsChoice {
  std::size_t spin;
  Lane value;  ///< of the spin chosen
  Lane least;  ///< over all
};

/// How to choose.
template <class Lane>
struct LabsRule {
  Lane iteration;
  Lane aspired;  ///< any spin below this may be chosen whatever its tenure
  Lane turn;  ///< 0 .. cycle - 1: among equals the first one from here on, around the cycle
  Lane cycle;  ///< a power of two, at least num_lanes
};

template <class Lane>
struct LabsLaneKernels {
  void (*flip)(const LabsArrays<Lane>&, std::size_t spin);
  LabsChoice<Lane> (*choose)(const LabsArrays<Lane>&, const LabsRule<Lane>&);
};

struct LabsKernels {
  LabsLaneKernels<std::int16_t> narrow;
  LabsLaneKernels<std::int32_t> wide;
};

namespace portable {
extern const LabsKernels kLabsKernels;
}
namespace avx2 {
extern const LabsKernels kLabsKernels;
}
namespace avx512 {
extern const LabsKernels kLabsKernels;
}

}  // namespace tandem::solve
