// tandem/compute/solve/tabu_kernels.h - the inner loops of tabu search on dense rows, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::solve {

/// Variables in a block.
inline constexpr std::size_t kTabuBlock = 64;
/// Fields that a block has at most in `least`: what they are is known to the kernels of one set only.
inline constexpr std::size_t kTabuLanes = 16;

/// Flip energies and what stands beside them, padded to whole blocks.
template <class Weight, class Field>
struct TabuRow {
  Field* flip;  ///< energies
  const Weight* row;  ///< couplings of the variable that is flipped, in steps of 1 << shift
  int shift;
  const std::int8_t* bits;  ///< 0 or 1, before the flip
  std::int8_t down;  ///< -1 where the variable goes down
  Field* least;  ///< kTabuLanes a block
  std::size_t num_blocks;
};

/// Threads: any, on memory of their own. Cost: one pass over what is given.
template <class Weight, class Field>
struct DenseTabuKernels {
  /// Raising a variable adds w to the flip energy of a low one and takes it from that of a high one; lowering it does the opposite.
  /// Fills `least` and gives the least flip energy.
  Field (*add)(const TabuRow<Weight, Field>&);
  /// Fills `least` and gives the least flip energy.
  Field (*score)(const TabuRow<Weight, Field>&);
  /// The first block from `start` on, and then from the front, that holds `energy`: one of them has to.
  std::size_t (*find)(const Field* least, std::size_t num_blocks, std::size_t start, Field energy);
};

struct TabuKernels {
  DenseTabuKernels<std::int8_t, std::int32_t> byte_weights;
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
