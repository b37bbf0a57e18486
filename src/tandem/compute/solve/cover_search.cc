#include "tandem/compute/solve/cover_search.h"

#include <algorithm>

namespace tandem::solve {
namespace {

constexpr std::uint64_t kStopEvery = 16;  // exchanges between two looks at the stop token
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
  if (!start.empty()) {
    restart_from(start);
  } else {
    // Greedily: the node with the fewest neighbours left is chosen.
    std::vector<std::uint32_t> degree(graph.size());
    std::vector<std::vector<std::uint32_t>> by_degree(graph.size());
    problem::Assignment chosen(graph.size(), 0);
    std::vector<char> decided(graph.size());
    for (std::uint32_t i = 0; i < graph.size(); ++i) {
      degree[i] = static_cast<std::uint32_t>(graph.neighbours(i).size());
      by_degree[degree[i]].push_back(i);
    }
    for (std::size_t least = 0; least < by_degree.size();) {
      if (by_degree[least].empty()) {
        ++least;
        continue;
      }
      const std::size_t pick = rng_.below(by_degree[least].size());
      std::swap(by_degree[least][pick], by_degree[least].back());
      const std::uint32_t node = by_degree[least].back();
      by_degree[least].pop_back();
      if (decided[node] != 0 || degree[node] != least) continue;  // an entry that is no longer true
      decided[node] = 1;
      chosen[node] = 1;
      for (const std::uint32_t out : graph.neighbours(node)) {
        if (decided[out] != 0) continue;
        decided[out] = 1;
        for (const std::uint32_t other : graph.neighbours(out)) {
          if (decided[other] != 0) continue;
          by_degree[--degree[other]].push_back(other);
          least = std::min<std::size_t>(least, degree[other]);
        }
      }
    }
    restart_from(chosen);
  }
  note_cover();
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

std::uint32_t CoverSearch::worst_of_cover() const {
  std::uint32_t out = UINT32_MAX;
  std::int64_t score = INT64_MIN;
  for (const std::uint32_t node : cover_) {
    if (scores_[node] < score || node == last_in_) continue;
    if (scores_[node] == score && changed_at_[node] >= changed_at_[out]) continue;
    score = scores_[node];
    out = node;
  }
  return out == UINT32_MAX ? cover_[0] : out;
}

void CoverSearch::exchange() {
  ++exchanges_;
  units_ += cover_.size() / 4 + 1;  // measured: a node of the list is a quarter of a neighbour
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
  if (units_ == 0 && watch.found(-static_cast<std::int64_t>(best_size_), ++units_)) {
    reached_target_ = true;
    return;
  }
  if (finished()) return;
  for (std::uint64_t steps = 1; units_ < units_end; ++steps) {
    if (uncovered_.empty())
      take_out(worst_of_cover());
    else
      exchange();
    if (uncovered_.empty() && graph_.size() - cover_.size() > best_size_) {
      note_cover();
      if (watch.found(-static_cast<std::int64_t>(best_size_), units_)) {
        reached_target_ = true;
        return;
      }
      if (finished()) return;
    }
    if (steps % kStopEvery == 0 && watch.stopped()) return;
  }
}

void CoverSearch::offer(const problem::Assignment& chosen) {
  restart_from(chosen);
  note_cover();
}

}  // namespace tandem::solve
