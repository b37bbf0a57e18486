// tandem/model/problem/cqm.h - constrained quadratic model over binary variables: objective plus linear constraints.
//
// Room: model. This is what a named problem states; penalties and slack bits are an encoding's business (middleware/encode).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::problem {

enum class Comparison : std::uint8_t { kEqual, kLessEqual, kGreaterEqual };

struct LinearTerm {
  std::uint32_t variable = 0;
  double coefficient = 0;
  friend bool operator==(const LinearTerm&, const LinearTerm&) = default;
};

/// sum_i coefficient_i x_i (== | <= | >=) bound.
struct LinearConstraint {
  std::string name;  ///< in the words of the problem: "choose exactly 8 assets"
  std::vector<LinearTerm> terms;  ///< ascending variables, each once
  Comparison comparison = Comparison::kEqual;
  double bound = 0;

  double activity(AssignmentView values) const;
  /// How far the constraint is violated; 0 when satisfied within kFeasibilityTolerance * max(1, |bound|).
  double violation(AssignmentView values) const { return violation_at(activity(values)); }
  /// The same for a left side that is known: searches keep it up to date.
  double violation_at(double activity) const;
  friend bool operator==(const LinearConstraint&, const LinearConstraint&) = default;
};

inline constexpr double kFeasibilityTolerance = 1e-9;

/// Threads: immutable after create(). The objective is always a minimum: maximised problems state -f.
class Cqm {
 public:
  Cqm() = default;
  /// Constraint terms are sorted and summed by variable.
  /// Errors: 1101 index_out_of_range; 1102 not_finite (or above Bqm::kMagnitudeMax); 1105 bad_vartype when constraints stand
  ///         over spins.
  static Result<Cqm> create(Bqm objective, std::vector<LinearConstraint> constraints);
  const Bqm& objective() const { return objective_; }
  std::span<const LinearConstraint> constraints() const { return constraints_; }
  std::size_t num_variables() const { return objective_.num_variables(); }
  bool feasible(AssignmentView values) const;
  friend bool operator==(const Cqm&, const Cqm&) = default;

 private:
  Bqm objective_;
  std::vector<LinearConstraint> constraints_;
};

}  // namespace tandem::problem
