// tandem/compute/solve/conflict_graph.h - ConflictGraph: a constrained model that asks for a largest independent set.
//
// Room: compute.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "tandem/model/problem/cqm.h"

namespace tandem::solve {

/// Nodes and edges; a node may be chosen or not, of two neighbours only one. As many as can be are to be chosen.
///
/// Threads: immutable.
class ConflictGraph {
 public:
  /// Reads it out of a model whose objective is linear with one coefficient for all variables, and whose constraints all say of two
  /// variables that only one may be high (x + y <= 1), or that one has to be (x + y >= 1). Empty: it is no such model.
  /// Cost: one pass over the model.
  static std::optional<ConflictGraph> read(const problem::Cqm& cqm);
  /// Whether read() gives one. Cost: one pass over the model, and no memory.
  static bool is_stated_by(const problem::Cqm& cqm);
  /// Each pair once or more often, without loops.
  ConflictGraph(std::size_t num_nodes, std::vector<std::pair<std::uint32_t, std::uint32_t>> edges);

  std::size_t size() const { return begin_.size() - 1; }
  std::size_t num_edges() const { return neighbours_.size() / 2; }
  std::span<const std::uint32_t> neighbours(std::size_t node) const {
    return {neighbours_.data() + begin_[node], neighbours_.data() + begin_[node + 1]};
  }
  /// Where the neighbours of a node begin in one list of all.
  std::uint64_t first_neighbour(std::size_t node) const { return begin_[node]; }
  /// The model's bits for a choice, and the other way round.
  problem::Assignment bits(problem::AssignmentView chosen) const;
  problem::Assignment chosen(problem::AssignmentView bits) const { return this->bits(bits); }
  bool independent(problem::AssignmentView chosen) const;
  static std::uint64_t bytes(std::size_t num_nodes, std::size_t num_edges) { return num_nodes * 8 + num_edges * 24; }

 private:
  std::vector<std::uint64_t> begin_;
  std::vector<std::uint32_t> neighbours_;  ///< ascending in each node
  bool chosen_is_low_ = false;  ///< x + y >= 1: what is chosen is left out of a cover
};

}  // namespace tandem::solve
