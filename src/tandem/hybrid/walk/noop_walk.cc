#include "tandem/hybrid/walk/noop_walk.h"

#include "tandem/hybrid/walk/confidence.h"
#include "tandem/model/problem/noop.h"

namespace tandem::walk {

NoopWalk::NoopWalk(const job::JobSpec& spec, std::string plan_digest)
    : problem_(spec.problem()),
      steps_(problem::noop_steps(*problem_).value_or(0)),
      plan_digest_(std::move(plan_digest)) {}

Result<hybrid::Advance> NoopWalk::next(const Json& state, std::span<const hybrid::Reply> replies) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(state, ""));
  TANDEM_TRY_ASSIGN(const std::int64_t done, reader.integer("done", 0, steps_));
  if (!replies.empty()) return fail(errors::kStoreDamaged, "a no-op gives no orders, {} replies came", replies.size());
  if (done < steps_) return hybrid::Advance{.state = {{"stage", "step"}, {"done", done + 1}}};

  job::ResultDocument result;
  result.kind = "candidates";
  const problem::Score score = problem_->score({});
  job::ScoredCandidate nothing{.objective = score.objective, .feasible = score.feasible, .source = "engine"};
  result.candidates.push_back(nothing);
  result.best = job::BestCandidate{.candidate = std::move(nothing), .proved = true, .answer = problem_->answer({})};
  result.baseline = job::BaselineSummary{
      .backend = "engine", .objective = score.objective, .feasible = score.feasible, .same_run = true};
  result.comparison = {.verdict = "no_claim", .text = "There was nothing to compute, so there is nothing to compare."};
  const std::optional<job::ScoredCandidate> baseline = result.best->candidate;
  const std::vector<double> objectives = {score.objective};
  result.confidence = problem_confidence({.sense = problem_->sense(),
                                          .proved = true,
                                          .candidates = result.candidates,
                                          .from_control = [](const job::ScoredCandidate&) { return false; },
                                          .baseline = baseline,
                                          .baseline_objectives = objectives},
                                         result.provenance);
  result.refinement.status = "skipped: nothing to compute";
  result.plan_digest = plan_digest_;
  result.explanation = problem_->explain({});
  return hybrid::Advance{.state = {{"stage", "done"}},
                         .done = hybrid::Done{.result = std::move(result), .lineage = Json::object()}};
}

}  // namespace tandem::walk
