#include "tandem/hybrid/baseline/baseline.h"

#include <cmath>

#include "tandem/base/text.h"

namespace tandem::baseline {
namespace {

/// What a reader must know before he gives the quantum part the credit; empty when there is nothing.
std::string control_sentence(problem::Sense sense, const Sides& sides) {
  const auto& [hybrid, baseline, control] = sides;
  if (!control || !control->feasible) return {};
  if (problem::same_objective(control->objective, hybrid->objective)) {
    // Nobody claims anything that it could take away.
    if (!problem::better(sense, hybrid->objective, baseline->objective)) return {};
    return fmt::format(" A classical control on the same core ({}) reached it too.", control->source);
  }
  if (!problem::better(sense, control->objective, hybrid->objective)) return {};
  return fmt::format(" A classical control on the same core ({}) reached {}, which counts for neither.",
                     control->source, shortest(control->objective));
}

}  // namespace

job::Comparison compare(problem::Sense sense, const Sides& sides, bool same_run) {
  const auto& [hybrid, baseline, control] = sides;
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
  job::Comparison out;
  out.improvement =
      baseline->objective == 0 ? (gain == 0 ? 0.0 : std::copysign(1.0, gain)) : gain / std::abs(baseline->objective);
  if (problem::same_objective(hybrid->objective, baseline->objective)) {
    out.improvement = 0;
    out.verdict = "equal";
    out.text = fmt::format("Hybrid run and classical baseline both reached {}.", shortest(hybrid->objective));
  } else {
    out.verdict = gain > 0 ? "better" : "worse";
    out.text = fmt::format("The hybrid run ({}) reached {}, the classical baseline {}: {} by {:.4g} %.", hybrid->source,
                           shortest(hybrid->objective), shortest(baseline->objective), out.verdict,
                           100 * std::abs(*out.improvement));
  }
  out.text += control_sentence(sense, sides);
  return out;
}

}  // namespace tandem::baseline
