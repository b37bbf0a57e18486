#include "tandem/compute/solve/exact_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/reduced_model.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::string_view kUnitName = "nodes";
// One strand: rounds only say how often the sink hears of the bound. The longest take half a second.
constexpr RoundLengths kRounds{.first = 1'000, .max = 16'000};

class BranchAndBoundSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "branch_and_bound",
        .summary = "exact reductions, then branch and bound with convex bounds, one component at a time",
        .version = "5",
        .takes_bqm = true,
        .exact = true,
        .variables_max = ExactSearch::kTreeMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    TANDEM_TRY(check_input(info(), model, options, 1));
    return within_limits(model, options, context, 1, kUnitName, [&] { return run(model, options, context); });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SolveOptions& options, const SolveContext& context) {
    const auto& bqm = std::get<problem::Bqm>(model);
    if (no_work_allowed(options)) return unsearched_outcome(model, options, context, {0}, kUnitName);
    const ReducedModel reduced(bqm, options.memory_bytes_max, context.stop);
    if (reduced.bqm().num_variables() == 0) return reduced.solved_outcome(model, 1, kUnitName);
    TANDEM_TRY_ASSIGN(const SearchModel search,
                      SearchModel::create(reduced.bqm(), options.memory_bytes_max, context.isa, context.stop));
    TANDEM_TRY(check_memory(search.bytes() + ExactSearch::bytes(search, options.candidates_max), options));
    const ExactOrder exact(bqm);
    const auto lift = [&](problem::AssignmentView bits) { return reduced.lift(bits); };
    const double window = search.steps(2 * (search.error_max() + reduced.error_max()));
    std::vector<std::unique_ptr<Strand>> strands;
    strands.push_back(
        std::make_unique<ExactStrand>(search, ExactOptions{.seed = options.seed,
                                                           .candidates_max = options.candidates_max,
                                                           .starts = reduced.restrict(start_bits(model, options)),
                                                           .order = fine_order(window, bqm.vartype(), exact, lift)}));
    const ExactSearch& tree = static_cast<ExactStrand&>(*strands[0]).search();
    Race race(goal_of(search, options, [&] { return proved_bound({.bound = tree.bound()}, search, reduced); }),
              options.work, context);
    const StopReason reason = race.run(strands, kRounds, [](std::uint64_t) {});

    Archive archive(candidates_kept(options));
    tree.collect(archive);
    if (archive.empty()) return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    offer_starts(archive, search, reduced.restrict(start_bits(model, options)));
    SolveOutcome outcome = outcome_of(strands, reason, kUnitName);
    settle(outcome, model, reduced, search, archive,
           {.bound = tree.bound(), .optimum = tree.proved() ? &tree.best_bits() : nullptr}, exact);
    return outcome;
  }
};

}  // namespace

const Solver& branch_and_bound_solver() {
  static const BranchAndBoundSolver solver;
  return solver;
}

}  // namespace tandem::solve
