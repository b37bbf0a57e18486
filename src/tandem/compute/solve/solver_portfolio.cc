#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/coloring_form.h"
#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/reduced_model.h"
#include "tandem/compute/solve/replica_search.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/tempering_search.h"
#include "tandem/compute/solve/width_search.h"

namespace tandem::solve {

const Solver& coloring_solver();
const Solver& constrained_solver();
const Solver& independent_set_solver();
const Solver& pubo_solver();

namespace {

constexpr std::size_t kProvedSoon = 64;    // variables in a component up to which the proof has most of its strand
constexpr std::size_t kProvableMax = 128;  // and up to which it has a part
constexpr std::uint64_t kRoundFirst = 1 << 19;  // units: 2 ms
constexpr std::uint64_t kRoundMax = 1 << 24;    // 60 ms
constexpr std::uint64_t kRoundsByItself = 24;   // a second a strand
constexpr std::uint64_t kTrialRounds = 3;       // before the engines' results move their shares
constexpr std::uint32_t kLead = 15;             // share of the engines that lead, against 1
constexpr std::uint64_t kWidthDegreeMax = 8;  // couplings a variable up to which exact moves of small width reach far
constexpr std::uint64_t kTemperingDegree = 4;  // and above which tempering is ahead of annealing

/// Which engines a model gets, and their shares before their results are known.
struct Line {
  std::uint32_t tabu = 0;
  std::uint32_t annealing = 0;
  std::uint32_t replicas = 0;
  std::uint32_t tempering = 0;
  std::uint32_t width = 0;
  std::uint32_t exact = 0;  ///< of the first strand

  static Line of(const SearchModel& model) {
    Line out;
    const bool replicas = !model.dense() && ReplicaModel::fits(model);
    if (replicas) {
      out.tabu = 1;
      out.replicas = 3;
      if (model.num_entries() <= kWidthDegreeMax * model.size()) {
        out.width = 3;
        if (model.num_entries() > kTemperingDegree * model.size()) out.tempering = 3;
      }
    } else {
      out.tabu = model.dense() ? kLead : 2;
      out.annealing = model.dense() ? 1 : 3;
    }
    const std::size_t largest = ExactSearch::largest_component(model, kProvableMax + 1);
    if (largest <= kProvableMax) out.exact = largest <= kProvedSoon ? 4 * kLead : kLead / 2;
    return out;
  }
};

/// The race on a quadratic model: every strand shares its time among the same engines, the first one also with a proof.
class Portfolio {
 public:
  /// `window`: differences of energies that say nothing (fine_order).
  /// Throws Stopped.
  Portfolio(const SearchModel& search, const SolveOptions& options, std::vector<problem::Assignment> starts,
            double window, const FineOrder& order, const std::stop_token& stop) {
    const Line line = Line::of(search);
    shares_ = {line.tabu, line.annealing, line.replicas, line.tempering, line.width};
    std::erase(shares_, 0u);
    const Temperatures temperatures =
        line.annealing + line.replicas > 0 ? measure_temperatures(search, stop) : Temperatures();
    if (line.replicas > 0) replica_model_ = std::make_unique<ReplicaModel>(search, stop);
    for (std::size_t i = 0; i < num_strands(options); ++i) {
      const std::uint64_t seed = derive_seed(options.seed, i);
      EngineOptions own{.candidates_max = candidates_kept(options), .stop = stop};
      own.starts = starts_of(starts, i, num_strands(options));
      auto strand = std::make_unique<MixedStrand>();
      std::uint64_t engine = 0;
      const auto next = [&]() -> const EngineOptions& {
        throw_if(stop);
        own.seed = derive_seed(seed, engine++);
        return own;
      };
      if (line.tabu > 0) strand->add(make_memetic_engine(search, next()), line.tabu);
      if (line.annealing > 0) strand->add(make_annealing_engine(search, next(), temperatures), line.annealing);
      if (line.replicas > 0) strand->add(make_replica_engine(*replica_model_, next(), temperatures), line.replicas);
      if (line.tempering > 0) strand->add(make_tempering_engine(*replica_model_, next(), temperatures), line.tempering);
      if (line.width > 0)
        strand->add(make_width_engine(search, next(), i == 0, search.exact() && window == 0), line.width);
      if (line.exact > 0 && i == 0) strand->add(make_exact_engine(search, next(), order), line.exact);
      mixed_.push_back(strand.get());
      strands_.push_back(std::move(strand));
    }
  }

  static std::uint64_t bytes(const SearchModel& search, const SolveOptions& options) {
    const Line line = Line::of(search);
    const std::size_t count = candidates_kept(options);
    std::uint64_t strand = MemeticSearch::bytes(search, count);
    if (line.annealing > 0) strand += AnnealingSearch::bytes(search.size(), count);
    if (line.replicas > 0) strand += ReplicaSearch::bytes(search.size(), count);
    if (line.tempering > 0) strand += TemperingSearch::bytes(search.size(), count);
    if (line.width > 0) strand += WidthSearch::bytes(search, count);
    return num_strands(options) * strand + (line.replicas > 0 ? ReplicaModel::bytes(search) : 0) +
           (line.exact > 0 ? ExactSearch::bytes(search, count) : 0);
  }

  std::span<const std::unique_ptr<Strand>> strands() const { return strands_; }

  /// The best that any engine has proved.
  Proof proof() const {
    Proof out;
    for (const MixedStrand* strand : mixed_) {
      for (std::size_t i = 0; i < strand->num_engines(); ++i) {
        const Engine& engine = strand->engine(i);
        if (const auto bound = engine.bound(); bound && (!out.bound || *bound > *out.bound)) out.bound = bound;
        if (engine.optimum() != nullptr) out.optimum = engine.optimum();
      }
    }
    return out;
  }

  /// What the engines did and why there were these.
  void record(const SearchModel& search, RaceRecord& into) const {
    into.engines = engine_records(mixed_, [&](std::int64_t energy) { return search.objective(energy); });
    into.choice = fmt::format("{} variables of {:.1f} couplings{}: {}", search.size(),
                              static_cast<double>(search.num_entries()) / static_cast<double>(search.size()),
                              search.dense() ? " (dense)" : "", engine_names(into.engines));
  }

  /// Each strand hears of the best of all others, and of its own engines; engines that found less get less time.
  void exchange(std::uint64_t round) {
    std::vector<Archive> best;
    for (const MixedStrand* strand : mixed_) best.push_back(strand->best(1));
    for (MixedStrand* strand : mixed_) {
      for (const Archive& one : best) {
        for (const Candidate& candidate : one.candidates()) strand->offer(candidate);
      }
    }
    if (round < kTrialRounds) return;
    // The proof, which comes after those that have a share here, keeps its own.
    share_by_results(mixed_, shares_, kLead);
  }

  Archive collect(const SolveOptions& options) const {
    Archive out(candidates_kept(options));
    for (const MixedStrand* strand : mixed_) strand->collect(out);
    return out;
  }

 private:
  std::vector<std::uint32_t> shares_;  ///< of the engines that every strand has
  std::unique_ptr<ReplicaModel> replica_model_;
  std::vector<std::unique_ptr<Strand>> strands_;
  std::vector<MixedStrand*> mixed_;
};

class PortfolioSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "portfolio",
        .summary =
            "reduces the model, then races tabu, annealing and exact moves of small width, and proves what can be",
        .version = "11",
        .takes_bqm = true,
        .takes_polynomial = true,
        .takes_cqm = true,
        .exact = true,
        .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    return within_limits(model, options, context, count, kUnitName, [&]() -> Result<SolveOutcome> {
      if (const auto* bqm = std::get_if<problem::Bqm>(&model)) return run(model, *bqm, options, context);
      if (const auto* cqm = std::get_if<problem::Cqm>(&model)) {
        if (cqm->constraints().empty()) return run(model, cqm->objective(), options, context);
        const Solver& native = ConflictGraph::is_stated_by(*cqm)  ? independent_set_solver()
                               : ColoringForm::is_stated_by(*cqm) ? coloring_solver()
                                                                  : constrained_solver();
        return native.solve(model, options, context);
      }
      if (const auto bqm = std::get<problem::Polynomial>(model).to_bqm()) return run(model, *bqm, options, context);
      return pubo_solver().solve(model, options, context);
    });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const problem::Bqm& bqm, const SolveOptions& options,
                                  const SolveContext& context) {
    const std::size_t count = num_strands(options);
    if (no_work_allowed(options)) {
      return unsearched_outcome(model, options, context, std::vector<std::uint64_t>(count), kUnitName);
    }
    const ReducedModel reduced(bqm, options.memory_bytes_max, context.stop);
    if (reduced.bqm().num_variables() == 0) return reduced.solved_outcome(model, count, kUnitName);
    TANDEM_TRY_ASSIGN(const SearchModel search,
                      SearchModel::create(reduced.bqm(), options.memory_bytes_max, context.isa, context.stop));
    TANDEM_TRY(check_memory(search.bytes() + Portfolio::bytes(search, options), options));
    const ExactOrder exact(bqm);
    const double window = search.steps(2 * (search.error_max() + reduced.error_max()));
    const auto lift = [&](problem::AssignmentView bits) { return reduced.lift(bits); };
    const std::vector<problem::Assignment> starts = reduced.restrict(start_bits(model, options));
    Portfolio portfolio(search, options, starts, window, fine_order(window, bqm.vartype(), exact, lift), context.stop);
    Race race(goal_of(search, options, [&] { return proved_bound(portfolio.proof(), search, reduced); }), options.work,
              context);
    const RoundLengths lengths{
        .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    const StopReason reason =
        race.run(portfolio.strands(), lengths, [&](std::uint64_t round) { portfolio.exchange(round); });

    Archive found = portfolio.collect(options);
    if (!found.empty()) offer_starts(found, search, starts);
    if (found.empty()) return unsearched_outcome(model, options, context, work_done(portfolio.strands()), kUnitName);
    SolveOutcome outcome = outcome_of(portfolio.strands(), reason, kUnitName);
    settle(outcome, model, reduced, search, found, portfolio.proof(), exact);
    portfolio.record(search, outcome.race);
    return outcome;
  }

  static constexpr std::string_view kUnitName = "visits";
};

}  // namespace

const Solver& portfolio_solver() {
  static const PortfolioSolver solver;
  return solver;
}

}  // namespace tandem::solve
