// tandem/compute/solve/constrained_search.h - tabu search that keeps linear constraints natively: flips and swaps, with a
// weight on each violation that follows the search.
//
// Room: compute, inside solve. No penalty reaches the objective: what is kept is feasible, or the least violated so far.
// Source: strategic oscillation (Glover 1977, Decision Sciences 8): a weight grows while its constraint stays violated and
// falls while all are satisfied, so that the search moves along the border of what is feasible, where the optima are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/constraint_model.h"
#include "tandem/compute/solve/objective_state.h"
#include "tandem/compute/solve/race.h"

namespace tandem::solve {

/// The parts of a Cqm; all outlive the searches on it.
struct ConstrainedForm {
  const problem::Cqm& cqm;
  const SearchModel& objective;
  const ConstraintModel& constraints;
};

struct ConstrainedOptions {
  std::uint64_t seed = 1;
  std::size_t candidates_max = 16;
  std::vector<problem::Assignment> starts{};  ///< bits
};

/// One stream. A unit is a move: a flip, or a swap of a one with a zero.
///
/// Threads: one. Cost: a move is O(n + kPairsMax) looks at the constraints of a variable and two rows of the objective.
class ConstrainedSearch {
 public:
  static constexpr std::size_t kPairsMax =
      4096;  ///< swaps looked at; beyond it the best ones and zeros, and some others

  ConstrainedSearch(const ConstrainedForm& form, ConstrainedOptions options);
  static std::uint64_t bytes(std::size_t num_variables, std::size_t candidates_max);

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  /// Feasible assignments.
  const Archive& feasible() const { return feasible_; }
  /// The assignment of least violation, and among those of least energy, where none was feasible. After the first step.
  const Candidate& least_violated() const { return least_violated_; }
  double least_violation() const { return least_violation_; }

 private:
  struct Move {
    std::size_t first = 0;
    std::size_t second = 0;  ///< equal to first: a flip
    double cost = 0;
  };
  Move best_move();
  void list_swaps();
  double penalty_change(std::size_t i, std::size_t j);
  void consider(std::size_t i, std::size_t j, Move& best, bool& any);
  void make(const Move& move);
  void flip(std::size_t i);
  void note(const Watch& watch);
  void move_weights();
  void restart();
  double violation() const;

  ConstrainedForm form_;
  ConstrainedOptions options_;
  Xoshiro256 rng_;
  std::unique_ptr<ObjectiveState> objective_;
  ConstraintState state_;
  std::vector<double> first_weights_;  ///< energy a step of each violation costs at first
  std::vector<double> weights_;
  std::vector<std::uint64_t> tabu_until_;
  std::vector<std::uint32_t> ones_;
  std::vector<std::uint32_t> zeros_;
  std::vector<std::int64_t> pending_;  ///< scratch of penalty_change(): by constraint, 0 between calls
  std::uint64_t units_ = 0;
  std::uint64_t last_gain_ = 0;
  std::uint64_t moves_on_side_ = 0;  ///< since the search last crossed the border of what is feasible
  bool was_feasible_ = false;
  std::size_t next_start_ = 0;
  Archive feasible_;
  std::int64_t best_energy_ = INT64_MAX;
  std::int64_t best_of_run_ = INT64_MAX;
  Candidate least_violated_;
  double least_violation_ = 0;
  bool reached_target_ = false;
};

}  // namespace tandem::solve
