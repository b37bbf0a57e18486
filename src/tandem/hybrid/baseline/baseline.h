// tandem/hybrid/baseline/baseline.h - the classical run beside every job, and the honest comparison with it.
//
// Room: hybrid.
#pragma once

#include <optional>

#include "tandem/model/job/result_document.h"

namespace tandem::baseline {

/// The best of each side.
struct Sides {
  std::optional<job::ScoredCandidate> hybrid;  ///< of the main solve and the quantum arms
  std::optional<job::ScoredCandidate> baseline;
  /// Of the classical arms on the same core. It counts for neither side; where it is as good as the hybrid run, or better,
  /// the text says so, for then the gain needed nothing quantum.
  std::optional<job::ScoredCandidate> control;
};

/// Compares the hybrid run with the baseline in the problem's sense. "better" and "worse" beyond problem::same_objective;
/// "no_claim" when either is infeasible or there is none.
job::Comparison compare(problem::Sense sense, const Sides& sides, bool same_run);

}  // namespace tandem::baseline
