// tandem/compute/solve/replica_search.h - annealing of a population: heated up a little again and again, and crossed by parts.
//
// Room: compute, inside solve. Where the model is sparse, what one reheating changes falls into many parts that do not touch, and
// each is kept only where it is no worse: so a large model improves in all its corners at once. The parts, and their source, are
// those of component_crossing.h.
#pragma once

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/component_crossing.h"
#include "tandem/compute/solve/replica_annealing.h"

namespace tandem::solve {

struct ReplicaSearchOptions {
  std::uint64_t seed = 1;
  std::uint64_t visit_units = 1;  ///< units that a visit by all replicas counts
  std::uint64_t sweeps_first = 0;  ///< of a generation in the first epoch; 0: its choice
  std::size_t candidates_max = 16;
  Temperatures temperatures;
  std::vector<problem::Assignment> starts{};  ///< bits; the first population
};

/// Epochs, each of several times as many sweeps: an anneal from random assignments, then generations until some in a row bring no
/// new best of the epoch; the first epochs, there for something early, have none. In a generation each member is annealed from a
/// lower temperature and takes back its old parts where they are no worse; now and then it takes parts of another member.
///
/// Threads: one; the model may be shared. Cost: a visit of all replicas a step; between anneals O(n) a member, and its rows that
/// changed.
class ReplicaSearch {
 public:
  ReplicaSearch(const ReplicaModel& model, ReplicaSearchOptions options);
  static std::uint64_t bytes(std::size_t num_variables, std::size_t candidates_max);

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return annealing_->units() + crossing_units_; }
  bool reached_target() const { return reached_target_; }
  std::int64_t best_energy() const { return best_energy_; }
  /// What has been found up to the last step; needs at least one.
  void collect(Archive& into) const;
  /// Takes a candidate from elsewhere in place of the worst member, once there are members.
  void offer(const Candidate& candidate);

 private:
  enum class Phase : std::uint8_t { kAnnealing, kCrossing, kMixing };

  void begin_epoch();
  void begin_generation();
  void end_generation();
  bool cross(Candidate& member, const Watch& watch);  ///< false, and as if it had not begun, where the watch says stop
  bool mix(Candidate& member, const Watch& watch);
  void note(const Candidate& member, const Watch& watch);

  const ReplicaModel& model_;
  ReplicaSearchOptions options_;
  std::unique_ptr<ReplicaAnnealing> annealing_;
  ComponentCrossing crossing_;
  Archive archive_;
  std::uint64_t crossing_units_ = 0;
  std::int64_t best_energy_ = INT64_MAX;
  bool reached_target_ = false;

  Phase phase_ = Phase::kAnnealing;
  std::size_t next_ = 0;  ///< member to be crossed
  std::uint64_t num_reads_ = 0;
  std::uint64_t sweeps_;  ///< of a generation
  std::uint64_t generation_ = 0;  ///< of the epoch
  std::uint64_t barren_ = 0;  ///< generations in a row without a new best of the epoch
  std::int64_t best_of_epoch_ = INT64_MAX;
  std::vector<Candidate> population_;  ///< a replica each; empty during the first anneal of an epoch
  std::array<std::int64_t, kReplicas> energies_{};
  problem::Assignment bits_;
};

}  // namespace tandem::solve
