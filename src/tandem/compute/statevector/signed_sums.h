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
  /// Of places of `bits` bits; each mask once, in any order.
  SignedSums(std::vector<std::uint64_t> masks, std::uint32_t bits);

  /// What sums() works in, in numbers: at most kRun more than there are places.
  static constexpr std::uint64_t kRun = 512;
  std::uint64_t scratch() const { return run() + lows_.size() * num_runs(); }
  /// Where in it the sum with the signs of one of the masks is to be found afterwards.
  std::size_t place_of(std::uint64_t mask) const;
  /// The sums over all places z of (-1)^popcount(m & z) value(z), for each mask m. `fill(first, count, out)` tells the values of `count` places
  /// from `first` on. They are summed up by runs that stay in the first-level cache.
  template <class Fill>
  void sums(std::span<double> scratch, const SumKernels& kernels, const Fill& fill) const {
    for (std::uint64_t i = 0; i < num_runs(); ++i) {
      fill(i * run(), run(), scratch.data());
      end_run(scratch, i, kernels);
    }
    end(scratch, kernels);
  }
  /// The transpose: values[z] becomes the sum over the masks m of (-1)^popcount(m & z) values[m], whatever the others were.
  void spread(std::span<double> values, const SumKernels& kernels) const;

 private:
  std::uint64_t run() const { return std::uint64_t{1} << run_bits_; }
  std::uint64_t num_runs() const { return std::uint64_t{1} << (bits_ - run_bits_); }
  void end_run(std::span<double> scratch, std::uint64_t number, const SumKernels& kernels) const;
  void end(std::span<double> scratch, const SumKernels& kernels) const;

  std::uint32_t bits_ = 0;
  std::uint32_t run_bits_ = 0;
  std::vector<std::uint64_t> masks_;  ///< ascending
  std::vector<std::uint64_t> lows_;  ///< their bits within a run, ascending, each once
  std::vector<std::vector<std::uint64_t>> highs_;  ///< of each of those: the bits above, ascending
};

}  // namespace tandem::statevector
