#include "tandem/model/problem/cqm.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tandem/base/text.h"

namespace tandem::problem {
namespace {

/// Sorts by variable, sums repeated ones and drops zeros.
void normalise(std::vector<LinearTerm>& terms) {
  std::stable_sort(terms.begin(), terms.end(),
                   [](const LinearTerm& a, const LinearTerm& b) { return a.variable < b.variable; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < terms.size();) {
    LinearTerm merged = terms[i];
    for (++i; i < terms.size() && terms[i].variable == merged.variable; ++i) merged.coefficient += terms[i].coefficient;
    if (merged.coefficient != 0) terms[kept++] = merged;
  }
  terms.resize(kept);
}

}  // namespace

double LinearConstraint::activity(AssignmentView values) const {
  double sum = 0;
  for (const LinearTerm& term : terms) sum += term.coefficient * values[term.variable];
  return sum;
}

double LinearConstraint::violation_at(double activity) const {
  const double excess = activity - bound;
  const double size = comparison == Comparison::kEqual       ? std::abs(excess)
                      : comparison == Comparison::kLessEqual ? excess
                                                             : -excess;
  return size > kFeasibilityTolerance * std::max(1.0, std::abs(bound)) ? size : 0;
}

Result<Cqm> Cqm::create(Bqm objective, std::vector<LinearConstraint> constraints) {
  if (!constraints.empty() && objective.vartype() != Vartype::kBinary) {
    return fail(errors::kBadVartype, "the constraint {} stands over spins; state the objective over binary variables",
                quote(constraints.front().name));
  }
  for (LinearConstraint& constraint : constraints) {
    double magnitude = std::abs(constraint.bound);
    for (const LinearTerm& term : constraint.terms) {
      if (term.variable >= objective.num_variables()) {
        return fail(errors::kIndexOutOfRange, "the constraint {} names variable {}, which is not below {}",
                    quote(constraint.name), term.variable, objective.num_variables());
      }
      magnitude += std::abs(term.coefficient);
    }
    if (!(magnitude <= Bqm::kMagnitudeMax)) {  // false for NaN
      return fail(errors::kNotFinite,
                  "the coefficients of the constraint {} are not finite or too large; the limit is {}",
                  quote(constraint.name), Bqm::kMagnitudeMax);
    }
    normalise(constraint.terms);
  }
  Cqm cqm;
  cqm.objective_ = std::move(objective);
  cqm.constraints_ = std::move(constraints);
  return cqm;
}

bool Cqm::feasible(AssignmentView values) const {
  return std::all_of(constraints_.begin(), constraints_.end(),
                     [&](const LinearConstraint& constraint) { return constraint.violation(values) == 0; });
}

}  // namespace tandem::problem
