#include "tandem/compute/solve/reduced_model.h"

#include "tandem/compute/solve/outcome.h"

namespace tandem::solve {

using problem::Assignment;
using problem::convert;
using problem::Vartype;

ReducedModel::ReducedModel(const problem::Bqm& bqm) : bqm_(bqm) {
  if (reduce::reducible(bqm)) reduced_ = reduce::reduce_exact(bqm);
}

std::vector<Candidate> ReducedModel::lift(std::span<const Candidate> candidates) const {
  std::vector<Candidate> out(candidates.begin(), candidates.end());
  if (!reduced_) return out;
  for (Candidate& candidate : out) {
    const Assignment values = reduced_->trail.lift(convert(candidate.bits, Vartype::kBinary, bqm_.vartype()));
    candidate.bits = convert(values, bqm_.vartype(), Vartype::kBinary);
  }
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

SolveOutcome ReducedModel::solved_outcome(const Model& model, std::size_t num_strands,
                                          std::string_view unit_name) const {
  SolveOutcome outcome;
  outcome.samples = make_samples(model, lift(std::vector<Candidate>{{.energy = 0, .bits = {}}}), nullptr);
  outcome.proved = true;
  outcome.bound = outcome.samples.best().energy;
  outcome.work_done.assign(num_strands, 0);
  outcome.reason = StopReason::kProved;
  outcome.unit_name = unit_name;
  return outcome;
}

}  // namespace tandem::solve
