// tandem/compute/solve/testing/known_models.h - models that tests of several engines share.
//
// Room: compute; tests only.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/model/problem/bqm.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::solve {

/// The terms of constant + factor times the sum of the squared autocorrelations of n spins; equal ones stand apart.
inline std::vector<problem::Monomial> labs_terms(std::uint32_t n, double factor, double constant) {
  std::vector<problem::Monomial> terms{{.variables = {}, .coefficient = constant}};
  for (std::uint32_t k = 1; k < n; ++k) {
    for (std::uint32_t i = 0; i + k < n; ++i)
      for (std::uint32_t j = 0; j + k < n; ++j)
        terms.push_back({.variables = {i, i + k, j, j + k}, .coefficient = factor});
  }
  return terms;
}

inline problem::Polynomial labs(std::uint32_t n, double factor = 1, double constant = 0) {
  return problem::Polynomial::create(problem::Vartype::kSpin, n, labs_terms(n, factor, constant)).value();
}

/// Each pair of n nodes with probability `density`. Same seed, same edges.
inline std::vector<problem::QuadraticTerm> random_edges(std::size_t n, double density, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<problem::QuadraticTerm> out;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.uniform() < density) out.push_back({u, v, 1});
  }
  return out;
}

}  // namespace tandem::solve
