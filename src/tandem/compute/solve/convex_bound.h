// tandem/compute/solve/convex_bound.h - lower bounds of a spin model whose first variables are fixed, for branch and bound.
//
// Room: compute, inside solve. For any shift u with A = J + diag(u) positive definite, every s in {-1, +1}^m has
//   h's + s'Js / 2 = h's + s'As / 2 - sum u / 2 >= -h'A^-1 h / 2 - sum u / 2.
// Variables are fixed in the order of their index, so the matrices of all levels are the ends of one. With A = UU', U upper
// triangular, the image z = U^-1 h of the fields has h'A^-1 h = z'z; entry k of it depends only on fields from k on, so fixing
// one more variable drops an entry and adds a vector that is known beforehand: a bound costs a line, not a triangle.
// The shift maximises the bound of the whole model, kept inside the cone by a logarithmic barrier: the best shift itself is
// singular and fails at all other fields. Shifts made anew for deeper levels cut more, and cost more than they save.
// Source: the dual of the semidefinite relaxation (Poljak, Rendl, Wolkowicz 1995, J. Global Optim. 7), its matrix prepared as
// in Buchheim, Caprara, Lodi 2012 (Math. Program. 135). Only sums, products, divisions and roots: the same on every machine.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "tandem/compute/simd/isa.h"
#include "tandem/compute/solve/convex_kernels.h"

namespace tandem::solve {

/// Vectors are padded() doubles, one a variable; those before the level of a call stand for nothing.
///
/// Threads: one. Cost: prepare() about 2 m^3 operations a call, image() (m - level)^2, the rest none.
class ConvexBound {
 public:
  /// `couplings`: m rows of m, symmetric, zero on the diagonal, one of them not 0.
  ConvexBound(std::vector<double> couplings, std::vector<double> fields, simd::Isa isa);

  bool prepared() const { return prepared_; }
  /// One step towards prepared(). `stop`, which stays true once it is, may end it at any point: then nothing has changed and
  /// the answer is false.
  bool prepare(const std::function<bool()>& stop);

  std::size_t padded() const { return padded_; }
  /// Writes the image of `fields` at `level`; the answer is its square.
  double image(std::size_t level, const double* fields, double* image);
  /// At most the least energy h's + s'Js / 2 over the variables from `level` on, for fields whose image has that square.
  double bound(std::size_t level, double square) const { return -0.5 * square - half_shift_[level]; }
  /// What the image gains when variable `level` is fixed at 1, and loses at -1: 0 up to `level`.
  const double* along(std::size_t level) const { return along_.data() + level * padded_; }
  double along_square(std::size_t level) const { return along_square_[level]; }

  static std::uint64_t bytes(std::size_t size) { return size * (5 * size + 16) * sizeof(double); }

 private:
  /// One damped Newton step on the shift; false when stopped. `settled`: it was a short one.
  bool improve_shift(const std::function<bool()>& stop, bool& settled);
  std::vector<double> shifted(const std::vector<double>& shift) const;
  bool factorise(const std::function<bool()>& stop);

  const ConvexKernels& kernels_;
  std::size_t size_;
  std::size_t padded_;
  std::vector<double> couplings_;
  std::vector<double> fields_;
  std::vector<double> shift_;
  double barrier_ = 0;
  double barrier_end_ = 0;
  std::size_t steps_ = 0;
  bool prepared_ = false;
  std::vector<double> columns_;  ///< of U, from its last one on: what stands above the diagonal
  std::vector<double> inverse_;  ///< of its diagonal
  std::vector<double> along_;  ///< a row of padded_ a level
  std::vector<double> along_square_;
  std::vector<double> half_shift_;  ///< half of the sum of the shift from a level on; 0 behind the last
  std::vector<double> scratch_;
};

}  // namespace tandem::solve
