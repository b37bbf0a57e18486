// tandem/compute/solve/cover_search.h - CoverSearch: large independent sets by local search for small vertex covers.
//
// Room: compute, inside solve. Source: Cai, Su, Luo, Sattar 2013, "NuMVC: an efficient local search algorithm for minimum vertex
// cover" (JAIR 46): exchange in two stages, edge weights that are forgotten, configuration checking.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/compute/solve/race.h"

namespace tandem::solve {

/// Without a start it first chooses greedily. Then it holds a cover of all edges, takes one node out of it, and exchanges nodes until it
/// covers all edges again. A unit is about one node or edge looked at.
///
/// Threads: one; the graph may be shared. Cost: an exchange looks at all nodes of the cover, of large ones at a sample (Cai 2015,
/// "Balance between complexity and quality", IJCAI), and at the neighbours of two.
class CoverSearch {
 public:
  /// `start`: a choice to begin with, independent; empty: none.
  CoverSearch(const ConflictGraph& graph, std::uint64_t seed, const problem::Assignment& start);
  static std::uint64_t bytes(const ConflictGraph& graph) { return graph.size() * 40 + graph.num_edges() * 24; }

  /// As Strand::advance(). An energy is minus the number of nodes chosen.
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  bool finished() const { return greedy_ == nullptr && cover_.empty(); }  ///< every node is chosen
  /// The largest independent set so far: chosen nodes are 1.
  const problem::Assignment& best() const { return best_; }
  std::size_t best_size() const { return best_size_; }
  /// An independent set from elsewhere, larger than the best.
  void offer(const problem::Assignment& chosen);

 private:
  struct Edge {
    std::uint32_t u;
    std::uint32_t v;
  };
  /// Nodes by the number of neighbours that are left, while the first set grows; entries may be out of date.
  struct Greedy {
    std::vector<std::uint32_t> degree;
    std::vector<std::vector<std::uint32_t>> by_degree;
    std::vector<char> decided;
    std::size_t least = 0;
  };
  void begin_greedy();
  bool choose_greedily();  ///< one look at a node; false: no node is left
  void restart_from(problem::AssignmentView chosen);
  void take_out(std::uint32_t node);
  void put_in(std::uint32_t node);
  void exchange();
  std::uint32_t worst_of_cover();  ///< whose leaving uncovers least; of equals the one that changed longest ago
  void forget();
  void note_cover();

  const ConflictGraph& graph_;
  Xoshiro256 rng_;
  std::unique_ptr<Greedy> greedy_;
  std::vector<Edge> edges_;
  std::vector<std::uint32_t> edge_of_;  ///< beside each neighbour of each node
  std::vector<std::int32_t> weights_;  ///< of edges
  std::vector<std::int64_t> scores_;  ///< of nodes: what changing its side does to the weight that is covered
  std::vector<std::uint64_t> changed_at_;
  std::vector<char> changed_around_;  ///< a neighbour changed sides since the node left
  std::vector<char> in_cover_;
  std::vector<std::uint32_t> cover_;
  std::vector<std::uint32_t> place_in_cover_;
  std::vector<std::uint32_t> uncovered_;  ///< edges
  std::vector<std::uint32_t> place_uncovered_;
  std::int64_t weight_sum_ = 0;
  std::uint64_t exchanges_ = 0;
  std::uint32_t last_in_ = UINT32_MAX;
  std::uint64_t units_ = 0;
  bool reached_target_ = false;
  problem::Assignment best_;
  std::size_t best_size_ = 0;
};

}  // namespace tandem::solve
