// tandem/compute/solve/penalty_search.h - PenaltySearch: large independent sets by growth, swaps and penalties of nodes.
//
// Room: compute, inside solve. Source: Pullan, Hoos 2006, "Dynamic local search for the maximum clique problem" (JAIR 25), on the
// complement. It finds sets that are hidden among nodes of many neighbours, which CoverSearch avoids.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/compute/solve/race.h"

namespace tandem::solve {

/// Nodes that were in a set which could not grow get a penalty; those of the least are taken first. How fast penalties wear off differs
/// between families by much, so it is changed in turns. A unit is about one neighbour looked at.
///
/// Threads: one; the graph may be shared. Cost: a step looks at the candidates and at the neighbours of one or two nodes.
class PenaltySearch {
 public:
  PenaltySearch(const ConflictGraph& graph, std::uint64_t seed);
  static std::uint64_t bytes(const ConflictGraph& graph) { return graph.size() * 48; }

  /// As Strand::advance(). An energy is minus the number of nodes chosen.
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  const problem::Assignment& best() const { return best_; }
  std::size_t best_size() const { return best_size_; }
  /// Somebody knows a set of this size: smaller ones are nothing new.
  void hear_of(std::size_t size) { known_size_ = std::max(known_size_, size); }

 private:
  using List = std::vector<std::uint32_t>;
  void step();
  void add(std::uint32_t node);
  void remove(std::uint32_t node);
  void place(std::uint32_t node, std::uint32_t chosen_neighbours);  ///< into the list that it belongs to
  void unplace(std::uint32_t node, std::uint32_t chosen_neighbours);
  /// Of a list, one of the least penalty; UINT32_MAX where none may be taken.
  std::uint32_t pick(const List& list, bool unused_only);
  void begin_swaps();
  void end_phase();

  const ConflictGraph& graph_;
  Xoshiro256 rng_;
  std::vector<char> in_set_;
  List set_;
  std::vector<std::uint32_t> chosen_neighbours_;
  std::vector<std::uint32_t> sum_of_chosen_;  ///< neighbours, as numbers: the neighbour where there is one
  std::array<List, 2> lists_;  ///< not chosen, with that many chosen neighbours
  std::vector<std::uint32_t> place_;  ///< in set_ or in its list
  std::vector<std::int32_t> penalties_;
  std::vector<std::uint64_t> used_in_;  ///< phase in which it was last chosen
  std::vector<std::uint64_t> of_swaps_;  ///< swaps that it stood in at their beginning
  std::uint64_t phase_ = 1;
  std::uint64_t swaps_ = 0;
  std::size_t left_of_swaps_ = 0;  ///< nodes of their beginning that are still chosen
  bool swapping_ = false;
  std::uint32_t last_added_ = UINT32_MAX;
  std::size_t turn_ = 0;  ///< of delays
  std::uint64_t turn_end_ = 0;
  std::uint64_t phases_of_turn_ = 0;
  std::uint64_t units_ = 0;
  bool reached_target_ = false;
  std::size_t known_size_ = 0;
  problem::Assignment best_;
  std::size_t best_size_ = 0;
};

}  // namespace tandem::solve
