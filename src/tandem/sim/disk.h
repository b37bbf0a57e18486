// tandem/sim/disk.h - Disk: the rows and the log that outlive every simulated process.
//
// Room: sim. What store/memory does for tests, with an observer that sees every change, and with the power to forget.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tandem/store/store.h"

namespace tandem::sim {

struct Cell {
  std::uint64_t version = 0;
  Bytes value;
};

/// One row as a batch changed it; a null side means that it was not there.
struct Changed {
  store::Table table;
  const std::string& key;
  const Cell* before = nullptr;
  const Cell* after = nullptr;
};

/// Threads: one.
class Disk {
 public:
  using Rows = std::map<std::string, Cell, std::less<>>;
  /// Told of each row that a process changed.
  using Observer = std::function<void(const std::string& process, const Changed& changed)>;

  void observe(Observer observer) { observer_ = std::move(observer); }
  /// All or nothing. Errors: 3004 precondition_failed, 3006 batch_too_large.
  Result<store::Committed> apply(const std::string& process, store::Batch batch);
  const Rows& rows(store::Table table) const { return tables_[static_cast<std::size_t>(table)]; }
  const std::vector<store::LogEntry>& log() const { return log_; }
  std::uint64_t batches() const { return batches_; }

  /// From now on batches can be taken back, the last ones first: a disk that acknowledged before it was synced.
  void keep_history() { keeps_history_ = true; }
  /// All batches so far are safe.
  void sync() { history_.clear(); }
  /// Power loss: what was not synced is gone.
  void lose_unsynced();
  /// Called after each batch, by whichever process, in the order of their numbers.
  std::map<std::uint64_t, std::function<void()>> watchers;
  std::uint64_t next_watcher = 1;

 private:
  struct Past {
    store::Table table;
    std::string key;
    std::optional<Cell> cell;
  };
  struct Undo {
    std::vector<Past> rows;
    std::size_t log_size = 0;
  };
  std::array<Rows, store::kNumTables> tables_;
  std::vector<store::LogEntry> log_;
  std::uint64_t batches_ = 0;
  Observer observer_;
  bool keeps_history_ = false;
  std::vector<Undo> history_;
};

}  // namespace tandem::sim
