#include "tandem/base/rng.h"
#include "tandem/compute/solve/constrained_search.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kSweptMax = 20;  // variables up to which every assignment is looked at: a second at most
constexpr std::uint64_t kRoundFirst = 256;  // moves
constexpr std::uint64_t kRoundMax = 1u << 14;
constexpr std::uint64_t kRoundsByItself = 4;
constexpr std::uint64_t kStopEvery = 1u << 12;  // assignments between two looks at the stop token

class ConstrainedSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "constrained",
        .summary = "tabu search that keeps constraints natively; proves up to 20 variables",
        .version = "1",
        .takes_cqm = true,
        .exact = true,
        .variables_max = ConstrainedModel::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    const std::size_t n = num_variables(model);
    if (n == 0) return empty_outcome(model, count, "moves");
    TANDEM_TRY(check_memory(n * n * sizeof(std::int64_t), options));
    const auto& cqm = std::get<problem::Cqm>(model);
    return with_memory(options, [&]() -> Result<SolveOutcome> {
      const ConstrainedModel search(cqm);
      if (n <= kSweptMax) {
        if (auto swept = sweep(model, search, options, context, count)) return *std::move(swept);
      }
      return run(model, search, options, context, count);
    });
  }

 private:
  /// Every assignment, in Gray-code order so that each is one flip from the last. Empty when stopped, or nothing is feasible.
  static std::optional<SolveOutcome> sweep(const Model& model, const ConstrainedModel& search,
                                           const SolveOptions& options, const SolveContext& context,
                                           std::size_t count) {
    const std::size_t n = search.size();
    Archive archive(std::max<std::uint64_t>(1, options.candidates_max));
    problem::Assignment bits(n, 0);
    const std::uint64_t all = std::uint64_t{1} << n;
    for (std::uint64_t k = 0; k < all; ++k) {
      if (k % kStopEvery == 0 && context.stop.stop_requested()) return std::nullopt;
      if (k != 0) {
        const auto i = static_cast<std::size_t>(std::countr_zero(k));
        bits[i] = static_cast<std::int8_t>(1 - bits[i]);
      }
      if (search.violation(bits) == 0) archive.offer(search.energy(bits), bits);
    }
    if (archive.empty()) return std::nullopt;
    SolveOutcome outcome;
    outcome.samples = make_samples(model, archive.candidates(), nullptr);
    if (context.sink) context.sink({.energy = outcome.samples.best().energy});
    // A rounded objective orders only what it can tell apart: the proof is for exact ones.
    outcome.proved = std::get<problem::Cqm>(model).objective().to_integer().has_value();
    if (outcome.proved) outcome.bound = outcome.samples.best().energy;
    outcome.work_done.assign(count, 0);
    outcome.reason = outcome.proved ? StopReason::kProved : StopReason::kFinished;
    outcome.unit_name = "moves";
    return outcome;
  }

  static Result<SolveOutcome> run(const Model& model, const ConstrainedModel& search, const SolveOptions& options,
                                  const SolveContext& context, std::size_t count) {
    std::optional<std::int64_t> target;
    const double scale = search.objective.to_objective(1) - search.objective.to_objective(0);
    if (options.target)
      target = static_cast<std::int64_t>(std::floor((*options.target - search.objective.to_objective(0)) / scale));
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    for (std::size_t i = 0; i < count; ++i) {
      strands.push_back(std::make_unique<ConstrainedSearch>(search, derive_seed(options.seed, i),
                                                            options.candidates_max, target,
                                                            i < starts.size() ? &starts[i] : nullptr));
    }
    Race race(
        {.objective = [&](std::int64_t energy) { return search.objective.to_objective(energy); }, .target = target},
        options.work, context);
    const StopReason reason = race.run(
        strands,
        {.first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)},
        [](std::uint64_t) {});
    Archive archive(std::max<std::uint64_t>(1, options.candidates_max));
    const ConstrainedSearch* nearest = nullptr;
    for (const auto& strand : strands) {
      const auto& done = static_cast<const ConstrainedSearch&>(*strand);
      archive.offer(done.feasible());
      if (nearest == nullptr || done.least_violation() < nearest->least_violation()) nearest = &done;
    }
    if (archive.empty()) archive.offer(search.energy(nearest->least_violated()), nearest->least_violated());
    SolveOutcome outcome;
    outcome.samples = make_samples(model, archive.candidates(), nullptr);
    outcome.work_done = work_done(strands);
    outcome.reason = reason;
    outcome.unit_name = "moves";
    return outcome;
  }
};

}  // namespace

const Solver& constrained_solver() {
  static const ConstrainedSolver solver;
  return solver;
}

}  // namespace tandem::solve
