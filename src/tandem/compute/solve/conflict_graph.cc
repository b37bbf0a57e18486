#include "tandem/compute/solve/conflict_graph.h"

#include <algorithm>

namespace tandem::solve {

using problem::Comparison;

bool ConflictGraph::is_stated_by(const problem::Cqm& cqm) {
  const problem::Bqm& objective = cqm.objective();
  const auto linear = objective.linear();
  if (linear.empty() || !objective.terms().empty() || objective.vartype() != problem::Vartype::kBinary) return false;
  const double coefficient = linear[0];
  if (coefficient == 0 || std::ranges::any_of(linear, [&](double value) { return value != coefficient; })) return false;
  const Comparison wanted = coefficient > 0 ? Comparison::kGreaterEqual : Comparison::kLessEqual;
  return std::ranges::all_of(cqm.constraints(), [&](const problem::LinearConstraint& one) {
    return one.comparison == wanted && one.terms.size() == 2 && one.bound == 1 && one.terms[0].coefficient == 1 &&
           one.terms[1].coefficient == 1;
  });
}

std::optional<ConflictGraph> ConflictGraph::read(const problem::Cqm& cqm) {
  if (!is_stated_by(cqm)) return std::nullopt;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;
  edges.reserve(cqm.constraints().size());
  for (const problem::LinearConstraint& one : cqm.constraints())
    edges.emplace_back(one.terms[0].variable, one.terms[1].variable);
  std::optional<ConflictGraph> out(std::in_place, cqm.num_variables(), std::move(edges));
  out->chosen_is_low_ = cqm.objective().linear()[0] > 0;
  return out;
}

ConflictGraph::ConflictGraph(std::size_t num_nodes, std::vector<std::pair<std::uint32_t, std::uint32_t>> edges)
    : begin_(num_nodes + 1) {
  for (auto& [u, v] : edges)
    if (u > v) std::swap(u, v);
  if (!std::ranges::is_sorted(edges)) std::ranges::sort(edges);  // as a rule they come in order
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  for (const auto& [u, v] : edges) {
    ++begin_[u + 1];
    ++begin_[v + 1];
  }
  for (std::size_t i = 0; i < num_nodes; ++i) begin_[i + 1] += begin_[i];
  neighbours_.resize(2 * edges.size());
  std::vector<std::uint64_t> next(begin_.begin(), begin_.end() - 1);
  for (const auto& [u, v] : edges) neighbours_[next[v]++] = u;  // sorted by (u, v): every node's come out ascending
  for (const auto& [u, v] : edges) neighbours_[next[u]++] = v;
}

problem::Assignment ConflictGraph::bits(problem::AssignmentView chosen) const {
  problem::Assignment out(chosen.begin(), chosen.end());
  if (chosen_is_low_)
    for (std::int8_t& bit : out) bit = static_cast<std::int8_t>(1 - bit);
  return out;
}

bool ConflictGraph::independent(problem::AssignmentView chosen) const {
  for (std::size_t i = 0; i < size(); ++i) {
    if (chosen[i] == 0) continue;
    for (const std::uint32_t j : neighbours(i))
      if (chosen[j] != 0) return false;
  }
  return true;
}

}  // namespace tandem::solve
