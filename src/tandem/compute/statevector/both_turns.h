// tandem/compute/statevector/both_turns.h - BothTurns: turns of a tile of each of two states, each read between the states as it is done.
//
// Room: compute, inside statevector. What stands between the states for a Y on the bit of a turn about y is read from the
// registers that the turn has filled: no reading of the tiles by itself, and the nearest bits by pieces that stay in the first-level cache.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/both_kernels.h"
#include "tandem/compute/statevector/lowering.h"

namespace tandem::statevector {

template <class Real>
const BothKernels<Real>& both_kernels(simd::Isa isa);

template <class Real>
class BothTurns {
 public:
  /// The turn of step number `step` on bit `bit` of the tile, read into `slot`. Each bit once.
  void add(std::uint32_t bit, std::uint32_t step, std::uint32_t slot);
  /// To be called once all is added.
  void arrange();
  std::size_t size() const { return turns_.size(); }

  /// `scale`: by which the amplitudes are too small before the turns, and then after them.
  void bind(std::span<const Step> steps, double& scale);
  /// Adds to `slots`.
  void apply(Real* ket, Real* bra, std::uint64_t num_blocks, const BothKernels<Real>& kernels, double* slots) const;

  std::size_t bytes() const;  ///< about

 private:
  struct Member {
    std::uint32_t step;
    std::uint32_t slot;
    double factor;  ///< of what is read
  };
  /// All on lanes or all above them; in one call of a kernel.
  struct Chunk {
    std::size_t first;
    std::size_t count;
    bool on_lanes;
  };

  std::vector<Turn<Real>> turns_;  ///< in the order of chunks
  std::vector<Member> members_;  ///< of each
  std::vector<Chunk> chunks_;
  std::size_t near_ = 0;  ///< chunks, the first ones, within a run of blocks
};

extern template class BothTurns<float>;
extern template class BothTurns<double>;

}  // namespace tandem::statevector
