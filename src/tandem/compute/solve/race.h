// tandem/compute/solve/race.h - strands of search side by side in rounds, stopped at any moment and repeatable to the step.
//
// Room: compute, inside solve. What a strand does depends on its own steps and on what it was given at round borders, never on
// time or on threads: so the steps done by each strand, given back as limits, give the same answer again. That holds because
//   - a strand only looks at the stop token between steps, and every step raises its units by at least one;
//   - strands exchange at a border only when all of them have done the whole round;
//   - a strand that reaches the target ends at that step; with limits given, the others finish their round or their limit.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

class Race;

/// What a strand sees of the world.
class Watch {
 public:
  Watch(Race& race, std::uint32_t strand) : race_(&race), strand_(strand) {}
  /// To be asked between steps, at least every millisecond.
  bool stopped() const;
  /// A new best of this strand; passed on to the sink when it is the best of all. True when it reaches the target: the
  /// strand must not do another step.
  bool found(std::int64_t energy, std::uint64_t units) const;
  /// For one of several engines of a strand: counts its units from what the others have done.
  Watch after(std::uint64_t units) const {
    Watch out = *this;
    out.units_before_ += units;
    return out;
  }

 private:
  Race* race_;
  std::uint32_t strand_;
  std::uint64_t units_before_ = 0;
};

enum class StrandState : std::uint8_t {
  kWorking,
  kFinished,  ///< nothing left to do; the others go on
  kTarget,  ///< reached the target
  kProved,  ///< its best is optimal
};

/// One stream of search.
class Strand {
 public:
  virtual ~Strand() = default;
  /// Works until units() >= units_end, the state is no longer kWorking, or the watch says stop. Called with
  /// units() < units_end and state() == kWorking; does at least one step unless stopped.
  virtual void advance(std::uint64_t units_end, const Watch& watch) = 0;
  virtual std::uint64_t units() const = 0;
  virtual StrandState state() const = 0;
};

/// What the race knows of energies.
struct RaceGoal {
  std::function<double(std::int64_t)> objective;
  std::optional<std::int64_t> target;  ///< stop at an energy <= this
  /// Proved lower bound on the objective, where there is one; asked between rounds.
  std::function<std::optional<double>()> bound = nullptr;
};

/// Lengths of rounds in units: the first one short, so that all strands have something early; then doubling.
struct RoundLengths {
  std::uint64_t first = 1;
  std::uint64_t max = 1;
  std::uint64_t rounds_max = UINT64_MAX;  ///< ends the race, so that it needs no stop token
};

class Race {
 public:
  /// `limit` has one entry a strand, or none.
  Race(RaceGoal goal, const WorkLimit& limit, const SolveContext& context)
      : goal_(std::move(goal)), limit_(limit), context_(context) {}

  /// Runs all strands until one of the ends of StopReason. `border` is called between rounds.
  StopReason run(std::span<const std::unique_ptr<Strand>> strands, const RoundLengths& lengths,
                 const std::function<void(std::uint64_t round)>& border);

 private:
  friend class Watch;
  void tell_bound(std::span<const std::unique_ptr<Strand>> strands);
  bool limited() const { return !limit_.units.empty(); }

  RaceGoal goal_;
  const WorkLimit& limit_;
  const SolveContext& context_;
  std::atomic<bool> over_ = false;  ///< target or proof; only read where no limits are given
  std::mutex mutex_;
  std::optional<std::int64_t> best_;  ///< under mutex_
  std::optional<double> bound_;  ///< under mutex_; the best the sink has heard of
};

}  // namespace tandem::solve
