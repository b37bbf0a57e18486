// tandem/sim/sim_store.h - SimStore: the disk as one simulated process reaches it: slow, full, cut off, or gone with the process.
//
// Room: sim. Reads give control away, commits take their time in groups, and faults stand at both sides of every group.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "tandem/sim/disk.h"
#include "tandem/sim/options.h"
#include "tandem/sim/sim_executor.h"

namespace tandem::sim {

/// What all processes see of the disk's and the network's troubles.
struct StoreWeather {
  Scheduler::Nanos full_until = 0;
};

/// What may happen to a process at a commit.
struct StoreHooks {
  std::function<void()> before_commit;  ///< nothing of the group is written
  std::function<void()> after_commit;  ///< it is written, and not answered
  std::function<bool()> commit_fails;  ///< nobody will know whether it is written
  std::function<void()> stopped;  ///< it acknowledges nothing any more
  std::function<void()> read_clock;
  std::function<void()> hindered;  ///< it has not done what it was asked for
};

/// Threads: one, that of the scheduler.
class SimStore final : public store::Store {
 public:
  SimStore(Disk& disk, StoreWeather& weather, const Options& options, std::string process, Scheduler& scheduler,
           Group& group, const SimClock& clock, StoreHooks hooks);
  ~SimStore() override;

  /// The process is dead: nothing it does reaches the disk any more.
  void kill() { dead_ = true; }
  void cut_until(Scheduler::Nanos time) { cut_until_ = time; }

  void commit(store::Batch batch, store::CommitDone done) override;
  Result<store::Committed> commit_and_wait(store::Batch batch) override;
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override;
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override;
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override;
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject) override;
  Result<std::uint64_t> last_sequence() override;
  bool shared() const override { return options_.shared; }
  Result<Timestamp> now() override;
  std::unique_ptr<Timer> watch(std::function<void()> on_change) override;
  std::string_view kind() const override { return "simulated"; }

 private:
  struct Pending {
    store::Batch batch;
    store::CommitDone done;
  };
  Result<void> enter();  ///< every read
  template <typename Answer>
  Answer travel(Answer answer);  ///< back from the store; what it says may be out of date on arrival
  void work();
  void work_on(std::deque<Pending> group);
  std::optional<Error> trouble() const;

  Disk& disk_;
  StoreWeather& weather_;
  const Options& options_;
  const std::string process_;
  Scheduler& scheduler_;
  Group& group_;
  const SimClock& clock_;
  const StoreHooks hooks_;
  bool dead_ = false;
  bool stopped_ = false;  ///< a commit failed: it acknowledges nothing any more
  Scheduler::Nanos cut_until_ = 0;
  std::deque<Pending> queue_;
  bool working_ = false;
};

}  // namespace tandem::sim
