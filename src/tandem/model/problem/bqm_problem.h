// tandem/model/problem/bqm_problem.h - BqmProblem: the problems whose own data is a Bqm, `qubo` and `ising`.
//
// Room: model. For type_qubo.cc and type_ising.cc only; everybody else sees a Problem.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/model/problem/problem.h"

namespace tandem::problem {

/// How one type spells the parts of its document and of its answer.
struct BqmWords {
  std::string_view type;
  Vartype vartype = Vartype::kBinary;
  std::string_view linear_key;
  std::string_view quadratic_key;
  std::string_view chosen_key;   ///< of the answer: the variables with value 1
  std::string_view chosen_text;  ///< "are 1"
};

/// Shapes: `bqm` as the user gave it, in `sense`; names empty or one a variable.
ProblemPtr make_bqm_problem(const BqmWords& words, Bqm bqm, Sense sense, std::vector<std::string> names);
/// Errors: those of ObjectReader, read_pairs, read_names and Bqm::create; 1104 size_mismatch - linear biases.
Result<ProblemPtr> parse_bqm_problem(const BqmWords& words, const Json& document, const std::string& pointer);

}  // namespace tandem::problem
