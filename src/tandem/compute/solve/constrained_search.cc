#include "tandem/compute/solve/constrained_search.h"

#include <algorithm>
#include <cmath>

namespace tandem::solve {

namespace {

constexpr std::uint64_t kTenureBase = 4;
constexpr std::uint64_t kTenureSpread = 8;
constexpr std::uint64_t kPatience = 400;  // moves without a new best before a restart, and 4 a variable
constexpr std::uint64_t kOscillation = 8;  // moves on one side of feasibility before the weights change
constexpr double kWeightStep = 1.3;
constexpr double kWeightRange = 1e6;  // largest and least weight against the first one
constexpr double kPerturbedShare = 0.3;  // of the ones of an elite assignment, moved elsewhere by a restart
constexpr std::size_t kListed = 48;      // ones, and zeros, whose swaps are looked at in a large model
constexpr std::size_t kListedAnyway = 16;  // of these, drawn at random

}  // namespace

ConstrainedSearch::ConstrainedSearch(const ConstrainedForm& form, ConstrainedOptions options)
    : form_(form),
      options_(std::move(options)),
      rng_(options_.seed),
      objective_(ObjectiveState::create(form.objective)),
      state_(form.constraints),
      tabu_until_(form.objective.size()),
      pending_(form.constraints.ranges().size()),
      feasible_(options_.candidates_max) {
  // At first a step of violation costs as much as the largest flip gains.
  double largest = 1;
  for (const std::int64_t linear : form.objective.linear())
    largest = std::max(largest, std::abs(static_cast<double>(linear)));
  for (const auto& range : form.constraints.ranges()) first_weights_.push_back(largest / range.typical);
  weights_ = first_weights_;
}

std::uint64_t ConstrainedSearch::bytes(std::size_t num_variables, std::size_t candidates_max) {
  return num_variables * (40 + candidates_max);
}

void ConstrainedSearch::advance(std::uint64_t units_end, const Watch& watch) {
  const std::uint64_t patience = kPatience + 4 * form_.objective.size();
  while (!reached_target_ && units_ < units_end && !watch.stopped()) {
    if (units_ == 0 || units_ - last_gain_ > patience) {
      restart();
      note(watch);  // what it starts from counts
    } else {
      make(best_move());
      note(watch);
    }
  }
}

double ConstrainedSearch::violation() const {
  double sum = 0;
  const auto ranges = form_.constraints.ranges();
  for (std::size_t c = 0; c < ranges.size(); ++c) {
    sum += static_cast<double>(ranges[c].violation(state_.activity(c))) / ranges[c].typical;
  }
  return sum;
}

/// What the penalty gains or loses when i, and j where it is another, are flipped.
double ConstrainedSearch::penalty_change(std::size_t i, std::size_t j) {
  const auto ranges = form_.constraints.ranges();
  const problem::Assignment& bits = objective_->bits();
  double change = 0;
  const auto add = [&](std::size_t c, std::int64_t step) {
    const std::int64_t activity = state_.activity(c);
    const std::int64_t difference = ranges[c].violation(activity + step) - ranges[c].violation(activity);
    change += weights_[c] * static_cast<double>(difference);
  };
  const auto step_of = [&](std::size_t variable, std::int64_t coefficient) {
    return bits[variable] == 0 ? coefficient : -coefficient;
  };
  if (i == j) {
    for (const auto& entry : form_.constraints.of(i)) add(entry.constraint, step_of(i, entry.coefficient));
    return change;
  }
  for (const auto& entry : form_.constraints.of(i)) pending_[entry.constraint] = step_of(i, entry.coefficient);
  for (const auto& entry : form_.constraints.of(j)) {
    add(entry.constraint, pending_[entry.constraint] + step_of(j, entry.coefficient));
    pending_[entry.constraint] = 0;
  }
  for (const auto& entry : form_.constraints.of(i)) {
    if (pending_[entry.constraint] != 0) add(entry.constraint, pending_[entry.constraint]);
    pending_[entry.constraint] = 0;
  }
  return change;
}

/// The ones and zeros whose swaps are looked at: all in a small model, else those that the objective likes best and some others.
void ConstrainedSearch::list_swaps() {
  const problem::Assignment& bits = objective_->bits();
  ones_.clear();
  zeros_.clear();
  for (std::uint32_t i = 0; i < bits.size(); ++i) (bits[i] != 0 ? ones_ : zeros_).push_back(i);
  if (ones_.size() * zeros_.size() <= kPairsMax) return;
  for (auto* list : {&ones_, &zeros_}) {
    if (list->size() <= kListed) continue;
    const auto liked = list->begin() + (kListed - kListedAnyway);
    std::ranges::nth_element(*list, liked, {},
                             [&](std::uint32_t i) { return std::pair(objective_->flip_energy(i), i); });
    for (std::size_t k = kListed - kListedAnyway; k < kListed; ++k) {
      std::swap((*list)[k], (*list)[k + rng_.below(list->size() - k)]);
    }
    list->resize(kListed);
  }
}

void ConstrainedSearch::consider(std::size_t i, std::size_t j, Move& best, bool& any) {
  std::int64_t change = objective_->flip_energy(i);
  if (i != j) change += objective_->flip_energy(j) - objective_->coupling(i, j);  // one rises, the other falls
  const double penalty = penalty_change(i, j);
  const double cost = static_cast<double>(change) + penalty;
  if (any && cost >= best.cost) return;
  if (tabu_until_[i] > units_ || tabu_until_[j] > units_) {
    // A tabu move is made where it leads to a new best that is feasible.
    if (!state_.feasible() || penalty != 0 || objective_->energy() + change >= best_energy_) return;
  }
  best = {.first = i, .second = j, .cost = cost};
  any = true;
}

ConstrainedSearch::Move ConstrainedSearch::best_move() {
  const std::size_t n = form_.objective.size();
  Move best;
  bool any = false;
  const std::size_t first = rng_.below(n);  // ties go to whoever comes first
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t i = first + k < n ? first + k : first + k - n;
    consider(i, i, best, any);
  }
  list_swaps();
  for (const std::uint32_t i : ones_) {
    for (const std::uint32_t j : zeros_) consider(i, j, best, any);
  }
  if (!any) best = {.first = first, .second = first};  // all is tabu: a tiny model
  return best;
}

void ConstrainedSearch::make(const Move& move) {
  ++units_;
  const std::uint64_t spread = std::min<std::uint64_t>(kTenureSpread, form_.objective.size() / 4 + 1);
  const std::uint64_t base = std::min<std::uint64_t>(kTenureBase, form_.objective.size() / 4);
  flip(move.first);
  tabu_until_[move.first] = units_ + base + rng_.below(spread);
  if (move.second == move.first) return;
  flip(move.second);
  tabu_until_[move.second] = units_ + base + rng_.below(spread);
}

void ConstrainedSearch::flip(std::size_t i) {
  state_.flip(i, objective_->bits()[i] == 0);
  objective_->flip(i);
}

void ConstrainedSearch::note(const Watch& watch) {
  move_weights();
  const std::int64_t energy = objective_->energy();
  const problem::Assignment& bits = objective_->bits();
  if (!state_.feasible()) {
    if (!feasible_.empty()) return;
    const double now = violation();
    const bool first = least_violated_.bits.empty();
    if (!first && std::pair(now, energy) >= std::pair(least_violation_, least_violated_.energy)) return;
    if (first || now < least_violation_) last_gain_ = units_;
    least_violation_ = now;
    least_violated_ = {energy, bits};
    return;
  }
  const bool kept =
      feasible_.candidates().size() < options_.candidates_max || energy <= feasible_.candidates().back().energy;
  if (energy >= best_of_run_ && !kept) return;
  if (!form_.cqm.feasible(bits)) return;  // rounded constraints let a little more pass
  feasible_.offer(energy, bits);
  if (energy < best_of_run_) {
    best_of_run_ = energy;
    last_gain_ = units_;
  }
  if (energy >= best_energy_) return;
  best_energy_ = energy;
  reached_target_ = watch.found(energy, units_);
}

void ConstrainedSearch::move_weights() {
  const auto ranges = form_.constraints.ranges();
  const bool feasible = state_.feasible();
  moves_on_side_ = feasible == was_feasible_ ? moves_on_side_ + 1 : 1;
  was_feasible_ = feasible;
  if (moves_on_side_ % kOscillation != 0) return;
  for (std::size_t c = 0; c < ranges.size(); ++c) {
    if (feasible) {
      weights_[c] = std::max(weights_[c] / kWeightStep, first_weights_[c] / kWeightRange);
    } else if (ranges[c].violation(state_.activity(c)) > 0) {
      weights_[c] = std::min(weights_[c] * kWeightStep, first_weights_[c] * kWeightRange);
    }
  }
}

/// From a start, then from an elite assignment with a part of its ones moved elsewhere; without one, from anywhere.
void ConstrainedSearch::restart() {
  ++units_;
  const std::size_t n = form_.objective.size();
  problem::Assignment goal(n);
  if (next_start_ < options_.starts.size()) {
    goal = options_.starts[next_start_++];
  } else if (!feasible_.empty()) {
    const auto elite = feasible_.candidates();
    goal = elite[rng_.below(elite.size())].bits;
    for (std::size_t i = 0; i < n; ++i) {
      if (goal[i] == 0 || rng_.uniform() >= kPerturbedShare) continue;
      goal[i] = 0;
      goal[rng_.below(n)] = 1;
    }
  } else {
    for (std::int8_t& bit : goal) bit = static_cast<std::int8_t>(rng_() >> 63);
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (goal[i] != objective_->bits()[i]) flip(i);
  }
  std::ranges::fill(tabu_until_, 0);
  weights_ = first_weights_;
  last_gain_ = units_;
  best_of_run_ = INT64_MAX;
}

}  // namespace tandem::solve
