// tandem/orchestrate/engine/local_team.h - LocalTeam: the local orders of a round; while all that are under way wait for memory, the run is
// outside the workers.
//
// Room: orchestrate; for order_runner.cc only. Memory comes after the slot (MachineMemory::reserve): whoever has memory has a slot, and ends.
// So the waits for the one and for the other never close a ring.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

#include "tandem/orchestrate/engine/worker_slots.h"

namespace tandem::engine {

/// Threads: safe to call concurrently, by each member for itself.
class LocalTeam {
 public:
  /// `place`: of the thread that waits for the members. It counts as one that computes as long as one of them does.
  LocalTeam(WorkerSlots::Place& place, Executor& executor, std::stop_token stop)
      : place_(place), stop_(std::move(stop)), back_(executor.make_condition()) {}

  /// While it lives an order is under way.
  class Member {
   public:
    explicit Member(LocalTeam& team) : team_(team) {
      std::unique_lock lock(team_.mutex_);
      ++team_.members_;
      team_.come_back(lock);
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member() {
      const std::lock_guard lock(team_.mutex_);
      --team_.members_;
      team_.leave_locked();
    }

   private:
    LocalTeam& team_;
  };

  /// A member waits, and computes again once the run has a slot.
  void wait(const std::function<void()>& wait) {
    {
      const std::lock_guard lock(mutex_);
      ++waiting_;
      leave_locked();
    }
    wait();
    std::unique_lock lock(mutex_);
    --waiting_;
    come_back(lock);
  }

 private:
  void leave_locked() {
    if (members_ == 0 || waiting_ != members_) return;
    away_ = std::make_unique<WorkerSlots::Place::LongWait>(place_, kWaitPatience, stop_);
  }
  void come_back(std::unique_lock<std::mutex>& lock) {
    std::unique_ptr<WorkerSlots::Place::LongWait> away = std::move(away_);
    if (away == nullptr) return back_->wait(lock, [&] { return !coming_; });
    coming_ = true;
    lock.unlock();
    away.reset();
    lock.lock();
    coming_ = false;
    back_->notify_all();
  }

  WorkerSlots::Place& place_;
  const std::stop_token stop_;
  std::mutex mutex_;
  const std::unique_ptr<Condition> back_;  ///< coming_ is over
  std::size_t members_ = 0;
  std::size_t waiting_ = 0;
  bool coming_ = false;
  std::unique_ptr<WorkerSlots::Place::LongWait> away_;  ///< while all of them wait
};

}  // namespace tandem::engine
