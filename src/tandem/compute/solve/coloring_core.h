// tandem/compute/solve/coloring_core.h - ColoringCore: what of a graph has to be coloured when so many colours are there.
//
// Room: compute, inside solve.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/solve/conflict_graph.h"

namespace tandem::solve {

/// A node of fewer neighbours than there are colours finds one whatever its neighbours have: it is taken away, until there is none.
///
/// Threads: immutable. Cost: O(nodes + edges).
class ColoringCore {
 public:
  ColoringCore(const ConflictGraph& whole, std::size_t num_colors);
  const ConflictGraph& graph() const { return graph_; }
  std::span<const std::uint32_t> nodes() const { return nodes_; }  ///< as they are called in the whole graph
  /// Colours of all nodes for those of the core, which may be more; no conflict comes to those there are.
  std::vector<std::uint32_t> lift(std::span<const std::uint32_t> colors) const;

 private:
  const ConflictGraph& whole_;
  std::size_t num_colors_;
  std::vector<std::uint32_t> taken_;  ///< in their order
  std::vector<std::uint32_t> nodes_;
  ConflictGraph graph_;
};

/// A clique, grown greedily from many nodes of the innermost core on. Never empty; the graph is not.
std::vector<std::uint32_t> greedy_clique(const ConflictGraph& graph);

}  // namespace tandem::solve
