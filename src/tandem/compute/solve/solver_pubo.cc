#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/labs_search.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRoundFirst = 1 << 17;  // units: half a millisecond
constexpr std::uint64_t kRoundMax = 1 << 24;    // 60 ms
constexpr std::uint64_t kRoundsByItself = 14;   // a quarter of a second a strand
constexpr std::uint64_t kTrialRounds = 6;       // before the engines' results move their shares
constexpr std::uint32_t kLead = 7;              // share of the engine that leads, against 1

using Strands = std::vector<std::unique_ptr<Strand>>;

/// One strand for each of `options`, with the engines that `furnish` gives it.
Strands make_strands(const Model& model, const SolveOptions& options,
                     const std::function<void(MixedStrand&, EngineOptions)>& furnish) {
  const std::vector<problem::Assignment> starts = start_bits(model, options);
  const std::size_t count = num_strands(options);
  Strands strands;
  for (std::size_t i = 0; i < count; ++i) {
    EngineOptions own{.seed = derive_seed(options.seed, i),
                      .candidates_max = candidates_kept(options),
                      .starts = starts_of(starts, i, count)};
    auto strand = std::make_unique<MixedStrand>();
    furnish(*strand, std::move(own));
    strands.push_back(std::move(strand));
  }
  return strands;
}

std::vector<MixedStrand*> mixed(const Strands& strands) {
  std::vector<MixedStrand*> out;
  for (const auto& strand : strands) out.push_back(static_cast<MixedStrand*>(strand.get()));
  return out;
}

/// Every strand hears of the best of all, its own engines' included; engines that found less get less time.
void tell_best(std::span<MixedStrand* const> mixed, std::uint64_t round) {
  Archive best(mixed.size());
  for (const MixedStrand* strand : mixed) best.offer(strand->best(1));
  for (MixedStrand* strand : mixed) {
    for (const Candidate& candidate : best.candidates()) strand->offer(candidate);
  }
  if (round < kTrialRounds) return;
  share_by_results(mixed, std::vector<std::uint32_t>(mixed[0]->num_engines(), 1), kLead);
}

class PuboSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "pubo",
        .summary = "races tabu search and annealing on polynomials of any order; knows low autocorrelation sequences",
        .version = "3",
        .takes_polynomial = true,
        .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    if (num_variables(model) == 0) return empty_outcome(model, count, kUnitName);
    const auto& polynomial = std::get<problem::Polynomial>(model);
    return within_limits(model, options, context, count, kUnitName, [&] {
      const auto labs = LabsForm::read(polynomial);
      return labs ? on_sequences(model, *labs, options, context) : on_terms(model, polynomial, options, context);
    });
  }

 private:
  static constexpr std::string_view kUnitName = "visits";

  static Result<SolveOutcome> on_sequences(const Model& model, const LabsForm& labs, const SolveOptions& options,
                                           const SolveContext& context) {
    const std::uint64_t strand_bytes =
        labs_search_bytes(labs.size()) + MemeticSearch::bytes_beside(labs.size(), options.candidates_max);
    TANDEM_TRY(check_memory(num_strands(options) * strand_bytes, options));
    const Strands strands = make_strands(model, options, [&](MixedStrand& strand, const EngineOptions& own) {
      strand.add(make_labs_engine(labs.size(), own, context.isa), 1);
    });
    return run(model, labs, options, context, strands,
               fmt::format("a low autocorrelation sequence of {} spins", labs.size()));
  }

  static Result<SolveOutcome> on_terms(const Model& model, const problem::Polynomial& polynomial,
                                       const SolveOptions& options, const SolveContext& context) {
    TANDEM_TRY_ASSIGN(const PolynomialModel search, PolynomialModel::create(polynomial, options.memory_bytes_max));
    const std::uint64_t strand_bytes = TabuSearch::bytes(search) +
                                       MemeticSearch::bytes_beside(search.size(), options.candidates_max) +
                                       AnnealingSearch::bytes(search.size(), options.candidates_max);
    TANDEM_TRY(check_memory(search.bytes() + num_strands(options) * strand_bytes, options));
    const Temperatures temperatures = measure_temperatures(search, context.stop);
    const Strands strands = make_strands(model, options, [&](MixedStrand& strand, EngineOptions own) {
      strand.add(make_memetic_engine(search, own), 1);
      own.seed = derive_seed(own.seed, 1);
      strand.add(make_annealing_engine(search, own, temperatures), 1);
    });
    return run(model, search, options, context, strands,
               fmt::format("a polynomial of {} variables in {} terms", search.size(), search.num_terms()));
  }

  /// `form` knows the objectives of energies; `structure` says in words what the engines were chosen by.
  template <class Form>
  static Result<SolveOutcome> run(const Model& model, const Form& form, const SolveOptions& options,
                                  const SolveContext& context, const Strands& strands, const std::string& structure) {
    const RoundLengths lengths{
        .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    Race race(goal_of(form, options), options.work, context);
    const std::vector<MixedStrand*> engines = mixed(strands);
    const StopReason reason = race.run(strands, lengths, [&](std::uint64_t round) { tell_best(engines, round); });
    Archive archive(candidates_kept(options));
    for (const MixedStrand* strand : engines) strand->collect(archive);
    if (archive.empty()) return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    SolveOutcome outcome = outcome_of(strands, reason, kUnitName);
    outcome.samples = make_samples(model, archive.candidates(), nullptr);
    outcome.race.engines = engine_records(engines, [&](std::int64_t energy) { return form.objective(energy); });
    outcome.race.choice = fmt::format("{}: {}", structure, engine_names(outcome.race.engines));
    return outcome;
  }
};

}  // namespace

const Solver& pubo_solver() {
  static const PuboSolver solver;
  return solver;
}

}  // namespace tandem::solve
