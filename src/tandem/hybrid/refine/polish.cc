#include "tandem/hybrid/refine/polish.h"

#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::refine {

using problem::Assignment;
using problem::Bqm;
using problem::Cqm;
using problem::LinearTerm;
using problem::QuadraticTerm;
using problem::Vartype;

namespace {

constexpr double kGainMin = 1e-12;           ///< relative; smaller gains are rounding
constexpr std::size_t kSwapVariablesMax = 2000;  ///< above it a swap scan costs more than it finds

}  // namespace

Polisher::Polisher(const problem::Statement& statement) {
  TANDEM_ASSERT(!std::holds_alternative<problem::Polynomial>(statement));
  constrained_ = std::get_if<Cqm>(&statement);
  objective_ = constrained_ != nullptr ? &constrained_->objective() : &std::get<Bqm>(statement);
  const std::size_t n = objective_->num_variables();
  row_begin_.assign(n + 1, 0);
  for (const QuadraticTerm& term : objective_->terms()) {
    ++row_begin_[term.u + 1];
    ++row_begin_[term.v + 1];
  }
  for (std::size_t i = 0; i < n; ++i) row_begin_[i + 1] += row_begin_[i];
  columns_.resize(row_begin_[n]);
  biases_.resize(row_begin_[n]);
  std::vector<std::size_t> next(row_begin_.begin(), row_begin_.end() - 1);
  for (const QuadraticTerm& term : objective_->terms()) {
    columns_[next[term.u]] = term.v;
    biases_[next[term.u]++] = term.bias;
    columns_[next[term.v]] = term.u;
    biases_[next[term.v]++] = term.bias;
  }
}

/// One descent: values, local fields and constraint activities kept up to date.
struct Polisher::Walker {
  const Polisher& owner;
  Assignment values;
  std::vector<double> field;
  std::vector<double> activity;
  std::vector<std::vector<std::pair<std::size_t, double>>> rows_of;  ///< variable -> (constraint, coefficient)

  Walker(const Polisher& polisher, Assignment start) : owner(polisher), values(std::move(start)) {
    const Bqm& bqm = *owner.objective_;
    field.assign(bqm.linear().begin(), bqm.linear().end());
    for (std::size_t i = 0; i < values.size(); ++i)
      for (std::size_t e = owner.row_begin_[i]; e < owner.row_begin_[i + 1]; ++e)
        field[i] += owner.biases_[e] * values[owner.columns_[e]];
    if (owner.constrained_ == nullptr) return;
    rows_of.resize(values.size());
    const auto constraints = owner.constrained_->constraints();
    for (std::size_t c = 0; c < constraints.size(); ++c) {
      activity.push_back(constraints[c].activity(values));
      for (const LinearTerm& term : constraints[c].terms) rows_of[term.variable].push_back({c, term.coefficient});
    }
  }

  double step(std::size_t i) const {
    return owner.objective_->vartype() == Vartype::kSpin ? -2.0 * values[i] : 1.0 - 2.0 * values[i];
  }
  double bias_between(std::size_t i, std::size_t j) const {
    for (std::size_t e = owner.row_begin_[i]; e < owner.row_begin_[i + 1]; ++e)
      if (owner.columns_[e] == j) return owner.biases_[e];
    return 0;
  }
  /// Change of the total violation when the activities move by `delta` (a short list of constraint, amount).
  double violation_change(std::span<const std::pair<std::size_t, double>> delta) const {
    const auto constraints = owner.constrained_->constraints();
    double out = 0;
    for (const auto& [c, amount] : delta)
      out += constraints[c].violation_at(activity[c] + amount) - constraints[c].violation_at(activity[c]);
    return out;
  }
  double flip_violation(std::size_t i) const {
    if (owner.constrained_ == nullptr) return 0;
    std::vector<std::pair<std::size_t, double>> delta = rows_of[i];
    for (auto& entry : delta) entry.second *= step(i);
    return violation_change(delta);
  }
  double swap_violation(std::size_t i, std::size_t j) const {
    std::vector<std::pair<std::size_t, double>> delta;
    for (const auto& [c, coefficient] : rows_of[i]) delta.push_back({c, coefficient * step(i)});
    for (const auto& [c, coefficient] : rows_of[j]) {
      bool merged = false;
      for (auto& entry : delta) {
        if (entry.first != c) continue;
        entry.second += coefficient * step(j);
        merged = true;
      }
      if (!merged) delta.push_back({c, coefficient * step(j)});
    }
    return violation_change(delta);
  }
  void flip(std::size_t i) {
    const double change = step(i);
    values[i] = static_cast<std::int8_t>(values[i] + static_cast<int>(change));
    for (std::size_t e = owner.row_begin_[i]; e < owner.row_begin_[i + 1]; ++e)
      field[owner.columns_[e]] += owner.biases_[e] * change;
    if (owner.constrained_ == nullptr) return;
    for (const auto& [c, coefficient] : rows_of[i]) activity[c] += coefficient * change;
  }
};

namespace {

/// Violation first, then energy; rounding noise is no gain.
bool improves(double violation, double energy, double best_violation, double best_energy) {
  if (violation < best_violation - problem::kFeasibilityTolerance) return true;
  return violation <= best_violation + problem::kFeasibilityTolerance &&
         energy < best_energy - kGainMin * std::max(1.0, std::abs(best_energy));
}

}  // namespace

Assignment Polisher::polish(Assignment start, std::uint64_t moves_max) const {
  Walker walker(*this, std::move(start));
  const std::size_t n = walker.values.size();
  for (std::uint64_t move = 0; move < moves_max; ++move) {
    double best_violation = 0;
    double best_energy = 0;
    std::size_t best_i = n;
    std::size_t best_j = n;
    for (std::size_t i = 0; i < n; ++i) {
      const double violation = walker.flip_violation(i);
      const double energy = walker.field[i] * walker.step(i);
      if (!improves(violation, energy, best_violation, best_energy)) continue;
      best_violation = violation;
      best_energy = energy;
      best_i = i;
    }
    if (best_i == n && constrained_ != nullptr && n <= kSwapVariablesMax) {
      for (std::size_t i = 0; i < n; ++i) {
        if (walker.values[i] <= 0) continue;
        for (std::size_t j = 0; j < n; ++j) {
          if (walker.values[j] > 0) continue;
          const double energy = walker.field[i] * walker.step(i) + walker.field[j] * walker.step(j) +
                                walker.bias_between(i, j) * walker.step(i) * walker.step(j);
          if (energy >= best_energy && best_violation >= 0 && best_i != n) continue;
          const double violation = walker.swap_violation(i, j);
          if (!improves(violation, energy, best_violation, best_energy)) continue;
          best_violation = violation;
          best_energy = energy;
          best_i = i;
          best_j = j;
        }
      }
    }
    if (best_i == n) break;
    walker.flip(best_i);
    if (best_j != n) walker.flip(best_j);
  }
  return walker.values;
}

}  // namespace tandem::refine
