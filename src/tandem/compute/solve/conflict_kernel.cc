#include "tandem/compute/solve/conflict_kernel.h"

#include <algorithm>

namespace tandem::solve {

ConflictKernel::ConflictKernel(const ConflictGraph& graph) : outside_(graph.size(), 0), kernel_(0, {}) {
  const std::size_t n = graph.size();
  enum Side : char { kOpen, kChosen, kOut };
  std::vector<char> side(n, kOpen);
  std::vector<std::size_t> degree(n);
  std::vector<std::uint32_t> waiting(n);
  std::vector<char> is_waiting(n, 1);
  for (std::uint32_t i = 0; i < n; ++i) {
    degree[i] = graph.neighbours(i).size();
    waiting[i] = i;
  }
  std::vector<std::uint32_t> around;
  const auto are_neighbours = [&](std::uint32_t a, std::uint32_t b) {
    const bool shorter = graph.neighbours(a).size() < graph.neighbours(b).size();
    return std::ranges::binary_search(graph.neighbours(shorter ? a : b), shorter ? b : a);
  };
  while (!waiting.empty()) {
    const std::uint32_t node = waiting.back();
    waiting.pop_back();
    is_waiting[node] = 0;
    if (side[node] != kOpen || degree[node] > kDegreeMax) continue;
    around.clear();
    for (const std::uint32_t other : graph.neighbours(node))
      if (side[other] == kOpen) around.push_back(other);
    bool clique = true;
    for (std::size_t a = 0; a < around.size() && clique; ++a)
      for (std::size_t b = a + 1; b < around.size() && clique; ++b) clique = are_neighbours(around[a], around[b]);
    if (!clique) continue;
    side[node] = kChosen;
    outside_[node] = 1;
    ++num_chosen_;
    for (const std::uint32_t out : around) side[out] = kOut;
    for (const std::uint32_t out : around) {
      for (const std::uint32_t other : graph.neighbours(out)) {
        if (side[other] != kOpen) continue;
        --degree[other];
        if (is_waiting[other] == 0 && degree[other] <= kDegreeMax) {
          is_waiting[other] = 1;
          waiting.push_back(other);
        }
      }
    }
  }
  std::vector<std::uint32_t> name(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    if (side[i] != kOpen) continue;
    name[i] = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(i);
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
  for (const std::uint32_t node : nodes_) {
    for (const std::uint32_t other : graph.neighbours(node))
      if (node < other && side[other] == kOpen) edges.emplace_back(name[node], name[other]);
  }
  kernel_ = ConflictGraph(nodes_.size(), std::move(edges));
}

problem::Assignment ConflictKernel::lift(problem::AssignmentView chosen) const {
  problem::Assignment out = outside_;
  for (std::size_t i = 0; i < nodes_.size(); ++i) out[nodes_[i]] = chosen[i];
  return out;
}

problem::Assignment ConflictKernel::restrict(problem::AssignmentView chosen) const {
  problem::Assignment out(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) out[i] = chosen[nodes_[i]];
  return out;
}

}  // namespace tandem::solve
