// tandem/compute/solve/coloring_proof.h - ColoringProof: that no fewer colours do, by a clique and then by branch and bound.
//
// Room: compute, inside solve.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "tandem/compute/solve/coloring_core.h"
#include "tandem/compute/solve/coloring_tree.h"
#include "tandem/compute/solve/stable_tree.h"

namespace tandem::solve {

/// Looks for a largest clique, for a while; then for a colouring of fewer colours than are known, in what that clique leaves of the graph.
///
/// Threads: one; the graph may be shared. A unit is about one node or neighbour looked at.
class ColoringProof {
 public:
  /// `clique`: one that is known, not empty. `fewer_than`: so many colours are known to do, or are too many.
  ColoringProof(const ConflictGraph& graph, std::vector<std::uint32_t> clique, std::size_t fewer_than);
  static std::uint64_t bytes(const ConflictGraph& graph);

  /// One node of a tree. done() is false.
  void step();
  /// It has nothing left to try: lower() == fewer_than(), or the graph is too large.
  bool done() const { return stage_ == Stage::kDone; }
  std::uint64_t units() const { return units_; }
  /// So many colours are needed.
  std::size_t lower() const { return lower_; }
  std::size_t fewer_than() const { return fewer_than_; }
  /// A colouring of fewer_than() colours that it found itself, once; empty: there is no new one.
  std::vector<std::uint32_t> take_found() { return std::exchange(found_, {}); }
  void hear_of(std::size_t colors);

 private:
  enum class Stage : std::uint8_t { kClique, kTree, kDone };
  void begin_tree();
  void step_clique();
  void step_tree();
  void raise(std::size_t lower);

  const ConflictGraph& graph_;
  std::vector<std::uint32_t> clique_;
  std::size_t fewer_than_;
  std::size_t lower_;
  Stage stage_ = Stage::kClique;
  std::unique_ptr<ColoringCore> core_;
  std::unique_ptr<ConflictGraph> others_;  ///< pairs of the core that are no edges
  std::unique_ptr<StableTree> cliques_;
  std::unique_ptr<ColoringTree> tree_;
  std::uint64_t units_ = 0;
  std::vector<std::uint32_t> found_;
};

}  // namespace tandem::solve
