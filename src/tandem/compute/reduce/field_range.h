// tandem/compute/reduce/field_range.h - between what limits the field of a variable lies, and what that says of pairs.
//
// Room: compute, inside reduce.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tandem/model/problem/bqm.h"

namespace tandem::reduce {

/// Sums of the negative and of the positive couplings of one variable.
template <class Integer>
struct Couplings {
  Integer negative = 0;
  Integer positive = 0;
  void add(Integer bias) { (bias < 0 ? negative : positive) += bias; }
  void remove(Integer bias) { (bias < 0 ? negative : positive) -= bias; }
};

/// What raising one variable from low to high adds to the energy lies in [lo, hi], whatever the others do.
template <class Integer>
struct Range {
  Integer lo = 0;
  Integer hi = 0;
};

template <class Integer>
Range<Integer> field_range(problem::Vartype vartype, Integer linear, const Couplings<Integer>& couplings) {
  if (vartype == problem::Vartype::kBinary) return {linear + couplings.negative, linear + couplings.positive};
  const Integer sum = couplings.positive - couplings.negative;
  return {2 * (linear - sum), 2 * (linear + sum)};
}

/// How the field of one variable changes when its neighbour is raised.
template <class Integer>
Integer coupling(problem::Vartype vartype, Integer bias) {
  return vartype == problem::Vartype::kBinary ? bias : 4 * bias;
}

enum class Relation : std::uint8_t { kNone, kEqual, kOpposite };

/// The pair rules: with the fields of i and j apart from each other in [i.lo, i.hi] and [j.lo, j.hi], and coupling q, a pair
/// of values (x_i, x_j) is never better than another one of which one value differs. Both unequal pairs: equal; both equal
/// pairs: opposite.
template <class Integer>
Relation relation(Range<Integer> i, Range<Integer> j, Integer q) {
  const Integer negative = std::min<Integer>(0, q);
  const Integer positive = std::max<Integer>(0, q);
  i = {i.lo - negative, i.hi - positive};
  j = {j.lo - negative, j.hi - positive};
  const bool high_low_worse = i.lo >= 0 || j.hi + q <= 0;  // (1,0) -> (0,0) or (1,1)
  const bool low_high_worse = j.lo >= 0 || i.hi + q <= 0;  // (0,1) -> (0,0) or (1,1)
  if (high_low_worse && low_high_worse) return Relation::kEqual;
  const bool low_low_worse = i.hi <= 0 || j.hi <= 0;  // (0,0) -> (1,0) or (0,1)
  const bool high_high_worse = i.lo + q >= 0 || j.lo + q >= 0;  // (1,1) -> (0,1) or (1,0)
  return low_low_worse && high_high_worse ? Relation::kOpposite : Relation::kNone;
}

}  // namespace tandem::reduce
