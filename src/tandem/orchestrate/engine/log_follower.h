// tandem/orchestrate/engine/log_follower.h - LogFollower: what any process writes to a shared store's log, told once and in order.
//
// Room: orchestrate.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "tandem/base/executor.h"
#include "tandem/base/log.h"
#include "tandem/model/job/job_event.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// Looks when it is poked, when the store says so, and at least every `interval`.
/// Threads: poke() is safe to call concurrently; `on_event` is called on one thread of the executor.
class LogFollower {
 public:
  /// Tells of what comes after the log's end as it is now. References outlive it. Errors: those of the store.
  static Result<std::unique_ptr<LogFollower>> start(store::Store& store, Executor& executor, Log& log,
                                                    std::chrono::milliseconds interval,
                                                    std::function<void(const job::Event&)> on_event);
  ~LogFollower();

  void poke();

 private:
  LogFollower(store::Store& store, Executor& executor, Log& log, std::chrono::milliseconds interval,
              std::function<void(const job::Event&)> on_event)
      : store_(store),
        log_(log),
        interval_(interval),
        on_event_(std::move(on_event)),
        poked_(executor.make_condition()) {}
  void run(const std::stop_token& stop);
  Result<void> read_on();

  store::Store& store_;
  Log& log_;
  const std::chrono::milliseconds interval_;
  const std::function<void(const job::Event&)> on_event_;
  std::uint64_t seen_ = 0;
  std::mutex mutex_;
  std::unique_ptr<Condition> poked_;
  bool look_ = false;
  std::unique_ptr<Timer> watching_;
  std::unique_ptr<Timer> thread_;
};

}  // namespace tandem::engine
