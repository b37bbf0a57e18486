// tandem/compute/solve/coloring_kernels.h - the inner loop of tabu search for colourings, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::solve {

/// Colours of a row are padded to whole blocks.
inline constexpr std::size_t kColorBlock = 16;
/// In `until`: the node has this colour, or there is no such colour.
inline constexpr std::int32_t kColorNever = INT32_MAX;
/// Greater than the change of any move.
inline constexpr std::int32_t kNoMove = 1 << 30;

/// Moves of nodes to other colours: rows of `stride` fields, one a node; they begin on a cache line.
struct ColorRows {
  const std::int32_t* counts;  ///< neighbours of each colour
  const std::int32_t* until;  ///< the move is tabu before this iteration
  std::size_t stride;
  const std::uint32_t* nodes;  ///< whose moves are looked at
  std::size_t num_nodes;
  const std::uint32_t* colors;  ///< of all nodes
  std::int32_t now;
  std::int32_t* least;  ///< filled in, one for each of `nodes`: the least change among its moves that are not tabu
};
struct LeastChange {
  std::int32_t free;  ///< of moves that are not tabu
  std::int32_t any;  ///< of all moves
};

/// Threads: any, on memory of their own. Cost: one pass over the rows.
struct ColoringKernels {
  LeastChange (*scan)(const ColorRows&);
};

namespace portable {
extern const ColoringKernels kColoringKernels;
}
namespace avx2 {
extern const ColoringKernels kColoringKernels;
}
namespace avx512 {
extern const ColoringKernels kColoringKernels;
}

}  // namespace tandem::solve
