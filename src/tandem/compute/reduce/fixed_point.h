// tandem/compute/reduce/fixed_point.h - the coefficients of a Bqm as integers on one grid, so that reductions never round.
//
// Room: compute, inside reduce. Decimals where the Bqm has that form (Bqm::to_integer), else the powers of two that its doubles
// are multiples of. Not here: rounded forms; what fits no grid is not reduced.
#pragma once

#include <cstdint>
#include <optional>

#include "tandem/model/problem/bqm.h"

namespace tandem::reduce {

__extension__ using Wide = __int128;

/// Every coefficient of a Bqm is an integer times 10^-decimals or 2^exponent.
///
/// Limits:  the sum of all |integers| is at most 2^kNarrowBits where narrow() is true, else 2^kWideBits. Coefficients of a model
///          in reduction are differences of its energies, so none of them, and no sum of a row, grows beyond 12 times that.
/// Threads: immutable; refers to the Bqm, which must outlive it.
/// Cost:    create: one pass over the terms, and the integers of the model where its coefficients are not whole.
class FixedPoint {
 public:
  static constexpr int kNarrowBits = 57;
  static constexpr int kWideBits = 120;

  /// Empty where no grid within the limits holds all coefficients.
  static std::optional<FixedPoint> create(const problem::Bqm& bqm);

  bool narrow() const { return narrow_; }  ///< 64 bits are enough
  template <class Integer>
  Integer linear(std::size_t i) const {
    return integers_ ? integers_->linear[i] : on_grid<Integer>(bqm_->linear()[i]);
  }
  template <class Integer>
  Integer bias(std::size_t term) const {
    return integers_ ? integers_->terms[term].bias : on_grid<Integer>(bqm_->terms()[term].bias);
  }
  template <class Integer>
  Integer offset() const {
    return integers_ ? integers_->offset : on_grid<Integer>(bqm_->offset());
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
    return static_cast<Integer>(exponent_ == 0 ? value : scaled(value));
  }
  double scaled(double value) const;

  const problem::Bqm* bqm_;
  std::optional<problem::IntegerBqm> integers_;  ///< empty where coefficients are taken as they are
  int exponent_ = 0;
  bool narrow_ = true;
};

}  // namespace tandem::reduce
