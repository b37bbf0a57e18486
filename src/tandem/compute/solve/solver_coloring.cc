#include <algorithm>
#include <cmath>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/coloring_form.h"
#include "tandem/compute/solve/coloring_proof.h"
#include "tandem/compute/solve/coloring_search.h"
#include "tandem/compute/solve/mixed_strand.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/problem/greedy_coloring.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRoundFirst = 1 << 18;  // units
constexpr std::uint64_t kRoundMax = 1 << 24;
constexpr std::uint64_t kRoundsByItself = 20;
constexpr std::uint64_t kSlice = 1 << 20;
constexpr std::uint64_t kProofFirst = 1 << 27;   // units for which the proof has half of its strand
constexpr std::uint64_t kProofShare = 8;         // and then one of so many
constexpr std::uint64_t kProofLooks = 1 << 17;   // units of the proof between two looks at the stop token
constexpr std::string_view kUnitName = "visits";

/// What all strands begin with.
struct Beginning {
  std::vector<std::uint32_t> colors;
  std::vector<std::uint32_t> clique;
  std::size_t lower = 1;  ///< so many colours are needed
};

/// A search; in the first strand the proof beside it.
class ColoringStrand final : public Strand {
 public:
  ColoringStrand(const ColoringForm& form, std::uint64_t seed, const Beginning& beginning, bool proves, simd::Isa isa)
      : form_(form), search_(form, seed, beginning.colors, isa), lower_(beginning.lower) {
    if (!proves || state() == StrandState::kProved) return;
    proof_ = std::make_unique<ColoringProof>(form.graph(), beginning.clique, known_colors());
    lower_ = std::max(lower_, proof_->lower());
  }

  void advance(std::uint64_t units_end, const Watch& watch) override {
    if (!told_) {
      told_ = true;
      target_ = watch.found(search_.best_energy(), units());
    }
    while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
      const std::uint64_t before = units();
      const std::uint64_t more = std::min(kSlice, units_end - before);
      if (proof_due()) {
        prove(more, watch);
      } else {
        const std::int64_t best_before = search_.best_energy();
        search_.advance(search_.units() + more, watch.after(before - search_.units()));
        if (search_.best_energy() < best_before) search_found_ = search_.best_energy();
        target_ = search_.reached_target();
      }
      if (proof_ != nullptr) proof_->hear_of(known_colors());
      if (proof_ != nullptr) lower_ = std::max(lower_, proof_->lower());
    }
  }
  std::uint64_t units() const override { return 1 + search_.units() + (proof_ != nullptr ? proof_->units() : 0); }
  StrandState state() const override {
    if (search_.best_energy() <= bound()) return StrandState::kProved;
    return target_ ? StrandState::kTarget : StrandState::kWorking;
  }

  void record(std::uint32_t strand, std::vector<EngineRecord>& into) const {
    const auto add = [&](const char* name, std::uint64_t units, const std::optional<std::int64_t>& found) {
      into.push_back({.engine = name,
                      .strand = strand,
                      .units = units,
                      .best_energy = found ? std::optional(static_cast<double>(*found)) : std::nullopt});
    };
    add("tabu", units() - (proof_ != nullptr ? proof_->units() : 0), search_found_);
    if (proof_ != nullptr) add("proof", proof_->units(), proof_found_);
  }

  const ColoringSearch& search() const { return search_; }
  std::size_t lower() const { return lower_; }
  /// No colouring has an energy below it.
  std::int64_t bound() const {
    if (form_.counts()) return form_.energy(0, std::min(lower_, form_.num_colors()));
    return lower_ > form_.num_colors() ? 1 : 0;
  }
  void hear(std::int64_t energy, const std::vector<std::uint32_t>& colors, std::size_t lower) {
    lower_ = std::max(lower_, lower);
    if (energy < search_.best_energy()) search_.offer(colors);
    // Or it would find again what is known, and hand it to the search as if it were better.
    if (proof_ != nullptr) proof_->hear_of(known_colors());
  }

 private:
  /// So many colours do, or they are more than there are.
  std::size_t known_colors() const {
    if (!form_.counts()) return search_.best_energy() == 0 ? form_.num_colors() : form_.num_colors() + 1;
    return static_cast<std::size_t>(
        std::min<std::int64_t>(search_.best_energy(), static_cast<std::int64_t>(form_.num_colors()) + 1));
  }
  bool proof_due() const {
    if (proof_ == nullptr || proof_->done()) return false;
    const std::uint64_t least = std::min(search_.units(), kProofFirst + search_.units() / kProofShare);
    return proof_->units() < least;
  }
  void prove(std::uint64_t more, const Watch& watch) {
    const std::uint64_t end = proof_->units() + more;
    const std::uint64_t others = units() - proof_->units();
    for (std::uint64_t next_look = proof_->units() + kProofLooks; !proof_->done() && proof_->units() < end;) {
      proof_->step();
      if (std::vector<std::uint32_t> found = proof_->take_found(); !found.empty()) {
        search_.offer(std::move(found));
        proof_found_ = search_.best_energy();
        target_ = watch.after(others).found(search_.best_energy(), proof_->units());
        if (target_) return;
      }
      if (proof_->units() < next_look) continue;
      if (watch.stopped()) return;
      next_look = proof_->units() + kProofLooks;
    }
  }

  const ColoringForm& form_;
  ColoringSearch search_;
  std::size_t lower_;
  std::unique_ptr<ColoringProof> proof_;
  std::optional<std::int64_t> search_found_;  ///< energies that each found itself, better than what was known
  std::optional<std::int64_t> proof_found_;
  bool told_ = false;
  bool target_ = false;
};

class ColoringSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{
        .name = "coloring",
        .summary =
            "colourings of graphs, in few colours or with few conflicts: tabu search with crossover, and a proof by a "
            "clique or a tree where it can be had",
        .version = "3",
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
      const auto& cqm = std::get<problem::Cqm>(model);
      if (cqm.num_variables() == 0 && cqm.constraints().empty()) return empty_outcome(model, count, kUnitName);
      TANDEM_TRY(check_memory(ColoringForm::bytes(cqm), options));
      const auto form = ColoringForm::read(cqm);
      if (!form) {
        return fail(errors::kSolverRefused,
                    "the solver coloring takes models that the problem type coloring states; use the solver portfolio");
      }
      TANDEM_TRY(check_memory(
          ColoringForm::bytes(cqm) + count * ColoringSearch::bytes(*form) + ColoringProof::bytes(form->graph()),
          options));
      return run(model, *form, options, context);
    });
  }

 private:
  static Result<SolveOutcome> run(const Model& model, const ColoringForm& form, const SolveOptions& options,
                                  const SolveContext& context) {
    const std::size_t count = num_strands(options);
    const auto unsearched = [&] {
      return unsearched_outcome(model, options, context, std::vector<std::uint64_t>(count), kUnitName);
    };
    if (no_work_allowed(options) || context.stop.stop_requested()) return unsearched();
    const Beginning beginning = begin(form, context.stop);
    if (context.stop.stop_requested()) return unsearched();
    std::vector<std::unique_ptr<Strand>> strands;
    const auto of = [&](std::size_t i) -> ColoringStrand& { return static_cast<ColoringStrand&>(*strands[i]); };
    for (std::size_t i = 0; i < count; ++i) {
      strands.push_back(
          std::make_unique<ColoringStrand>(form, derive_seed(options.seed, i), beginning, i == 0, context.isa));
    }
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    for (std::size_t k = 0; k < starts.size(); ++k) {
      const std::vector<std::uint32_t> colors = form.colors(starts[k]);
      if (!colors.empty()) of(k % count).hear(form.energy_of(colors), colors, 0);
    }
    const auto best_strand = [&] {
      std::size_t out = 0;
      for (std::size_t i = 1; i < count; ++i)
        if (of(i).search().best_energy() < of(out).search().best_energy()) out = i;
      return out;
    };
    const auto bound = [&] {
      std::int64_t out = 0;
      for (std::size_t i = 0; i < count; ++i) out = std::max(out, of(i).bound());
      return static_cast<double>(out);
    };
    const ColoringStrand& first = of(best_strand());
    if (first.state() == StrandState::kProved && context.sink)  // it has nothing to do in the race
      context.sink({.energy = static_cast<double>(first.search().best_energy()), .bound = bound()});
    Race race({.objective = [](std::int64_t energy) { return static_cast<double>(energy); },
               .target = target_of(options),
               .bound = bound},
              options.work, context);
    const RoundLengths lengths{
        .first = kRoundFirst, .max = kRoundMax, .rounds_max = rounds_allowed(options, context, kRoundsByItself)};
    const StopReason reason = race.run(strands, lengths, [&](std::uint64_t) {
      const ColoringSearch& leader = of(best_strand()).search();
      const std::int64_t energy = leader.best_energy();
      const std::vector<std::uint32_t> colors = leader.best();
      std::size_t lower = 0;
      for (std::size_t i = 0; i < count; ++i) lower = std::max(lower, of(i).lower());
      for (std::size_t i = 0; i < count; ++i) of(i).hear(energy, colors, lower);
    });
    const problem::Assignment bits = form.bits(of(best_strand()).search().best());
    SolveOutcome outcome = outcome_of(strands, reason, kUnitName);
    outcome.samples = result::SampleSet::create(problem::Vartype::kBinary, bits.size(),
                                                {{.values = bits, .energy = energy(model, bits)}});
    outcome.proved = reason == StopReason::kProved;
    outcome.bound = bound();
    for (std::uint32_t i = 0; i < count; ++i) of(i).record(i, outcome.race.engines);
    outcome.race.choice =
        fmt::format("{} nodes, {} edges, {}: {}", form.graph().size(), form.graph().num_edges(),
                    form.counts() ? "the fewest colours" : fmt::format("{} colours", form.num_colors()),
                    engine_names(outcome.race.engines));
    return outcome;
  }

  static Beginning begin(const ColoringForm& form, const std::stop_token& stop) {
    const ConflictGraph& graph = form.graph();
    Beginning out{.colors = problem::greedy_coloring(graph.size(), form.edges(), stop), .clique = greedy_clique(graph)};
    // The greedy pass finds two colours where they do.
    const bool needs_three = !stop.stop_requested() && std::ranges::max(out.colors) >= 2;
    out.lower = std::max<std::size_t>(out.clique.size(), needs_three ? 3 : 1);
    // Nodes whose colour is beyond what there is take the one of least conflicts.
    std::vector<std::uint32_t> there(form.num_colors());
    for (std::size_t node = 0; node < graph.size(); ++node) {
      if (out.colors[node] < form.num_colors()) continue;
      std::ranges::fill(there, 0u);
      for (const std::uint32_t other : graph.neighbours(node))
        if (out.colors[other] < form.num_colors()) ++there[out.colors[other]];
      out.colors[node] = static_cast<std::uint32_t>(std::ranges::min_element(there) - there.begin());
    }
    return out;
  }

  static std::optional<std::int64_t> target_of(const SolveOptions& options) {
    constexpr double kTargetMax = 1e15;  // no energy is as high
    if (!options.target) return std::nullopt;
    return static_cast<std::int64_t>(std::floor(std::clamp(*options.target, -1.0, kTargetMax)));
  }
};

}  // namespace

const Solver& coloring_solver() {
  static const ColoringSolver solver;
  return solver;
}

}  // namespace tandem::solve
