// tandem/model/problem/bqm.h - binary quadratic model: the one unconstrained quadratic model.
//
// Room: model. Owns the energy function. Not here: penalties (middleware/encode), solving (compute/solve), files (model/format).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/problem/vartype.h"

namespace tandem::problem {

struct QuadraticTerm {
  std::uint32_t u = 0;
  std::uint32_t v = 0;
  double bias = 0;
  friend bool operator==(const QuadraticTerm&, const QuadraticTerm&) = default;
};

struct IntegerTerm {
  std::uint32_t u = 0;
  std::uint32_t v = 0;
  std::int64_t bias = 0;
  friend bool operator==(const IntegerTerm&, const IntegerTerm&) = default;
};

/// A Bqm whose coefficients are integers after multiplication by 10^decimals: the exact path of all solvers.
/// The sum of all |coefficients| is at most kMagnitudeMax, so every energy and every partial sum fits an int64.
struct IntegerBqm {
  static constexpr std::int64_t kMagnitudeMax = std::int64_t{1} << 61;
  Vartype vartype = Vartype::kBinary;
  int decimals = 0;  ///< 0..9; energy of the Bqm = energy of this / 10^decimals
  std::vector<std::int64_t> linear;
  std::vector<IntegerTerm> terms;  ///< sorted by (u, v), u < v
  std::int64_t offset = 0;

  std::int64_t energy(AssignmentView values) const;
  /// The double nearest to energy / 10^decimals.
  double to_objective(std::int64_t energy) const;
};

/// E(x) = offset + sum_i linear[i] x_i + sum_{u<v} bias_uv x_u x_v. Lower is better.
///
/// Shapes:  linear has num_variables() entries; terms sorted by (u, v), each pair once, no zero bias.
/// Limits:  kVariablesMax variables, kTermsMax terms, kMagnitudeMax sum of all |coefficients| (checked by create()).
/// Threads: immutable after create(); every method is const and safe to call concurrently.
/// Cost:    energy() is O(num_variables + num_terms) and allocation-free; create() is linear: two counting sorts, none when
///          the terms come sorted, with one more buffer of the terms.
class Bqm {
 public:
  static constexpr std::size_t kVariablesMax = 10'000'000;  ///< 40 MB of indices; beyond it nothing here is tested
  static constexpr std::size_t kTermsMax = 400'000'000;  ///< 6.4 GB of terms
  static constexpr double kMagnitudeMax = 1e300;  ///< leaves room for energies and for changes of the vartype

  Bqm() = default;

  /// Builds a model; duplicate pairs are summed in the order given, u > v is swapped, zero sums are dropped.
  ///
  /// Errors: 1101 index_out_of_range - an index >= linear.size(), or u == v;
  ///         1102 not_finite - a bias or the offset is NaN or infinite, also after summing;
  ///         1103 model_too_large - above kVariablesMax or kTermsMax;
  ///         1108 coefficient_overflow - the sum of all |coefficients| is above kMagnitudeMax.
  static Result<Bqm> create(Vartype vartype, std::vector<double> linear, std::vector<QuadraticTerm> terms,
                            double offset);

  Vartype vartype() const { return vartype_; }
  std::size_t num_variables() const { return linear_.size(); }
  std::span<const double> linear() const { return linear_; }
  std::span<const QuadraticTerm> terms() const { return terms_; }
  double offset() const { return offset_; }

  /// Energy of one assignment of this vartype; sizes must agree (asserted).
  double energy(AssignmentView values) const;

  /// The same function over the other vartype (energy is invariant). Rounding only where halves and quarters round.
  Bqm with_vartype(Vartype vartype) const;
  /// -E: for senses.
  Bqm negated() const;

  /// The exact form: every coefficient c is the double nearest to some m / 10^k with one k <= 9 for all of them, and the
  /// magnitude fits. The integer m has at most 15 digits unless c is an integer itself, for beyond 15 digits several
  /// decimals share one double and which was meant would be a guess. Empty otherwise.
  /// Empty, too, when `stop` is requested meanwhile.
  std::optional<IntegerBqm> to_integer(const std::stop_token& stop = {}) const;
  /// For search only: coefficients times a power of two that brings the magnitude to about 2^50, rounded to integers.
  /// `decimals` is 0 and does not lead back: objectives found with it must be recomputed here.
  IntegerBqm to_rounded_integer() const;

  friend bool operator==(const Bqm&, const Bqm&) = default;

 private:
  Vartype vartype_ = Vartype::kBinary;
  std::vector<double> linear_;
  std::vector<QuadraticTerm> terms_;
  double offset_ = 0;
};

}  // namespace tandem::problem
