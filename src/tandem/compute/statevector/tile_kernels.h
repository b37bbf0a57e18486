// tandem/compute/statevector/tile_kernels.h - the inner loops on a tile of amplitudes, for each instruction set and precision.
//
// Room: compute, inside statevector. See compute/simd/isa.h. Sums and products stand in one order and are fused where they say so, so
// every set gives the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::statevector {

/// A block: the real parts of kLanes amplitudes, then their imaginary parts, a cache line each.
template <class Real>
inline constexpr std::uint32_t kLaneBits = sizeof(Real) == 4 ? 4 : 3;
template <class Real>
inline constexpr std::size_t kLanes = std::size_t{1} << kLaneBits<Real>;
/// A run: 64 blocks, 8 KiB, that stay in the first-level cache with a table of phases while much work passes.
template <class Real>
inline constexpr std::uint32_t kRunBits = kLaneBits<Real> + 6;

/// A rotation of the pairs (a, b) that differ in one bit, a where it is 0, without a factor that all amplitudes share.
/// About y: (a - r b, b + r a), or with `large` (r a - b, r b + a). About x: (a - i r b, b - i r a), or (r a - i b, r b - i a).
template <class Real>
struct Turn {
  std::uint32_t bit;
  bool about_x = false;
  bool large = false;
  Real ratio = 0;  ///< at most 1: the tangent of half the angle or its inverse
};

/// What the numbers of a run are multiplied by: a table as long as they are (null: nothing), and a factor beside it.
template <class Real>
struct RunPhases {
  const Real* table = nullptr;
  Real re = 1;
  Real im = 0;
};

/// Where the blocks of a tile, or of a run of it, lie in the state: by rows.
template <class Real>
struct Rows {
  Real* first = nullptr;  ///< null: there are none
  const std::uint64_t* at = nullptr;  ///< of each row, in amplitudes from the first one
  std::uint32_t block_bits = 0;  ///< 2^ of the blocks of a row

  __attribute__((always_inline)) Real* block(std::uint64_t number) const {
    const std::uint64_t inside = number & ((std::uint64_t{1} << block_bits) - 1);
    return first + 2 * (at[number >> block_bits] + inside * kLanes<Real>);
  }
};

/// How the numbers of a tile, or of a run of it, come to a kernel, where it leaves them, and what it asks for meanwhile, as many blocks as it
/// works on, so that nothing waits for them later. Where there are no rows, numbers are read from the tile and left there, and nothing is asked for.
template <class Real>
struct Passage {
  Rows<Real> from;
  Rows<Real> to;
  bool past_caches = false;  ///< `to`
  Rows<Real> to_read;
  Rows<Real> to_write;
};

/// What is known of coefficients, each kind with its own loop.
enum class PairKind : std::uint8_t {
  kExchange,  ///< 1 for what is mixed with nothing kept, and 1 for what is kept with nothing mixed
  kReal,
  kImaginaryMix,  ///< real for what is kept
  kGeneral,
};

/// Pairs (a, b) whose states differ in the bits of `mixing`: a' = keep a + mix b, with the coefficients of a, and b' with those of b.
/// Below the block the coefficients of each lane say it, above it patterns do.
template <class Real>
struct PairWork {
  std::uint64_t operands;  ///< bits of the number of a block that are fixed
  std::uint64_t a;  ///< their values in the first block of a pair, and in the second
  std::uint64_t b;
  std::uint32_t lanes;  ///< lane l meets lane l ^ lanes
  PairKind kind;
  const Real* a_keep;  ///< kLanes real parts, then imaginary ones
  const Real* a_mix;
  const Real* b_keep;
  const Real* b_mix;
};

/// Two bits of a tile, low < high.
struct DensePair {
  std::uint32_t low;
  std::uint32_t high;
};
/// Coefficients of a dense gate: a complex number for each lane, kLanes real parts and then the imaginary ones, for each of four things to
/// read and in there for each block of a group to write. A group are the blocks, one, two or four, that differ in the bits of the pair above
/// the lanes, and what is read are those blocks and, for a bit among the lanes, the same with lanes exchanged.
template <class Real>
inline constexpr std::size_t kDenseNumbers = std::size_t{4} * 4 * 2 * kLanes<Real>;

template <class Real>
struct TileKernels {
  bool stores_lines;  ///< a store is a whole cache line
  /// Turns about one axis, on different bits above the lanes, ascending, of a tile of 2^n blocks; as many share a reading of the tile as registers allow.
  void (*turn)(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count);
  /// Phases, then turns about one axis on different lane bits, ascending, or none: all in one reading. `passage`: null for
  /// none, as one without rows; one with rows to read or to leave numbers in only where there are no turns.
  void (*turn_lanes)(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count,
                     const RunPhases<Real>& phases, const Passage<Real>* passage);
  /// Pairs a place of a with the one of b that has all bits of its number flipped, `count` blocks of a from the first on.
  /// b == a: half of its blocks are all pairs.
  void (*turn_mirror)(Real* a, Real* b, std::uint64_t num_blocks, std::uint64_t count, const Turn<Real>& turn);
  /// a == b: pairs within a block; the coefficients of a hold. Else of two blocks.
  void (*pair)(Real* tile, std::uint64_t num_blocks, const PairWork<Real>& work);
  /// Dense gates on pairs that share no bit; kDenseNumbers coefficients of each. `passage`: null for none.
  void (*dense)(Real* tile, std::uint64_t num_blocks, const DensePair* pairs, std::size_t count,
                const Real* coefficients, const Passage<Real>* passage);
  /// table = base * lanes * (re + i im), lanes being one block and re and im one number a block.
  void (*spread)(Real* table, const Real* base, const Real* lanes, const Real* re, const Real* im,
                 std::uint64_t num_blocks);
};

struct AllTileKernels {
  TileKernels<float> narrow;
  TileKernels<double> wide;
};

namespace portable {
extern const AllTileKernels kTileKernels;
}
namespace avx2 {
extern const AllTileKernels kTileKernels;
}
namespace avx512 {
extern const AllTileKernels kTileKernels;
}

}  // namespace tandem::statevector
