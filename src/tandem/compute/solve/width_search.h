// tandem/compute/solve/width_search.h - large neighbourhoods of bounded elimination width, each optimised exactly.
//
// Room: compute, inside solve. Source: Hamze and de Freitas 2004, "From fields to trees" (UAI), and Selby 2014, "Efficient
// subgraph-based sampling of Ising-type models with frustration" (arXiv 1409.3934), for exact moves of low treewidth; Tinos, Whitley and
// Ochoa 2018, "A new generalized partition crossover for the traveling salesman problem" (GECCO), for judging apart what is apart.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/width_tables.h"

namespace tandem::solve {

struct WidthOptions {
  std::uint64_t seed = 1;
  std::size_t candidates_max = 16;
  std::vector<problem::Assignment> starts{};  ///< bits; it begins from the best and is offered the others
  bool whole = false;  ///< first try to eliminate the whole model
  std::stop_token stop{};  ///< while it is made: it throws Stopped (base/stopped.h)
};

/// Plans cover a region that grows along strong couplings, as far as the width allows; or rings of it, by distance from one variable,
/// which on lattices are long strips of small width. Each way is tried once, then that is taken which covered most.
/// A round kicks the incumbent in many places, optimises what two plans cover, and keeps of every cluster of changed variables the
/// better side: clusters that are not coupled count apart. A tie is drawn, so that plateaus are walked; the incumbent never gets
/// worse. In turns with that a scout does the same from a random assignment, and what it found is merged in the same way.
///
/// Units: a block of 64 bytes of tables, some 4 ns; the work around the tables counts by its time.
/// Threads: one; the model may be shared. Cost: the longest step is O(n) and 10 ms for 30,000 variables.
class WidthSearch {
 public:
  /// The whole model is eliminated where no bag is larger.
  static constexpr std::size_t kWholeWidth = 20;

  WidthSearch(const SearchModel& model, WidthOptions options);
  static std::uint64_t bytes(const SearchModel& model, std::size_t candidates_max, const std::stop_token& stop = {});

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  /// All of the search model was eliminated: its best energy is the least.
  bool proved() const { return proved_; }
  /// Best of everything seen at the ends of rounds.
  std::int64_t best_energy() const { return best_energy_; }
  /// What has been found up to the last step.
  void collect(Archive& into) const;
  /// Merges an assignment from elsewhere at the next round: the incumbent will be at least as good.
  void offer(problem::AssignmentView bits);

 private:
  enum class Phase : std::uint8_t {
    kWhole,  ///< the plan of the whole model is to begin
    kDescent,
    kRound,  ///< a round is to begin
    kPlan,
    kPlanned,
    kRun,
  };

  void begin_whole();
  void descend();
  /// False, and as if it had not begun, where the watch says stop.
  bool begin_round(const Watch& watch);
  void begin_plan();
  /// Likewise.
  bool end_plan(const Watch& watch);
  void begin_run(std::size_t plan);
  void end_run(const Watch& watch);
  bool change_turns(const Watch& watch);
  bool merge(problem::AssignmentView bits, const Watch& watch);
  void kick();
  void flip(std::size_t i);
  bool falls(std::size_t i) const { return bits_[i] != 0 ? fields_[i] > 0 : fields_[i] < 0; }
  bool settle(const Watch& watch, const std::function<bool()>& stop);
  void accept_all();
  std::uint32_t choose_seed();
  std::vector<std::uint32_t> choose_region();
  std::vector<std::uint32_t> choose_rings(std::uint32_t thickness);

  const SearchModel* model_;
  WidthOptions options_;
  Xoshiro256 rng_;
  std::size_t region_max_;
  WidthLimits whole_limits_;
  WidthLimits limits_;
  bool symmetric_;  ///< flipping all variables changes nothing
  Phase phase_;
  std::uint64_t units_ = 0;
  std::uint64_t planned_units_ = 0;
  std::uint64_t planned_variables_ = 0;
  WidthPlanner planner_;
  WidthTables tables_;
  std::vector<std::unique_ptr<WidthPlan>> plans_;  ///< a ring: the oldest is replaced
  std::size_t next_plan_ = 0;
  std::size_t running_ = 0;
  std::size_t runs_left_ = 0;
  std::size_t visited_ = 0;  ///< in the descent
  bool fell_ = false;
  std::vector<std::uint32_t> planned_;  ///< how often each variable was in a region
  std::size_t cut_ = 0;  ///< how the region was cut for the plan that is made
  std::array<double, 4> covered_{};  ///< by the last plan of each cut, as a share of its region; 0: none yet
  std::vector<std::uint32_t> between_;  ///< variables of the region between its rings

  std::vector<std::int64_t> fields_;  ///< what raising each variable would add
  problem::Assignment bits_;  ///< where the round stands
  std::int64_t energy_ = 0;
  problem::Assignment incumbent_;
  std::int64_t incumbent_energy_ = 0;
  std::vector<std::uint32_t> touched_;  ///< flipped in this round, each once
  std::vector<std::uint8_t> mark_;  ///< by variable; zero between rounds but for those touched
  std::vector<std::uint32_t> flips_;

  std::vector<problem::Assignment> offered_;
  bool scouting_ = false;
  std::uint64_t turn_units_;
  std::uint64_t turn_end_;
  problem::Assignment parked_;  ///< the incumbent, while a scout is out
  Archive archive_;
  std::int64_t best_energy_ = INT64_MAX;
  bool proved_ = false;
  bool reached_target_ = false;
};

/// A race's strand of nothing but this search.
class WidthStrand final : public Strand {
 public:
  WidthStrand(const SearchModel& model, WidthOptions options)
      : exact_(model.exact()), search_(model, std::move(options)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override {
    if (search_.proved()) return exact_ ? StrandState::kProved : StrandState::kFinished;
    return search_.reached_target() ? StrandState::kTarget : StrandState::kWorking;
  }
  WidthSearch& search() { return search_; }

 private:
  bool exact_;
  WidthSearch search_;
};

}  // namespace tandem::solve
