// tandem/compute/statevector/signed_sums.h - SignedSums: sums of values over the places of a tile, with the signs of a few Z strings.
//
// Room: compute, inside statevector. A Walsh-Hadamard transform of which only what is asked for is calculated: one half of the values for
// each string that differs, a quarter for each that differs below that, and so on. All strings cost no more than the whole transform.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/pauli_kernels.h"

namespace tandem::statevector {

template <class Real>
const PauliKernels<Real>& pauli_kernels(simd::Isa isa);

inline bool odd(std::uint64_t bits) { return (std::popcount(bits) & 1) != 0; }

class SignedSums {
 public:
  SignedSums() = default;
  /// Each once, in any order; bits of the place in a tile.
  explicit SignedSums(std::vector<std::uint64_t> masks);
  /// values[m] becomes the sum over z of (-1)^popcount(m & z) values[z], for each mask m; the others are worth nothing.
  void reduce(std::span<double> values, const SumKernels& kernels) const;
  /// The transpose: values[z] becomes the sum over the masks m of (-1)^popcount(m & z) values[m], whatever the others were.
  void spread(std::span<double> values, const SumKernels& kernels) const;

 private:
  std::vector<std::uint64_t> masks_;  ///< ascending
};

}  // namespace tandem::statevector
