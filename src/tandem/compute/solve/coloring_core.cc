#include "tandem/compute/solve/coloring_core.h"

#include <algorithm>
#include <functional>

namespace tandem::solve {
namespace {

constexpr std::size_t kCliqueStarts = 64;

/// Nodes in the order in which those of few neighbours are taken away, always one of the fewest.
std::vector<std::uint32_t> smallest_last(const ConflictGraph& graph) {
  const std::size_t n = graph.size();
  std::vector<std::uint32_t> degree(n);
  std::vector<std::vector<std::uint32_t>> by_degree(1);
  for (std::uint32_t i = 0; i < n; ++i) {
    degree[i] = static_cast<std::uint32_t>(graph.neighbours(i).size());
    if (by_degree.size() <= degree[i]) by_degree.resize(degree[i] + 1);
    by_degree[degree[i]].push_back(i);
  }
  std::vector<std::uint32_t> out;
  std::vector<char> taken(n);
  for (std::size_t least = 0; out.size() < n;) {
    if (by_degree[least].empty()) {
      ++least;
      continue;
    }
    const std::uint32_t node = by_degree[least].back();
    by_degree[least].pop_back();
    if (taken[node] != 0 || degree[node] != least) continue;  // out of date
    taken[node] = 1;
    out.push_back(node);
    for (const std::uint32_t other : graph.neighbours(node)) {
      if (taken[other] != 0) continue;
      by_degree[--degree[other]].push_back(other);
      least = std::min<std::size_t>(least, degree[other]);
    }
  }
  return out;
}

}  // namespace

ColoringCore::ColoringCore(const ConflictGraph& whole, std::size_t num_colors)
    : whole_(whole), num_colors_(num_colors), graph_(0, {}) {
  const std::size_t n = whole.size();
  std::vector<std::size_t> degree(n);
  std::vector<char> gone(n);
  const auto look = [&](std::uint32_t i) {
    if (gone[i] != 0 || degree[i] >= num_colors) return;
    gone[i] = 1;
    taken_.push_back(i);
  };
  for (std::size_t i = 0; i < n; ++i) degree[i] = whole.neighbours(i).size();
  for (std::uint32_t i = 0; i < n; ++i) look(i);
  for (std::size_t k = 0; k < taken_.size(); ++k) {
    for (const std::uint32_t other : whole.neighbours(taken_[k])) {
      --degree[other];
      look(other);
    }
  }
  std::vector<std::uint32_t> place(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    if (gone[i] != 0) continue;
    place[i] = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(i);
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
  for (const std::uint32_t i : nodes_) {
    for (const std::uint32_t j : whole.neighbours(i))
      if (j > i && gone[j] == 0) edges.emplace_back(place[i], place[j]);
  }
  graph_ = ConflictGraph(nodes_.size(), std::move(edges));
}

std::vector<std::uint32_t> ColoringCore::lift(std::span<const std::uint32_t> colors) const {
  std::vector<std::uint32_t> out(whole_.size(), UINT32_MAX);
  for (std::size_t k = 0; k < nodes_.size(); ++k) out[nodes_[k]] = colors[k];
  const std::size_t used = colors.empty() ? 0 : std::ranges::max(colors) + std::size_t{1};
  std::vector<std::size_t> seen_by(std::max(num_colors_, used), whole_.size());
  for (auto node = taken_.rbegin(); node != taken_.rend(); ++node) {
    for (const std::uint32_t other : whole_.neighbours(*node))
      if (out[other] != UINT32_MAX) seen_by[out[other]] = *node;
    std::uint32_t color = 0;
    while (seen_by[color] == *node) ++color;
    out[*node] = color;
  }
  return out;
}

std::vector<std::uint32_t> greedy_clique(const ConflictGraph& graph) {
  const std::vector<std::uint32_t> order = smallest_last(graph);
  std::vector<std::uint32_t> place(order.size());
  for (std::uint32_t k = 0; k < order.size(); ++k) place[order[k]] = k;
  std::vector<std::uint32_t> best;
  std::vector<std::uint32_t> clique;
  for (std::size_t start = 0; start < std::min(kCliqueStarts, order.size()); ++start) {
    const std::uint32_t first = order[order.size() - 1 - start];
    std::vector<std::uint32_t> near(graph.neighbours(first).begin(), graph.neighbours(first).end());
    std::ranges::sort(near, std::greater<>(), [&](std::uint32_t node) { return place[node]; });
    clique = {first};
    for (const std::uint32_t node : near) {
      const auto fits = [&](std::uint32_t one) {
        return one == first || std::ranges::binary_search(graph.neighbours(node), one);
      };
      if (std::ranges::all_of(clique, fits)) clique.push_back(node);
    }
    if (clique.size() > best.size()) best = clique;
  }
  return best;
}

}  // namespace tandem::solve
