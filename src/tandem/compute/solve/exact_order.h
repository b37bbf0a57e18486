// tandem/compute/solve/exact_order.h - which of two assignments is better, to the last digit.
//
// Room: compute, inside solve. Search works on integers that may be rounded and on doubles that do round; a proof may not. What
// those cannot tell apart is compared here, on the coefficients as given: as decimals where the model has that form
// (Bqm::to_integer), else as the doubles they are.
// Source: Shewchuk 1997, "Adaptive precision floating-point arithmetic and fast robust geometric predicates" (Discrete &
// Computational Geometry 18), sums as expansions (theorem 10).
#pragma once

#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "tandem/model/problem/polynomial.h"

namespace tandem::solve {

/// A sum of doubles without rounding. Threads: one. Cost: an addition for each part, some ten at most.
class ExactSum {
 public:
  void add(double value);
  int sign() const;  ///< -1, 0 or 1

 private:
  std::vector<double> parts_;  ///< ascending magnitudes that do not overlap, none zero
};

/// Threads: one at a time, for the integers are made when they are first asked for. Refers to the model.
/// Cost: a pass over all coefficients a comparison.
class ExactOrder {
 public:
  explicit ExactOrder(const problem::Bqm& bqm) : model_(&bqm) {}
  explicit ExactOrder(const problem::Polynomial& polynomial) : model_(&polynomial) {}
  /// Sign of E(a) - E(b). Both are assignments of the model's vartype.
  int compare(problem::AssignmentView a, problem::AssignmentView b) const;

 private:
  std::variant<const problem::Bqm*, const problem::Polynomial*> model_;
  mutable bool looked_ = false;
  mutable std::optional<problem::IntegerBqm> integers_;
};

/// How a search tells apart assignments whose energies differ by no more than `window` of its integer steps.
struct FineOrder {
  double window = 0;  ///< 0: its integers are exact
  std::function<bool(problem::AssignmentView a, problem::AssignmentView b)>
      better{};  ///< bits; only asked within the window
};

}  // namespace tandem::solve
