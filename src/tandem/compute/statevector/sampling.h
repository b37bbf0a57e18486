// tandem/compute/statevector/sampling.h - draws of places by their weight.
//
// Room: compute, inside statevector.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {

/// `shots` draws of the 2^num_bits places of `amplitudes` with probabilities proportional to their weight; BasisCount::state is the place,
/// ascending, each once. Same seed, same draws, whatever the number of threads and the instruction set.
///
/// Cost: a reading of all amplitudes for the weights of stretches, and of those stretches that something was drawn from; nothing is
/// sorted. Memory: 8 MiB, 16 bytes a place that was drawn, and 8 bytes for each 2^14 places.
/// Source: sums of exponential gaps, divided by that of all, are sorted uniform numbers (Devroye 1986, chapter V, theorem 2.2).
template <class Real>
std::vector<BasisCount> sample_places(const Real* amplitudes, std::uint32_t num_bits, std::uint64_t shots,
                                      std::uint64_t seed, simd::Isa isa, Executor& executor);

extern template std::vector<BasisCount> sample_places<float>(const float*, std::uint32_t, std::uint64_t, std::uint64_t,
                                                             simd::Isa, Executor&);
extern template std::vector<BasisCount> sample_places<double>(const double*, std::uint32_t, std::uint64_t,
                                                              std::uint64_t, simd::Isa, Executor&);

}  // namespace tandem::statevector
