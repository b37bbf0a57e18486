// tandem/compute/statevector/sampling.h - draws of places by their weight.
//
// Room: compute, inside statevector.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/frame.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {

/// Amplitudes of a row, whose weight is kept: 2 KiB, as rows of tiles are (plan.h).
template <class Real>
inline constexpr std::uint32_t kWeightRowBits = sizeof(Real) == 4 ? 8 : 7;

/// `shots` draws of the 2^num_bits places of `amplitudes` with probabilities proportional to their weight; BasisCount::state is the place,
/// ascending, each once. Same seed, same draws, whatever the number of threads and the instruction set. `row_weights`: of each row, or
/// empty where they are not known; the draws do not depend on it.
///
/// Cost: a reading of all amplitudes for the weights of rows that are not known, and of those rows that something was drawn from; nothing is
/// sorted. Memory: 8 MiB, 16 bytes a place that was drawn, and 8 bytes a row.
/// Source: sums of exponential gaps, divided by that of all, are sorted uniform numbers (Devroye 1986, chapter V, theorem 2.2).
template <class Real>
std::vector<BasisCount> sample_places(const Real* amplitudes, std::uint32_t num_bits, std::uint64_t shots,
                                      std::uint64_t seed, std::span<const double> row_weights, simd::Isa isa,
                                      Executor& executor);

extern template std::vector<BasisCount> sample_places<float>(const float*, std::uint32_t, std::uint64_t, std::uint64_t,
                                                             std::span<const double>, simd::Isa, Executor&);
extern template std::vector<BasisCount> sample_places<double>(const double*, std::uint32_t, std::uint64_t,
                                                              std::uint64_t, std::span<const double>, simd::Isa,
                                                              Executor&);

/// Places become the states that stand there, ascending. Cost: O(counts), by counting digits where there are many.
void to_states(const Frame& frame, std::vector<BasisCount>& counts, Executor& executor);

}  // namespace tandem::statevector
