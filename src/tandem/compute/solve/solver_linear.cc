#include "tandem/compute/solve/linear_search.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::string_view kUnitName = "steps";
// One strand: rounds only say how often the sink hears of the bound.
constexpr RoundLengths kRounds{.first = 1'000, .max = 16'000};

class LinearStrand final : public Strand {
 public:
  LinearStrand(const ConstrainedForm& form, LinearOptions options) : search_(form, std::move(options)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override { return search_.state(); }
  const LinearSearch& search() const { return search_; }

 private:
  LinearSearch search_;
};

class LinearSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "linear",
        .summary = "integer programming: branch and cut by CBC, for linear objectives under linear constraints",
        .version = "1",
        .takes_cqm = true,
        .only_linear = true,
        .exact = true,
        .variables_max = LinearSearch::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    TANDEM_TRY(check_input(info(), model, options, 1));
    return within_limits(model, options, context, 1, kUnitName, [&] { return run(model, options, context); });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SolveOptions& options, const SolveContext& context) {
    const auto& cqm = std::get<problem::Cqm>(model);
    if (cqm.num_variables() == 0 && !cqm.feasible({})) return fail_infeasible(cqm);
    if (cqm.num_variables() == 0) return empty_outcome(model, 1, kUnitName);
    TANDEM_TRY_ASSIGN(const SearchModel objective,
                      SearchModel::create(cqm.objective(), options.memory_bytes_max, context.isa, context.stop));
    TANDEM_TRY(check_memory(objective.bytes() + ConstraintModel::bytes(cqm) + LinearSearch::bytes(cqm), options));
    TANDEM_TRY(LinearSearch::open_libraries());
    const ConstraintModel constraints(cqm);
    const std::size_t kept = candidates_kept(options);
    std::vector<std::unique_ptr<Strand>> strands;
    strands.push_back(
        std::make_unique<LinearStrand>(ConstrainedForm{.cqm = cqm, .objective = objective, .constraints = constraints},
                                       LinearOptions{.candidates_max = kept,
                                                     .memory_bytes_max = options.memory_bytes_max,
                                                     .starts = start_bits(model, options)}));
    const LinearSearch& search = static_cast<LinearStrand&>(*strands[0]).search();
    const auto bound = [&]() -> std::optional<double> { return proved_bound(search.bound(), objective); };
    Race race(goal_of(objective, options, bound), options.work, context);
    const StopReason reason = race.run(strands, kRounds, [](std::uint64_t) {});

    const bool ended = search.state() == StrandState::kProved;
    const bool nothing = search.found().empty();
    if (nothing && ended) return fail_infeasible(cqm);
    SolveOutcome outcome = nothing ? unsearched_outcome(model, options, context, work_done(strands), kUnitName)
                                   : outcome_of(strands, reason, kUnitName);
    if (!nothing) outcome.samples = make_samples(model, search.found().candidates(), &objective);
    outcome.proved = ended;
    outcome.bound = outcome.proved ? outcome.samples.best().energy : bound();
    outcome.reason = reason;
    return outcome;
  }
};

}  // namespace

const Solver& linear_solver() {
  static const LinearSolver solver;
  return solver;
}

}  // namespace tandem::solve
