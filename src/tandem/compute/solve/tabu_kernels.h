// tandem/compute/solve/tabu_kernels.h - the inner loops of tabu search on dense rows, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::solve {

/// Variables in a block, for each of which the least flip energy is kept.
inline constexpr std::size_t kTabuBlock = 64;

/// Flip energies and what stands beside them, padded to whole blocks.
template <class Weight, class Field>
struct TabuRow {
  Field* flip;  ///< energies
  const Weight* row;  ///< couplings of the variable that is flipped
  const Weight* high;  ///< 0 or -1: which variables are high
  Weight down;  ///< -1 where the variable goes down
  const std::int32_t* tabu_until;
  std::int32_t iteration;
  Field* least;  ///< a block, over all its variables
  Field* least_free;  ///< and over those whose tenure ended
  std::size_t num_blocks;
};

template <class Weight, class Field>
struct DenseTabuKernels {
  /// Raising a variable adds w to the flip energy of a low one and takes it from that of a high one; lowering it does the opposite.
  void (*add)(const TabuRow<Weight, Field>&);
  /// The same, and scores every block.
  void (*add_and_score)(const TabuRow<Weight, Field>&);
};

struct TabuKernels {
  DenseTabuKernels<std::int16_t, std::int32_t> short_weights;
  DenseTabuKernels<std::int32_t, std::int32_t> weights;
  DenseTabuKernels<std::int64_t, std::int64_t> long_weights;
};

namespace portable {
extern const TabuKernels kTabuKernels;
}
namespace avx2 {
extern const TabuKernels kTabuKernels;
}
namespace avx512 {
extern const TabuKernels kTabuKernels;
}

}  // namespace tandem::solve
