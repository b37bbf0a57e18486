// tandem/compute/solve/outcome.h - what solvers share around their search: options checked, samples scored, memory kept.
//
// Room: compute, inside solve.
#pragma once

#include <new>

#include "tandem/base/stopped.h"
#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/exact_order.h"
#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// Errors: 1301 solver_refused; 1104 size_mismatch - `work` does not have one entry a strand, or a start has another size;
///         1105 bad_vartype - a start has other values; 1023 value_out_of_range - too many strands or candidates.
Result<void> check_input(const SolverInfo& info, const Model& model, const SolveOptions& options,
                         std::size_t num_strands);

/// Strands asked for, at least one.
std::size_t num_strands(const SolveOptions& options);

/// Candidates that are wanted, at least one.
std::size_t candidates_kept(const SolveOptions& options);

/// Rounds that a race may take: without a stop token or limits nothing else would end it.
std::uint64_t rounds_allowed(const SolveOptions& options, const SolveContext& context, std::uint64_t by_itself);

/// The starts of `options` as bits.
std::vector<problem::Assignment> start_bits(const Model& model, const SolveOptions& options);

/// Those of one strand of `count`: every start is somebody's, dealt one after the other.
std::vector<problem::Assignment> starts_of(std::span<const problem::Assignment> starts, std::size_t strand,
                                           std::size_t count);

/// So that no answer is worse than a start, however little was done.
void offer_starts(Archive& found, const SearchModel& search, std::span<const problem::Assignment> bits);

std::vector<std::uint64_t> work_done(std::span<const std::unique_ptr<Strand>> strands);

/// Candidates as samples of the model's vartype; their energies are recomputed from `model`, but for those that the search
/// knows exactly as doubles.
result::SampleSet make_samples(const Model& model, std::span<const Candidate> candidates, const SearchModel* known);

/// The samples of a proof: `best`, bits of the optimum, comes first. Where energies in doubles put another candidate before it
/// that is not better, that one is left out, and so is the last of more than `count`.
result::SampleSet make_proved_samples(const Model& model, std::span<const Candidate> candidates,
                                      const problem::Assignment& best, const ExactOrder& order, std::size_t count);

/// How bits are told apart whose energies differ by at most `window`: by `order`, which is over `vartype` and must outlive it.
/// `lift` leads from the bits of a reduced model to those of the original.
FineOrder fine_order(double window, problem::Vartype vartype, const ExactOrder& order,
                     std::function<problem::Assignment(problem::AssignmentView)> lift = {});

/// The goal of a race: the target of `options`, in energies of `form`, which knows their objectives and must outlive the race.
template <class Form>
RaceGoal goal_of(const Form& form, const SolveOptions& options, std::function<std::optional<double>()> bound = {}) {
  return {.objective = [&form](std::int64_t energy) { return form.objective(energy); },
          .target = options.target ? form.energy_at_most(*options.target) : std::nullopt,
          .bound = std::move(bound)};
}

/// What every outcome says of its race; the samples and what is proved of them are still missing.
SolveOutcome outcome_of(std::span<const std::unique_ptr<Strand>> strands, StopReason reason,
                        std::string_view unit_name);

/// True when the work limit allows not a single step, as after a stop that came before the first one.
bool no_work_allowed(const SolveOptions& options);
/// Where no step was done: the best of the starts, or all variables low. Of a Cqm the least violated one.
SolveOutcome unsearched_outcome(const Model& model, const SolveOptions& options, const SolveContext& context,
                                std::vector<std::uint64_t> work_done, std::string_view unit_name);

/// A model without variables has one assignment: proved, no work.
SolveOutcome empty_outcome(const Model& model, std::size_t num_strands, std::string_view unit_name);

/// What a search proved of its energies, as a bound on the objective.
std::optional<double> proved_bound(const std::optional<std::int64_t>& bound, const SearchModel& search);

/// 1107 infeasible_problem.
tl::unexpected<Error> fail_infeasible(const problem::Cqm& cqm);

/// Errors: 1004 out_of_memory with both figures.
Result<void> check_memory(std::uint64_t needed, const SolveOptions& options);

/// Runs `body`; memory that was promised but is not there becomes 1004 out_of_memory, and a preparation that a stop broke off the
/// answer of no work on `num_strands` strands.
template <class Body>
Result<SolveOutcome> within_limits(const Model& model, const SolveOptions& options, const SolveContext& context,
                                   std::size_t num_strands, std::string_view unit_name, const Body& body) {
  try {
    return body();
  } catch (const Stopped&) {
    return unsearched_outcome(model, options, context, std::vector<std::uint64_t>(num_strands), unit_name);
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory, "the system refused memory below the limit of {} bytes; lower memory_bytes_max",
                options.memory_bytes_max);
  }
}

}  // namespace tandem::solve
