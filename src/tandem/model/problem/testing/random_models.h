// tandem/model/problem/testing/random_models.h - small random models and exhaustive sweeps.
//
// Room: model, tests only.
#pragma once

#include <vector>

#include "tandem/base/rng.h"
#include "tandem/model/problem/bqm.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::problem {

/// Integer coefficients from -20 to 20; a pair has a term with probability `density`. Same seed, same model.
inline Bqm random_bqm(Vartype vartype, std::uint32_t num_variables, double density, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  const auto coefficient = [&] { return static_cast<double>(rng.below(41)) - 20; };
  std::vector<double> linear(num_variables);
  for (double& value : linear) value = coefficient();
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < num_variables; ++u) {
    for (std::uint32_t v = u + 1; v < num_variables; ++v) {
      if (rng.uniform() < density) terms.push_back({u, v, coefficient()});
    }
  }
  return Bqm::create(vartype, std::move(linear), std::move(terms), coefficient()).value();
}

/// Calls `visit` with every assignment of `num_variables` variables.
template <typename Visit>
void for_each_assignment(Vartype vartype, std::size_t num_variables, Visit visit) {
  const std::int8_t low = vartype == Vartype::kBinary ? 0 : -1;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << num_variables; ++bits) {
    Assignment values(num_variables);
    for (std::size_t i = 0; i < num_variables; ++i) values[i] = (bits >> i & 1) != 0 ? std::int8_t{1} : low;
    visit(values);
  }
}

}  // namespace tandem::problem
