#include <algorithm>
#include <array>
#include <cmath>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/conflict_kernel.h"
#include "tandem/compute/solve/cover_search.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/penalty_search.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/stable_tree.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRoundFirst = 1 << 18;  // units: half a millisecond
constexpr std::uint64_t kRoundMax = 1 << 24;    // 40 ms
constexpr std::uint64_t kRoundsByItself = 20;
constexpr std::uint64_t kSlice = 1 << 20;
constexpr std::size_t kPenaltyNodesMax = 20'000;
constexpr std::uint64_t kProofLooks = 1 << 17;  // units of the tree between two looks at the stop token
constexpr std::string_view kUnitName = "visits";

/// Shares its units among a search for covers, one by penalties and, in one strand, the proof.
class IndependentSetStrand final : public Strand {
 public:
  IndependentSetStrand(const ConflictGraph& graph, std::uint64_t seed, const problem::Assignment& start, bool proves)
      : cover_(graph, derive_seed(seed, 0), start),
        penalty_(graph, derive_seed(seed, 1)),
        penalises_(graph.size() <= kPenaltyNodesMax) {
    if (proves) tree_ = std::make_unique<StableTree>(graph);
    if (start.empty()) found_[kCover] = cover_.best_size();
    hear(cover_.best_size());
  }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
      const std::uint64_t before = units();
      const std::uint64_t more = std::min(kSlice, units_end - before);
      const Engine engine = neediest();
      const std::size_t size_before = size_of(engine);
      switch (engine) {
        case kTree:
          prove(more, watch);
          break;
        case kPenalty:
          penalty_.advance(penalty_.units() + more, watch.after(before - penalty_.units()));
          break;
        case kCover:
          cover_.advance(cover_.units() + more, watch.after(before - cover_.units()));
          break;
      }
      if (size_of(engine) > size_before) found_[engine] = size_of(engine);
      hear(best_size());
    }
  }

  std::uint64_t units() const override { return cover_.units() + penalty_.units() + tree_units(); }
  StrandState state() const override {
    if (cover_.finished() || (tree_ != nullptr && tree_->done())) return StrandState::kProved;
    const bool target = cover_.reached_target() || penalty_.reached_target() || tree_target_;
    return target ? StrandState::kTarget : StrandState::kWorking;
  }

  std::size_t best_size() const {
    const std::size_t of_tree = tree_ != nullptr && !tree_->best().empty() ? size_of(tree_->best()) : 0;
    return std::max({cover_.best_size(), penalty_.best_size(), of_tree});
  }
  const problem::Assignment& best() const {
    if (cover_.best_size() == best_size()) return cover_.best();
    return penalty_.best_size() == best_size() ? penalty_.best() : tree_->best();
  }
  /// A set that another strand, or another engine of this one, has found.
  void hear(std::size_t size, const problem::Assignment* chosen = nullptr) {
    if (size <= known_) return;
    known_ = size;
    penalty_.hear_of(size);
    if (tree_ != nullptr) tree_->hear_of(size);
    if (cover_.best_size() < size) cover_.offer(chosen != nullptr ? *chosen : best());
  }
  const StableTree* tree() const { return tree_.get(); }

  /// `objective` is that of an energy.
  template <class Objective>
  void record(std::uint32_t strand, const Objective& objective, std::vector<EngineRecord>& into) const {
    const auto add = [&](const char* name, Engine engine, std::uint64_t units) {
      const bool found = units > 0 && found_[engine] > 0;
      const auto energy = -static_cast<std::int64_t>(found_[engine]);
      into.push_back({.engine = name,
                      .strand = strand,
                      .units = units,
                      .best_energy = found ? std::optional(objective(energy)) : std::nullopt});
    };
    add("covers", kCover, cover_.units());
    if (penalises_) add("penalties", kPenalty, penalty_.units());
    if (tree_ != nullptr) add("tree", kTree, tree_->units());
  }

 private:
  enum Engine : std::uint8_t { kCover, kPenalty, kTree };
  /// Of the largest set that an engine knows, for the tree also one that it has heard of.
  std::size_t size_of(Engine engine) const {
    if (engine == kTree) return tree_->best_size();
    return engine == kPenalty ? penalty_.best_size() : cover_.best_size();
  }
  static std::size_t size_of(const problem::Assignment& chosen) {
    return static_cast<std::size_t>(std::ranges::count(chosen, 1));
  }
  std::uint64_t tree_units() const { return tree_ == nullptr ? 0 : tree_->units(); }
  /// The engine that has had least.
  Engine neediest() const {
    const std::uint64_t least = penalises_ ? std::min(cover_.units(), penalty_.units()) : cover_.units();
    if (tree_ != nullptr && !tree_->done() && tree_->units() < least) return kTree;
    return penalises_ && penalty_.units() < cover_.units() ? kPenalty : kCover;
  }
  void prove(std::uint64_t more, const Watch& watch) {
    const std::uint64_t end = tree_->units() + more;
    const std::uint64_t others = units() - tree_->units();
    for (std::uint64_t next_look = tree_->units() + kProofLooks; !tree_->done() && tree_->units() < end;) {
      const std::size_t before = tree_->best_size();
      tree_->step();
      if (tree_->best_size() > before &&
          watch.after(others).found(-static_cast<std::int64_t>(tree_->best_size()), tree_->units())) {
        tree_target_ = true;
        return;
      }
      if (tree_->units() < next_look) continue;
      if (watch.stopped()) return;
      next_look = tree_->units() + kProofLooks;
    }
  }

  CoverSearch cover_;
  PenaltySearch penalty_;
  bool penalises_;  ///< the graph is not too large for sets that grow node by node
  std::unique_ptr<StableTree> tree_;
  bool tree_target_ = false;
  std::size_t known_ = 0;  ///< size that all engines have heard of
  std::array<std::size_t, 3> found_{};  ///< by each engine itself
};

class IndependentSetSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "independent_set",
        .summary =
            "largest independent sets, smallest covers and largest cliques: reductions, local searches, and a proof "
            "where it can be had",
        .version = "3",
        .takes_cqm = true,
        .exact = true,
        .variables_max = 10'000'000};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    return within_limits(model, options, context, count, kUnitName, [&]() -> Result<SolveOutcome> {
      const auto& cqm = std::get<problem::Cqm>(model);
      if (cqm.num_variables() == 0 && cqm.constraints().empty()) return empty_outcome(model, count, kUnitName);
      TANDEM_TRY(check_memory(2 * ConflictGraph::bytes(cqm.num_variables(), cqm.constraints().size()) +
                                  ConflictKernel::bytes(cqm.num_variables(), cqm.constraints().size()),
                              options));
      if (!ConflictGraph::is_stated_by(cqm)) {
        return fail(errors::kSolverRefused,
                    "the solver independent_set takes models of one linear coefficient whose constraints are x + y <= "
                    "1, or x + y "
                    ">= 1; use the solver portfolio");
      }
      return run(model, *ConflictGraph::read(cqm), options, context);
    });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const ConflictGraph& whole, const SolveOptions& options,
                                  const SolveContext& context) {
    const std::size_t count = num_strands(options);
    // Nothing chosen is feasible; all variables low are not where a cover is asked for.
    const auto unsearched = [&] {
      SolveOptions own = options;
      own.start.push_back(whole.bits(problem::Assignment(whole.size(), 0)));
      return unsearched_outcome(model, own, context, std::vector<std::uint64_t>(count), kUnitName);
    };
    if (no_work_allowed(options) || context.stop.stop_requested()) return unsearched();
    const ConflictKernel kernel(whole, context.stop);
    if (context.stop.stop_requested()) return unsearched();
    const ConflictGraph& graph = kernel.graph();
    const std::uint64_t needed = ConflictGraph::bytes(whole.size(), whole.num_edges()) +
                                 ConflictGraph::bytes(graph.size(), graph.num_edges()) +
                                 count * (CoverSearch::bytes(graph) + PenaltySearch::bytes(graph));
    TANDEM_TRY(check_memory(needed, options));
    const bool proves =
        graph.size() <= StableTree::kNodesMax && needed + StableTree::bytes(graph.size()) <= options.memory_bytes_max;
    const problem::Cqm& cqm = std::get<problem::Cqm>(model);
    const double coefficient = cqm.objective().linear()[0];
    const auto objective = [&](std::int64_t energy) {
      const auto chosen = static_cast<double>(kernel.num_chosen()) - static_cast<double>(energy);
      const double high = coefficient > 0 ? static_cast<double>(whole.size()) - chosen : chosen;
      return std::fma(coefficient, high, cqm.objective().offset());  // rounded once, as the energy of a model is
    };
    std::vector<std::unique_ptr<Strand>> strands;
    const std::vector<problem::Assignment> starts = independent_starts(model, options, whole, kernel);
    for (std::size_t i = 0; i < count && graph.size() > 0; ++i) {
      strands.push_back(std::make_unique<IndependentSetStrand>(graph, derive_seed(options.seed, i),
                                                               largest_of(starts, i, count), proves && i == 0));
    }
    const auto of = [&](std::size_t i) -> IndependentSetStrand& {
      return static_cast<IndependentSetStrand&>(*strands[i]);
    };
    problem::Assignment best;
    StopReason reason = StopReason::kProved;
    if (!strands.empty()) {
      Race race({.objective = objective,
                 .target = target_of(options, objective, graph.size()),
                 .bound = [&]() -> std::optional<double> {
                   if (of(0).tree() == nullptr) return std::nullopt;
                   return objective(-static_cast<std::int64_t>(of(0).tree()->bound()));
                 }},
                options.work, context);
      const RoundLengths lengths{
          .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
      reason = race.run(strands, lengths, [&](std::uint64_t) {
        const std::size_t leader = best_strand(strands);
        const problem::Assignment found = of(leader).best();
        const std::size_t size = of(leader).best_size();
        for (std::size_t i = 0; i < count; ++i) of(i).hear(size, &found);
      });
      const std::vector<std::uint64_t> done = work_done(strands);
      if (std::ranges::all_of(done, [](std::uint64_t units) { return units == 0; })) return unsearched();
      best = of(best_strand(strands)).best();
    }
    SolveOutcome outcome;
    const problem::Assignment bits = whole.bits(kernel.lift(best));
    outcome.samples = result::SampleSet::create(problem::Vartype::kBinary, bits.size(),
                                                {{.values = bits, .energy = cqm.objective().energy(bits)}});
    outcome.proved = reason == StopReason::kProved;
    if (outcome.proved)
      outcome.bound = outcome.samples.best().energy;
    else if (of(0).tree() != nullptr)
      outcome.bound = objective(-static_cast<std::int64_t>(of(0).tree()->bound()));
    // None at all would mean that nothing was looked at.
    outcome.work_done = strands.empty() ? std::vector<std::uint64_t>(count, 1) : work_done(strands);
    outcome.reason = reason;
    outcome.unit_name = kUnitName;
    outcome.race.reduction = kernel.record();
    for (std::uint32_t i = 0; i < strands.size(); ++i) of(i).record(i, objective, outcome.race.engines);
    outcome.race.choice = strands.empty() ? "exact reductions left no node"
                                          : fmt::format("{} nodes, {} edges: {}", graph.size(), graph.num_edges(),
                                                        engine_names(outcome.race.engines));
    if (strands.empty() && context.sink) context.sink({.energy = outcome.samples.best().energy});
    return outcome;
  }

  static std::size_t best_strand(std::span<const std::unique_ptr<Strand>> strands) {
    std::size_t out = 0;
    for (std::size_t i = 1; i < strands.size(); ++i) {
      if (static_cast<IndependentSetStrand&>(*strands[i]).best_size() >
          static_cast<IndependentSetStrand&>(*strands[out]).best_size())
        out = i;
    }
    return out;
  }

  static std::vector<problem::Assignment> independent_starts(const Model& model, const SolveOptions& options,
                                                             const ConflictGraph& whole, const ConflictKernel& kernel) {
    std::vector<problem::Assignment> out;
    for (const problem::Assignment& bits : start_bits(model, options)) {
      const problem::Assignment chosen = whole.chosen(bits);
      if (whole.independent(chosen)) out.push_back(kernel.restrict(chosen));
    }
    return out;
  }

  /// Of every count-th start from the first on; empty where there is none.
  static problem::Assignment largest_of(std::span<const problem::Assignment> starts, std::size_t first,
                                        std::size_t count) {
    const problem::Assignment* out = nullptr;
    for (std::size_t k = first; k < starts.size(); k += count)
      if (out == nullptr || std::ranges::count(starts[k], 1) > std::ranges::count(*out, 1)) out = &starts[k];
    return out == nullptr ? problem::Assignment() : *out;
  }

  /// The largest energy whose objective is at most the target, up to the rounding of that.
  template <class Objective>
  static std::optional<std::int64_t> target_of(const SolveOptions& options, const Objective& objective,
                                               std::size_t size) {
    if (!options.target) return std::nullopt;
    constexpr double kShare = 1e-15;
    const double wanted = *options.target + kShare * std::abs(*options.target);
    for (std::int64_t chosen = 0; chosen <= static_cast<std::int64_t>(size); ++chosen)
      if (objective(-chosen) <= wanted) return -chosen;
    return std::nullopt;
  }
};

}  // namespace

const Solver& independent_set_solver() {
  static const IndependentSetSolver solver;
  return solver;
}

}  // namespace tandem::solve
