// tandem/compute/solve/width_search.h - large neighbourhoods of bounded elimination width, each optimised exactly.
//
// Room: compute, inside solve. Source: Hamze and de Freitas 2004, "From fields to trees" (UAI), and Selby 2014, "Efficient
// subgraph-based sampling of Ising-type models with frustration" (arXiv 1409.3934), for exact moves of low treewidth; Tinos, Whitley and
// Ochoa 2018, "A new generalized partition crossover" (GECCO), for judging independent clusters of changes one by one.
#pragma once

#include <memory>
#include <optional>

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/width_tables.h"

namespace tandem::solve {

struct WidthOptions {
  std::uint64_t seed = 1;
  std::size_t candidates_max = 16;
  std::vector<problem::Assignment> starts{};  ///< bits; the first one is where the search begins, the others are offered to it
  bool whole = false;  ///< first try to solve the whole model at once
};

/// A round kicks the incumbent here and there, optimises exactly what several plans cover, and keeps of every cluster of variables that
/// changed the better side; a tie is drawn, so that plateaus are walked. The incumbent is never worse than before.
///
/// Units: a block of 64 bytes of tables, a few nanoseconds; planning counts by its time.
/// Threads: one; the model may be shared.
class WidthSearch {
 public:
  static constexpr std::size_t kWholeWidth = 20;

  WidthSearch(const SearchModel& model, WidthOptions options);
  static std::uint64_t bytes(const SearchModel& model, std::size_t candidates_max);

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  /// The best is an optimum of the search model: all of it was eliminated.
  bool proved() const { return proved_; }
  std::int64_t best_energy() const { return best_energy_; }
  /// What has been found up to the last step.
  void collect(Archive& into) const;
  /// Takes from a candidate, at the next round, every cluster that is better than here.
  void offer(const Candidate& candidate) { offered_ = candidate; }
  const problem::Assignment& incumbent() const { return incumbent_; }
  std::int64_t incumbent_energy() const { return incumbent_energy_; }

 private:
  enum class Phase : std::uint8_t { kWhole, kPlan, kRun, kRound };

  void begin_plan();
  void begin_round(const Watch& watch);
  std::uint64_t switch_at_=0; double len_=0; bool scouting_=false; Candidate parked_;
  void begin_run(std::size_t plan);
  void end_run(const Watch& watch);
  void kick();
  void flip(std::size_t i);
  void settle(const Watch& watch);
  std::vector<std::uint32_t> choose_region(std::size_t size);

  const SearchModel* model_;
  WidthOptions options_;
  Xoshiro256 rng_;
  WidthPlanner planner_;
  WidthTables tables_;
  std::size_t value_bytes_ = 1;  ///< about those of a plan
  std::size_t region_max_ = 0;
  std::vector<std::unique_ptr<WidthPlan>> plans_;  ///< a ring: the oldest is replaced
  std::size_t next_plan_ = 0;
  std::size_t current_ = 0;
  std::size_t runs_left_ = 0;
  bool fresh_ = false;  ///< the plan that runs has not run before
  Phase phase_ = Phase::kPlan;
  std::uint64_t units_ = 0;
  std::uint64_t planned_units_ = 0;
  std::vector<std::int64_t> fields_;  ///< what raising each variable would add
  problem::Assignment bits_;  ///< where the round stands
  std::int64_t energy_ = 0;
  problem::Assignment incumbent_;
  std::int64_t incumbent_energy_ = 0;
  std::vector<std::uint32_t> touched_;  ///< flipped in this round, each once
  std::vector<std::uint8_t> mark_;
  std::vector<std::uint32_t> flips_;
  std::vector<std::uint32_t> covered_;  ///< how often each variable was planned
  std::optional<Candidate> offered_;
  Archive archive_;
  std::int64_t best_energy_ = INT64_MAX;
  bool proved_ = false;
  bool reached_target_ = false;
};

/// A race's strand of nothing but this search.
class WidthStrand final : public Strand {
 public:
  WidthStrand(const SearchModel& model, WidthOptions options) : search_(model, std::move(options)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override {
    if (search_.proved()) return StrandState::kProved;
    return search_.reached_target() ? StrandState::kTarget : StrandState::kWorking;
  }
  WidthSearch& search() { return search_; }

 private:
  WidthSearch search_;
};

}  // namespace tandem::solve
