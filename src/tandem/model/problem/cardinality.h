// tandem/model/problem/cardinality.h - Cardinality: "exactly so many of these", a constraint that samplers can keep.
//
// Room: model. Choose K of N, one-hot and assignment rows have this form. Not here: ansatze that keep it (middleware/ansatz).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/model/problem/cqm.h"

namespace tandem::problem {

/// Exactly `ones` of `variables` (ascending, at least one) are 1; 0 <= ones <= variables.size().
struct Cardinality {
  std::vector<std::uint32_t> variables;
  std::uint32_t ones = 0;
  friend bool operator==(const Cardinality&, const Cardinality&) = default;
};

/// The form of one constraint: an equality of unit coefficients whose bound is an integer it can reach.
bool is_cardinality(const LinearConstraint& constraint);

/// The cardinalities among `constraints` that share no variable with one before them, in their order. Cost: linear.
std::vector<Cardinality> disjoint_cardinalities(std::span<const LinearConstraint> constraints,
                                                std::size_t num_variables);

}  // namespace tandem::problem
