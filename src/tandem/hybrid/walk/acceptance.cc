#include "tandem/hybrid/walk/walk.h"

namespace tandem::walk {
namespace {

job::AcceptanceItem check(const job::Criterion& criterion, const job::JobSpec& spec,
                          const job::ResultDocument& result) {
  using Kind = job::Criterion::Kind;
  job::AcceptanceItem out{.criterion = std::string(job::to_string(criterion.kind)), .limit = criterion.value};
  const auto at_most = [&](double actual) {
    out.actual = actual;
    out.met = actual <= criterion.value;
  };
  switch (criterion.kind) {
    case Kind::kObjective:
      if (!result.best || spec.is_program()) break;
      out.actual = result.best->candidate.objective;
      out.met = result.best->candidate.feasible &&
                !problem::better(spec.problem()->sense(), criterion.value, result.best->candidate.objective);
      break;
    case Kind::kImprovement:
      out.actual = result.comparison.improvement;
      // A run that is its own baseline is exactly as good as that.
      if (result.baseline && result.baseline->same_run && result.best && result.best->candidate.feasible)
        out.actual = 0;
      out.met = out.actual && *out.actual >= criterion.value;
      break;
    case Kind::kLatency:
      at_most(result.elapsed_ms);
      break;
    case Kind::kCost:
      at_most(static_cast<double>(result.billed.usd_micros));
      break;
    case Kind::kFeasible:
      out.met = result.best && result.best->candidate.feasible;
      break;
    case Kind::kProved:
      out.met = result.best && result.best->proved;
      break;
  }
  return out;
}

}  // namespace

job::Acceptance evaluate_acceptance(const job::JobSpec& spec, const job::ResultDocument& result) {
  job::Acceptance out;
  std::vector<job::Criterion> criteria = spec.business.success;
  const bool asks_proof = spec.proof && std::none_of(criteria.begin(), criteria.end(), [](const job::Criterion& c) {
                            return c.kind == job::Criterion::Kind::kProved;
                          });
  if (asks_proof) criteria.push_back({.kind = job::Criterion::Kind::kProved});
  for (const job::Criterion& criterion : criteria) {
    out.criteria.push_back(check(criterion, spec, result));
    out.met = out.met && out.criteria.back().met;
  }
  return out;
}

}  // namespace tandem::walk
