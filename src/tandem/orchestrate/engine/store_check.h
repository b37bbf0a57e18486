// tandem/orchestrate/engine/store_check.h - StoreCheck: whether what a store or a backup holds makes sense.
//
// Room: orchestrate. Not here: the engine's own files (Snapshot::faults()), the file of a backup (store/backup_file.h).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/store/store.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {

struct Finding {
  std::string place;  ///< "job/<key>", "log/<sequence>"
  std::string what;
};

/// Holds: each job can be read and has exactly its index entries, its plan and its lineage; each blob is what its key says, and all that
/// jobs, checkpoints, submissions and lineages name are there; each submission can be found and each entry of theirs has one; the books
/// balance, and every account of a payer holds what the holds and reservations of its jobs say; the log has no gap, and each event is of the job that it is filed under and hashes to its leaf hash.
///
/// Threads: one. Cost: memory of index entries and hashes, about 600 bytes a job.
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
  /// Nobody names them: what removed jobs left until it is swept up.
  std::uint64_t blobs_unreferenced() const { return blobs_unreferenced_; }

 private:
  void job(const store::Row& row, const std::string& place);
  void index_entry(const store::Row& row, const std::string& place);
  void blob(const store::Row& row, const std::string& place);
  void submission(const store::Row& row, const std::string& place);
  void lineage(const store::Row& row, const std::string& place);
  void budget(const store::Row& row, const std::string& place);
  /// `place` names the blob; empty: none.
  void wants(const std::string& place, const std::string& sha256);
  /// Every blob with provider's or solver's bytes that a document names.
  void wants_raw(const std::string& place, const Json& document);

  std::array<std::uint64_t, store::kNumTables> rows_{};
  std::uint64_t entries_ = 0;
  std::uint64_t sequence_ = 0;
  std::unordered_set<std::string> index_;  ///< entries that jobs have and that did not come yet
  std::unordered_map<std::string, std::string> results_;  ///< rows that jobs have and that did not come yet: their hash
  std::unordered_set<std::string> lineages_;  ///< that jobs have and that did not come yet
  std::unordered_map<std::string, std::string> handles_;  ///< of submissions, by token: handle_key()
  std::map<std::string, std::string> handle_entries_;  ///< tokens, by key
  std::vector<std::string> found_by_;  ///< entries that submissions must have
  std::map<std::string, std::string> submission_entries_;  ///< place, token that it is of
  std::unordered_map<std::string, bool> blobs_;  ///< that are there, as bytes: somebody names it
  std::unordered_map<std::string, std::size_t> wanted_;  ///< named and not there yet: by which of namers_
  std::vector<std::string> namers_;  ///< places
  budget::HeldParts held_;  ///< summed up
  std::uint64_t blobs_unreferenced_ = 0;
  std::vector<Finding> findings_;
  std::uint64_t findings_total_ = 0;
};

}  // namespace tandem::engine
