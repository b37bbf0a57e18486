// tandem/compute/solve/annealing_strands.h - the strands of the annealing solver: one replica at a time, or many side by side.
//
// Room: compute, inside solve.
#pragma once

#include "tandem/compute/solve/replica_search.h"

namespace tandem::solve {

/// Which part of a solve a strand does: with num_samples its share of the reads, numbered so that the number of strands does not
/// change them; without, a search until stopped.
struct AnnealingShare {
  std::uint64_t seed = 1;
  std::uint64_t index = 0;  ///< of the strand
  std::uint64_t count = 1;  ///< strands
  std::uint64_t num_samples = 0;
  std::uint64_t sweeps = 0;  ///< of a read; 0: as the strand likes
  std::size_t candidates_max = 16;
};

class AnnealingStrand : public Strand {
 public:
  /// Final assignments of the reads done, where reads are counted.
  std::span<const Candidate> results() const { return results_; }
  /// What has been found up to the last step; needs at least one.
  virtual void collect(Archive& into) const = 0;

 protected:
  std::vector<Candidate> results_;
};

/// `starts` are bits and must outlive the strand.
std::unique_ptr<AnnealingStrand> make_scalar_strand(std::unique_ptr<AnnealingSearch> search,
                                                    const AnnealingShare& share,
                                                    const std::vector<problem::Assignment>& starts);
std::unique_ptr<AnnealingStrand> make_replica_strand(const ReplicaModel& model, const Temperatures& temperatures,
                                                     const AnnealingShare& share,
                                                     const std::vector<problem::Assignment>& starts);
/// Bytes of a strand of either kind beside its model.
std::uint64_t scalar_strand_bytes(std::size_t num_variables, const AnnealingShare& share);
std::uint64_t replica_strand_bytes(std::size_t num_variables, const AnnealingShare& share);

}  // namespace tandem::solve
