// tandem/orchestrate/engine/store_check.h - StoreCheck: whether what a store or a backup holds makes sense.
//
// Room: orchestrate. Not here: the engine's own files (Snapshot::faults()), the file of a backup (store/backup_file.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "tandem/store/store.h"

namespace tandem::engine {

struct Finding {
  std::string place;  ///< "job/<key>", "log/<sequence>"
  std::string what;
};

/// Holds: each job can be read and has exactly its index entries; each blob is what its key says; the log has no gap, and each event
/// is of the job that it is filed under and hashes to its leaf hash.
///
/// Threads: one. Cost: memory of the index entries, about 100 bytes a job.
class StoreCheck {
 public:
  static constexpr std::size_t kFindingsMax = 1000;  ///< that are kept; the others are counted

  /// Rows by table in the order of Table, then the log.
  void row(store::Table table, const store::Row& row);
  void entry(const store::LogEntry& entry);
  void finding(std::string place, std::string what);
  /// After the last row and entry.
  void finish();

  const std::array<std::uint64_t, store::kNumTables>& rows() const { return rows_; }
  std::uint64_t entries() const { return entries_; }
  const std::vector<Finding>& findings() const { return findings_; }
  std::uint64_t findings_total() const { return findings_total_; }

 private:
  std::array<std::uint64_t, store::kNumTables> rows_{};
  std::uint64_t entries_ = 0;
  std::uint64_t sequence_ = 0;
  std::unordered_set<std::string> index_;  ///< entries that jobs have and that did not come yet
  std::vector<Finding> findings_;
  std::uint64_t findings_total_ = 0;
};

}  // namespace tandem::engine
