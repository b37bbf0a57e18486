#include "tandem/base/rng.h"
#include "tandem/compute/solve/constrained_search.h"
#include "tandem/compute/solve/gray_sweep.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kSweptMax = 24;          // variables up to which one strand also looks at every assignment
constexpr std::uint64_t kMovesBeforeSweep = 512;
constexpr std::uint64_t kRoundFirst = 256;     // moves
constexpr std::uint64_t kRoundMax = 1 << 12;
constexpr std::uint64_t kRoundsByItself = 8;
constexpr std::string_view kUnitName = "moves";

/// A search; the first strand of a small model then sweeps for the proof, a batch of assignments in place of a move.
class ConstrainedStrand final : public Strand {
 public:
  /// With an order it also sweeps.
  ConstrainedStrand(const ConstrainedForm& form, ConstrainedOptions options, const FineOrder* order) {
    if (order != nullptr) {
      sweep_ = make_sweep(form.objective, {.candidates_max = options.candidates_max,
                                           .batch_units = 1,
                                           .cqm = &form.cqm,
                                           .constraints = &form.constraints,
                                           .order = *order});
    }
    search_.emplace(form, std::move(options));
  }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
      const bool sweeps = sweep_ != nullptr && search_->units() >= kMovesBeforeSweep;
      if (sweeps) {
        sweep_->advance(units_end - search_->units(), watch.after(search_->units()));
      } else {
        const std::uint64_t own = units_end - sweep_units();
        search_->advance(sweep_ != nullptr ? std::min(own, kMovesBeforeSweep) : own, watch);
      }
    }
  }
  std::uint64_t units() const override { return search_->units() + sweep_units(); }
  StrandState state() const override {
    if (sweep_ != nullptr && sweep_->done()) return StrandState::kProved;
    const bool target = search_->reached_target() || (sweep_ != nullptr && sweep_->reached_target());
    return target ? StrandState::kTarget : StrandState::kWorking;
  }
  const ConstrainedSearch& search() const { return *search_; }
  const GraySweep* sweep() const { return sweep_.get(); }

 private:
  std::uint64_t sweep_units() const { return sweep_ != nullptr ? sweep_->units() : 0; }

  std::optional<ConstrainedSearch> search_;
  std::unique_ptr<GraySweep> sweep_;
};

class ConstrainedSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "constrained",
        .summary = "tabu search that keeps constraints natively; proves up to 24 variables",
        .version = "3",
        .takes_cqm = true,
        .exact = true,
        .variables_max = 100'000};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    TANDEM_TRY(check_input(info(), model, options, num_strands(options)));
    return within_limits(model, options, context, num_strands(options), kUnitName,
                         [&] { return run(model, options, context); });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SolveOptions& options, const SolveContext& context) {
    const auto& cqm = std::get<problem::Cqm>(model);
    const std::size_t count = num_strands(options);
    if (cqm.num_variables() == 0 && !cqm.feasible({})) {
      return fail(errors::kInfeasibleProblem,
                  "the model has no variables and a constraint that does not hold; remove it");
    }
    if (cqm.num_variables() == 0) return empty_outcome(model, count, kUnitName);
    const std::size_t kept = std::max<std::uint64_t>(1, options.candidates_max);
    TANDEM_TRY_ASSIGN(const SearchModel objective,
                      SearchModel::create(cqm.objective(), options.memory_bytes_max, context.isa, context.stop));
    TANDEM_TRY(
        check_memory(objective.bytes() + ConstraintModel::bytes(cqm) +
                         count * (ConstrainedSearch::bytes(objective.size(), kept) + ObjectiveState::bytes(objective)),
                     options));
    const ConstraintModel constraints(cqm);
    const ConstrainedForm form{.cqm = cqm, .objective = objective, .constraints = constraints};
    const ExactOrder exact(cqm.objective());
    const FineOrder order = fine_order(objective.steps(2 * objective.error_max()), vartype(model), exact);
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    for (std::size_t i = 0; i < count; ++i) {
      throw_if(context.stop);
      ConstrainedOptions own{.seed = derive_seed(options.seed, i), .candidates_max = kept};
      for (std::size_t k = i; k < starts.size(); k += count) own.starts.push_back(starts[k]);
      strands.push_back(std::make_unique<ConstrainedStrand>(
          form, std::move(own), i == 0 && objective.size() <= kSweptMax ? &order : nullptr));
    }
    const auto of = [&](std::size_t i) -> const ConstrainedStrand& {
      return static_cast<ConstrainedStrand&>(*strands[i]);
    };
    Race race({.objective = [&](std::int64_t energy) { return objective.objective(energy); },
               .target = options.target ? objective.energy_at_most(*options.target) : std::nullopt},
              options.work, context);
    const RoundLengths lengths{
        .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    const StopReason reason = race.run(strands, lengths, [](std::uint64_t) {});

    Archive found(kept);
    for (std::size_t i = 0; i < count; ++i) {
      found.offer(of(i).search().feasible());
      if (of(i).sweep() != nullptr) found.offer(of(i).sweep()->found());
    }
    const bool proved = of(0).state() == StrandState::kProved;
    if (found.empty() && proved) {
      return fail(errors::kInfeasibleProblem,
                  "no assignment of the {} variables satisfies all {} constraints; relax one", objective.size(),
                  constraints.ranges().size());
    }
    if (found.empty()) offer_least_violated(strands, found);
    if (found.empty()) return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    SolveOutcome outcome;
    outcome.samples = proved ? make_proved_samples(model, found.candidates(), of(0).sweep()->best_bits(), exact, kept)
                             : make_samples(model, found.candidates(), &objective);
    outcome.proved = proved;
    if (proved) outcome.bound = outcome.samples.best().energy;
    outcome.work_done = work_done(strands);
    outcome.reason = reason;
    outcome.unit_name = kUnitName;
    return outcome;
  }

  static void offer_least_violated(std::span<const std::unique_ptr<Strand>> strands, Archive& into) {
    const ConstrainedSearch* nearest = nullptr;
    for (const auto& strand : strands) {
      const ConstrainedSearch& search = static_cast<const ConstrainedStrand&>(*strand).search();
      if (search.least_violated().bits.empty()) continue;
      if (nearest == nullptr || search.least_violation() < nearest->least_violation()) nearest = &search;
    }
    if (nearest != nullptr) into.offer(nearest->least_violated().energy, nearest->least_violated().bits);
  }
};

}  // namespace

const Solver& constrained_solver() {
  static const ConstrainedSolver solver;
  return solver;
}

}  // namespace tandem::solve
