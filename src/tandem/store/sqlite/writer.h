// tandem/store/sqlite/writer.h - the one connection that writes and checkpoints, and what it does inside a transaction.
//
// Room: store. Not here: queues, threads and answers (sqlite_store.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "tandem/store/sqlite/connection.h"
#include "tandem/store/store.h"

namespace tandem::sqlite {

struct Checkpoint {
  bool complete = false;  ///< the next commit starts the log from its beginning
};

/// begin(), apply() any number of times, commit(); or rollback(). Between transactions, checkpoint_if_due().
///
/// Why one connection: Debian 12's SQLite (3.40.1) can corrupt a database when one connection resets the log while
/// another checkpoints (fixed in 3.51.3). A second Writer on the same file is refused through a lock on
/// "<path>-writer", which the kernel drops with the process. Nothing else in the process may open the file itself:
/// closing it would drop SQLite's locks.
/// Threads: one at a time.
class Writer {
 public:
  /// `checkpoint_bytes`: the size of the log from which a checkpoint is due.
  /// Errors: 1045 lock_held; those of Connection::open and prepare_schema.
  static Result<std::unique_ptr<Writer>> open(const std::string& path, const std::string& vfs,
                                              std::uint64_t checkpoint_bytes);

  /// What opening did to the schema.
  store::Migration migration() const { return migration_; }

  Result<void> begin();
  /// Refusals leave no trace and the transaction goes on: 3004 precondition_failed. After any other error only
  /// rollback() is left.
  Result<store::Committed> apply(const store::Batch& batch);
  /// Durable when it returns. After an error nothing of the transaction can be read, and it has been rolled back.
  Result<void> commit();
  void rollback();

  bool checkpoint_due() const { return log_pages_ >= checkpoint_at_pages_; }
  /// Copies the log into the database as far as readers allow, never waiting for one.
  /// Errors: 1041 disk_full - the log goes on growing; 1042 io_error.
  Result<Checkpoint> checkpoint();
  std::uint64_t log_bytes() const { return log_pages_ * page_bytes_; }

  /// Frees the pages that it keeps in memory; the next transactions read theirs again.
  void shrink() { sqlite3_db_release_memory(connection_->handle()); }

  /// After a failed sync the log on the disk may differ from the log that we read: leave it for recovery, copy nothing
  /// more.
  void abandon() { connection_->keep_log_on_close(); }

 private:
  Writer(std::unique_ptr<Connection> lock, std::unique_ptr<Connection> connection);
  Result<void> load(std::uint64_t checkpoint_bytes);
  Result<void> check_length();
  static int on_commit(void* self, sqlite3* handle, const char* schema, int log_pages);

  struct Precondition;
  struct Effect;
  Result<std::optional<std::uint64_t>> version_of(store::Table table, std::string_view key);
  /// A put whose precondition is part of the statement. Errors: 3004 precondition_failed - nothing was changed.
  Result<void> put_where(const store::Put& put);
  /// Runs a statement that changes at most one row; true when it did.
  Result<bool> change(Query query, store::Table table, std::string_view key, const Bytes* value);
  Result<void> add_rows(store::Table table, std::int64_t change);
  Result<void> run(Use& use);

  std::unique_ptr<Connection> lock_;  // outlives the connection below
  std::unique_ptr<Connection> connection_;
  store::Migration migration_;
  std::uint64_t page_bytes_ = 0;
  std::uint64_t log_pages_ = 0;
  std::uint64_t checkpoint_pages_ = 0;  // a checkpoint is due from here ...
  std::uint64_t checkpoint_at_pages_ = 0;  // ... or later, when a reader kept the last one from completing
  std::uint64_t committed_sequence_ = 0;
  std::uint64_t sequence_ = 0;  // of the open transaction
  std::array<std::int64_t, store::kNumTables> added_rows_{};
};

}  // namespace tandem::sqlite
