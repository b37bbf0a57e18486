// tandem/hybrid/baseline/baseline.h - the classical run beside every job, and the honest comparison with it.
//
// Room: hybrid.
#pragma once

#include <optional>

#include "tandem/model/job/result_document.h"

namespace tandem::baseline {

/// Compares a result with the baseline in the problem's sense. "better" and "worse" beyond a relative 1e-9; "no_claim" when
/// either is infeasible or there is none.
job::Comparison compare(problem::Sense sense, const std::optional<job::ScoredCandidate>& hybrid,
                        const std::optional<job::ScoredCandidate>& baseline, bool same_run);

}  // namespace tandem::baseline
