#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/reduced_model.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

const Solver& annealing_solver();
const Solver& constrained_solver();
const Solver& independent_set_solver();

namespace {

constexpr double kDenseFrom = 0.1;         // share of pairs coupled from which tabu leads
constexpr std::size_t kProvedSoon = 64;    // variables in a component up to which the proof has most of its strand
constexpr std::size_t kProvableMax = 128;  // and up to which it has a part
constexpr std::uint64_t kRoundFirst = 1 << 19;  // units: 2 ms
constexpr std::uint64_t kRoundMax = 1 << 24;    // 60 ms
constexpr std::uint64_t kRoundsByItself = 24;   // a second a strand
constexpr std::uint64_t kTrialRounds = 3;       // before the engines' results move their shares
constexpr std::uint32_t kLead = 15;             // share of the engine that leads, against 1

/// The race on a quadratic model: every strand shares its time among tabu and annealing, the first one also with a proof.
class Portfolio {
 public:
  Portfolio(const SearchModel& search, const SolveOptions& options, std::vector<problem::Assignment> starts,
            const FineOrder& order)
      : largest_(ExactSearch::largest_component(search)) {
    const auto pairs = static_cast<double>(search.size()) * static_cast<double>(search.size());
    const bool dense = static_cast<double>(search.num_entries()) >= kDenseFrom * pairs;
    shares_ = dense ? Shares{.tabu = kLead, .annealing = 1} : Shares{.tabu = 2, .annealing = 3};
    if (largest_ <= kProvableMax) shares_.exact = largest_ <= kProvedSoon ? 4 * kLead : kLead / 2;
    first_shares_ = shares_;
    std::optional<Temperatures> temperatures;
    for (std::size_t i = 0; i < num_strands(options); ++i) {
      MixedOptions own{.seed = derive_seed(options.seed, i),
                       .candidates_max = kept(options),
                       .exact = i == 0 && shares_.exact > 0,
                       .shares = shares_,
                       .temperatures = temperatures,
                       .order = order};
      for (std::size_t k = i; k < starts.size(); k += num_strands(options)) own.starts.push_back(starts[k]);
      auto strand = std::make_unique<MixedStrand>(search, std::move(own));
      temperatures = strand->temperatures();
      mixed_.push_back(strand.get());
      strands_.push_back(std::move(strand));
    }
  }

  static std::size_t kept(const SolveOptions& options) { return std::max<std::uint64_t>(1, options.candidates_max); }
  static std::uint64_t bytes(const SearchModel& search, const SolveOptions& options) {
    const bool exact = ExactSearch::largest_component(search) <= kProvableMax;
    return num_strands(options) * MixedStrand::bytes(search, kept(options), false) +
           (exact ? ExactSearch::bytes(search, kept(options)) : 0);
  }

  std::span<const std::unique_ptr<Strand>> strands() const { return strands_; }
  const ExactSearch* exact() const { return mixed_[0]->exact(); }

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
    std::int64_t tabu = INT64_MAX;
    std::int64_t annealing = INT64_MAX;
    for (const MixedStrand* strand : mixed_) {
      tabu = std::min(tabu, strand->tabu_best());
      annealing = std::min(annealing, strand->annealing_best());
    }
    if (tabu != annealing) {
      shares_.tabu = tabu < annealing ? kLead : 1;
      shares_.annealing = tabu < annealing ? 1 : kLead;
    } else {
      shares_ = first_shares_;
    }
    for (MixedStrand* strand : mixed_) strand->set_shares(shares_);
  }

  Archive collect(const SolveOptions& options) const {
    Archive out(kept(options));
    for (const MixedStrand* strand : mixed_) strand->collect(out);
    return out;
  }

 private:
  std::size_t largest_;
  Shares shares_;
  Shares first_shares_;
  std::vector<std::unique_ptr<Strand>> strands_;
  std::vector<MixedStrand*> mixed_;
};

class PortfolioSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "portfolio",
        .summary = "reduces the model, then races tabu and annealing, and proves what is small",
        .version = "3",
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
    return with_memory(options, [&]() -> Result<SolveOutcome> {
      if (const auto* bqm = std::get_if<problem::Bqm>(&model)) return run(model, *bqm, options, context);
      if (const auto* cqm = std::get_if<problem::Cqm>(&model)) {
        if (cqm->constraints().empty()) return run(model, cqm->objective(), options, context);
        const Solver& native = ConflictGraph::read(*cqm) ? independent_set_solver() : constrained_solver();
        return native.solve(model, options, context);
      }
      if (const auto bqm = std::get<problem::Polynomial>(model).to_bqm()) return run(model, *bqm, options, context);
      return annealing_solver().solve(model, options, context);
    });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const problem::Bqm& bqm, const SolveOptions& options,
                                  const SolveContext& context) {
    const std::size_t count = num_strands(options);
    std::vector<std::uint64_t> no_work(count);
    if (no_work_allowed(options)) return unsearched_outcome(model, options, context, std::move(no_work), kUnitName);
    const ReducedModel reduced(bqm, options.memory_bytes_max, context.stop);
    if (reduced.bqm().num_variables() == 0) return reduced.solved_outcome(model, count, kUnitName);
    TANDEM_TRY_ASSIGN(const SearchModel search,
                      SearchModel::create(reduced.bqm(), options.memory_bytes_max, context.isa));
    TANDEM_TRY(check_memory(search.bytes() + Portfolio::bytes(search, options), options));
    if (context.stop.stop_requested()) {  // before the preparation of the engines, which may take seconds too
      return unsearched_outcome(model, options, context, std::move(no_work), kUnitName);
    }
    const ExactOrder exact(bqm);
    const double window = search.steps(2 * (search.error_max() + reduced.error_max()));
    const auto lift = [&](problem::AssignmentView bits) { return reduced.lift(bits); };
    Portfolio portfolio(search, options, reduced.restrict(start_bits(model, options)),
                        fine_order(window, bqm.vartype(), exact, lift));
    Race race({.objective = [&](std::int64_t energy) { return search.objective(energy); },
               .target = options.target ? search.energy_at_most(*options.target) : std::nullopt,
               .bound = [&]() -> std::optional<double> {
                 if (portfolio.exact() == nullptr) return std::nullopt;
                 return proved_bound(*portfolio.exact(), search, reduced);
               }},
              options.work, context);
    const RoundLengths lengths{
        .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    const StopReason reason =
        race.run(portfolio.strands(), lengths, [&](std::uint64_t round) { portfolio.exchange(round); });

    const Archive found = portfolio.collect(options);
    if (found.empty()) return unsearched_outcome(model, options, context, work_done(portfolio.strands()), kUnitName);
    SolveOutcome outcome;
    settle(outcome, model, reduced, search, found, portfolio.exact(), exact);
    outcome.work_done = work_done(portfolio.strands());
    outcome.reason = reason;
    outcome.unit_name = kUnitName;
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
