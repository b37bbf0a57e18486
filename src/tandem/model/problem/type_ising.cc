// The type `ising`: the energy of spins with fields and couplings.
#include <utility>

#include "tandem/model/problem/bqm_problem.h"

namespace tandem::problem {
namespace {

constexpr BqmWords kWords{.type = "ising",
                          .vartype = Vartype::kSpin,
                          .linear_key = "h",
                          .quadratic_key = "j",
                          .chosen_key = "up",
                          .chosen_text = "point up"};

constexpr std::string_view kTemplate = R"(problem:
  type: ising
  # E(s) = offset + sum of h[i] s_i + sum of J s_u s_v, every s either -1 or +1. There is no minus sign before the sums.
  num_variables: 3
  # One field a spin; all 0 when left out.
  h: [0.5, 0, -0.5]
  # Couplings [u, v, J], counted from 0. Many may stand as text instead, one "u v J" a line.
  j:
    - [0, 1, -1]
    - [1, 2, 1]
  # min (the default) or max.
  sense: min
  # Optional: a constant, and names for the spins.
  offset: 0
  names: [left, middle, right]
)";

}  // namespace

ProblemPtr make_ising(Bqm spin_bqm, Sense sense) { return make_bqm_problem(kWords, std::move(spin_bqm), sense, {}); }

ProblemType ising_type() {
  return {.name = kWords.type,
          .summary = "minimise or maximise the energy of spins -1/+1 with fields and couplings",
          .template_yaml = kTemplate,
          .parse = [](const Json& document, const std::string& pointer) {
            return parse_bqm_problem(kWords, document, pointer);
          }};
}

}  // namespace tandem::problem
