// tandem/store/sqlite/sqlite_store.h - SqliteStore: the embedded store, one file, group commit.
//
// Room: store. Not here: the data directory and its lock (the application's), backups (store/backup.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/executor.h"
#include "tandem/base/meter.h"
#include "tandem/store/store.h"

namespace tandem::store {
class CommitQueue;
template <typename Connection>
class ConnectionPool;
}  // namespace tandem::store

namespace tandem::sqlite {

class Connection;

struct SqliteOptions {
  std::size_t commit_batch_max = 1024;      ///< batches in one group commit; setting store.commit_batch_max
  std::chrono::nanoseconds commit_wait{0};  ///< how long a group waits for company; setting store.commit_wait
  std::size_t readers_max = 4;              ///< read-only connections
  /// Size of the log from which it is copied into the database: the larger, the longer one group waits for that.
  std::uint64_t checkpoint_bytes = 4u << 20;
  std::string vfs;                          ///< the name of a registered SQLite VFS; empty: the system's. For tests
  const CrashPoints* crash_points = nullptr;  ///< outlive the store; null: there are none
};

/// One thread of the store writes: it takes what waits in the queue, puts it into one transaction, syncs once, and
/// answers. The longer a sync takes, the more batches share the next one. Conflicts inside a group see each other's
/// effects in order.
///
/// When the disk is full, the batches of the group get 1041 and nothing is written; later commits succeed once there is
/// space. After an I/O error or a failed sync the group gets 1042 and everything later 3005: what the disk holds is
/// then known only after a restart, which recovers every acknowledged batch. Reads go on.
///
/// Threads: as Store says; `done` runs on the writer thread, the executor's loop "store-writer". The executor outlives
///          the store.
/// Files:   <path>, <path>-wal, <path>-shm while open or after a crash; <path>-writer keeps a second writer out.
/// Cost:    a commit is one fdatasync shared by its group and a few microseconds an operation; a checkpoint follows the
///          answers of the group that filled the log, so it delays the next group, not this one.
/// Source:  SQLite write-ahead log with synchronous=FULL; group commit as in DeWitt et al., SIGMOD 1984.
class SqliteStore final : public store::Store {
 public:
  /// Opens or creates the file. The folder must exist.
  ///
  /// Errors: 3001 store_newer; 3002 store_foreign; 3003 store_damaged; 1045 lock_held - another SqliteStore has the
  ///         file; 1040 file_not_found; 1043 permission_denied; 1044 is_a_directory; 1047 not_a_directory; 1041
  ///         disk_full; 1042 io_error.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path, SqliteOptions options, Executor& executor,
                                                   Clock& clock, Meter& meter);
  /// Opens an existing file to read beside the process that writes it. Commits get 1045 lock_held. Errors: those of open().
  static Result<std::unique_ptr<SqliteStore>> open_for_reading(const std::string& path, SqliteOptions options);
  /// Brings the file to the schema of this version, and makes it where there is none. Errors: those of open().
  static Result<store::Migration> migrate(const std::string& path, const SqliteOptions& options);
  ~SqliteStore() override;
  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  void commit(store::Batch batch, store::CommitDone done) override;
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override;
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override;
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override;
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject = {}) override;
  Result<std::uint64_t> last_sequence() override;
  Result<std::unique_ptr<store::Snapshot>> snapshot() override;
  std::string_view kind() const override { return "sqlite"; }

 private:
  using OpenReader = std::function<Result<std::unique_ptr<Connection>>()>;
  SqliteStore(const OpenReader& open_reader, std::size_t readers_max, std::unique_ptr<store::CommitQueue> queue);

  const OpenReader open_reader_;
  std::unique_ptr<store::ConnectionPool<Connection>> readers_;
  std::unique_ptr<store::CommitQueue> queue_;  ///< null when it only reads
};

}  // namespace tandem::sqlite
