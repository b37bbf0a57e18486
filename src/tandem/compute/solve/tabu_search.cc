#include "tandem/compute/solve/tabu_search.h"

#include <algorithm>

#include "tandem/compute/solve/flip_queue.h"

namespace tandem::solve {

std::unique_ptr<TabuSearch> TabuSearch::create(const SearchModel& model) {
  return model.dense() ? make_dense_tabu_search(model) : make_sparse_tabu_search(model);
}

std::uint64_t TabuSearch::bytes(const SearchModel& model) {
  return padded(model.size()) * 36 + (model.dense() ? 0 : FlipQueue::bytes(model.size()));
}

TabuSearch::TabuSearch(std::size_t n, std::size_t room, std::int32_t iterations_max)
    : bits_(room), iterations_max_(iterations_max), goal_(n), link_end_(n), best_bits_(n) {
  link_.reserve(n);
}

void TabuSearch::begin(problem::AssignmentView goal, std::uint64_t seed, std::uint64_t patience) {
  end_search();
  rng_ = Xoshiro256(seed);
  std::ranges::copy(goal, goal_.begin());
  patience_ = patience;
  cursor_ = 0;
  linked_ = true;
  phase_ = Phase::kWalking;
  has_best_ = false;
  iteration_ = 0;
  last_gain_ = 0;
}

void TabuSearch::relink(problem::AssignmentView from, problem::AssignmentView to, std::uint64_t seed,
                        std::uint64_t patience) {
  begin(from, seed, patience);
  std::ranges::copy(to, link_end_.begin());
  linked_ = false;
}

void TabuSearch::step() {
  if (phase_ == Phase::kWalking && walk()) return;
  if (phase_ == Phase::kLinking) {
    if (link() || walk()) return;
  }
  search_step();
}

/// Flips once towards the goal; false when it is reached, and the next phase has begun.
bool TabuSearch::walk() {
  while (cursor_ < size() && bits_[cursor_] == goal_[cursor_]) ++cursor_;
  if (cursor_ < size()) {
    flip(cursor_);
    return true;
  }
  if (linked_) {
    phase_ = Phase::kSearching;
    start_search();
    return false;
  }
  phase_ = Phase::kLinking;
  link_.clear();
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (bits_[i] != link_end_[i]) link_.push_back(i);
  }
  link_first_ = link_.size() - link_.size() / 3;
  link_last_ = link_.size() / 3;
  link_energy_ = energy_;
  return false;
}

/// Flips once along the path; false behind its middle third, and the walk back to its best has begun.
bool TabuSearch::link() {
  if (link_.size() <= link_last_) {
    linked_ = true;
    cursor_ = 0;
    phase_ = Phase::kWalking;
    return false;
  }
  const std::size_t next = least_of(link_);
  flip(link_[next]);
  link_[next] = link_.back();
  link_.pop_back();
  if (link_.size() == link_first_ || (link_.size() < link_first_ && energy_ < link_energy_)) {
    link_energy_ = energy_;
    std::ranges::copy(bits(), goal_.begin());
  }
  return true;
}

std::int32_t TabuSearch::tenure(std::uint64_t random) const {
  const std::uint64_t spread = std::min<std::uint64_t>(kTenureSpread, size() / 4 + 1);
  return static_cast<std::int32_t>(size() / 100 + 1 + (((random & UINT32_MAX) * spread) >> 32));
}

void TabuSearch::note() {
  has_best_ = true;
  best_energy_ = energy_;
  std::ranges::copy(bits(), best_bits_.begin());
  last_gain_ = iteration_;
}

}  // namespace tandem::solve
