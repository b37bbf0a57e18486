#include "tandem/compute/solve/gray_sweep.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRound = 1 << 20;
constexpr std::string_view kUnitName = "assignments";

class ExhaustiveSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{.name = "exhaustive",
                                      .summary = "looks at every assignment, 100 million a second",
                                      .version = "2",
                                      .takes_bqm = true,
                                      .takes_polynomial = true,
                                      .takes_cqm = true,
                                      .exact = true,
                                      .variables_max = GraySweep::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    TANDEM_TRY(check_input(info(), model, options, 1));
    return within_limits(model, options, context, 1, kUnitName, [&]() -> Result<SolveOutcome> {
      if (const auto* cqm = std::get_if<problem::Cqm>(&model)) {
        const ConstraintModel constraints(*cqm);
        SweepOptions own{.candidates_max = candidates_kept(options), .cqm = cqm, .constraints = &constraints};
        return run_quadratic(model, cqm->objective(), std::move(own), options, context);
      }
      SweepOptions own{.candidates_max = candidates_kept(options)};
      if (const auto* bqm = std::get_if<problem::Bqm>(&model)) {
        return run_quadratic(model, *bqm, std::move(own), options, context);
      }
      const auto& polynomial = std::get<problem::Polynomial>(model);
      TANDEM_TRY_ASSIGN(const PolynomialModel search, PolynomialModel::create(polynomial, options.memory_bytes_max));
      const ExactOrder order(polynomial);
      own.order = fine_order(search.error_max(), vartype(model), order);
      return run(model, search, order, own, options, context);
    });
  }

 private:
  static Result<SolveOutcome> run_quadratic(const Model& model, const problem::Bqm& bqm, SweepOptions own,
                                            const SolveOptions& options, const SolveContext& context) {
    TANDEM_TRY_ASSIGN(const SearchModel search,
                      SearchModel::create(bqm, options.memory_bytes_max, context.isa, context.stop));
    const ExactOrder order(bqm);
    own.order = fine_order(search.steps(2 * search.error_max()), vartype(model), order);
    return run(model, search, order, own, options, context);
  }

  template <class Form>
  static Result<SolveOutcome> run(const Model& model, const Form& search, const ExactOrder& order,
                                  const SweepOptions& own, const SolveOptions& options, const SolveContext& context) {
    TANDEM_TRY(check_memory(search.bytes() + own.candidates_max * (search.size() + sizeof(Candidate)), options));
    std::vector<std::unique_ptr<Strand>> strands;
    strands.push_back(std::make_unique<SweepStrand>(make_sweep(search, own)));
    const GraySweep& sweep = static_cast<SweepStrand&>(*strands[0]).sweep();
    Race race(goal_of(search, options), options.work, context);
    const StopReason reason = race.run(strands, {.first = kRound, .max = kRound}, [](std::uint64_t) {});
    if (sweep.found().empty()) {
      if (sweep.done()) {
        return fail(errors::kInfeasibleProblem, "none of the {} assignments satisfies all constraints; relax one",
                    sweep.units());
      }
      return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    }
    SolveOutcome outcome = outcome_of(strands, reason, kUnitName);
    outcome.samples =
        make_proved_samples(model, sweep.found().candidates(), sweep.best_bits(), order, own.candidates_max);
    outcome.proved = sweep.done();
    if (outcome.proved) outcome.bound = outcome.samples.best().energy;
    return outcome;
  }
};

}  // namespace

const Solver& exhaustive_solver() {
  static const ExhaustiveSolver solver;
  return solver;
}

}  // namespace tandem::solve
