// tandem/store/sqlite/connection.h - one SQLite connection, its statements, and its result codes as our errors.
//
// Room: store. Not here: the schema (schema.h), which statements there are (queries.h), who may write (sqlite_store.h).
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/store/sqlite/queries.h"

namespace tandem::sqlite {

/// One use of a prepared statement: bind, step, read; its end resets the statement, which ends a read's snapshot.
/// What is bound is not copied and must live as long as the use; what is read lives until the next step.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  Use& blob(int parameter, std::string_view bytes);
  Use& text(int parameter, std::string_view characters);
  Use& integer(int parameter, std::uint64_t value);
  /// SQLITE_ROW, SQLITE_DONE or an error for Connection::error().
  int step() { return sqlite3_step(statement_); }

  std::string_view blob_at(int column) const;
  std::uint64_t integer_at(int column) const;

 private:
  sqlite3_stmt* statement_;
};

enum class Access : std::uint8_t {
  kWriter,
  kReader,
  kLock,  ///< a file of no content that is there to be locked
};

/// Threads: one at a time.
class Connection {
 public:
  /// Writer and lock create the file when it is missing; none writes anything yet. Paths are taken literally, never as
  /// URIs.
  ///
  /// Errors: 1040 file_not_found - the folder is missing; 1043 permission_denied; 1044 is_a_directory; 1047
  ///         not_a_directory; 1041 disk_full; 1042 io_error.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, const std::string& vfs, Access access);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs SQL that returns nothing of interest.
  Result<void> execute(const char* sql);
  /// The first column of the first row of `sql` as text; empty when there is no row.
  Result<std::string> text(const char* sql);
  Result<std::int64_t> integer(const char* sql);
  /// The first column of every row of `sql` as text.
  Result<std::vector<std::string>> texts(const char* sql);

  /// The prepared statement of `query`, prepared on first use and kept.
  Result<sqlite3_stmt*> statement(Query query, store::Table table);
  Result<sqlite3_stmt*> statement(LogQuery query);

  /// The error that `code`, just returned by a call on this connection, stands for.
  Error error(int code) const;
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  /// Closing this connection leaves the write-ahead log as it is.
  void keep_log_on_close();
  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  using StatementPtr = std::unique_ptr<sqlite3_stmt, Finalize>;

  Connection(sqlite3* handle, std::string path) : path_(std::move(path)), handle_(handle) {}
  Result<sqlite3_stmt*> prepared(StatementPtr& slot, std::string_view sql);
  Result<StatementPtr> prepare(std::string_view sql, unsigned flags);

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
  std::array<StatementPtr, kNumQueries * store::kNumTables> statements_;
  std::array<StatementPtr, kNumLogQueries> log_statements_;
};

/// True when the store may go on after this error: nothing of the transaction reached the disk, and no bytes are in
/// doubt.
bool is_transient(const Error& error);

}  // namespace tandem::sqlite
