// tandem/compute/solve/replica_annealing.h - simulated annealing of kReplicas assignments side by side, a step a visit of one
// variable in all of them.
//
// Room: compute, inside solve. Source: Metropolis by thresholds: a step up by d is taken at temperature T where d <= -T ln u; the
// -ln u come from a table, each replica's from a random place of it, so that a visit needs integers only. The values of a
// neighbour are read for all replicas at once: fields are summed up afresh and never stored.
#pragma once

#include <memory>

#include "tandem/compute/solve/annealing_search.h"
#include "tandem/compute/solve/replica_model.h"

namespace tandem::solve {

/// Through falling temperatures to a local optimum, in every replica.
struct ReplicaRead {
  std::uint64_t seed = 1;
  std::uint64_t sweeps = 1;
  double hot_share = 1;  ///< of Temperatures::hot, where it begins
  std::span<const Candidate>
      starts{};  ///< replica r begins with number r modulo their count; random where there are none
};

/// Threads: one; the model may be shared. Cost: a visit reads kReplicas bytes a neighbour.
class ReplicaAnnealing {
 public:
  virtual ~ReplicaAnnealing() = default;
  /// `visit_units`: units that a visit counts.
  static std::unique_ptr<ReplicaAnnealing> create(const ReplicaModel& model, const Temperatures& temperatures,
                                                  std::uint64_t visit_units);
  static std::uint64_t bytes(std::size_t num_variables);

  /// `read.starts` must live until it is done.
  virtual void begin(const ReplicaRead& read) = 0;
  /// Works on the read as Strand::advance() until it is done.
  virtual void advance(std::uint64_t units_end, const Watch& watch) = 0;
  bool done() const { return done_; }
  std::uint64_t units() const { return units_; }
  /// Energies of the replicas as they are now. Cost: that of a sweep.
  virtual std::array<std::int64_t, kReplicas> energies() const = 0;
  virtual void copy(std::size_t replica, problem::Assignment& bits) const = 0;
  /// The first of the replicas as it is now: to score all of them takes a sweep, which a stop does not wait for.
  virtual void collect(Archive& into) const = 0;

 protected:
  std::uint64_t units_ = 0;
  bool done_ = true;
};

}  // namespace tandem::solve
