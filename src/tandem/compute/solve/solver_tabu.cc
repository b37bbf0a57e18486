#include "tandem/compute/solve/memetic_search.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRoundsByItself = 12;
constexpr std::uint64_t kRoundsPerRun = 4;  // a round is never shorter than a few runs of 20 n flips

class TabuSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{.name = "tabu",
                                      .summary = "one-flip tabu search from random starts and paths between the best",
                                      .version = "4",
                                      .takes_bqm = true,
                                      .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    if (num_variables(model) == 0) return empty_outcome(model, count, "flips");
    return within_limits(model, options, context, count, "flips", [&] { return run(model, options, context, count); });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SolveOptions& options, const SolveContext& context,
                                  std::size_t count) {
    TANDEM_TRY_ASSIGN(
        const SearchModel search,
        SearchModel::create(std::get<problem::Bqm>(model), options.memory_bytes_max, context.isa, context.stop));
    TANDEM_TRY(check_memory(search.bytes() + count * MemeticSearch::bytes(search, options.candidates_max), options));
    std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    for (std::size_t i = 0; i < count; ++i) {
      throw_if(context.stop);
      MemeticOptions own{.seed = derive_seed(options.seed, i),
                         .candidates_max = options.candidates_max,
                         .starts = starts_of(starts, i, count)};
      strands.push_back(std::make_unique<MemeticStrand>(search, std::move(own)));
    }
    const auto of = [&](std::size_t i) -> MemeticSearch& { return static_cast<MemeticStrand&>(*strands[i]).search(); };

    const std::uint64_t run_length = 20 * search.size() + 500;
    const RoundLengths lengths{.first = run_length,
                               .max = 16 * kRoundsPerRun * run_length,
                               .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    Race race(goal_of(search, options), options.work, context);
    const StopReason reason = race.run(strands, lengths, [&](std::uint64_t) {
      // Each takes the best of the strand before it; all are looked up before any moves.
      std::vector<Candidate> best;
      for (std::size_t i = 0; i < count; ++i) {
        const auto population = of(i).population();
        best.push_back(population.empty() ? Candidate{} : population.front());
      }
      for (std::size_t i = 0; i < count; ++i) {
        const Candidate& other = best[(i + count - 1) % count];
        if (!other.bits.empty()) of(i).immigrate(other);
      }
    });

    Archive archive(candidates_kept(options));
    for (std::size_t i = 0; i < count; ++i) of(i).collect(archive);
    if (archive.empty()) return unsearched_outcome(model, options, context, work_done(strands), "flips");
    offer_starts(archive, search, starts);
    SolveOutcome outcome = outcome_of(strands, reason, "flips");
    outcome.samples = make_samples(model, archive.candidates(), &search);
    return outcome;
  }
};

}  // namespace

const Solver& tabu_solver() {
  static const TabuSolver solver;
  return solver;
}

}  // namespace tandem::solve
