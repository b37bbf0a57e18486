// tandem/compute/reduce/fixed_point.h - the coefficients of a Bqm as integers on one grid, so that reductions never round.
//
// Room: compute, inside reduce. Decimals where the Bqm has that form (Bqm::to_integer), else the powers of two that its doubles
// are multiples of. Not here: rounded forms; what fits no grid is not reduced.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>

#include "tandem/model/problem/bqm.h"

namespace tandem::reduce {

__extension__ using Wide = __int128;

/// Every coefficient of a Bqm is an integer times 10^-decimals or 2^exponent; of spins, times half of that. On it every function of
/// some of the variables that has such energies, and is quadratic, has its coefficients: over {0, 1} they are sums of energies, and
/// those over {-1, 1} are quarters of sums, which halves hold because energies of spins differ by even numbers.
///
/// Limits:  the sum of all |integers| is at most 2^kNarrowBits where narrow() is true, else 2^kWideBits, before halves. Coefficients of a model
///          in reduction are differences of its energies, so none of them, and no sum of a row, grows beyond 12 times that.
/// Threads: immutable; refers to the Bqm, which must outlive it.
/// Cost:    create: one pass over the terms, and the integers of the model where its coefficients are not whole.
class FixedPoint {
 public:
  static constexpr int kNarrowBits = 56;
  static constexpr int kWideBits = 120;

  /// Empty where no grid within the limits holds all coefficients. Throws Stopped.
  static std::optional<FixedPoint> create(const problem::Bqm& bqm, const std::stop_token& stop);

  bool narrow() const { return narrow_; }  ///< 64 bits are enough
  template <class Integer>
  Integer linear(std::size_t i) const {
    return integers_ ? scale_ * static_cast<Integer>(integers_->linear[i]) : on_grid<Integer>(bqm_->linear()[i]);
  }
  template <class Integer>
  Integer bias(std::size_t term) const {
    return integers_ ? scale_ * static_cast<Integer>(integers_->terms[term].bias)
                     : on_grid<Integer>(bqm_->terms()[term].bias);
  }
  template <class Integer>
  Integer offset() const {
    return integers_ ? scale_ * static_cast<Integer>(integers_->offset) : on_grid<Integer>(bqm_->offset());
  }
  /// The double nearest to an integer of the grid, up to the last place.
  double value(Wide integer) const;
  /// How far value() may be from it: 0 where it is exact, or leads back to the same decimal.
  double error(Wide integer) const;
  bool decimal() const { return exponent_ == 0; }

 private:
  explicit FixedPoint(const problem::Bqm& bqm) : bqm_(&bqm) {}
  template <class Integer>
  Integer on_grid(double value) const {
    return exponent_ == 0 ? scale_ * static_cast<Integer>(value) : static_cast<Integer>(scaled(value));
  }
  double scaled(double value) const;

  const problem::Bqm* bqm_;
  std::optional<problem::IntegerBqm> integers_;  ///< empty where coefficients are taken as they are
  int scale_ = 1;  ///< 2: halves of spins
  int exponent_ = 0;
  bool narrow_ = true;
};

}  // namespace tandem::reduce
