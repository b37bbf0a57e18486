#include "tandem/compute/solve/engine.h"

#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/labs_search.h"
#include "tandem/compute/solve/replica_search.h"
#include "tandem/compute/solve/tempering_search.h"
#include "tandem/compute/solve/width_search.h"

namespace tandem::solve {
namespace {

// Times of steps against a visit of about 4 ns, on one core of a Zen 5 at sizes from 50 to 7000.
constexpr std::uint64_t kTabuFlip = 16;
constexpr std::uint64_t kTabuTouched = 3;  // of a sparse flip, for each variable that it touches
constexpr std::uint64_t kDenseTabuFlip = 20;
constexpr std::uint64_t kDenseTabuVariables = 32;
constexpr std::uint64_t kLabsFlip = 10;
constexpr std::uint64_t kLabsSpins = 16;  // spins that a flip of a sequence passes in the time of a visit
constexpr std::uint64_t kLabsPatience = 3;  // flips a spin
constexpr std::uint64_t kTemperingVisit = 3;  // against one of annealing replicas
constexpr std::uint64_t kReplicaVisit = 2;
constexpr std::uint64_t kNode = 30;
constexpr std::uint64_t kNodeProducts = 40;  // squared variables of the model, for most nodes are deep

std::uint64_t tabu_flip_units(const SearchModel& model) {
  return model.dense() ? kDenseTabuFlip + model.size() / kDenseTabuVariables
                       : kTabuFlip + kTabuTouched * (model.num_entries() / model.size());
}

std::uint64_t tabu_flip_units(const PolynomialModel& model) {
  std::uint64_t touched = 0;
  for (std::size_t t = 0; t < model.num_terms(); ++t) touched += model.factors(t).size() * model.factors(t).size();
  return kTabuFlip + kTabuTouched * (touched / model.size());
}

/// What all searches have in common.
template <class Search>
class SearchEngine : public Engine {
 public:
  void advance(std::uint64_t units_end, const Watch& watch) override { search().advance(units_end, watch); }
  std::uint64_t units() const override { return search().units(); }
  StrandState state() const override {
    return search().reached_target() ? StrandState::kTarget : StrandState::kWorking;
  }
  std::int64_t best_energy() const override { return search().best_energy(); }
  void collect(Archive& into) const override { search().collect(into); }

 protected:
  virtual Search& search() = 0;
  virtual const Search& search() const = 0;
};

/// Of a search that it holds as a value.
template <class Search>
class ValueEngine : public SearchEngine<Search> {
 public:
  template <class... Arguments>
  explicit ValueEngine(Arguments&&... arguments) : search_(std::forward<Arguments>(arguments)...) {}

 protected:
  Search& search() override { return search_; }
  const Search& search() const override { return search_; }

 private:
  Search search_;
};

class MemeticEngine final : public ValueEngine<MemeticSearch> {
 public:
  using ValueEngine::ValueEngine;
  std::string_view name() const override { return "tabu"; }
  void offer(const Candidate& candidate) override { search().immigrate(candidate); }
};

class ReplicaEngine final : public ValueEngine<ReplicaSearch> {
 public:
  using ValueEngine::ValueEngine;
  std::string_view name() const override { return "replicas"; }
  void offer(const Candidate& candidate) override {
    if (units() > 0) search().offer(candidate);
  }
};

class TemperingEngine final : public ValueEngine<TemperingSearch> {
 public:
  using ValueEngine::ValueEngine;
  std::string_view name() const override { return "tempering"; }
  void offer(const Candidate& candidate) override { search().offer(candidate); }
};

class AnnealingEngine final : public SearchEngine<AnnealingSearch> {
 public:
  AnnealingEngine(std::unique_ptr<AnnealingSearch> search, std::uint64_t seed)
      : search_(std::move(search)), seed_(seed) {}
  std::string_view name() const override { return "annealing"; }
  void advance(std::uint64_t units_end, const Watch& watch) override {
    if (search_->done()) {
      search_->begin(lengthening_read(seed_, reads_, reads_, kSweepsFirst));
      ++reads_;
    }
    search_->advance(units_end, watch);
  }
  void offer(const Candidate&) override {}

 protected:
  AnnealingSearch& search() override { return *search_; }
  const AnnealingSearch& search() const override { return *search_; }

 private:
  std::unique_ptr<AnnealingSearch> search_;
  std::uint64_t seed_;
  std::uint64_t reads_ = 0;
};

class WidthEngine final : public ValueEngine<WidthSearch> {
 public:
  WidthEngine(const SearchModel& model, WidthOptions options, bool exact)
      : ValueEngine(model, std::move(options)), exact_(exact) {}
  std::string_view name() const override { return "treewidth"; }
  StrandState state() const override {
    if (!search().proved()) return ValueEngine::state();
    return exact_ ? StrandState::kProved : StrandState::kFinished;
  }
  void advance(std::uint64_t units_end, const Watch& watch) override {
    ValueEngine::advance(units_end, watch);
    if (!search().proved() || !optimum_.empty()) return;
    Archive best(1);
    collect(best);
    optimum_ = best.candidates().front().bits;
  }
  void offer(const Candidate& candidate) override {
    if (units() > 0 && !search().proved()) search().offer(candidate.bits);
  }
  std::optional<std::int64_t> bound() const override {
    return search().proved() ? std::optional(best_energy()) : std::nullopt;
  }
  const problem::Assignment* optimum() const override { return state() == StrandState::kProved ? &optimum_ : nullptr; }

 private:
  bool exact_;
  problem::Assignment optimum_;
};

class ExactEngine final : public ValueEngine<ExactSearch> {
 public:
  using ValueEngine::ValueEngine;
  std::string_view name() const override { return "branch_and_bound"; }
  StrandState state() const override {
    if (search().proved()) return StrandState::kProved;
    return search().done() ? StrandState::kFinished : ValueEngine::state();
  }
  void offer(const Candidate& candidate) override {
    if (!search().done() && units() > 0 && candidate.energy < best_energy()) search().offer(candidate);
  }
  std::optional<std::int64_t> bound() const override { return search().bound(); }
  const problem::Assignment* optimum() const override { return search().proved() ? &search().best_bits() : nullptr; }
};

std::unique_ptr<Engine> memetic_engine(std::unique_ptr<TabuSearch> search, const EngineOptions& options,
                                       std::uint64_t step_units, std::uint64_t patience = 0) {
  return std::make_unique<MemeticEngine>(std::move(search), MemeticOptions{.seed = options.seed,
                                                                           .step_units = step_units,
                                                                           .patience = patience,
                                                                           .candidates_max = options.candidates_max,
                                                                           .starts = options.starts});
}

template <class Model>
std::unique_ptr<Engine> annealing_engine(const Model& model, const EngineOptions& options,
                                         const Temperatures& temperatures) {
  return std::make_unique<AnnealingEngine>(
      AnnealingSearch::create(
          model, {.flip_units = 1, .candidates_max = options.candidates_max, .temperatures = temperatures}),
      options.seed);
}

}  // namespace

std::unique_ptr<Engine> make_memetic_engine(const SearchModel& model, const EngineOptions& options) {
  return memetic_engine(TabuSearch::create(model), options, tabu_flip_units(model));
}

std::unique_ptr<Engine> make_memetic_engine(const PolynomialModel& model, const EngineOptions& options) {
  return memetic_engine(TabuSearch::create(model), options, tabu_flip_units(model));
}

std::unique_ptr<Engine> make_labs_engine(std::size_t num_spins, const EngineOptions& options, simd::Isa isa) {
  return memetic_engine(make_labs_search(num_spins, isa), options, kLabsFlip + num_spins / kLabsSpins,
                        kLabsPatience * num_spins);
}

std::unique_ptr<Engine> make_annealing_engine(const SearchModel& model, const EngineOptions& options,
                                              const Temperatures& temperatures) {
  return annealing_engine(model, options, temperatures);
}

std::unique_ptr<Engine> make_annealing_engine(const PolynomialModel& model, const EngineOptions& options,
                                              const Temperatures& temperatures) {
  return annealing_engine(model, options, temperatures);
}

std::unique_ptr<Engine> make_replica_engine(const ReplicaModel& model, const EngineOptions& options,
                                            const Temperatures& temperatures) {
  return std::make_unique<ReplicaEngine>(model, ReplicaSearchOptions{.seed = options.seed,
                                                                     .visit_units = model.visit_cost(),
                                                                     .candidates_max = options.candidates_max,
                                                                     .temperatures = temperatures,
                                                                     .starts = options.starts});
}

std::unique_ptr<Engine> make_tempering_engine(const ReplicaModel& model, const EngineOptions& options,
                                              const Temperatures& temperatures) {
  return std::make_unique<TemperingEngine>(
      model, TemperingSearchOptions{.seed = options.seed,
                                    .visit_units = model.visit_cost() * kTemperingVisit / kReplicaVisit,
                                    .candidates_max = options.candidates_max,
                                    .temperatures = temperatures,
                                    .starts = options.starts});
}

std::unique_ptr<Engine> make_width_engine(const SearchModel& model, const EngineOptions& options, bool whole,
                                          bool exact) {
  WidthOptions own{.seed = options.seed,
                   .candidates_max = options.candidates_max,
                   .starts = options.starts,
                   .whole = whole,
                   .stop = options.stop};
  return std::make_unique<WidthEngine>(model, std::move(own), exact);
}

std::unique_ptr<Engine> make_exact_engine(const SearchModel& model, const EngineOptions& options, FineOrder order) {
  const std::uint64_t left = std::min<std::uint64_t>(model.size(), ExactSearch::kTreeMax);
  return std::make_unique<ExactEngine>(model, ExactOptions{.seed = options.seed,
                                                           .flip_units = tabu_flip_units(model),
                                                           .node_units = kNode + left * left / kNodeProducts,
                                                           .candidates_max = options.candidates_max,
                                                           .starts = options.starts,
                                                           .order = std::move(order)});
}

}  // namespace tandem::solve
