#include "tandem/compute/solve/penalty_search.h"

#include <algorithm>

namespace tandem::solve {
namespace {

constexpr std::uint64_t kStopEvery = std::uint64_t{1}
                                     << 17;  // units between two looks at the stop token: half a millisecond
// After how many phases penalties fall by one; with 1 there are none. What the source found best for one family or another.
constexpr std::array<std::uint64_t, 4> kDelays = {2, 1, 15, 45};
constexpr std::uint64_t kTurnUnits = std::uint64_t{1} << 25;  // a tenth of a second
constexpr std::uint64_t kScanned = 4;  // nodes of a list that are scanned in the time of a neighbour

}  // namespace

PenaltySearch::PenaltySearch(const ConflictGraph& graph, std::uint64_t seed)
    : graph_(graph),
      rng_(seed),
      in_set_(graph.size()),
      chosen_neighbours_(graph.size()),
      sum_of_chosen_(graph.size()),
      place_(graph.size()),
      penalties_(graph.size()),
      used_in_(graph.size()),
      of_swaps_(graph.size()),
      turn_end_(kTurnUnits) {
  for (std::uint32_t node = 0; node < graph.size(); ++node) place(node, 0);
}

void PenaltySearch::place(std::uint32_t node, std::uint32_t chosen_neighbours) {
  if (chosen_neighbours >= lists_.size()) return;
  List& list = lists_[chosen_neighbours];
  place_[node] = static_cast<std::uint32_t>(list.size());
  list.push_back(node);
}

void PenaltySearch::unplace(std::uint32_t node, std::uint32_t chosen_neighbours) {
  if (chosen_neighbours >= lists_.size()) return;
  List& list = lists_[chosen_neighbours];
  list[place_[node]] = list.back();
  place_[list.back()] = place_[node];
  list.pop_back();
}

void PenaltySearch::add(std::uint32_t node) {
  unplace(node, chosen_neighbours_[node]);
  in_set_[node] = 1;
  used_in_[node] = phase_;
  last_added_ = node;
  place_[node] = static_cast<std::uint32_t>(set_.size());
  set_.push_back(node);
  const auto neighbours = graph_.neighbours(node);
  for (const std::uint32_t other : neighbours) {
    const std::uint32_t before = chosen_neighbours_[other]++;
    sum_of_chosen_[other] += node;
    if (in_set_[other] != 0) continue;  // it leaves in a moment
    unplace(other, before);
    place(other, before + 1);
  }
  units_ += neighbours.size() + 1;
}

void PenaltySearch::remove(std::uint32_t node) {
  in_set_[node] = 0;
  set_[place_[node]] = set_.back();
  place_[set_.back()] = place_[node];
  set_.pop_back();
  if (swapping_ && of_swaps_[node] == swaps_) --left_of_swaps_;
  place(node, chosen_neighbours_[node]);
  const auto neighbours = graph_.neighbours(node);
  for (const std::uint32_t other : neighbours) {
    const std::uint32_t before = chosen_neighbours_[other]--;
    sum_of_chosen_[other] -= node;
    if (in_set_[other] != 0) continue;
    unplace(other, before);
    place(other, before - 1);
  }
  units_ += neighbours.size() + 1;
}

std::uint32_t PenaltySearch::pick(const List& list, bool unused_only) {
  units_ += list.size() / kScanned + 1;
  std::uint32_t out = UINT32_MAX;
  std::int32_t least = INT32_MAX;
  std::uint64_t equals = 0;
  const std::uint64_t random = rng_();
  for (const std::uint32_t node : list) {
    if (penalties_[node] > least || (unused_only && used_in_[node] == phase_)) continue;
    if (penalties_[node] < least) {
      least = penalties_[node];
      equals = 0;
    }
    // Of k equals the last one with probability 1/k, by a cheap generator of its own: a draw for each would cost more than the scan.
    ++equals;
    const std::uint64_t draw = (random ^ (equals * 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
    if ((((draw >> 32) * equals) >> 32) == 0) out = node;
  }
  return out;
}

void PenaltySearch::begin_swaps() {
  swapping_ = true;
  ++swaps_;
  for (const std::uint32_t node : set_) of_swaps_[node] = swaps_;
  left_of_swaps_ = set_.size();
  units_ += set_.size() / kScanned + 1;
}

void PenaltySearch::end_phase() {
  const std::uint64_t delay = kDelays[turn_];
  swapping_ = false;
  ++phase_;
  ++phases_of_turn_;
  if (delay > 1) {
    for (const std::uint32_t node : set_) ++penalties_[node];
    if (phases_of_turn_ % delay == 0) {
      for (std::int32_t& penalty : penalties_) penalty -= penalty > 0 ? 1 : 0;
      units_ += penalties_.size() / (4 * kScanned);
    }
    const std::uint32_t kept = last_added_;
    while (set_.size() > 1) remove(set_.back() == kept ? set_.front() : set_.back());
  } else {
    const auto node = static_cast<std::uint32_t>(rng_.below(graph_.size()));
    if (in_set_[node] == 0) {
      for (const std::uint32_t other : graph_.neighbours(node))
        if (in_set_[other] != 0) remove(other);
      add(node);
    }
  }
  if (units_ < turn_end_) return;
  turn_ = (turn_ + 1) % kDelays.size();
  turn_end_ = units_ + kTurnUnits;
  phases_of_turn_ = 0;
  std::ranges::fill(penalties_, 0);
}

void PenaltySearch::step() {
  if (!lists_[0].empty()) {
    swapping_ = false;
    add(pick(lists_[0], false));
    return;
  }
  if (!swapping_) begin_swaps();
  const std::uint32_t in = left_of_swaps_ == 0 ? UINT32_MAX : pick(lists_[1], true);
  if (in == UINT32_MAX) {
    end_phase();
    return;
  }
  remove(sum_of_chosen_[in]);
  add(in);
}

void PenaltySearch::advance(std::uint64_t units_end, const Watch& watch) {
  if (watch.stopped()) return;
  for (std::uint64_t next_look = units_ + kStopEvery; units_ < units_end;) {
    step();
    if (set_.size() > std::max(best_size_, known_size_)) {
      best_size_ = set_.size();
      best_.assign(graph_.size(), 0);
      for (const std::uint32_t node : set_) best_[node] = 1;
      if (watch.found(-static_cast<std::int64_t>(best_size_), units_)) {
        reached_target_ = true;
        return;
      }
    }
    if (units_ < next_look) continue;
    if (watch.stopped()) return;
    next_look = units_ + kStopEvery;
  }
}

}  // namespace tandem::solve
