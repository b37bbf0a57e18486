// tandem/compute/solve/convex_bound.h - lower bounds of a spin model whose first variables are fixed, for branch and bound.
//
// Room: compute, inside solve. For any shift u with A = J + diag(u) positive definite, every s in {-1, +1}^m has
//   h's + s'Js / 2 = h's + s'As / 2 - sum u / 2 >= -h'A^-1 h / 2 - sum u / 2,
// which costs one triangular solve. Variables are fixed in the order of their index, so each level has one matrix, and its
// shift can be chosen well beforehand: it maximises the mean of the bound over the fields that fixed spins may leave there
// (those of the incumbent, with the spread of random ones), kept inside the cone by a logarithmic barrier. A shift that is
// best for one field alone is nearly singular and fails at all others.
// Source: the dual of the semidefinite relaxation (Poljak, Rendl, Wolkowicz 1995, J. Global Optim. 7); one matrix a level as
// in Buchheim, Caprara, Lodi 2012 (Math. Program. 135). Only sums, products, divisions and roots: the same on every machine.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "tandem/model/problem/vartype.h"

namespace tandem::solve {

/// Threads: one. Memory: m^3 / 6 doubles. Cost: prepare() about 6 m^3 operations a call, bound() (m - level)^2 / 2.
class ConvexBound {
 public:
  /// `couplings`: m rows of m, symmetric, zero on the diagonal. `incumbent`: spins near which the bound should be good.
  ConvexBound(std::vector<double> couplings, std::vector<double> fields, problem::Assignment incumbent);

  bool prepared() const { return level_ == size_; }
  /// One step towards prepared(). `stop`, which stays true once it is, may end it at any point: then nothing has changed and
  /// the answer is false.
  bool prepare(const std::function<bool()>& stop);

  /// At most the least energy h's + s'Js / 2 over the variables from `level` on, for their fields h. The level is prepared.
  double bound(std::size_t level, std::span<const double> fields);

  static std::uint64_t bytes(std::size_t size) { return size * size * (size + 60) / 6 * sizeof(double); }

 private:
  struct Level {
    std::vector<double> factor;  ///< rows of R with A = R'R, packed; the inverse on the diagonal
    double half_shift = 0;  ///< sum u / 2
  };
  double coupling(std::size_t i, std::size_t j) const { return couplings_[i * size_ + j]; }
  /// One damped Newton step on the shift of the current level; false when stopped. `settled`: it was a short one.
  bool improve_shift(const std::function<bool()>& stop, bool& settled);
  void factorise();
  void fix_next();

  std::size_t size_;
  std::vector<double> couplings_;
  std::vector<double> mean_;  ///< fields of the variables from level_ on, with the others at the incumbent
  std::vector<double> spread_;  ///< size_ rows of size_: covariance of those fields with the others at random
  problem::Assignment incumbent_;
  std::vector<double> shift_;  ///< of the variables from level_ on
  double barrier_ = 0;
  double barrier_end_ = 0;
  std::size_t level_ = 0;
  std::size_t improved_at_;  ///< variables left when the shift was last improved
  std::size_t steps_ = 0;
  std::vector<Level> levels_;
  std::vector<double> scratch_;
};

}  // namespace tandem::solve
