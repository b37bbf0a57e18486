// tandem/compute/statevector/weight_space.h - WeightSpace: the basis states that keep numbers of ones, and the place of each.
//
// Room: compute; for fixed_weight_evolution.cc. A place is the sum of two tables, one entry for each half of the bits (Lin 1990): states with
// the same upper half stand in a row, and their lower halves all have the same numbers of ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tandem::statevector {

/// Bits of which exactly `ones` are 1.
struct KeptOnes {
  std::uint64_t mask = 0;
  std::uint32_t ones = 0;
};

/// Limits:  kBitsMax bits.
/// Threads: immutable after the constructor.
class WeightSpace {
 public:
  static constexpr std::uint32_t kBitsMax = 40;  ///< a table has 2^20 entries

  /// `kept`: disjoint, each within `num_bits` and with at most as many ones as bits.
  WeightSpace(std::uint32_t num_bits, std::span<const KeptOnes> kept);

  /// How many states there are.
  static std::uint64_t count(std::uint32_t num_bits, std::span<const KeptOnes> kept);

  std::uint32_t low_bits() const { return low_bits_; }
  std::span<const std::uint64_t> states() const { return states_; }  ///< ascending
  bool contains(std::uint64_t state) const;
  /// Of a state that it contains.
  std::uint64_t place(std::uint64_t state) const {
    return high_start_[state >> low_bits_] + low_rank_[state & ((std::uint64_t{1} << low_bits_) - 1)];
  }

 private:
  std::uint32_t low_bits_;
  std::vector<KeptOnes> kept_;
  std::vector<std::uint64_t> states_;
  std::vector<std::uint64_t> high_start_;  ///< by upper half; unused where none of its states is there
  std::vector<std::uint32_t> low_rank_;  ///< by lower half, among those with its numbers of ones
};

}  // namespace tandem::statevector
