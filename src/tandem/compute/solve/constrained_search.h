// tandem/compute/solve/constrained_search.h - tabu search that keeps linear constraints natively: flips and swaps, with a
// weight on the violation that follows the search (strategic oscillation, Glover 1977).
//
// Room: compute, inside solve. No penalty reaches the objective: what is kept is feasible, or the least violated so far.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/race.h"
#include "tandem/model/problem/cqm.h"

namespace tandem::solve {

/// A Cqm as this search works on it: integer objective in dense rows, constraint coefficients by variable.
///
/// Limits:  kVariablesMax variables, so that the rows fit in 32 MiB. Threads: immutable.
struct ConstrainedModel {
  static constexpr std::size_t kVariablesMax = 2000;

  explicit ConstrainedModel(const problem::Cqm& source);
  std::size_t size() const { return linear.size(); }
  std::int64_t energy(problem::AssignmentView bits) const;
  double violation(problem::AssignmentView bits) const;

  const problem::Cqm* cqm;
  problem::IntegerBqm objective;
  std::vector<std::int64_t> linear;
  std::vector<std::int64_t> weights;  ///< size x size, symmetric, zero diagonal
  std::vector<double> coefficients;  ///< size x constraints: row i has variable i's coefficient in each
  std::int64_t flip_max = 1;  ///< upper bound of |change of energy| of one flip
};

/// One strand. A unit is a move.
class ConstrainedSearch final : public Strand {
 public:
  ConstrainedSearch(const ConstrainedModel& model, std::uint64_t seed, std::size_t candidates_max,
                    std::optional<std::int64_t> target, const problem::Assignment* start);
  void advance(std::uint64_t units_end, const Watch& watch) override;
  std::uint64_t units() const override { return units_; }
  StrandState state() const override { return reached_target_ ? StrandState::kTarget : StrandState::kWorking; }
  /// Feasible assignments; when there are none, the least violated one alone.
  const Archive& feasible() const { return feasible_; }
  const problem::Assignment& least_violated() const { return least_violated_; }
  double least_violation() const { return least_violation_; }

 private:
  struct Move {
    double cost = 0;
    std::size_t first = 0;
    std::size_t second = 0;  ///< equal to first: a flip
  };
  void restart();
  std::optional<Move> best_move();
  double violation_after(std::size_t i, std::size_t j) const;
  double step(std::size_t i) const { return bits_[i] != 0 ? -1.0 : 1.0; }
  void flip(std::size_t i);
  void note(const Watch& watch);

  const ConstrainedModel& model_;
  Xoshiro256 rng_;
  std::optional<std::int64_t> target_;
  problem::Assignment bits_;
  std::vector<std::int64_t> field_;  ///< linear + couplings to ones
  std::vector<double> activity_;  ///< by constraint
  std::vector<std::uint64_t> tabu_until_;
  std::int64_t energy_ = 0;
  double violation_ = 0;
  double weight_ = 1;  ///< energy units a unit of violation costs now
  std::uint64_t units_ = 0;
  std::uint64_t last_gain_ = 0;
  std::uint64_t feasible_run_ = 0;
  std::uint64_t infeasible_run_ = 0;
  Archive feasible_;
  std::optional<std::int64_t> best_energy_;
  problem::Assignment least_violated_;
  double least_violation_ = 0;
  bool reached_target_ = false;
};

}  // namespace tandem::solve
