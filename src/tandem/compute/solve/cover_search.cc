#include "tandem/compute/solve/cover_search.h"

#include <algorithm>

namespace tandem::solve {
namespace {

constexpr std::uint64_t kStopEvery = std::uint64_t{1}
                                     << 17;  // units between two looks at the stop token: half a millisecond
constexpr std::size_t kScannedMax = 8192;  // nodes of a cover that are all looked at
constexpr std::size_t kSampled = 64;       // of a larger one
constexpr std::int32_t kKeptNumerator = 3;  // of a weight, of ten parts

}  // namespace

CoverSearch::CoverSearch(const ConflictGraph& graph, std::uint64_t seed, const problem::Assignment& start)
    : graph_(graph),
      rng_(seed),
      edge_of_(2 * graph.num_edges()),
      weights_(graph.num_edges(), 1),
      scores_(graph.size()),
      changed_at_(graph.size()),
      changed_around_(graph.size(), 1),
      in_cover_(graph.size()),
      place_in_cover_(graph.size()),
      place_uncovered_(graph.num_edges()),
      weight_sum_(static_cast<std::int64_t>(graph.num_edges())) {
  edges_.reserve(graph.num_edges());
  std::vector<std::uint64_t> next(graph.size());
  for (std::uint32_t u = 0; u < graph.size(); ++u) {
    const auto neighbours = graph.neighbours(u);
    for (std::size_t k = 0; k < neighbours.size(); ++k) {
      const std::uint32_t v = neighbours[k];
      if (v < u) continue;
      const auto edge = static_cast<std::uint32_t>(edges_.size());
      edges_.push_back({u, v});
      edge_of_[graph.first_neighbour(u) + k] = edge;
      edge_of_[graph.first_neighbour(v) + next[v]++] = edge;  // those of smaller neighbours come first, ascending
    }
  }
  if (start.empty()) {
    best_.assign(graph.size(), 0);
    begin_greedy();
  } else {
    restart_from(start);
    note_cover();
  }
}

void CoverSearch::begin_greedy() {
  const std::size_t n = graph_.size();
  greedy_ = std::make_unique<Greedy>();
  greedy_->degree.resize(n);
  greedy_->by_degree.resize(n);
  greedy_->decided.resize(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    greedy_->degree[i] = static_cast<std::uint32_t>(graph_.neighbours(i).size());
    greedy_->by_degree[greedy_->degree[i]].push_back(i);
  }
}

/// The node with the fewest neighbours left is chosen.
bool CoverSearch::choose_greedily() {
  Greedy& it = *greedy_;
  while (it.least < it.by_degree.size() && it.by_degree[it.least].empty()) ++it.least;
  if (it.least == it.by_degree.size()) return false;
  std::vector<std::uint32_t>& nodes = it.by_degree[it.least];
  std::swap(nodes[rng_.below(nodes.size())], nodes.back());
  const std::uint32_t node = nodes.back();
  nodes.pop_back();
  ++units_;
  if (it.decided[node] != 0 || it.degree[node] != it.least) return true;  // an entry that is no longer true
  it.decided[node] = 1;
  best_[node] = 1;
  ++best_size_;
  for (const std::uint32_t out : graph_.neighbours(node)) {
    if (it.decided[out] != 0) continue;
    it.decided[out] = 1;
    units_ += graph_.neighbours(out).size();
    for (const std::uint32_t other : graph_.neighbours(out)) {
      if (it.decided[other] != 0) continue;
      it.by_degree[--it.degree[other]].push_back(other);
      it.least = std::min<std::size_t>(it.least, it.degree[other]);
    }
  }
  return true;
}

void CoverSearch::restart_from(problem::AssignmentView chosen) {
  cover_.clear();
  uncovered_.clear();
  for (std::uint32_t i = 0; i < graph_.size(); ++i) {
    in_cover_[i] = chosen[i] == 0 ? 1 : 0;
    if (in_cover_[i] == 0) continue;
    place_in_cover_[i] = static_cast<std::uint32_t>(cover_.size());
    cover_.push_back(i);
  }
  std::ranges::fill(scores_, 0);
  for (std::size_t edge = 0; edge < edges_.size(); ++edge) {
    const auto [u, v] = edges_[edge];
    if (in_cover_[u] != in_cover_[v]) scores_[in_cover_[u] != 0 ? u : v] -= weights_[edge];
  }
}

void CoverSearch::take_out(std::uint32_t node) {
  in_cover_[node] = 0;
  const std::uint32_t last = cover_.back();
  cover_[place_in_cover_[node]] = last;
  place_in_cover_[last] = place_in_cover_[node];
  cover_.pop_back();
  scores_[node] = -scores_[node];
  changed_around_[node] = 0;
  changed_at_[node] = exchanges_;
  const auto neighbours = graph_.neighbours(node);
  const std::uint32_t* edges = edge_of_.data() + graph_.first_neighbour(node);
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    const std::uint32_t other = neighbours[k];
    const std::int32_t weight = weights_[edges[k]];
    if (in_cover_[other] != 0) {
      scores_[other] -= weight;  // it alone covers the edge now
    } else {
      scores_[other] += weight;
      changed_around_[other] = 1;
      place_uncovered_[edges[k]] = static_cast<std::uint32_t>(uncovered_.size());
      uncovered_.push_back(edges[k]);
    }
  }
  units_ += neighbours.size() + 1;
}

void CoverSearch::put_in(std::uint32_t node) {
  in_cover_[node] = 1;
  place_in_cover_[node] = static_cast<std::uint32_t>(cover_.size());
  cover_.push_back(node);
  scores_[node] = -scores_[node];
  changed_at_[node] = exchanges_;
  const auto neighbours = graph_.neighbours(node);
  const std::uint32_t* edges = edge_of_.data() + graph_.first_neighbour(node);
  for (std::size_t k = 0; k < neighbours.size(); ++k) {
    const std::uint32_t other = neighbours[k];
    const std::int32_t weight = weights_[edges[k]];
    if (in_cover_[other] != 0) {
      scores_[other] += weight;  // no longer alone
    } else {
      scores_[other] -= weight;
      changed_around_[other] = 1;
      const std::uint32_t last = uncovered_.back();
      uncovered_[place_uncovered_[edges[k]]] = last;
      place_uncovered_[last] = place_uncovered_[edges[k]];
      uncovered_.pop_back();
    }
  }
  units_ += neighbours.size() + 1;
}

std::uint32_t CoverSearch::worst_of_cover() {
  std::uint32_t out = UINT32_MAX;
  std::int64_t score = INT64_MIN;
  const auto look = [&](std::uint32_t node) {
    if (scores_[node] < score || node == last_in_) return;
    if (scores_[node] == score && changed_at_[node] >= changed_at_[out]) return;
    score = scores_[node];
    out = node;
  };
  if (cover_.size() <= kScannedMax) {
    for (const std::uint32_t node : cover_) look(node);
    units_ += cover_.size() / 4 + 1;  // measured: a node of the list is a quarter of a neighbour
  } else {
    for (std::size_t i = 0; i < kSampled; ++i) look(cover_[rng_.below(cover_.size())]);
    units_ += kSampled;
  }
  return out == UINT32_MAX ? cover_[0] : out;
}

void CoverSearch::exchange() {
  ++exchanges_;
  if (!cover_.empty()) take_out(worst_of_cover());
  const auto [u, v] = edges_[uncovered_[rng_.below(uncovered_.size())]];
  std::uint32_t chosen = u;
  if (changed_around_[u] == 0) {
    chosen = v;
  } else if (changed_around_[v] != 0) {
    const bool v_is_better = scores_[v] > scores_[u] || (scores_[v] == scores_[u] && changed_at_[v] < changed_at_[u]);
    if (v_is_better) chosen = v;
  }
  put_in(chosen);
  last_in_ = chosen;
  for (const std::uint32_t edge : uncovered_) {
    ++weights_[edge];
    ++scores_[edges_[edge].u];
    ++scores_[edges_[edge].v];
  }
  units_ += uncovered_.size();
  weight_sum_ += static_cast<std::int64_t>(uncovered_.size());
  if (weight_sum_ > static_cast<std::int64_t>(graph_.size() / 2 + 1) * static_cast<std::int64_t>(edges_.size()))
    forget();
}

/// All weights to a part of what they are, so that old trouble does not decide for ever.
void CoverSearch::forget() {
  weight_sum_ = 0;
  std::ranges::fill(scores_, 0);
  for (std::size_t edge = 0; edge < edges_.size(); ++edge) {
    weights_[edge] = weights_[edge] * kKeptNumerator / 10;
    weight_sum_ += weights_[edge];
    const auto [u, v] = edges_[edge];
    if (in_cover_[u] == 0 && in_cover_[v] == 0) {
      scores_[u] += weights_[edge];
      scores_[v] += weights_[edge];
    } else if (in_cover_[u] != in_cover_[v]) {
      scores_[in_cover_[u] != 0 ? u : v] -= weights_[edge];
    }
  }
  units_ += edges_.size();
}

void CoverSearch::note_cover() {
  best_.assign(graph_.size(), 0);
  for (std::size_t i = 0; i < graph_.size(); ++i) best_[i] = static_cast<std::int8_t>(in_cover_[i] == 0 ? 1 : 0);
  best_size_ = graph_.size() - cover_.size();
}

void CoverSearch::advance(std::uint64_t units_end, const Watch& watch) {
  if (watch.stopped()) return;
  const auto found = [&] {
    reached_target_ = watch.found(-static_cast<std::int64_t>(best_size_), units_);
    return reached_target_;
  };
  if (units_ == 0 && greedy_ == nullptr) {
    ++units_;
    if (found()) return;
  }
  for (std::uint64_t next_look = units_ + kStopEvery; units_ < units_end && !finished();) {
    if (greedy_ != nullptr) {
      if (!choose_greedily()) {
        greedy_.reset();
        restart_from(best_);
        units_ += edges_.size();
        if (found()) return;
      }
    } else {
      if (uncovered_.empty())
        take_out(worst_of_cover());
      else
        exchange();
      if (uncovered_.empty() && graph_.size() - cover_.size() > best_size_) {
        note_cover();
        if (found()) return;
      }
    }
    if (units_ < next_look) continue;
    if (watch.stopped()) return;
    next_look = units_ + kStopEvery;
  }
}

void CoverSearch::offer(const problem::Assignment& chosen) {
  greedy_.reset();
  restart_from(chosen);
  note_cover();
}

}  // namespace tandem::solve
