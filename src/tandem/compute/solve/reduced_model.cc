#include "tandem/compute/solve/reduced_model.h"

#include <algorithm>

#include "tandem/compute/solve/outcome.h"

namespace tandem::solve {

using problem::Assignment;
using problem::convert;
using problem::Vartype;

ReducedModel::ReducedModel(const problem::Bqm& bqm, std::uint64_t memory_bytes_max, const std::stop_token& stop)
    : bqm_(bqm) {
  if (reduce::bytes_needed(bqm) > memory_bytes_max) return;
  reduce::Presolved presolved = reduce::presolve(bqm, reduce::Rounding::kAllowed, stop);
  reduced_ = std::move(presolved.reduced);
  bound_ = presolved.bound;
}

Assignment ReducedModel::lift(problem::AssignmentView bits) const {
  if (!reduced_) return {bits.begin(), bits.end()};
  const Assignment values = reduced_->trail.lift(convert(bits, Vartype::kBinary, bqm_.vartype()));
  return convert(values, bqm_.vartype(), Vartype::kBinary);
}

std::vector<Candidate> ReducedModel::lift(std::span<const Candidate> candidates) const {
  std::vector<Candidate> out(candidates.begin(), candidates.end());
  if (!reduced_) return out;
  for (Candidate& candidate : out) candidate.bits = lift(candidate.bits);
  return out;
}

std::vector<Assignment> ReducedModel::restrict(std::vector<Assignment> assignments) const {
  if (!reduced_) return assignments;
  for (Assignment& bits : assignments) {
    Assignment left;
    for (const std::uint32_t i : reduced_->trail.remaining()) left.push_back(bits[i]);
    bits = std::move(left);
  }
  return assignments;
}

std::optional<ReductionRecord> ReducedModel::record() const {
  if (!reduced_) return std::nullopt;
  ReductionRecord out{.kind = "quadratic",
                      .variables_before = bqm_.num_variables(),
                      .variables_after = reduced_->model.num_variables()};
  for (const reduce::TrailEntry& entry : reduced_->trail.entries()) ++out.by_rule[std::string(entry.rule)];
  return out;
}

SolveOutcome ReducedModel::solved_outcome(const Model& model, std::size_t num_strands,
                                          std::string_view unit_name) const {
  SolveOutcome outcome;
  outcome.samples = make_samples(model, lift(std::vector<Candidate>{{.energy = 0, .bits = {}}}), nullptr);
  outcome.proved = true;
  outcome.bound = outcome.samples.best().energy;
  outcome.work_done.assign(num_strands, 1);  // none at all means that nothing was looked at
  outcome.reason = StopReason::kProved;
  outcome.unit_name = unit_name;
  outcome.race = {.choice = "exact reductions left no variable", .reduction = record()};
  return outcome;
}

std::optional<double> proved_bound(const Proof& proof, const SearchModel& search, const ReducedModel& reduced) {
  if (!proof.bound) return reduced.bound();
  const double proved = search.objective(*proof.bound) - search.error_max() - reduced.error_max();
  return std::max(proved, reduced.bound().value_or(proved));
}

void settle(SolveOutcome& outcome, const Model& model, const ReducedModel& reduced, const SearchModel& search,
            const Archive& found, const Proof& proof, const ExactOrder& exact) {
  const std::vector<Candidate> candidates = reduced.lift(found.candidates());
  outcome.race.reduction = reduced.record();
  outcome.proved = proof.optimum != nullptr;
  if (outcome.proved) {
    outcome.samples = make_proved_samples(model, candidates, reduced.lift(*proof.optimum), exact,
                                          std::max<std::size_t>(1, candidates.size()));
    outcome.bound = outcome.samples.best().energy;
    return;
  }
  outcome.samples = make_samples(model, candidates, &search);
  outcome.bound = proved_bound(proof, search, reduced);
}

}  // namespace tandem::solve
