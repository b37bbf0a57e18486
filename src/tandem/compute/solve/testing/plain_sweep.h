// tandem/compute/solve/testing/plain_sweep.h - the least energy of a small Bqm by looking at all assignments, in seconds up to 24 variables.
//
// Room: compute, inside solve, for tests. Shares no code with the solvers: one plain row of doubles a variable.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "tandem/model/problem/bqm.h"

namespace tandem::solve {

/// Calls `visit(energy, bits)` for every assignment, by flips in Gray order. Coefficients are integers, so that energies are exact.
template <class Visit>
void for_each_in_gray_order(const problem::Bqm& bqm, const Visit& visit) {
  const std::size_t n = bqm.num_variables();
  std::vector<std::vector<double>> coupling(n, std::vector<double>(n));
  for (const problem::QuadraticTerm& term : bqm.terms())
    coupling[term.u][term.v] = coupling[term.v][term.u] = term.bias;
  const bool spin = bqm.vartype() == problem::Vartype::kSpin;
  problem::Assignment values(n, spin ? -1 : 0);
  std::vector<double> field(bqm.linear().begin(), bqm.linear().end());  // by how much a step of 1 up raises the energy
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) field[i] += coupling[i][j] * values[j];
  double energy = bqm.energy(values);
  std::uint32_t bits = 0;
  visit(energy, bits);
  for (std::uint64_t code = 1; code < std::uint64_t{1} << n; ++code) {
    const auto i = static_cast<std::size_t>(std::countr_zero(code));
    const int step = (values[i] == 1 ? -1 : 1) * (spin ? 2 : 1);
    energy += step * field[i];
    values[i] = static_cast<std::int8_t>(values[i] + step);
    bits ^= 1u << i;
    for (std::size_t j = 0; j < n; ++j) field[j] += coupling[i][j] * step;
    visit(energy, bits);
  }
}

inline double swept_in_gray_order(const problem::Bqm& bqm) {
  double best = 1e300;
  for_each_in_gray_order(bqm, [&](double energy, std::uint32_t) { best = std::min(best, energy); });
  return best;
}

}  // namespace tandem::solve
