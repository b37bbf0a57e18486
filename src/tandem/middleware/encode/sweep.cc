#include "tandem/middleware/encode/sweep.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tandem/base/assert.h"

namespace tandem::encode {
namespace {

using problem::Bqm;
using problem::Cqm;
using problem::LinearConstraint;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Twice the least weight: an infeasible state then lies as far above the optimum as it would lie below it without penalty.
constexpr double kMargin = 2;
/// Share of the objective's range by which states must be apart to be apart at all; energies are sums in double.
constexpr double kResolution = 1e-7;

/// sum of coefficients[i] over the bits i of z, for every z: each state is a smaller one and its highest bit.
std::vector<double> linear_table(const std::vector<double>& coefficients) {
  std::vector<double> out(std::size_t{1} << coefficients.size(), 0);
  for (std::size_t bit = 0; bit < coefficients.size(); ++bit)
    for (std::size_t z = 0; z < std::size_t{1} << bit; ++z)
      out[(std::size_t{1} << bit) | z] = out[z] + coefficients[bit];
  return out;
}

std::vector<double> energy_table(const Bqm& bqm) {
  TANDEM_ASSERT(bqm.vartype() == problem::Vartype::kBinary);
  const std::size_t n = bqm.num_variables();
  std::vector<std::vector<double>> below(n);  // couplings of each variable to smaller ones
  for (std::size_t i = 0; i < n; ++i) below[i].resize(i, 0);
  for (const problem::QuadraticTerm& term : bqm.terms()) below[term.v][term.u] = term.bias;
  std::vector<double> out(std::size_t{1} << n, bqm.offset());
  for (std::size_t bit = 0; bit < n; ++bit) {
    const std::vector<double> field = linear_table(below[bit]);
    for (std::size_t z = 0; z < field.size(); ++z)
      out[(std::size_t{1} << bit) | z] = out[z] + bqm.linear()[bit] + field[z];
  }
  return out;
}

std::vector<char> feasibility_table(const Cqm& cqm) {
  std::vector<char> out(std::size_t{1} << cqm.num_variables(), 1);
  for (const LinearConstraint& row : cqm.constraints()) {
    std::vector<double> coefficients(cqm.num_variables(), 0);
    for (const problem::LinearTerm& term : row.terms) coefficients[term.variable] = term.coefficient;
    const std::vector<double> activity = linear_table(coefficients);
    for (std::size_t z = 0; z < out.size(); ++z)
      if (row.violation_at(activity[z]) != 0) out[z] = 0;
  }
  return out;
}

/// The factors t for which gain + resolution <= t * cost holds for everything that was given to it.
struct Interval {
  double low = 0;
  double high = kInfinity;
  bool possible = true;
  void require(double gain, double cost) {
    if (cost > 0)
      low = std::max(low, gain / cost);
    else if (cost < 0)
      high = std::min(high, gain / cost);
    else
      possible = possible && gain <= 0;
  }
  /// With the margin where there is room for it, else in the middle.
  std::optional<double> pick() const {
    if (!possible || low >= high) return std::nullopt;
    return std::min(kMargin * low, low + (high - low) / 2);
  }
};

}  // namespace

std::optional<SweptWeights> sweep_weights(const Cqm& cqm, const Bqm& kept, const Bqm& other) {
  TANDEM_ASSERT(cqm.num_variables() <= kSweepVariablesMax);
  TANDEM_ASSERT(kept.num_variables() == cqm.num_variables() && other.num_variables() == cqm.num_variables());
  std::vector<double> energy = energy_table(cqm.objective().with_vartype(problem::Vartype::kBinary));
  const std::vector<char> feasible = feasibility_table(cqm);
  const std::vector<double> kept_cost = energy_table(kept);
  const std::vector<double> other_cost = energy_table(other);

  const auto [least, most] = std::minmax_element(energy.begin(), energy.end());
  const double range = *most - *least;
  // A constant objective asks for any weight, but for one that can be told from 0.
  const double resolution = range > 0 ? kResolution * range : 1;
  double optimum = kInfinity;
  for (std::size_t z = 0; z < energy.size(); ++z)
    if (feasible[z] != 0) optimum = std::min(optimum, energy[z]);
  if (optimum == kInfinity) return std::nullopt;
  // Of several optima the one that the other penalty likes best: it is the one that can come out lowest.
  std::size_t best = 0;
  double best_cost = kInfinity;
  const auto optimal = [&](std::size_t z) { return feasible[z] != 0 && energy[z] <= optimum + resolution; };
  for (std::size_t z = 0; z < energy.size(); ++z) {
    if (!optimal(z) || other_cost[z] >= best_cost) continue;
    best = z;
    best_cost = other_cost[z];
  }

  // The kept rows hold and weigh nothing: everything there is up to the other penalty. Rounding decides what "hold" is.
  const double holds = kResolution * *std::max_element(kept_cost.begin(), kept_cost.end());
  Interval others;
  for (std::size_t z = 0; z < energy.size(); ++z) {
    if (optimal(z) || kept_cost[z] > holds) continue;
    others.require(energy[best] - energy[z] + (feasible[z] != 0 ? 0 : resolution), other_cost[z] - best_cost);
  }
  const std::optional<double> factor = others.pick();
  if (!factor) return std::nullopt;
  Interval rows;
  for (std::size_t z = 0; z < energy.size(); ++z) {
    if (kept_cost[z] <= holds) continue;
    rows.require(energy[best] - energy[z] + *factor * (best_cost - other_cost[z]) + resolution, kept_cost[z]);
  }
  return SweptWeights{.kept = kMargin * rows.low, .other = *factor, .optimum = optimum};
}

}  // namespace tandem::encode
