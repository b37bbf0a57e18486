// tandem/compute/statevector/reductions.h - sums over stretches of places.
//
// Room: compute; for the sources of this part only. One thread each; in a fixed order.
#pragma once

#include <cstdint>
#include <span>

#include "tandem/compute/statevector/amplitudes.h"

namespace tandem::statevector {

/// In double. `first` and `count` are multiples of kLanes.
template <class Real>
double sum_of_squares(const Real* amplitudes, std::uint64_t first, std::uint64_t count);

/// Re, or Im, of conj(bra[z ^ flip]) ket[z] for `out.size()` places z from a multiple of that on; `bra` is that stretch with the higher
/// bits of the flip done, `flip` below the size.
template <class Real>
void overlaps(const Real* bra, const Real* ket, std::uint64_t flip, bool imaginary, std::span<double> out);

/// out[m] = sum_z (-1)^popcount(m & z) in[z], in place; the size is a power of two.
void walsh_hadamard(std::span<double> values);

}  // namespace tandem::statevector
