#include "tandem/compute/statevector/weight_space.h"

#include <algorithm>
#include <bit>
#include <map>

namespace tandem::statevector {
namespace {

/// Numbers of ones of all groups as one number, the digits of which never carry.
class Digits {
 public:
  explicit Digits(std::span<const KeptOnes> kept) : kept_(kept) {
    std::uint64_t stride = 1;
    for (const KeptOnes& one : kept) {
      strides_.push_back(stride);
      all_ += one.ones * stride;
      stride *= std::uint64_t{one.ones} + 1;
    }
  }
  /// False: a group has too many already.
  bool of(std::uint64_t bits, std::uint64_t& out) const {
    out = 0;
    for (std::size_t g = 0; g < kept_.size(); ++g) {
      const auto ones = static_cast<std::uint32_t>(std::popcount(bits & kept_[g].mask));
      if (ones > kept_[g].ones) return false;
      out += ones * strides_[g];
    }
    return true;
  }
  std::uint64_t all() const { return all_; }

 private:
  std::span<const KeptOnes> kept_;
  std::vector<std::uint64_t> strides_;
  std::uint64_t all_ = 0;
};

}  // namespace

WeightSpace::WeightSpace(std::uint32_t num_bits, std::span<const KeptOnes> kept)
    : low_bits_(num_bits / 2),
      kept_(kept.begin(), kept.end()),
      high_start_(std::size_t{1} << (num_bits - low_bits_)),
      low_rank_(std::size_t{1} << low_bits_) {
  const Digits digits(kept_);
  std::map<std::uint64_t, std::vector<std::uint32_t>> lows;  // ascending, by their numbers of ones
  std::uint64_t key = 0;
  for (std::uint32_t low = 0; low < low_rank_.size(); ++low) {
    if (!digits.of(low, key)) continue;
    std::vector<std::uint32_t>& same = lows[key];
    low_rank_[low] = static_cast<std::uint32_t>(same.size());
    same.push_back(low);
  }
  for (std::uint64_t high = 0; high < high_start_.size(); ++high) {
    if (!digits.of(high << low_bits_, key)) continue;
    const auto rest = lows.find(digits.all() - key);
    if (rest == lows.end()) continue;
    high_start_[high] = states_.size();
    for (const std::uint32_t low : rest->second) states_.push_back(high << low_bits_ | low);
  }
}

std::uint64_t WeightSpace::count(std::uint32_t num_bits, std::span<const KeptOnes> kept) {
  std::uint64_t out = 1;
  std::uint32_t free = num_bits;
  for (const KeptOnes& one : kept) {
    const auto size = static_cast<std::uint32_t>(std::popcount(one.mask));
    free -= size;
    std::uint64_t ways = 1;
    for (std::uint32_t k = 1; k <= one.ones; ++k) ways = ways * (size - one.ones + k) / k;
    out *= ways;
  }
  return out << free;
}

bool WeightSpace::contains(std::uint64_t state) const {
  if (state >> low_bits_ >= high_start_.size()) return false;
  return std::ranges::all_of(kept_, [&](const KeptOnes& one) {
    return static_cast<std::uint32_t>(std::popcount(state & one.mask)) == one.ones;
  });
}

}  // namespace tandem::statevector
