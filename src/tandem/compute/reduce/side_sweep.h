// tandem/compute/reduce/side_sweep.h - a few variables beside one outside: the least of all their values, for either of its.
//
// Room: compute, inside reduce. Integers only.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace tandem::reduce {

/// Cost: 2^size steps of O(kMax) for each value outside.
template <class Integer, std::size_t kMax>
class SideSweep {
 public:
  struct Least {
    Integer energy = 0;
    std::uint32_t high = 0;  ///< bit k: variable k is high
  };

  /// `low`: the lower value of all, 0 or -1; the other is 1.
  SideSweep(std::size_t size, int low) : size_(size), low_(low) {}
  void set_linear(std::size_t k, Integer bias) { linear_[k] = bias; }
  void couple(std::size_t k, std::size_t l, Integer bias) { biases_[k][l] = biases_[l][k] = bias; }
  void couple_to_outside(std::size_t k, Integer bias) { outside_[k] = bias; }

  /// In the order of a Gray code, in which one changes at a time; of equal ones the first.
  Least least(int value_outside) const {
    const int step = 1 - low_;
    std::array<Integer, kMax> fields{};  // what raising each would add
    Least now;
    for (std::size_t k = 0; k < size_; ++k) {
      Integer field = linear_[k] + value_outside * outside_[k];
      now.energy += low_ * field;
      for (std::size_t l = 0; l < size_; ++l) {
        field += low_ * biases_[k][l];
        if (l < k) now.energy += low_ * low_ * biases_[k][l];
      }
      fields[k] = step * field;
    }
    Least best = now;
    for (std::uint32_t code = 1; code < std::uint32_t{1} << size_; ++code) {
      const auto k = static_cast<std::size_t>(std::countr_zero(code));
      now.high ^= std::uint32_t{1} << k;
      const bool up = (now.high >> k & 1) != 0;
      now.energy += up ? fields[k] : -fields[k];
      const Integer change = up ? step * step : -step * step;
      for (std::size_t l = 0; l < kMax; ++l) fields[l] += change * biases_[k][l];
      if (now.energy < best.energy) best = now;
    }
    return best;
  }

 private:
  std::size_t size_;
  int low_;
  std::array<Integer, kMax> linear_{};
  std::array<Integer, kMax> outside_{};
  std::array<std::array<Integer, kMax>, kMax> biases_{};
};

}  // namespace tandem::reduce
