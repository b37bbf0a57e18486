// tandem/compute/solve/conflict_kernel.h - ConflictKernel: what is left of a conflict graph when nodes of cliques are chosen.
//
// Room: compute, inside solve.
#pragma once

#include <stop_token>
#include <vector>

#include "tandem/compute/solve/conflict_graph.h"

namespace tandem::solve {

/// A node whose neighbours are all neighbours of each other - none, one, a triangle - is in some largest set: it is chosen, its neighbours
/// are not, until there is no such node of at most kDegreeMax neighbours.
///
/// Threads: immutable. Cost: near-linear in edges where nothing fires; kDegreeMax^2 lookups a node that is tried.
class ConflictKernel {
 public:
  static constexpr std::size_t kDegreeMax = 8;
  /// A stop ends it early.
  explicit ConflictKernel(const ConflictGraph& graph, const std::stop_token& stop = {});
  static std::uint64_t bytes(std::size_t num_nodes, std::size_t num_edges) { return num_nodes * 32 + num_edges * 8; }
  const ConflictGraph& graph() const { return kernel_; }
  std::size_t num_chosen() const { return num_chosen_; }  ///< outside the kernel
  /// A choice in the whole graph for one in the kernel, and the other way round as far as it fits.
  problem::Assignment lift(problem::AssignmentView chosen) const;
  problem::Assignment restrict(problem::AssignmentView chosen) const;

 private:
  problem::Assignment outside_;  ///< chosen nodes that are not in the kernel
  std::vector<std::uint32_t> nodes_;  ///< of the kernel, as they are called in the whole graph
  std::size_t num_chosen_ = 0;
  ConflictGraph kernel_;
};

}  // namespace tandem::solve
