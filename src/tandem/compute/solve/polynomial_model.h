// tandem/compute/solve/polynomial_model.h - a Polynomial as search works on it: integers, terms and the terms of each variable.
//
// Room: compute, inside solve. Where the coefficients have no common decimal form they are rounded at 2^-50 of their sum:
// good for search, and samples are scored with the Polynomial itself.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::solve {

/// Threads: immutable after create(). Limits: the sum of all |coefficients| is below 2^60.
class PolynomialModel {
 public:
  /// Errors: 1004 out_of_memory - needs more than `memory_bytes_max`, before anything is allocated.
  static Result<PolynomialModel> create(const problem::Polynomial& polynomial, std::uint64_t memory_bytes_max);

  std::size_t size() const { return terms_of_begin_.size() - 1; }
  problem::Vartype vartype() const { return vartype_; }
  std::size_t num_terms() const { return coefficients_.size(); }  ///< without the constant
  std::span<const std::uint32_t> factors(std::size_t term) const {
    return {factors_.data() + factors_begin_[term], factors_.data() + factors_begin_[term + 1]};
  }
  std::int64_t coefficient(std::size_t term) const { return coefficients_[term]; }
  std::span<const std::uint32_t> terms_of(std::size_t variable) const {
    return {terms_of_.data() + terms_of_begin_[variable], terms_of_.data() + terms_of_begin_[variable + 1]};
  }
  std::uint64_t num_factors() const { return factors_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  /// How far the difference of two energies may be from its true value: 0 where all coefficients are integers after scaling.
  double error_max() const { return exact_ ? 0 : static_cast<double>(num_terms()); }

  std::int64_t energy(problem::AssignmentView bits) const;
  double objective(std::int64_t energy) const { return constant_ + static_cast<double>(energy) * unit_; }
  /// The largest energy whose objective counts as <= `objective`; empty when there can be none.
  std::optional<std::int64_t> energy_at_most(double objective) const;

 private:
  problem::Vartype vartype_ = problem::Vartype::kBinary;
  std::vector<std::uint64_t> factors_begin_;
  std::vector<std::uint32_t> factors_;
  std::vector<std::int64_t> coefficients_;
  std::vector<std::uint64_t> terms_of_begin_{0};
  std::vector<std::uint32_t> terms_of_;
  double constant_ = 0;
  double unit_ = 1;  ///< objective of one integer step
  bool exact_ = true;
  double slack_ = 0;  ///< steps that rounding may hide
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::solve
