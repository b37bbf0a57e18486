// tandem/compute/solve/memetic_search.h - tabu runs from random starts, then from paths between the best ones found.
//
// Room: compute, inside solve. Source: Wang, Lu, Glover, Hao 2012, "Path relinking for unconstrained binary quadratic programming"
// (EJOR 223): what two elite assignments share stays, tabu search improves the best between them.
#pragma once

#include <memory>

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/tabu_search.h"

namespace tandem::solve {

struct MemeticOptions {
  std::uint64_t seed = 1;
  std::uint64_t step_units = 1;  ///< units that a flip counts
  std::uint64_t patience = 0;  ///< flips without a gain that end a run; 0: twenty a variable, at least 500
  std::size_t candidates_max = 16;
  std::vector<problem::Assignment> starts{};  ///< bits; the first runs go from here
};

/// A population of elite assignments and one tabu search. When it has converged it starts afresh beside its best.
///
/// Threads: one. Cost: a flip a step; between runs O(population * n).
class MemeticSearch {
 public:
  static constexpr std::size_t kPopulation = 10;
  static constexpr std::uint64_t kImmigrantRuns = 4 * kPopulation;

  MemeticSearch(std::unique_ptr<TabuSearch> search, MemeticOptions options);
  MemeticSearch(const SearchModel& model, MemeticOptions options)
      : MemeticSearch(TabuSearch::create(model), std::move(options)) {}
  static std::uint64_t bytes(const SearchModel& model, std::size_t candidates_max) {
    return TabuSearch::bytes(model) + bytes_beside(model.size(), candidates_max);
  }
  /// Beside the tabu search.
  static std::uint64_t bytes_beside(std::size_t num_variables, std::size_t candidates_max) {
    return num_variables * (kPopulation + candidates_max + 2);
  }

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  /// Best of everything seen; needs at least one step.
  std::int64_t best_energy() const { return best_energy_; }
  /// What has been found up to the last step.
  void collect(Archive& into) const;
  /// Takes a candidate from elsewhere into the population, one for every kImmigrantRuns runs of its own: populations that hear of each
  /// other's best at once become the same.
  void immigrate(const Candidate& candidate);
  std::span<const Candidate> population() const { return population_; }

 private:
  void begin_run();
  void end_run();
  bool join(std::int64_t energy, problem::AssignmentView bits);
  bool converged() const;

  MemeticOptions options_;
  std::unique_ptr<TabuSearch> search_;
  Xoshiro256 rng_;
  std::size_t n_;
  std::uint64_t patience_;
  std::uint64_t units_ = 0;
  bool running_ = false;
  bool reached_target_ = false;
  std::size_t next_start_ = 0;
  std::size_t population_goal_ = kPopulation;
  std::uint64_t own_runs_ = 0;  ///< since the last immigrant
  std::size_t barren_ = 0;  ///< children in a row that did not join
  std::vector<Candidate> population_;  ///< best first
  Archive archive_;
  problem::Assignment goal_;
  std::int64_t best_energy_ = INT64_MAX;
};

/// A race's strand of nothing but memetic search.
class MemeticStrand final : public Strand {
 public:
  template <class Searched>
  MemeticStrand(Searched&& searched, MemeticOptions options)
      : search_(std::forward<Searched>(searched), std::move(options)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override { return search_.reached_target() ? StrandState::kTarget : StrandState::kWorking; }
  MemeticSearch& search() { return search_; }

 private:
  MemeticSearch search_;
};

}  // namespace tandem::solve
