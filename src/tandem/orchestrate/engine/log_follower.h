// tandem/orchestrate/engine/log_follower.h - LogFollower: what any process writes to a shared store's log, told once and in order.
//
// Room: orchestrate.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/log.h"
#include "tandem/model/job/job_event.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// What this process made it has from made(); what others made is read, when the store says that there is some, when a gap shows it,
/// and at least every `interval`.
/// Threads: made() is safe to call concurrently; `glance` and `on_event` are called on one thread of the executor.
class LogFollower {
 public:
  /// Events that made() keeps: some ten MiB. What comes beyond is read from the log like that of others.
  static constexpr std::size_t kMadeMax = 16'384;

  using Glance = std::function<bool(const job::EventHead&, const store::LogEntry&)>;
  using OnEvent = std::function<void(const job::Event&)>;

  /// Tells of what comes after the log's end as it is now, of what others made only where `glance`, which sees
  /// each such entry and its head once and in order, but unchecked, says so. References outlive it.
  /// Errors: those of the store.
  static Result<std::unique_ptr<LogFollower>> start(store::Store& store, Executor& executor, Log& log,
                                                    std::chrono::milliseconds interval, Glance glance,
                                                    OnEvent on_event);
  ~LogFollower();

  /// An event of this process that is in the log. In any order.
  void made(job::Event event);

 private:
  LogFollower(store::Store& store, Executor& executor, Log& log, std::chrono::milliseconds interval, Glance glance,
              OnEvent on_event)
      : store_(store),
        executor_(executor),
        log_(log),
        interval_(interval),
        glance_(std::move(glance)),
        on_event_(std::move(on_event)),
        poked_(executor.make_condition()) {}
  void look();  ///< others may have written
  void run(const std::stop_token& stop);
  /// Tells of all that is known to be there.
  Result<void> go_on();
  void tell(const job::Event& event);
  /// What comes next, as far as it was made here.
  std::vector<job::Event> take_made();
  /// Of what comes next, so much that what others wrote before what was made here is in it, or may have written after it; 0: nobody has.
  std::size_t num_to_read();
  bool has_gap();  ///< what was made here is not next
  std::optional<job::Event> take_made(std::uint64_t sequence);

  store::Store& store_;
  Executor& executor_;
  Log& log_;
  const std::chrono::milliseconds interval_;
  const Glance glance_;
  const OnEvent on_event_;
  std::uint64_t seen_ = 0;  ///< only its thread uses it
  std::mutex mutex_;  ///< guards what follows
  std::unique_ptr<Condition> poked_;
  std::map<std::uint64_t, job::Event> made_;  ///< by sequence
  bool look_ = false;  ///< others may have written
  bool waiting_ = false;
  std::unique_ptr<Timer> watching_;
  std::unique_ptr<Timer> thread_;
};

}  // namespace tandem::engine
