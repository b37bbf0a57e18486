// tandem/hybrid/walk/confidence.h - how far a result is trusted, and what of its way the result tells.
//
// Room: hybrid. A function of the job and of recorded replies alone, so that a replay computes the same figure. The formulas and
// a worked example: docs/guide/confidence.md. Threads: pure functions.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tandem/hybrid/loop.h"
#include "tandem/model/job/plan.h"
#include "tandem/model/job/result_document.h"

namespace tandem::walk {

/// The oldest calibration of a device whose answers the result uses.
struct CalibrationAge {
  bool applies = false;  ///< a device answered
  bool unknown = false;  ///< one of them does not say how old its calibration was
  double age_ms = 0;
  void add(const hybrid::Reply& reply);
  Json document() const;
  static Result<CalibrationAge> parse(const Json& value, const std::string& pointer);
};

/// What a problem's confidence rests on.
struct Evidence {
  problem::Sense sense = problem::Sense::kMin;
  std::uint64_t seed = 1;  ///< of the job; the bootstrap draws from a stream of its own
  bool proved = false;
  std::span<const job::ScoredCandidate> candidates;  ///< of solve and arms
  std::function<bool(const job::ScoredCandidate&)> from_control;  ///< found by a classical arm beside the quantum ones
  const std::optional<job::ScoredCandidate>& baseline;  ///< its best
  std::span<const double> baseline_objectives;  ///< of its feasible solutions
  CalibrationAge calibration;
};
job::Confidence problem_confidence(const Evidence& evidence, const job::Provenance& provenance);
job::Confidence program_confidence(const hybrid::Reply& reply, const job::Provenance& provenance);

/// The interval of a relative improvement: percentile bootstrap, 95 %, of the best of each side.
struct ImprovementInterval {
  double low = 0;
  double high = 0;
  double share_as_good = 0;  ///< of the resamples in which the hybrid side is at least as good
};
/// Neither side may be empty. Same seed, same interval.
ImprovementInterval improvement_interval(problem::Sense sense, std::span<const double> hybrid,
                                         std::span<const double> baseline, std::uint64_t seed);

/// Path, partial answers and earlier answers of a reply.
void add_provenance(job::Provenance& out, const hybrid::Reply& reply);
/// A graded arm that gave no answer never runs elsewhere: notes which entry of the refinement's chain stands in for it, by the
/// cause. `round` are the replies beside it.
void add_stand_in(job::Provenance& out, const hybrid::Reply& reply, std::span<const hybrid::Reply> round,
                  const job::PlanStep& refine);

}  // namespace tandem::walk
