// tandem/compute/solve/tempering_search.h - parallel tempering as a search: what its cold replicas come to, crossed by parts.
//
// Room: compute, inside solve. The chains are those of replica_tempering.h and know nothing of what was found.
#pragma once

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/component_crossing.h"
#include "tandem/compute/solve/replica_tempering.h"

namespace tandem::solve {

struct TemperingSearchOptions {
  std::uint64_t seed = 1;
  std::uint64_t visit_units = 1;  ///< units that a visit by all replicas counts
  std::size_t candidates_max = 16;
  Temperatures temperatures;
  std::vector<problem::Assignment> starts{};  ///< bits; of the first replicas
};

/// After some sweeps copies of the replicas go down to where nothing leads lower; those of the coldest take parts of the best so far
/// where they are no worse.
///
/// Threads: one; the model may be shared. Cost: a visit of all replicas a step; between rounds O(n) for each replica looked at.
class TemperingSearch {
 public:
  TemperingSearch(const ReplicaModel& model, TemperingSearchOptions options);
  static std::uint64_t bytes(std::size_t num_variables, std::size_t candidates_max);

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return tempering_.units() + harvest_units_; }
  bool reached_target() const { return reached_target_; }
  std::int64_t best_energy() const { return best_.energy; }
  /// What has been found up to the last step; needs at least one.
  void collect(Archive& into) const;
  /// A candidate from elsewhere whose parts the next replicas may take.
  void offer(const Candidate& candidate);

 private:
  /// False, and as if it had not begun, where the watch says stop.
  bool harvest(std::size_t replica, const Watch& watch);

  const ReplicaModel& model_;
  TemperingSearchOptions options_;
  ReplicaTempering tempering_;
  ComponentCrossing crossing_;
  Archive archive_;
  std::uint64_t harvest_units_ = 0;
  std::uint64_t sweeps_ = 1;  ///< of a round
  std::size_t next_;  ///< replica to be looked at
  bool reached_target_ = false;
  Candidate best_{.energy = INT64_MAX};
  Candidate elsewhere_{.energy = INT64_MAX};
  problem::Assignment bits_;
};

}  // namespace tandem::solve
