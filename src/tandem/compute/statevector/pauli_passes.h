// tandem/compute/statevector/pauli_passes.h - PauliPasses: a weighted Pauli sum on the places of amplitudes, in few passes over them.
//
// Room: compute, inside statevector. Terms with one X mask share what they read; masks whose bits lie in one tile share a pass, and so do
// those that agree outside of it.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/phase_group.h"
#include "tandem/compute/statevector/signed_sums.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector {

/// Immutable after its making; every method is safe to call concurrently.
template <class Real>
class PauliPasses {
 public:
  /// `frame`: which bit of a place is which qubit. Cost: O(terms log terms).
  PauliPasses(std::span<const observable::PauliTerm> terms, const Frame& frame, std::uint32_t num_bits);
  std::size_t bytes() const;  ///< about

  /// <ket|sum|ket> of the numbers in memory. Sums in double, over tiles and then in their order.
  /// Errors, here and below: 1004 out_of_memory - to work in, not even for one thread.
  Result<double> expectation(const Real* ket, simd::Isa isa, Executor& executor) const;
  /// bra = sum |ket>, in memory.
  Result<void> apply(const Real* ket, Real* bra, simd::Isa isa, Executor& executor) const;

 private:
  struct Term {
    std::uint64_t outside;  ///< Z bits outside the tile
    std::uint64_t mask;  ///< and inside, as bits of the tile
    std::size_t place;  ///< where the sum with its signs is found (SignedSums)
    double coefficient;
  };
  /// Terms of one X mask and one part, which is that of what <ket|P|ket> sums: the sum over z of conj(ket[z ^ x]) ket[z] with signs. For
  /// the other part the image has a factor i.
  struct Group {
    std::uint64_t x;  ///< bits of the tile
    Part part;
    std::vector<Term> terms;
    std::uint64_t period;  ///< of the signs within the tile
    SignedSums sums;
  };
  struct Pass {
    TileBits tile_bits;
    std::uint64_t exchanged;  ///< X bits outside the tile, of all groups
    std::vector<Group> groups;
  };
  void add_pass(std::span<const observable::PauliTerm> terms, std::uint64_t tile, std::uint64_t exchanged);

  std::uint32_t num_bits_;
  std::vector<Pass> passes_;
};

extern template class PauliPasses<float>;
extern template class PauliPasses<double>;

}  // namespace tandem::statevector
