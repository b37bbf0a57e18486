// tandem/compute/solve/coloring_form.h - ColoringForm: a constrained model that asks for a colouring of a graph.
//
// Room: compute, inside solve. What such a model says: model/problem/type_coloring.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/cqm.h"
#include "tandem/model/problem/edge_list.h"

namespace tandem::solve {

/// Threads: immutable.
class ColoringForm {
 public:
  /// Reads it out of a model as the problem type `coloring` states it: one colour a node; one price for every edge and colour that
  /// both its nodes have; and no other objective, or 1 a colour that is used. Empty: it is no such model. Cost: two passes over the model.
  static std::optional<ColoringForm> read(const problem::Cqm& cqm);
  /// Whether read() gives one. Cost: one pass over the model, and 4 bytes a variable.
  static bool is_stated_by(const problem::Cqm& cqm) { return layout_of(cqm).has_value(); }

  const ConflictGraph& graph() const { return graph_; }
  std::span<const problem::Edge> edges() const { return edges_; }
  std::size_t num_colors() const { return layout_.num_colors; }
  /// As few colours as can be are asked for, not only as few conflicts.
  bool counts() const { return counts_; }
  /// The objective as an integer: of two colourings the one of fewer conflicts is better.
  std::int64_t energy(std::size_t conflicts, std::size_t colors) const {
    const auto first = static_cast<std::int64_t>(conflicts);
    return counts_ ? first * static_cast<std::int64_t>(num_colors()) + static_cast<std::int64_t>(colors) : first;
  }
  /// Of a colour a node.
  std::int64_t energy_of(std::span<const std::uint32_t> colors) const;
  /// The model's bits for a colour a node, below num_colors(); colours are numbered anew in the order in which they come up.
  problem::Assignment bits(std::span<const std::uint32_t> colors) const;
  /// The other way round; empty: the bits do not give every node one colour.
  std::vector<std::uint32_t> colors(problem::AssignmentView bits) const;
  static std::uint64_t bytes(const problem::Cqm& cqm) {
    return cqm.num_variables() * 8 + ConflictGraph::bytes(cqm.num_variables(), cqm.objective().terms().size());
  }

 private:
  ColoringForm(problem::ColoringLayout layout, bool counts, std::vector<problem::Edge> edges)
      : layout_(layout), counts_(counts), edges_(std::move(edges)), graph_(layout.num_nodes, edges_) {}
  static std::optional<problem::ColoringLayout> layout_of(const problem::Cqm& cqm);

  problem::ColoringLayout layout_;
  bool counts_;
  std::vector<problem::Edge> edges_;  ///< ascending
  ConflictGraph graph_;
};

}  // namespace tandem::solve
