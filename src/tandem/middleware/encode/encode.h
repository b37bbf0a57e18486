// tandem/middleware/encode/encode.h - Encoding: a statement as an unconstrained Bqm, with the decoder back.
//
// Room: middleware. Penalties and slack bits live here and nowhere else; whatever comes back is re-scored by the problem from
// its own data. A penalty weight rests on a bound or on a sweep of all assignments, and `proof` says on which.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/problem/cardinality.h"
#include "tandem/model/problem/problem.h"

namespace tandem::encode {

struct EncodeOptions {
  /// Variables the result may have, slack bits included; 0: no limit. Inequalities that would not fit with
  /// slack bits get an unbalanced penalty (Montanez-Barrera et al., arXiv 2211.13914) that needs none and is approximate.
  std::size_t variables_max = 0;
  /// Statements of at most so many variables (and kSweepVariablesMax of sweep.h) are looked at whole: weights become the
  /// least ones that keep the optimum lowest, and inequalities do without slack bits where that is exact. 0: never.
  std::size_t sweep_variables_max = 0;
};

/// How one constraint was encoded.
struct EncodedConstraint {
  std::string name;
  std::string method;  ///< "penalty", "product", "slack", "unbalanced", "redundant"
  double weight = 0;
  std::uint32_t slack_bits = 0;
};

/// Shapes: variables 0..num_original-1 are those of the statement; the rest are slack bits.
struct Encoding {
  problem::Bqm bqm;
  std::size_t num_original = 0;
  bool exact =
      true;  ///< a minimum of bqm, decoded, is a minimum of the statement; unbalanced penalties need a sweep for it
  std::vector<EncodedConstraint> constraints;
  /// Rows that a sampler may keep by itself instead of paying for them; their penalty is in `bqm` for those that do not.
  std::vector<problem::Cardinality> cardinalities;
  std::string proof;  ///< why the penalty weights suffice, with figures
  problem::Assignment decode(problem::AssignmentView encoded) const;
  Json document() const;  ///< parameters for lineage
};

/// A row of which at most one literal (a variable or its complement) may be on, such as two neighbours of an independent set, an edge of
/// a cover or an implication, costs the products of its pairs and needs no slack bit.
///
/// Errors: 1402 backend_cannot - a polynomial of order above 2, which no quadratic backend takes as it stands;
///         1107 infeasible_problem - a constraint that no assignment satisfies.
Result<Encoding> encode(const problem::Statement& statement, const EncodeOptions& options);

/// Bits of a basis state -> assignment of the Bqm's vartype: qubit i is variable i, bit 1 is binary 1 and spin +1.
problem::Assignment assignment_of_bits(std::span<const std::uint64_t> bits, std::size_t num_variables,
                                       problem::Vartype vartype);

}  // namespace tandem::encode
