// tandem/middleware/encode/sweep.h - the least penalty weights that keep the optimum of a small model lowest, by looking at
// every assignment.
//
// Room: middleware; for the sources of this part only. Bounds from coefficients alone overshoot tens of times, and a
// penalty that dwarfs the objective hides it from every sampler with a finite temperature or a finite depth.
#pragma once

#include <optional>

#include "tandem/model/problem/cqm.h"

namespace tandem::encode {

/// 2^20 assignments take some 50 ms and 40 MB.
inline constexpr std::size_t kSweepVariablesMax = 20;

/// Factors on the penalties, and what the sweep saw.
struct SweptWeights {
  double kept = 0;  ///< of the penalty of the rows that a sampler may keep by itself
  double other = 0;  ///< of the other penalty
  double optimum = 0;  ///< of the constrained model
};

/// Smallest factors such that in objective + kept * `kept` + other * `other` a feasible optimum of `cqm` lies lowest, with
/// every state that is not one above it; then a margin, because at the least factor itself an infeasible state ties with
/// the optimum. `kept` penalises some rows and must be 0 where they hold and positive elsewhere; `other` may be anything.
/// All three models are binary and of the size of `cqm`, at most kSweepVariablesMax (asserted).
/// Empty when no factor does it, or when nothing is feasible. Cost: O(2^n (1 + rows)).
std::optional<SweptWeights> sweep_weights(const problem::Cqm& cqm, const problem::Bqm& kept, const problem::Bqm& other);

}  // namespace tandem::encode
