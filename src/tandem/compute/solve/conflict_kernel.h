// tandem/compute/solve/conflict_kernel.h - ConflictKernel: what exact rules leave of a conflict graph, and the way back.
//
// Room: compute, inside solve. Source: Akiba, Iwata 2016, "Branch-and-reduce exponential/FPT algorithms in practice" (Theoretical
// Computer Science 609), for the rules together; folds: Chen, Kanj, Jia 2001 (J. Algorithms 41); unconfined nodes: Xiao, Nagamochi
// 2013 (Theoretical Computer Science 469); linear relaxation: Nemhauser, Trotter 1975 (Math. Program. 8).
#pragma once

#include <array>
#include <stop_token>
#include <vector>

#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

enum class ConflictRule : std::uint8_t { kClique, kFold, kTwins, kUnconfined, kRelaxation };

/// Applies rules that keep the size of a largest set until none of them takes more than one in 64 nodes:
///   clique       the neighbours are all neighbours of each other - none, one, a triangle: the node is chosen, they are not;
///   fold         two neighbours that are none of each other: these three become one node, which is chosen for both neighbours;
///   twins        two nodes with the same three neighbours: both are chosen where two of the three are neighbours, else all five
///                are folded into one, which is chosen for the three;
///   unconfined   were it in all largest sets, one of them could do without it: it is not chosen. A node that dominates a
///                neighbour - has all of its neighbours - is the simplest case;
///   relaxation   what the linear relaxation says of a node is so in some largest set; roof duality of the set with penalties
///                (compute/reduce) says it. Crowns are found by that.
///
/// Threads: immutable. Cost: near-linear in edges; a rule tries nodes of small degree only, and the relaxation sparse graphs.
class ConflictKernel {
 public:
  static constexpr std::size_t kDegreeMax = 8;
  /// A stop ends it early.
  explicit ConflictKernel(const ConflictGraph& graph, const std::stop_token& stop = {});
  static std::uint64_t bytes(std::size_t num_nodes, std::size_t num_edges);
  const ConflictGraph& graph() const { return kernel_; }
  std::size_t num_chosen() const { return num_chosen_; }  ///< beside those in the kernel
  /// How often a rule has fired; of the relaxation: nodes.
  std::size_t count(ConflictRule rule) const { return counts_[static_cast<std::size_t>(rule)]; }
  /// What the rules took, for the record of a race; empty where nothing.
  std::optional<ReductionRecord> record() const;
  /// A choice in the whole graph for one in the kernel, and the other way round as far as it fits.
  problem::Assignment lift(problem::AssignmentView chosen) const;
  problem::Assignment restrict(problem::AssignmentView chosen) const;

 private:
  friend class ConflictReducer;
  /// Node `fresh` stands for `around` where it is chosen, and for `inside`, of which there is one less, where not.
  struct Fold {
    std::uint32_t fresh = 0;
    std::vector<std::uint32_t> inside;
    std::vector<std::uint32_t> around;
  };

  std::size_t num_nodes_;  ///< of the whole graph; fresh ones count on from there
  problem::Assignment outside_;  ///< chosen nodes, fresh ones too, that are not in the kernel
  std::vector<Fold> folds_;  ///< in the order in which they were made
  std::vector<std::uint32_t> nodes_;  ///< of the kernel, as they are called outside it
  std::size_t num_chosen_ = 0;
  std::array<std::size_t, 5> counts_{};
  ConflictGraph kernel_;
};

}  // namespace tandem::solve
