#include "tandem/compute/solve/constrained_search.h"

#include <algorithm>
#include <cmath>

namespace tandem::solve {

namespace {

constexpr std::uint64_t kTenureBase = 5;
constexpr std::uint64_t kTenureSpread = 8;
constexpr std::uint64_t kPatience = 400;  // moves without a new best before a restart, times a factor of the size
constexpr std::uint64_t kOscillation = 8;  // moves on one side of feasibility before the weight changes
constexpr double kWeightStep = 1.3;
constexpr double kPerturbedShare = 0.3;  // of the ones of the best, moved elsewhere by a restart

}  // namespace

ConstrainedModel::ConstrainedModel(const problem::Cqm& source) : cqm(&source) {
  const problem::Bqm binary = source.objective().with_vartype(problem::Vartype::kBinary);
  auto exact = binary.to_integer();
  objective = exact ? *std::move(exact) : binary.to_rounded_integer();
  linear = objective.linear;
  const std::size_t n = linear.size();
  weights.assign(n * n, 0);
  std::vector<std::int64_t> reach(n);
  for (std::size_t i = 0; i < n; ++i) reach[i] = std::abs(linear[i]);
  for (const problem::IntegerTerm& term : objective.terms) {
    weights[term.u * n + term.v] = weights[term.v * n + term.u] = term.bias;
    reach[term.u] += std::abs(term.bias);
    reach[term.v] += std::abs(term.bias);
  }
  for (const std::int64_t value : reach) flip_max = std::max(flip_max, value);
  const auto constraints = source.constraints();
  coefficients.assign(n * constraints.size(), 0);
  for (std::size_t c = 0; c < constraints.size(); ++c)
    for (const problem::LinearTerm& term : constraints[c].terms)
      coefficients[term.variable * constraints.size() + c] = term.coefficient;
}

std::int64_t ConstrainedModel::energy(problem::AssignmentView bits) const { return objective.energy(bits); }

double ConstrainedModel::violation(problem::AssignmentView bits) const {
  double out = 0;
  for (const problem::LinearConstraint& constraint : cqm->constraints()) out += constraint.violation(bits);
  return out;
}

ConstrainedSearch::ConstrainedSearch(const ConstrainedModel& model, std::uint64_t seed, std::size_t candidates_max,
                                     std::optional<std::int64_t> target, const problem::Assignment* start)
    : model_(model), rng_(seed), target_(target), bits_(model.size(), 0), feasible_(candidates_max) {
  if (start != nullptr)
    bits_ = *start;
  else
    for (auto& bit : bits_) bit = static_cast<std::int8_t>(rng_.below(2));
  least_violated_ = bits_;
  least_violation_ = model_.violation(bits_);
  weight_ = static_cast<double>(model_.flip_max);
  tabu_until_.assign(model_.size(), 0);
  field_.resize(model_.size());
  activity_.resize(model_.cqm->constraints().size());
  const std::size_t n = model_.size();
  for (std::size_t i = 0; i < n; ++i) {
    field_[i] = model_.linear[i];
    for (std::size_t j = 0; j < n; ++j)
      if (bits_[j] != 0) field_[i] += model_.weights[i * n + j];
  }
  for (std::size_t c = 0; c < activity_.size(); ++c) activity_[c] = model_.cqm->constraints()[c].activity(bits_);
  energy_ = model_.energy(bits_);
  violation_ = least_violation_;
}

double ConstrainedSearch::violation_after(std::size_t i, std::size_t j) const {
  const auto constraints = model_.cqm->constraints();
  const std::size_t count = constraints.size();
  const double* ci = model_.coefficients.data() + i * count;
  const double* cj = model_.coefficients.data() + j * count;
  double out = 0;
  for (std::size_t c = 0; c < count; ++c) {
    double activity = activity_[c] + ci[c] * step(i);
    if (i != j) activity += cj[c] * step(j);
    out += constraints[c].violation_at(activity);
  }
  return out;
}

std::optional<ConstrainedSearch::Move> ConstrainedSearch::best_move() {
  const std::size_t n = model_.size();
  std::optional<Move> best;
  const double now = static_cast<double>(energy_) + weight_ * violation_;
  const auto offer = [&](std::size_t i, std::size_t j, std::int64_t change) {
    const double violation = violation_after(i, j);
    const double cost = static_cast<double>(energy_ + change) + weight_ * violation - now;
    const bool tabu = tabu_until_[i] > units_ || tabu_until_[j] > units_;
    const bool aspires = violation == 0 && (!best_energy_ || energy_ + change < *best_energy_);
    if (tabu && !aspires) return;
    if (!best || cost < best->cost) best = Move{.cost = cost, .first = i, .second = j};
  };
  std::vector<std::size_t> ones;
  std::vector<std::size_t> zeros;
  for (std::size_t i = 0; i < n; ++i) {
    (bits_[i] != 0 ? ones : zeros).push_back(i);
    offer(i, i, bits_[i] != 0 ? -field_[i] : field_[i]);
  }
  for (const std::size_t i : ones)
    for (const std::size_t j : zeros) offer(i, j, -field_[i] + field_[j] - model_.weights[i * n + j]);
  return best;
}

void ConstrainedSearch::flip(std::size_t i) {
  const std::size_t n = model_.size();
  const bool down = bits_[i] != 0;
  energy_ += down ? -field_[i] : field_[i];
  const auto count = activity_.size();
  for (std::size_t c = 0; c < count; ++c) activity_[c] += model_.coefficients[i * count + c] * step(i);
  bits_[i] = static_cast<std::int8_t>(down ? 0 : 1);
  const std::int64_t* row = model_.weights.data() + i * n;
  for (std::size_t j = 0; j < n; ++j) field_[j] += down ? -row[j] : row[j];
}

void ConstrainedSearch::note(const Watch& watch) {
  violation_ = 0;
  const auto constraints = model_.cqm->constraints();
  for (std::size_t c = 0; c < constraints.size(); ++c) violation_ += constraints[c].violation_at(activity_[c]);
  if (violation_ < least_violation_) {
    least_violation_ = violation_;
    least_violated_ = bits_;
  }
  if (violation_ > 0) {
    feasible_run_ = 0;
    if (++infeasible_run_ % kOscillation == 0) weight_ *= kWeightStep;
    return;
  }
  infeasible_run_ = 0;
  if (++feasible_run_ % kOscillation == 0) weight_ = std::max(weight_ / kWeightStep, 1.0);
  feasible_.offer(energy_, bits_);
  if (best_energy_ && energy_ >= *best_energy_) return;
  best_energy_ = energy_;
  last_gain_ = units_;
  reached_target_ = watch.found(energy_, units_) && target_.has_value();
}

void ConstrainedSearch::restart() {
  // From the best, with a part of its ones moved elsewhere; without one, from anywhere.
  const std::size_t n = model_.size();
  problem::Assignment next(n);
  if (!feasible_.empty()) {
    const auto elite = feasible_.candidates();
    next = elite[rng_.below(elite.size())].bits;
    for (std::size_t i = 0; i < n; ++i) {
      if (next[i] == 0 || rng_.uniform() >= kPerturbedShare) continue;
      next[i] = 0;
      next[rng_.below(n)] = 1;
    }
  } else {
    for (auto& bit : next) bit = static_cast<std::int8_t>(rng_.below(2));
  }
  for (std::size_t i = 0; i < n; ++i)
    if (next[i] != bits_[i]) flip(i);
  std::fill(tabu_until_.begin(), tabu_until_.end(), 0);
  weight_ = static_cast<double>(model_.flip_max);
  last_gain_ = units_;
}

void ConstrainedSearch::advance(std::uint64_t units_end, const Watch& watch) {
  const std::size_t n = model_.size();
  if (units_ == 0) note(watch);
  while (units_ < units_end && !reached_target_ && !watch.stopped()) {
    ++units_;
    if (units_ - last_gain_ > kPatience + 4 * n) restart();
    if (const auto move = best_move()) {
      flip(move->first);
      tabu_until_[move->first] = units_ + kTenureBase + rng_.below(kTenureSpread);
      if (move->second != move->first) {
        flip(move->second);
        tabu_until_[move->second] = units_ + kTenureBase + rng_.below(kTenureSpread);
      }
    } else {
      std::fill(tabu_until_.begin(), tabu_until_.end(), 0);  // everything is tabu: a tiny model
    }
    note(watch);
  }
}

}  // namespace tandem::solve
