// tandem/compute/solve/reduced_model.h - a Bqm after exact reductions, and the way back of what is found on it.
//
// Room: compute, inside solve.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "tandem/compute/reduce/reduce.h"
#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/exact_search.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

/// Holds the model by reference where nothing can be reduced.
class ReducedModel {
 public:
  /// A stop ends the reductions early; where they need more than `memory_bytes_max` there are none.
  ReducedModel(const problem::Bqm& bqm, std::uint64_t memory_bytes_max, const std::stop_token& stop);
  const problem::Bqm& bqm() const { return reduced_ ? reduced_->model : bqm_; }
  /// Bits of the original model for those of the reduced one, and the other way round.
  problem::Assignment lift(problem::AssignmentView bits) const;
  std::vector<Candidate> lift(std::span<const Candidate> candidates) const;
  std::vector<problem::Assignment> restrict(std::vector<problem::Assignment> assignments) const;
  /// How far the energy of bqm() may be from that of the original.
  double error_max() const { return reduced_ ? reduced_->error_max : 0; }
  /// No energy of the original model is below it; empty where memory was too short to look.
  std::optional<double> bound() const { return bound_; }
  /// What was removed, by rule; empty where nothing was.
  std::optional<ReductionRecord> record() const;
  /// When no variable is left: the optimum, without work.
  SolveOutcome solved_outcome(const Model& model, std::size_t num_strands, std::string_view unit_name) const;

 private:
  const problem::Bqm& bqm_;
  std::optional<reduce::Reduced> reduced_;
  std::optional<double> bound_;
};

/// What was proved of the energies of a search model.
struct Proof {
  std::optional<std::int64_t> bound;  ///< none is lower
  const problem::Assignment* optimum = nullptr;  ///< bits; null: not proved
};

/// The bound on the energy of the original model: that of the proof, or of the reductions.
std::optional<double> proved_bound(const Proof& proof, const SearchModel& search, const ReducedModel& reduced);

/// Samples, proof and bound of what a search on the reduced model found.
void settle(SolveOutcome& outcome, const Model& model, const ReducedModel& reduced, const SearchModel& search,
            const Archive& found, const Proof& proof, const ExactOrder& exact);

}  // namespace tandem::solve
