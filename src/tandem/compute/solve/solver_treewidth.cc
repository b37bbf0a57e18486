#include <algorithm>
#include <ranges>

#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/width_search.h"

namespace tandem::solve {

namespace {

constexpr std::string_view kUnitName = "blocks";
constexpr RoundLengths kRounds{.first = 1 << 20, .max = 1 << 25};  // 5 ms, 200 ms
constexpr std::uint64_t kRoundsByItself = 8;

class TreewidthSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "treewidth",
        .summary = "optimises large parts of small elimination width exactly, and all of it where its width is small",
        .version = "2",
        .takes_bqm = true,
        .exact = true,
        .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    if (num_variables(model) == 0) return empty_outcome(model, count, kUnitName);
    if (no_work_allowed(options)) {
      return unsearched_outcome(model, options, context, std::vector<std::uint64_t>(count), kUnitName);
    }
    return within_limits(model, options, context, count, kUnitName,
                         [&] { return run(model, options, context, count); });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const SolveOptions& options, const SolveContext& context,
                                  std::size_t count) {
    TANDEM_TRY_ASSIGN(
        const SearchModel search,
        SearchModel::create(std::get<problem::Bqm>(model), options.memory_bytes_max, context.isa, context.stop));
    TANDEM_TRY(check_memory(search.bytes() + count * WidthSearch::bytes(search, options.candidates_max, context.stop),
                            options));
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    for (std::size_t i = 0; i < count; ++i) {
      WidthOptions own{.seed = derive_seed(options.seed, i),
                       .candidates_max = options.candidates_max,
                       .starts = starts_of(starts, i, count),
                       .whole = i == 0,
                       .stop = context.stop};
      strands.push_back(std::make_unique<WidthStrand>(search, std::move(own)));
    }
    const auto of = [&](std::size_t i) -> WidthSearch& { return static_cast<WidthStrand&>(*strands[i]).search(); };
    RoundLengths lengths = kRounds;
    lengths.rounds_max = rounds_allowed(options, context, kRoundsByItself);
    Race race(goal_of(search, options), options.work, context);
    const StopReason reason = race.run(strands, lengths, [&](std::uint64_t) {
      // Each takes what is better in the best of the strand before it; all are looked up before any moves.
      std::vector<Archive> best;
      for (std::size_t i = 0; i < count; ++i) of(i).collect(best.emplace_back(1));
      for (std::size_t i = 0; i < count && count > 1; ++i) {
        for (const Candidate& one : best[(i + count - 1) % count].candidates()) of(i).offer(one.bits);
      }
    });

    Archive archive(candidates_kept(options));
    for (std::size_t i = 0; i < count; ++i) of(i).collect(archive);
    if (archive.empty()) return unsearched_outcome(model, options, context, work_done(strands), kUnitName);
    offer_starts(archive, search, starts);
    SolveOutcome outcome = outcome_of(strands, reason, kUnitName);
    const bool whole =
        std::ranges::any_of(std::views::iota(std::size_t{0}, count), [&](std::size_t i) { return of(i).proved(); });
    outcome.proved = whole && search.exact();
    if (outcome.proved) {
      const ExactOrder exact(std::get<problem::Bqm>(model));
      outcome.samples = make_proved_samples(model, archive.candidates(), archive.candidates().front().bits, exact,
                                            archive.candidates().size());
      outcome.bound = outcome.samples.best().energy;
    } else {
      outcome.samples = make_samples(model, archive.candidates(), &search);
      if (whole) outcome.bound = search.objective(archive.candidates().front().energy) - search.error_max();
    }
    return outcome;
  }
};

}  // namespace

const Solver& treewidth_solver() {
  static const TreewidthSolver solver;
  return solver;
}

}  // namespace tandem::solve
