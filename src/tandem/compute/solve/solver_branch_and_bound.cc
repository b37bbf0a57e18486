#include "tandem/compute/solve/exact_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRound = 1u << 12;  // nodes between two looks at the other ends of a race of one

class BranchAndBoundSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "branch_and_bound",
        .summary = "branch and bound with convex bounds: proves dense models of 60 variables",
        .version = "1",
        .takes_bqm = true,
        .exact = true,
        .variables_max = ExactSearch::kTreeMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    TANDEM_TRY(check_input(info(), model, options, 1));
    if (num_variables(model) == 0) return empty_outcome(model, 1, "nodes");
    return with_memory(options, [&]() -> Result<SolveOutcome> {
      const auto& bqm = std::get<problem::Bqm>(model);
      TANDEM_TRY_ASSIGN(const SearchModel search, SearchModel::create(bqm, options.memory_bytes_max));
      TANDEM_TRY(check_memory(search.bytes() + ExactSearch::bytes(search, options.candidates_max), options));
      return run(model, search, options, context);
    });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SearchModel& search, const SolveOptions& options,
                                  const SolveContext& context) {
    std::vector<std::unique_ptr<Strand>> strands;
    strands.push_back(std::make_unique<ExactStrand>(
        search, ExactOptions{.seed = options.seed,
                             .candidates_max = std::max<std::uint64_t>(1, options.candidates_max),
                             .starts = start_bits(model, options)}));
    ExactSearch& exact = static_cast<ExactStrand&>(*strands[0]).search();
    Race race({.objective = [&](std::int64_t energy) { return search.objective(energy); },
               .target = options.target ? search.energy_at_most(*options.target) : std::nullopt},
              options.work, context);
    const StopReason reason = race.run(strands, {.first = kRound, .max = kRound}, [](std::uint64_t) {});
    Archive archive(std::max<std::uint64_t>(1, options.candidates_max));
    exact.collect(archive);
    if (archive.empty()) return fail(errors::kCancelled, "stopped before any assignment was found; allow more time");
    SolveOutcome outcome;
    outcome.samples = make_samples(model, archive.candidates(), &search);
    outcome.proved = exact.proved();
    if (outcome.proved)
      outcome.bound = outcome.samples.best().energy;
    else if (const auto bound = exact.bound())
      outcome.bound = search.objective(*bound);
    outcome.work_done = work_done(strands);
    outcome.reason = reason;
    outcome.unit_name = "nodes";
    return outcome;
  }
};

}  // namespace

const Solver& branch_and_bound_solver() {
  static const BranchAndBoundSolver solver;
  return solver;
}

}  // namespace tandem::solve
