// tandem/sim/scheduler.h - Scheduler: fibres, virtual time and one seed that decides who runs next.
//
// Room: sim. One step = one fibre chosen and run until it blocks, yields or ends. Time passes a little with every step, and jumps to
// the next timer when nobody can run. Same seed, same steps.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/sim/fibre.h"

namespace tandem::sim {

class Scheduler;

/// The fibres of one process; they can be stopped from being scheduled and go on later, as SIGSTOP and SIGCONT do.
class Group {
 public:
  explicit Group(Scheduler& scheduler) : scheduler_(scheduler) {}
  void pause() { paused_ = true; }
  void resume();
  bool paused() const { return paused_; }
  std::size_t fibres() const { return fibres_; }

 private:
  friend class Scheduler;
  Scheduler& scheduler_;
  bool paused_ = false;
  std::size_t fibres_ = 0;
  std::vector<std::size_t> parked_;  ///< runnable, but for the pause
};

/// Threads: one. All but spawn(), after(), cancel() and the readers are called from a fibre.
class Scheduler {
 public:
  using Nanos = std::int64_t;
  static constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

  explicit Scheduler(std::uint64_t seed) : rng_(seed) {}

  Nanos now() const { return now_; }
  std::uint64_t steps() const { return steps_; }
  /// Of all steps so far and whatever was mixed in.
  std::uint64_t hash() const { return hash_; }
  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ull + (hash_ >> 29); }
  Xoshiro256& rng() { return rng_; }
  bool chance(double probability) { return probability > 0 && rng_.uniform() < probability; }
  /// Uniform in [low, high].
  Nanos between(Nanos low, Nanos high) {
    return low + static_cast<Nanos>(rng_.below(static_cast<std::uint64_t>(high - low) + 1));
  }

  void spawn(Group& group, std::function<void()> body);
  /// Runs until stop() is called; false when nobody can run any more before that, or after so many steps.
  bool run(std::uint64_t steps_max);
  void stop() { stopped_ = true; }

  using TimerKey = std::pair<Nanos, std::uint64_t>;
  /// Runs `body` as a fibre of the group once the time has come.
  TimerKey after(Group& group, Nanos delay, std::function<void()> body);
  void cancel(const TimerKey& key) { timers_.erase(key); }
  /// Drops the timers of a group that is gone.
  void forget(const Group& group);

  /// A blocked fibre and which time it blocked: waking it again later does nothing.
  struct Ticket {
    std::size_t fibre = 0;
    std::uint64_t number = 0;
    friend bool operator==(const Ticket&, const Ticket&) = default;
  };
  /// Of the running fibre, for its next block().
  Ticket ticket() const;
  /// Until woken or `until` has come; false when that came first.
  bool block(Nanos until = kNever);
  void wake(const Ticket& ticket);
  void yield();
  void sleep(Nanos duration) {
    if (duration > 0) block(now_ + duration);
  }

 private:
  friend class Group;
  static constexpr std::uint64_t kStepNanosMax = 4'000;  ///< what a step may cost

  struct Strand {
    std::unique_ptr<Fibre> fibre;
    Group* group = nullptr;
    std::uint64_t blocked = 0;  ///< times it has blocked so far
    bool waiting = false;
  };
  struct Due {
    Group* group = nullptr;
    std::function<void()> body;  ///< empty: wakes `ticket`
    Ticket ticket;
  };
  void fire_due();

  Xoshiro256 rng_;
  Nanos now_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325ull;
  std::uint64_t next_timer_ = 0;
  bool stopped_ = false;
  std::size_t running_ = 0;
  std::vector<Strand> strands_;
  std::vector<std::size_t> idle_;
  std::vector<std::size_t> runnable_;
  std::map<TimerKey, Due> timers_;
};

}  // namespace tandem::sim
