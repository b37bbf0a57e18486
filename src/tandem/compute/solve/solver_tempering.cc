#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/tempering_search.h"

namespace tandem::solve {

namespace {

constexpr std::string_view kUnitName = "visits";
constexpr std::uint64_t kRoundsByItself = 4;
constexpr std::uint64_t kSweepsOfRound = 256;

class TemperingSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "tempering",
        .summary = "parallel tempering of 32 replicas with temperatures measured on the model",
        .version = "1",
        .takes_bqm = true,
        .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    if (num_variables(model) == 0) return empty_outcome(model, count, kUnitName);
    return within_limits(model, options, context, count, kUnitName,
                         [&] { return run(model, options, context, count); });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SolveOptions& options, const SolveContext& context,
                                  std::size_t count) {
    TANDEM_TRY_ASSIGN(
        const SearchModel search,
        SearchModel::create(std::get<problem::Bqm>(model), options.memory_bytes_max, context.isa, context.stop));
    if (!ReplicaModel::fits(search)) {
      return fail(
          errors::kSolverRefused,
          "the solver tempering takes models whose integer fields fit lanes of 32 bits, and these do not; use the "
          "solver annealing");
    }
    const std::uint64_t strand_bytes = TemperingSearch::bytes(search.size(), candidates_kept(options));
    TANDEM_TRY(check_memory(search.bytes() + ReplicaModel::bytes(search) + count * strand_bytes, options));
    const ReplicaModel replicas(search, context.stop);
    const Temperatures temperatures = measure_temperatures(search, context.stop);
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    std::vector<MixedStrand*> mixed;
    for (std::size_t i = 0; i < count; ++i) {
      throw_if(context.stop);
      EngineOptions own{.seed = derive_seed(options.seed, i),
                        .candidates_max = candidates_kept(options),
                        .starts = starts_of(starts, i, count)};
      auto strand = std::make_unique<MixedStrand>();
      strand->add(make_tempering_engine(replicas, own, temperatures), 1);
      mixed.push_back(strand.get());
      strands.push_back(std::move(strand));
    }
    const std::uint64_t round = search.size() * replicas.visit_cost() * kSweepsOfRound;
    const RoundLengths lengths{
        .first = round, .max = 64 * round, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    Race race(goal_of(search, options), options.work, context);
    const StopReason reason = race.run(strands, lengths, [&](std::uint64_t) {
      // Each hears of the best of the strand before it; all are looked up before any is told.
      std::vector<Archive> best;
      for (const MixedStrand* strand : mixed) best.push_back(strand->best(1));
      for (std::size_t i = 0; i < count && count > 1; ++i) {
        for (const Candidate& one : best[(i + count - 1) % count].candidates()) mixed[i]->offer(one);
      }
    });

    Archive archive(candidates_kept(options));
    for (const MixedStrand* strand : mixed) strand->collect(archive);
    if (archive.empty()) return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    offer_starts(archive, search, starts);
    SolveOutcome outcome = outcome_of(strands, reason, kUnitName);
    outcome.samples = make_samples(model, archive.candidates(), &search);
    return outcome;
  }
};

}  // namespace

const Solver& tempering_solver() {
  static const TemperingSolver solver;
  return solver;
}

}  // namespace tandem::solve
