// tandem/store/memory/memory_store.h - MemoryStore: rows in the memory of this process, with planted faults for tests.
//
// Room: store. For `tandem run` without a data directory, for tests and for simulation. Not here: durability.
#pragma once

#include <memory>

#include "tandem/base/executor.h"
#include "tandem/store/store.h"

namespace tandem::memory {

/// What a MemoryStore has stored. It may outlive the store, as a disk outlives a process: a store opened on the same
/// contents sees every batch that was applied. Used by one store at a time.
class Contents;
std::shared_ptr<Contents> new_contents();

/// Threads: as Store says. Batches are applied and answered by tasks of the executor, one at a time, never by the
/// caller of commit: with an executor that runs tasks when told, nothing happens until it is told. The destructor
/// answers what is left on its own thread; it must not run inside a `done`.
/// Cost: O(log rows) an operation; values are copied once on reading.
class MemoryStore final : public store::Store {
 public:
  explicit MemoryStore(Executor& executor, std::shared_ptr<Contents> contents = new_contents());
  ~MemoryStore() override;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  void commit(store::Batch batch, store::CommitDone done) override;
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override;
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override;
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override;
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject = {}) override;
  Result<std::uint64_t> last_sequence() override;
  Result<std::unique_ptr<store::Snapshot>> snapshot() override;
  std::string_view kind() const override { return "memory"; }
  bool shared() const override { return clock_ != nullptr; }
  Result<Timestamp> now() override;

  /// From now on it says that it is shared, by this clock: several engines of one test stand for several processes.
  void share(const Clock& clock) { clock_ = &clock; }

  /// Planted fault: of the commits called from now on, counted from 1, those numbered first .. first + count - 1 are
  /// answered with `error` and leave nothing. A second call replaces the first.
  void fail_commits(std::uint64_t first, std::uint64_t count, Error error);
  /// Planted fault: commits are applied but not answered until release_answers() or the end of the store.
  void hold_answers();
  void release_answers();

 private:
  struct State;
  std::shared_ptr<State> state_;
  const Clock* clock_ = nullptr;
};

}  // namespace tandem::memory
