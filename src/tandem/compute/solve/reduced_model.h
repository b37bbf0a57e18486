// tandem/compute/solve/reduced_model.h - a Bqm after exact reductions, and the way back of what is found on it.
//
// Room: compute, inside solve.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "tandem/compute/reduce/reduce.h"
#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

/// Holds the model by reference where nothing can be reduced.
class ReducedModel {
 public:
  explicit ReducedModel(const problem::Bqm& bqm);
  const problem::Bqm& bqm() const { return reduced_ ? reduced_->model : bqm_; }
  /// Bits of the original model for those of the reduced one, and the other way round.
  std::vector<Candidate> lift(std::span<const Candidate> candidates) const;
  std::vector<problem::Assignment> restrict(std::vector<problem::Assignment> assignments) const;
  /// When no variable is left: the optimum, without work.
  SolveOutcome solved_outcome(const Model& model, std::size_t num_strands, std::string_view unit_name) const;

 private:
  const problem::Bqm& bqm_;
  std::optional<reduce::Reduced> reduced_;
};

}  // namespace tandem::solve
