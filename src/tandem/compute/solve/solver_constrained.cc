#include "tandem/base/rng.h"
#include "tandem/compute/solve/constrained_search.h"
#include "tandem/compute/solve/gray_sweep.h"
#include "tandem/compute/solve/linear_search.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kSweptMax = 24;          // variables up to which one strand also looks at every assignment
constexpr std::uint64_t kMovesBeforeProof = 512;
constexpr std::uint64_t kSlice = 64;           // moves or steps before the other one has its turn
constexpr std::uint64_t kRoundFirst = 256;     // moves
constexpr std::uint64_t kRoundMax = 1 << 12;
constexpr std::uint64_t kRoundsByItself = 8;
constexpr std::string_view kUnitName = "moves";

/// A search; the first strand also proves: it sweeps a small model, a batch of assignments in place of a move, and shares its units with
/// branch and cut on a linear one.
class ConstrainedStrand final : public Strand {
 public:
  ConstrainedStrand(const ConstrainedForm& form, ConstrainedOptions options) : search_(form, std::move(options)) {}
  void add(std::unique_ptr<GraySweep> sweep) { sweep_ = std::move(sweep); }
  void add(std::unique_ptr<LinearSearch> linear) { linear_ = std::move(linear); }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
      const std::uint64_t before = units();
      const std::uint64_t more = std::min(kSlice, units_end - before);
      const bool proves = search_.units() >= kMovesBeforeProof;
      if (proves && sweep_ != nullptr) {
        sweep_->advance(units_end - search_.units(), watch.after(search_.units()));
      } else if (proves && linear_works() && linear_->units() < search_.units()) {
        if (!search_.feasible().empty()) linear_->hear_of(search_.feasible().candidates().front().energy);
        linear_->advance(linear_->units() + more, watch.after(before - linear_->units()));
      } else {
        search_.advance(search_.units() + more, watch.after(before - search_.units()));
      }
    }
  }
  std::uint64_t units() const override {
    return search_.units() + (sweep_ != nullptr ? sweep_->units() : 0) + (linear_ != nullptr ? linear_->units() : 0);
  }
  StrandState state() const override {
    if (sweep_ != nullptr && sweep_->done()) return StrandState::kProved;
    if (linear_ != nullptr && linear_->state() == StrandState::kProved) return StrandState::kProved;
    const bool target = search_.reached_target() || (sweep_ != nullptr && sweep_->reached_target()) ||
                        (linear_ != nullptr && linear_->state() == StrandState::kTarget);
    return target ? StrandState::kTarget : StrandState::kWorking;
  }
  const ConstrainedSearch& search() const { return search_; }
  const GraySweep* sweep() const { return sweep_.get(); }
  const LinearSearch* linear() const { return linear_.get(); }
  /// The energy of a feasible assignment that another strand has found.
  void hear_of(std::int64_t energy) {
    if (linear_ != nullptr) linear_->hear_of(energy);
  }
  void record(std::uint32_t strand, const SearchModel& objective, std::vector<EngineRecord>& into) const {
    const auto add = [&](const char* name, std::uint64_t units, const Archive& found) {
      into.push_back({.engine = name, .strand = strand, .units = units, .best_energy = std::nullopt});
      if (units > 0 && !found.empty()) into.back().best_energy = objective.objective(found.candidates().front().energy);
    };
    add("tabu", search_.units(), search_.feasible());
    if (sweep_ != nullptr) add("exhaustive", sweep_->units(), sweep_->found());
    if (linear_ != nullptr) add("branch_and_cut", linear_->units(), linear_->found());
  }
  void collect(Archive& into) const {
    into.offer(search_.feasible());
    if (sweep_ != nullptr) into.offer(sweep_->found());
    if (linear_ != nullptr) into.offer(linear_->found());
  }

 private:
  bool linear_works() const { return linear_ != nullptr && linear_->state() == StrandState::kWorking; }

  ConstrainedSearch search_;
  std::unique_ptr<GraySweep> sweep_;
  std::unique_ptr<LinearSearch> linear_;
};

class ConstrainedSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "constrained",
        .summary =
            "tabu search that keeps constraints natively; proves linear objectives by branch and cut, others up "
            "to 24 variables",
        .version = "5",
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
    if (cqm.num_variables() == 0 && !cqm.feasible({})) return fail_infeasible(cqm);
    if (cqm.num_variables() == 0) return empty_outcome(model, count, kUnitName);
    const std::size_t kept = candidates_kept(options);
    TANDEM_TRY_ASSIGN(const SearchModel objective,
                      SearchModel::create(cqm.objective(), options.memory_bytes_max, context.isa, context.stop));
    const std::uint64_t needed =
        objective.bytes() + ConstraintModel::bytes(cqm) +
        count * (ConstrainedSearch::bytes(objective.size(), kept) + ObjectiveState::bytes(objective));
    TANDEM_TRY(check_memory(needed, options));
    const ConstraintModel constraints(cqm);
    const ConstrainedForm form{.cqm = cqm, .objective = objective, .constraints = constraints};
    const ExactOrder exact(cqm.objective());
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    for (std::size_t i = 0; i < count; ++i) {
      throw_if(context.stop);
      ConstrainedOptions own{
          .seed = derive_seed(options.seed, i), .candidates_max = kept, .starts = starts_of(starts, i, count)};
      strands.push_back(std::make_unique<ConstrainedStrand>(form, std::move(own)));
    }
    const auto of = [&](std::size_t i) -> ConstrainedStrand& { return static_cast<ConstrainedStrand&>(*strands[i]); };
    if (objective.size() <= kSweptMax) {
      of(0).add(make_sweep(objective,
                           {.candidates_max = kept,
                            .batch_units = 1,
                            .cqm = &cqm,
                            .constraints = &constraints,
                            .order = fine_order(objective.steps(2 * objective.error_max()), vartype(model), exact)}));
    } else if (LinearSearch::takes(cqm) && needed + LinearSearch::bytes(cqm) <= options.memory_bytes_max) {
      TANDEM_TRY(LinearSearch::open_libraries());  // not without: the answer would depend on what is installed
      of(0).add(std::make_unique<LinearSearch>(
          form, LinearOptions{.candidates_max = kept, .memory_bytes_max = options.memory_bytes_max - needed}));
    }
    const auto bound = [&] {
      return proved_bound(of(0).linear() != nullptr ? of(0).linear()->bound() : std::nullopt, objective);
    };
    Race race(goal_of(objective, options, bound), options.work, context);
    const RoundLengths lengths{
        .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    const StopReason reason = race.run(strands, lengths, [&](std::uint64_t) {
      for (std::size_t i = 1; i < count; ++i) {
        const auto best = of(i).search().feasible().candidates();
        if (!best.empty()) of(0).hear_of(best.front().energy);
      }
    });

    Archive found(kept);
    for (std::size_t i = 0; i < count; ++i) of(i).collect(found);
    // A proof that another strand has meanwhile refuted would be an error of CBC's: it is none.
    const bool refuted = of(0).linear() != nullptr && !found.empty() &&
                         found.candidates().front().energy < of(0).linear()->bound().value_or(INT64_MIN);
    const bool proved = of(0).state() == StrandState::kProved && !refuted;
    if (found.empty() && proved) return fail_infeasible(cqm);
    if (found.empty()) offer_least_violated(strands, found);
    if (found.empty()) return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    SolveOutcome outcome = outcome_of(strands, refuted ? StopReason::kFinished : reason, kUnitName);
    outcome.samples = of(0).sweep() != nullptr && proved
                          ? make_proved_samples(model, found.candidates(), of(0).sweep()->best_bits(), exact, kept)
                          : make_samples(model, found.candidates(), &objective);
    outcome.proved = proved;
    outcome.bound = proved ? outcome.samples.best().energy : refuted ? std::nullopt : bound();
    for (std::uint32_t i = 0; i < count; ++i) of(i).record(i, objective, outcome.race.engines);
    outcome.race.choice = fmt::format("{} variables, {} constraints: {}", objective.size(), cqm.constraints().size(),
                                      engine_names(outcome.race.engines));
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
