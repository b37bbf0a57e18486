#include "tandem/compute/solve/coloring_form.h"

#include <algorithm>

namespace tandem::solve {
namespace {

using problem::ColoringLayout;
using problem::Comparison;
using problem::Edge;
using problem::LinearConstraint;

/// Exactly one of the variables `first` .. `first + size - 1`.
bool says_one_of(const LinearConstraint& it, std::size_t first, std::size_t size) {
  if (it.comparison != Comparison::kEqual || it.bound != 1 || it.terms.size() != size) return false;
  for (std::size_t k = 0; k < size; ++k)
    if (it.terms[k].variable != first + k || it.terms[k].coefficient != 1) return false;
  return true;
}

/// x <= y.
bool says_at_most(const LinearConstraint& it, std::size_t x, std::size_t y) {
  return it.comparison == Comparison::kLessEqual && it.bound == 0 && it.terms.size() == 2 &&
         it.terms[0] == problem::LinearTerm{static_cast<std::uint32_t>(x), 1} &&
         it.terms[1] == problem::LinearTerm{static_cast<std::uint32_t>(y), -1};
}

/// Calls `each(u, v)` for every edge, ascending; false where the terms are not those of a graph in so many colours.
template <class Each>
bool walk_edges(const problem::Bqm& objective, const ColoringLayout& layout, double price, Each each) {
  const auto terms = objective.terms();
  std::vector<std::uint32_t> node_of(layout.num_node_variables());
  for (std::uint32_t node = 0; node < layout.num_nodes; ++node) {
    for (std::size_t k = 0; k < layout.colors_of(node); ++k) node_of[layout.first_of(node) + k] = node;
  }
  const auto at = [&](std::uint32_t variable) {
    return std::pair(node_of[variable], variable - layout.first_of(node_of[variable]));
  };
  for (std::size_t first = 0; first < terms.size();) {
    // All terms of one node: its edges, once for each of its colours.
    if (terms[first].u >= node_of.size()) return false;
    const std::uint32_t node = node_of[terms[first].u];
    std::size_t count = 0;
    while (first + count < terms.size() && terms[first + count].u == terms[first].u) ++count;
    const std::size_t colors = layout.colors_of(node);
    if (first + count * colors > terms.size()) return false;
    for (std::size_t color = 0; color < colors; ++color) {
      for (std::size_t k = 0; k < count; ++k) {
        const problem::QuadraticTerm& term = terms[first + color * count + k];
        if (term.v >= node_of.size() || term.bias != price || at(term.u) != std::pair(node, color)) return false;
        const std::uint32_t other = node_of[terms[first + k].v];
        if (other == node || at(term.v) != std::pair(other, color)) return false;
        if (color == 0) each(node, other);
      }
    }
    first += count * colors;
  }
  return true;
}

}  // namespace

std::optional<ColoringLayout> ColoringForm::layout_of(const problem::Cqm& cqm) {
  const auto constraints = cqm.constraints();
  const problem::Bqm& objective = cqm.objective();
  if (objective.vartype() != problem::Vartype::kBinary || objective.offset() != 0) return std::nullopt;
  ColoringLayout layout;
  for (const LinearConstraint& one : constraints) {
    if (one.comparison != Comparison::kEqual) break;
    ++layout.num_nodes;
    layout.num_colors = std::max(layout.num_colors, one.terms.size());
  }
  if (layout.num_colors == 0 || layout.num_colors > layout.num_nodes) return std::nullopt;
  for (std::size_t node = 0; node < layout.num_nodes; ++node)
    if (!says_one_of(constraints[node], layout.first_of(node), layout.colors_of(node))) return std::nullopt;
  const std::size_t variables = layout.num_node_variables();
  const bool counts = constraints.size() > layout.num_nodes;
  if (cqm.num_variables() != variables + (counts ? layout.num_colors : 0)) return std::nullopt;
  if (counts) {
    if (constraints.size() != layout.num_nodes + variables) return std::nullopt;
    for (std::size_t node = 0, next = layout.num_nodes; node < layout.num_nodes; ++node) {
      for (std::size_t color = 0; color < layout.colors_of(node); ++color, ++next)
        if (!says_at_most(constraints[next], layout.first_of(node) + color, variables + color)) return std::nullopt;
    }
  }
  const auto linear = objective.linear();
  for (std::size_t i = 0; i < linear.size(); ++i)
    if (linear[i] != (i < variables ? 0.0 : 1.0)) return std::nullopt;
  const double price = counts ? static_cast<double>(layout.num_colors) : 1.0;
  if (!walk_edges(objective, layout, price, [](std::uint32_t, std::uint32_t) {})) return std::nullopt;
  return layout;
}

std::optional<ColoringForm> ColoringForm::read(const problem::Cqm& cqm) {
  const auto layout = layout_of(cqm);
  if (!layout) return std::nullopt;
  const bool counts = cqm.constraints().size() > layout->num_nodes;
  const double price = counts ? static_cast<double>(layout->num_colors) : 1.0;
  std::vector<Edge> edges;
  walk_edges(cqm.objective(), *layout, price, [&](std::uint32_t u, std::uint32_t v) { edges.emplace_back(u, v); });
  return ColoringForm(*layout, counts, std::move(edges));
}

std::int64_t ColoringForm::energy_of(std::span<const std::uint32_t> colors) const {
  std::vector<char> used(num_colors());
  for (const std::uint32_t color : colors) used[color] = 1;
  const auto conflicts =
      std::ranges::count_if(edges_, [&](const Edge& it) { return colors[it.first] == colors[it.second]; });
  return energy(static_cast<std::size_t>(conflicts), static_cast<std::size_t>(std::ranges::count(used, 1)));
}

problem::Assignment ColoringForm::bits(std::span<const std::uint32_t> colors) const {
  std::vector<std::uint32_t> names(num_colors(), UINT32_MAX);
  std::uint32_t used = 0;
  const std::size_t variables = layout_.num_node_variables();
  problem::Assignment out(variables + (counts_ ? num_colors() : 0));
  for (std::size_t node = 0; node < layout_.num_nodes; ++node) {
    std::uint32_t& name = names[colors[node]];
    if (name == UINT32_MAX) name = used++;
    out[layout_.first_of(node) + name] = 1;
  }
  for (std::size_t color = 0; color < used && counts_; ++color) out[variables + color] = 1;
  return out;
}

std::vector<std::uint32_t> ColoringForm::colors(problem::AssignmentView bits) const {
  std::vector<std::uint32_t> out(layout_.num_nodes);
  for (std::size_t node = 0; node < layout_.num_nodes; ++node) {
    const auto own = bits.subspan(layout_.first_of(node), layout_.colors_of(node));
    if (std::ranges::count(own, 1) != 1) return {};
    out[node] = static_cast<std::uint32_t>(std::ranges::find(own, 1) - own.begin());
  }
  return out;
}

}  // namespace tandem::solve
