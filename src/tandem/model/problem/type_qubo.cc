// The type `qubo`: a quadratic function of 0/1 variables.
#include <utility>

#include "tandem/model/problem/bqm_problem.h"

namespace tandem::problem {
namespace {

constexpr BqmWords kWords{.type = "qubo",
                          .vartype = Vartype::kBinary,
                          .linear_key = "linear",
                          .quadratic_key = "quadratic",
                          .chosen_key = "ones",
                          .chosen_text = "are 1"};

constexpr std::string_view kTemplate = R"(problem:
  type: qubo
  # E(x) = offset + sum of linear[i] x_i + sum of bias x_u x_v, every x either 0 or 1.
  num_variables: 3
  # One linear bias a variable; all 0 when left out.
  linear: [-1, -1, -2]
  # Pairs [u, v, bias], counted from 0. Many pairs may stand as text instead, one "u v bias" a line.
  quadratic:
    - [0, 1, 2]
    - [1, 2, 1.5]
  # min (the default) or max.
  sense: min
  # Optional: a constant, and names for the variables.
  offset: 0
  names: [red, green, blue]
)";

}  // namespace

ProblemPtr make_qubo(Bqm binary_bqm, Sense sense) { return make_bqm_problem(kWords, std::move(binary_bqm), sense, {}); }

ProblemType qubo_type() {
  return {.name = kWords.type,
          .summary = "minimise or maximise a quadratic function of 0/1 variables",
          .template_yaml = kTemplate,
          .parse = [](const Json& document, const std::string& pointer) {
            return parse_bqm_problem(kWords, document, pointer);
          }};
}

}  // namespace tandem::problem
