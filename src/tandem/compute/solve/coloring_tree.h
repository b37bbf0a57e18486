// tandem/compute/solve/coloring_tree.h - ColoringTree: branch and bound for a colouring of fewest colours.
//
// Room: compute, inside solve. Sources: Brelaz 1979, "New methods to color the vertices of a graph" (Communications of the ACM 22); San
// Segundo 2012, "A new DSATUR-based algorithm for exact vertex coloring" (Comput. Oper. Res. 39): how ties are broken.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/solve/conflict_graph.h"

namespace tandem::solve {

/// Threads: one. A unit is about one node looked at.
class ColoringTree {
 public:
  static constexpr std::size_t kNodesMax = 1024;
  static constexpr std::size_t kColorsMax = 64;
  /// `clique`: nodes that get the first colours. `fewer_than`: so many colours are known to do, or are too many; at most kColorsMax + 1.
  ColoringTree(const ConflictGraph& graph, std::span<const std::uint32_t> clique, std::size_t fewer_than);
  static std::uint64_t bytes(std::size_t num_nodes) { return num_nodes * (num_nodes / 4 + 4 * kColorsMax); }

  /// Colours one node, or takes a colour back. done() is false.
  void step();
  bool done() const { return done_; }
  std::uint64_t units() const { return units_; }
  /// A colouring of fewer colours; empty where there was none so far.
  const std::vector<std::uint32_t>& best() const { return best_; }
  /// No colouring that is still looked for has as many.
  std::size_t fewer_than() const { return fewer_than_; }
  void hear_of(std::size_t colors) { fewer_than_ = std::min(fewer_than_, colors); }

 private:
  using Word = std::uint64_t;
  struct Level {
    std::uint32_t node;
    std::uint32_t used;  ///< colours before it
    Word left;  ///< colours to try
  };
  void color(std::uint32_t node, std::uint32_t color);
  void uncolor(std::uint32_t node);
  void descend(std::uint32_t used);
  std::uint32_t next_node(Word colors);
  Word colors_below(std::size_t count) const { return count >= kColorsMax ? ~Word{0} : (Word{1} << count) - 1; }

  const ConflictGraph& graph_;
  std::size_t words_;
  std::vector<Word> rows_;  ///< neighbours of a node
  std::vector<Word> seen_;  ///< colours of the neighbours of a node
  std::vector<std::uint32_t> counts_;  ///< and how many have each
  std::vector<std::uint32_t> colors_;
  std::vector<std::uint32_t> without_;  ///< nodes without a colour
  std::vector<std::uint32_t> place_;
  std::vector<std::uint32_t> ties_;
  std::vector<Word> tied_;
  std::vector<Level> levels_;
  std::size_t fewer_than_;
  bool done_ = false;
  std::uint64_t units_ = 0;
  std::vector<std::uint32_t> best_;
};

}  // namespace tandem::solve
