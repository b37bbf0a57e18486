#include "tandem/hybrid/baseline/baseline.h"

#include <cmath>

#include "tandem/base/text.h"

namespace tandem::baseline {
namespace {

constexpr double kTieTolerance = 1e-9;  ///< relative; below it two objectives are the same number

}  // namespace

job::Comparison compare(problem::Sense sense, const std::optional<job::ScoredCandidate>& hybrid,
                        const std::optional<job::ScoredCandidate>& baseline, bool same_run) {
  if (same_run) return {.verdict = "no_claim", .text = "The run was classical throughout, so it is its own baseline."};
  if (!hybrid || !baseline)
    return {.verdict = "no_claim", .text = "One of the two runs gave no solution, so nothing is claimed."};
  if (!hybrid->feasible || !baseline->feasible) {
    return {.verdict = "no_claim",
            .text = fmt::format("The {} found no feasible solution, so nothing is claimed.",
                                hybrid->feasible ? "baseline" : "hybrid run")};
  }
  const double gain =
      sense == problem::Sense::kMax ? hybrid->objective - baseline->objective : baseline->objective - hybrid->objective;
  const double scale = std::max(std::abs(baseline->objective), std::abs(hybrid->objective));
  job::Comparison out;
  out.improvement =
      baseline->objective == 0 ? (gain == 0 ? 0.0 : std::copysign(1.0, gain)) : gain / std::abs(baseline->objective);
  if (std::abs(gain) <= kTieTolerance * std::max(1.0, scale)) {
    out.improvement = 0;
    out.verdict = "equal";
    out.text = fmt::format("Hybrid run and classical baseline both reached {}.", shortest(hybrid->objective));
  } else {
    out.verdict = gain > 0 ? "better" : "worse";
    out.text = fmt::format("The hybrid run reached {}, the classical baseline {}: {} by {:.4g} %.",
                           shortest(hybrid->objective), shortest(baseline->objective), out.verdict,
                           100 * std::abs(*out.improvement));
  }
  return out;
}

}  // namespace tandem::baseline
