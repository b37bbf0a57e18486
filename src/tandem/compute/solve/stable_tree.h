// tandem/compute/solve/stable_tree.h - StableTree: branch and bound for a largest independent set, 64 nodes at a time.
//
// Room: compute, inside solve. Source: San Segundo, Rodriguez-Losada, Jimenez 2011, "An exact bit-parallel algorithm for the maximum
// clique problem" (Comput. Oper. Res. 38), on the complement: a set is bounded by the cliques that cover what may still be chosen.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tandem/compute/solve/conflict_graph.h"

namespace tandem::solve {

/// Threads: one. A unit is about one neighbour looked at, as of the searches.
class StableTree {
 public:
  static constexpr std::size_t kNodesMax = 4096;
  explicit StableTree(const ConflictGraph& graph);
  static std::uint64_t bytes(std::size_t num_nodes) {
    return 2 * num_nodes * num_nodes / 8 + num_nodes * num_nodes / 4;
  }

  /// Looks for a set larger than what is known. One node of the tree. done() is false.
  void step();
  bool done() const { return depth_ == 0 && started_; }
  std::uint64_t units() const { return units_; }
  std::size_t best_size() const { return best_size_; }
  const problem::Assignment& best() const { return best_; }  ///< empty where only the size is known
  /// Somebody knows a set of this size.
  void hear_of(std::size_t size) { best_size_ = std::max(best_size_, size); }
  /// No set is larger.
  std::size_t bound() const;

 private:
  using Word = std::uint64_t;
  struct Choice {
    std::uint32_t node;
    std::uint32_t bound;  ///< of the set among this node and those before it
  };
  struct Level {
    std::vector<Word> left;  ///< what may still be chosen
    std::vector<Choice> choices;  ///< by ascending bound; the last one is next
  };
  void open(std::size_t depth);  ///< bounds what is left there

  const ConflictGraph& graph_;
  std::size_t words_;
  std::vector<std::uint32_t> order_;  ///< bit -> node
  std::vector<Word> rows_;  ///< neighbours of a bit
  std::vector<std::unique_ptr<Level>> levels_;
  std::vector<std::uint32_t> chosen_;  ///< bits, a level each
  std::vector<Word> scratch_;
  std::size_t depth_ = 0;  ///< of the level that is looked at, from 1
  bool started_ = false;
  std::size_t root_bound_ = 0;
  std::uint64_t units_ = 0;
  std::size_t best_size_ = 0;
  problem::Assignment best_;
};

}  // namespace tandem::solve
