// tandem/orchestrate/engine/worker_slots.h - WorkerSlots: how many runs compute at once; one that only waits for providers does not.
//
// Room: orchestrate; for the sources of this part only. So a slow provider holds up its own jobs and nobody else's. Not here: how
// many submissions one provider gets (resilience/gates.h), which job is next (schedule).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"

namespace tandem::engine {

/// Runs that wait outside at once where nothing else bounds them, as while they are planned; those beyond it wait in their slots. Each
/// costs the threads that wait for it, and its memory.
inline constexpr std::size_t kWaitingRunsMax = 64;
/// A wait that is over within that is done in the slot: who leaves it may have to wait for one to come back.
inline constexpr auto kWaitPatience = std::chrono::milliseconds(50);

/// Of one process. Threads: every method is safe to call concurrently.
class WorkerSlots {
 public:
  /// `freed` is called, without a lock, when a run went outside: somebody else may compute, on a thread other than that of the run.
  WorkerSlots(Executor& executor, const Clock& clock, std::size_t slots, std::function<void()> freed)
      : executor_(executor),
        clock_(clock),
        slots_(slots),
        freed_(std::move(freed)),
        changed_(executor.make_condition()) {}

  /// For a run that begins; its Place gives it back. A run that comes back goes before those that begin.
  bool try_take();
  std::size_t free() const;
  std::size_t outside() const;  ///< runs whose threads have no slot
  std::size_t hanging() const;  ///< of them those whose slot was given up

  /// The slot of one run, shared by the threads that work for it. It begins with one thread that computes, and ends with it.
  class Place {
   public:
    explicit Place(WorkerSlots& slots) : slots_(slots) {}  ///< try_take() was true
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    /// Moves the count of computing threads, there and, when it is destroyed, back. Coming in first waits until a slot is free when the
    /// run is outside; not when it is told to stop, for then it only ends.
    class Move {
     public:
      enum class To : std::uint8_t { kOut, kIn };
      Move(Place& place, To there, std::stop_token stop) : place_(place), there_(there), stop_(std::move(stop)) {
        go(there_);
      }
      Move(const Move&) = delete;
      Move& operator=(const Move&) = delete;
      ~Move() { go(there_ == To::kOut ? To::kIn : To::kOut); }

     private:
      void go(To to) {
        if (to == To::kOut)
          place_.leave();
        else
          place_.enter(stop_);
      }
      Place& place_;
      To there_;
      std::stop_token stop_;
    };
    /// Goes out once it has lasted `patience`. Who comes back sooner never left, and nobody overtook it.
    class LongWait {
     public:
      LongWait(Place& place, std::chrono::nanoseconds patience, std::stop_token stop);
      LongWait(const LongWait&) = delete;
      LongWait& operator=(const LongWait&) = delete;
      ~LongWait();

     private:
      struct State;
      const std::shared_ptr<State> state_;
      std::unique_ptr<Timer> timer_;
    };

    /// This thread, which computed, only waits for as long, and counts as one that computes no more once that has lasted `patience`. The
    /// run is outside when all its threads wait.
    [[nodiscard]] LongWait wait_outside_after(std::chrono::nanoseconds patience, std::stop_token stop) {
      return {*this, patience, std::move(stop)};
    }

    /// Its slot is somebody else's from now on, whatever its threads do: they were told to stop, and do not.
    void give_up();
    /// Its waits are bounded elsewhere, from now on: it may go outside however many wait there.
    void bound_elsewhere();
    /// How long the run was outside until now; it is inside.
    std::chrono::nanoseconds time_outside() const;

   private:
    void leave();
    void come_back_locked();  ///< counts it as one that is not outside
    void enter(const std::stop_token& stop);

    // Under the mutex of the slots.
    WorkerSlots& slots_;
    std::size_t computing_ = 1;  ///< threads
    bool outside_ = false;
    bool given_up_ = false;
    bool bounded_elsewhere_ = false;
    Instant left_at_;
    std::chrono::nanoseconds time_outside_{0};
  };

 private:
  bool has_free_locked() const { return used_ + coming_ < slots_; }

  Executor& executor_;
  const Clock& clock_;
  const std::size_t slots_;
  const std::function<void()> freed_;
  mutable std::mutex mutex_;
  const std::unique_ptr<Condition> changed_;  ///< used_ got smaller, or a run is inside again
  std::size_t used_ = 0;  ///< may be above slots_ while runs that are told to stop end
  std::size_t coming_ = 0;  ///< runs outside that wait for a slot
  std::size_t outside_ = 0;
  std::size_t given_up_ = 0;  ///< beside those that are outside
  std::size_t bounded_elsewhere_ = 0;  ///< of those that are outside
};

}  // namespace tandem::engine
