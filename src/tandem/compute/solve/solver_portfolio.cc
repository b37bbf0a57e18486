#include "tandem/base/rng.h"
#include "tandem/compute/solve/annealing_search.h"
#include "tandem/compute/solve/exact_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::size_t kProvableMax = 64;         // variables up to which branch and bound takes part
constexpr double kDenseFrom = 0.1;  // share of pairs coupled; above it tabu alone is best (reference 0.2)
constexpr std::uint64_t kSweepsFirst = 64;
constexpr std::uint64_t kReadsPerLength = 4;
constexpr std::uint64_t kLengthsMax = 14;  // doublings of a read
constexpr std::uint64_t kFlipVisits = 32;  // variables that a vector scan passes in the time of one visit
constexpr std::uint64_t kRoundSweeps = 256;  // of the first round, a strand
constexpr std::uint64_t kRoundsByItself = 4;
constexpr std::size_t kSharedMax = 4;  // candidates a strand shows the others at a border

/// Reads of annealing, longer and longer, without end.
class LengtheningAnnealing final : public Strand {
 public:
  LengtheningAnnealing(const SearchModel& model, std::uint64_t seed, std::size_t candidates_max)
      : search_(AnnealingSearch::create(model, {.seed = seed, .candidates_max = candidates_max})), seed_(seed) {}
  void advance(std::uint64_t units_end, const Watch& watch) override {
    while (units() < units_end && !search_->reached_target() && !watch.stopped()) {
      if (search_->done()) {
        const std::uint64_t length = std::min(reads_ / kReadsPerLength, kLengthsMax);
        search_->begin({.seed = derive_seed(seed_, reads_++), .sweeps = kSweepsFirst << length});
      }
      search_->advance(units_end, watch);
    }
  }
  std::uint64_t units() const override { return search_->units(); }
  StrandState state() const override {
    return search_->reached_target() ? StrandState::kTarget : StrandState::kWorking;
  }
  const AnnealingSearch& search() const { return *search_; }

 private:
  std::unique_ptr<AnnealingSearch> search_;
  std::uint64_t seed_;
  std::uint64_t reads_ = 0;
};

/// The strands of one race, by kind; null where a strand is of another kind.
struct Runners {
  std::vector<std::unique_ptr<Strand>> strands;
  std::vector<MemeticStrand*> memetic;
  std::vector<LengtheningAnnealing*> annealing;
  ExactStrand* exact = nullptr;

  void collect(std::size_t strand, Archive& into) const {
    if (memetic[strand] != nullptr)
      memetic[strand]->search().collect(into);
    else if (annealing[strand] != nullptr)
      annealing[strand]->search().collect(into);
    else
      exact->search().collect(into);
  }
  /// At a border every strand shows its best; those with a population take them in, and so does the proof.
  void exchange() {
    for (std::size_t from = 0; from < strands.size(); ++from) {
      if (strands[from]->units() == 0) continue;
      Archive shown(kSharedMax);
      collect(from, shown);
      for (const Candidate& candidate : shown.candidates()) {
        for (std::size_t to = 0; to < strands.size(); ++to)
          if (to != from && memetic[to] != nullptr) memetic[to]->search().immigrate(candidate);
      }
      if (exact != nullptr && strands[from].get() != exact && !shown.empty())
        exact->search().offer(shown.candidates()[0]);
    }
  }
};

/// Races what fits the model: tabu with elite crossover, annealing on sparse models, branch and bound on small ones.
class PortfolioSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{.name = "portfolio",
                                      .summary = "races tabu, annealing and, on small models, branch and bound",
                                      .version = "1",
                                      .takes_bqm = true,
                                      .exact = true,
                                      .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const bool provable = num_variables(model) <= kProvableMax;
    const std::size_t count = num_strands(options) + (provable ? 1 : 0);
    TANDEM_TRY(check_input(info(), model, options, count));
    if (num_variables(model) == 0) return empty_outcome(model, count, "visits");
    return with_memory(options, [&]() -> Result<SolveOutcome> {
      const auto& bqm = std::get<problem::Bqm>(model);
      TANDEM_TRY_ASSIGN(const SearchModel search, SearchModel::create(bqm, options.memory_bytes_max));
      const std::size_t kept = std::max<std::uint64_t>(1, options.candidates_max);
      TANDEM_TRY(check_memory(
          search.bytes() + count * (MemeticSearch::bytes(search, kept) + AnnealingSearch::bytes(search.size(), kept)),
          options));
      return run(model, search, options, context, count, provable);
    });
  }

 private:
  static Runners make_runners(const Model& model, const SearchModel& search, const SolveOptions& options,
                              std::size_t count, bool provable) {
    const std::size_t n = search.size();
    const std::size_t kept = std::max<std::uint64_t>(1, options.candidates_max);
    const auto pairs = static_cast<double>(n) * static_cast<double>(n > 1 ? n - 1 : 1);
    const bool dense = static_cast<double>(search.num_entries()) / pairs >= kDenseFrom;
    const std::uint64_t flip_units = n / kFlipVisits + 1;
    Runners out;
    out.memetic.assign(count, nullptr);
    out.annealing.assign(count, nullptr);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t seed = derive_seed(options.seed, i);
      if (provable && i == 0) {
        auto strand = std::make_unique<ExactStrand>(
            search,
            ExactOptions{
                .seed = seed, .flip_units = flip_units, .candidates_max = kept, .starts = start_bits(model, options)});
        out.exact = strand.get();
        out.strands.push_back(std::move(strand));
      } else if (!dense && i % 2 == 0) {
        auto strand = std::make_unique<LengtheningAnnealing>(search, seed, kept);
        out.annealing[i] = strand.get();
        out.strands.push_back(std::move(strand));
      } else {
        auto strand = std::make_unique<MemeticStrand>(
            search,
            MemeticOptions{
                .seed = seed, .step_units = flip_units, .candidates_max = kept, .starts = start_bits(model, options)});
        out.memetic[i] = strand.get();
        out.strands.push_back(std::move(strand));
      }
    }
    return out;
  }

  static Result<SolveOutcome> run(const Model& model, const SearchModel& search, const SolveOptions& options,
                                  const SolveContext& context, std::size_t count, bool provable) {
    Runners runners = make_runners(model, search, options, count, provable);
    const std::uint64_t first = kRoundSweeps * search.size();
    Race race({.objective = [&](std::int64_t energy) { return search.objective(energy); },
               .target = options.target ? search.energy_at_most(*options.target) : std::nullopt},
              options.work, context);
    const std::uint64_t rounds = provable ? UINT64_MAX : rounds_allowed(options, context, kRoundsByItself);
    const StopReason reason = race.run(runners.strands, {.first = first, .max = 64 * first, .rounds_max = rounds},
                                       [&](std::uint64_t) { runners.exchange(); });
    Archive archive(std::max<std::uint64_t>(1, options.candidates_max));
    for (std::size_t i = 0; i < count; ++i)
      if (runners.strands[i]->units() > 0) runners.collect(i, archive);
    if (archive.empty()) return fail(errors::kCancelled, "stopped before any assignment was found; allow more time");
    SolveOutcome outcome;
    outcome.samples = make_samples(model, archive.candidates(), &search);
    if (runners.exact != nullptr) {
      outcome.proved = runners.exact->search().proved();
      if (outcome.proved)
        outcome.bound = outcome.samples.best().energy;
      else if (const auto bound = runners.exact->search().bound())
        outcome.bound = search.objective(*bound);
    }
    outcome.work_done = work_done(runners.strands);
    outcome.reason = reason;
    outcome.unit_name = "visits";
    return outcome;
  }
};

}  // namespace

const Solver& portfolio_solver() {
  static const PortfolioSolver solver;
  return solver;
}

}  // namespace tandem::solve
