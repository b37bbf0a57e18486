#include "tandem/compute/solve/outcome.h"

#include <algorithm>

namespace tandem::solve {

namespace {

constexpr std::uint32_t kStrandsMax = 1024;             // each has its own state of the whole model
constexpr std::uint64_t kCandidatesMax = 1'000'000;     // distinct samples of one outcome

}  // namespace

Result<void> check_input(const SolverInfo& info, const Model& model, const SolveOptions& options,
                         std::size_t num_strands) {
  TANDEM_TRY(check_accepts(info, model));
  if (options.strands > kStrandsMax) {
    return fail(errors::kValueOutOfRange, "{} strands are above the limit of {}; use a few for each thread",
                options.strands, kStrandsMax);
  }
  if (options.candidates_max > kCandidatesMax) {
    return fail(errors::kValueOutOfRange, "{} candidates are above the limit of {}; ask for fewer",
                options.candidates_max, kCandidatesMax);
  }
  if (!options.work.units.empty() && options.work.units.size() != num_strands) {
    return fail(errors::kSizeMismatch,
                "the work limit has {} entries for {} strands; give one a strand, as work_done has",
                options.work.units.size(), num_strands);
  }
  for (const problem::Assignment& start : options.start) {
    TANDEM_TRY(problem::check_assignment(start, num_variables(model), vartype(model)));
  }
  return {};
}

std::size_t num_strands(const SolveOptions& options) { return std::max<std::size_t>(1, options.strands); }

std::size_t candidates_kept(const SolveOptions& options) { return std::max<std::uint64_t>(1, options.candidates_max); }

std::vector<problem::Assignment> starts_of(std::span<const problem::Assignment> starts, std::size_t strand,
                                           std::size_t count) {
  std::vector<problem::Assignment> out;
  for (std::size_t k = strand; k < starts.size(); k += count) out.push_back(starts[k]);
  return out;
}

std::uint64_t rounds_allowed(const SolveOptions& options, const SolveContext& context, std::uint64_t by_itself) {
  const bool ends = context.stop.stop_possible() || !options.work.units.empty();
  return ends ? UINT64_MAX : by_itself;
}

std::vector<problem::Assignment> start_bits(const Model& model, const SolveOptions& options) {
  std::vector<problem::Assignment> out;
  for (const problem::Assignment& start : options.start) {
    out.push_back(problem::convert(start, vartype(model), problem::Vartype::kBinary));
  }
  return out;
}

void offer_starts(Archive& found, const SearchModel& search, std::span<const problem::Assignment> bits) {
  for (const problem::Assignment& start : bits) found.offer(search.energy(start), start);
}

std::vector<std::uint64_t> work_done(std::span<const std::unique_ptr<Strand>> strands) {
  std::vector<std::uint64_t> out;
  for (const auto& strand : strands) out.push_back(strand->units());
  return out;
}

result::SampleSet make_samples(const Model& model, std::span<const Candidate> candidates, const SearchModel* known) {
  const bool trust = known != nullptr && known->objectives_are_doubles();
  std::vector<result::Sample> samples;
  samples.reserve(candidates.size());
  for (const Candidate& candidate : candidates) {
    problem::Assignment values = problem::convert(candidate.bits, problem::Vartype::kBinary, vartype(model));
    const double objective = trust ? known->objective(candidate.energy) : energy(model, values);
    samples.push_back({.values = std::move(values), .energy = objective});
  }
  return result::SampleSet::create(vartype(model), num_variables(model), std::move(samples));
}

result::SampleSet make_proved_samples(const Model& model, std::span<const Candidate> candidates,
                                      const problem::Assignment& best, const ExactOrder& order, std::size_t count) {
  const problem::Assignment optimum = problem::convert(best, problem::Vartype::kBinary, vartype(model));
  const double least = energy(model, optimum);
  std::vector<Candidate> kept;
  for (const Candidate& candidate : candidates) {
    if (candidate.bits == best) continue;
    const problem::Assignment values = problem::convert(candidate.bits, problem::Vartype::kBinary, vartype(model));
    const double objective = energy(model, values);
    const bool goes_first = objective < least || (objective == least && values < optimum);
    if (!goes_first || order.compare(values, optimum) <= 0) kept.push_back(candidate);
  }
  if (kept.size() >= count) kept.resize(count - 1);
  kept.push_back({.bits = best});
  return make_samples(model, kept, nullptr);
}

FineOrder fine_order(double window, problem::Vartype vartype, const ExactOrder& order,
                     std::function<problem::Assignment(problem::AssignmentView)> lift) {
  if (window == 0) return {};
  const auto values = [vartype, lift = std::move(lift)](problem::AssignmentView bits) {
    const problem::Assignment all = lift ? lift(bits) : problem::Assignment(bits.begin(), bits.end());
    return problem::convert(all, problem::Vartype::kBinary, vartype);
  };
  return {.window = window, .better = [&order, values](problem::AssignmentView a, problem::AssignmentView b) {
            return order.compare(values(a), values(b)) < 0;
          }};
}

SolveOutcome outcome_of(std::span<const std::unique_ptr<Strand>> strands, StopReason reason,
                        std::string_view unit_name) {
  SolveOutcome outcome;
  outcome.work_done = work_done(strands);
  outcome.reason = reason;
  outcome.unit_name = unit_name;
  return outcome;
}

bool no_work_allowed(const SolveOptions& options) {
  const auto& units = options.work.units;
  return !units.empty() && std::ranges::all_of(units, [](std::uint64_t limit) { return limit == 0; });
}

SolveOutcome unsearched_outcome(const Model& model, const SolveOptions& options, const SolveContext& context,
                                std::vector<std::uint64_t> work_done, std::string_view unit_name) {
  std::vector<problem::Assignment> known = options.start;
  if (known.empty()) {
    const std::int8_t low = vartype(model) == problem::Vartype::kSpin ? std::int8_t{-1} : std::int8_t{0};
    known.emplace_back(num_variables(model), low);
  }
  const auto badness = [&](const problem::Assignment& values) {
    const auto* bqm = std::get_if<problem::Bqm>(&model);
    const bool zero = bqm != nullptr && bqm->vartype() == problem::Vartype::kBinary && options.start.empty();
    if (zero) return std::pair(0.0, bqm->offset());  // a stop has no time for millions of terms that are zero
    double violation = 0;
    if (const auto* cqm = std::get_if<problem::Cqm>(&model)) {
      for (const problem::LinearConstraint& one : cqm->constraints()) violation += one.violation(values);
    }
    return std::pair(violation, energy(model, values));
  };
  const problem::Assignment& best = *std::ranges::min_element(known, {}, badness);
  const double objective = badness(best).second;
  if (context.sink) context.sink({.energy = objective});
  SolveOutcome outcome;
  outcome.samples =
      result::SampleSet::create(vartype(model), num_variables(model), {{.values = best, .energy = objective}});
  outcome.work_done = std::move(work_done);
  outcome.reason = context.stop.stop_requested() ? StopReason::kStopped : StopReason::kWork;
  outcome.unit_name = unit_name;
  return outcome;
}

SolveOutcome empty_outcome(const Model& model, std::size_t num_strands, std::string_view unit_name) {
  const double objective = energy(model, {});
  SolveOutcome outcome;
  outcome.samples = result::SampleSet::create(vartype(model), 0, {{.values = {}, .energy = objective}});
  outcome.proved = true;
  outcome.bound = objective;
  outcome.work_done.assign(num_strands, 0);
  outcome.reason = StopReason::kProved;
  outcome.unit_name = unit_name;
  return outcome;
}

std::optional<double> proved_bound(const std::optional<std::int64_t>& bound, const SearchModel& search) {
  if (!bound) return std::nullopt;
  return search.objective(*bound) - search.error_max();
}

tl::unexpected<Error> fail_infeasible(const problem::Cqm& cqm) {
  return fail(errors::kInfeasibleProblem, "no assignment of the {} variables satisfies all {} constraints; relax one",
              cqm.num_variables(), cqm.constraints().size());
}

Result<void> check_memory(std::uint64_t needed, const SolveOptions& options) {
  if (needed <= options.memory_bytes_max) return {};
  return fail(errors::kOutOfMemory,
              "the search needs {} bytes and {} are available; use fewer strands, raise memory_bytes_max or narrow the "
              "model first",
              needed, options.memory_bytes_max);
}

}  // namespace tandem::solve
