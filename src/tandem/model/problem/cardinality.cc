#include "tandem/model/problem/cardinality.h"

#include <algorithm>
#include <cmath>

namespace tandem::problem {

bool is_cardinality(const LinearConstraint& constraint) {
  if (constraint.comparison != Comparison::kEqual || constraint.terms.empty()) return false;
  if (constraint.bound < 0 || constraint.bound > static_cast<double>(constraint.terms.size())) return false;
  return std::round(constraint.bound) == constraint.bound &&
         std::all_of(constraint.terms.begin(), constraint.terms.end(),
                     [](const LinearTerm& term) { return term.coefficient == 1; });
}

std::vector<Cardinality> disjoint_cardinalities(std::span<const LinearConstraint> constraints,
                                                std::size_t num_variables) {
  std::vector<char> taken(num_variables, 0);
  std::vector<Cardinality> out;
  for (const LinearConstraint& constraint : constraints) {
    if (!is_cardinality(constraint)) continue;
    const bool overlaps = std::any_of(constraint.terms.begin(), constraint.terms.end(),
                                      [&](const LinearTerm& term) { return taken[term.variable] != 0; });
    if (overlaps) continue;
    Cardinality found{.ones = static_cast<std::uint32_t>(constraint.bound)};
    for (const LinearTerm& term : constraint.terms) {
      taken[term.variable] = 1;
      found.variables.push_back(term.variable);
    }
    out.push_back(std::move(found));
  }
  return out;
}

}  // namespace tandem::problem
