#include "tandem/store/sqlite/connection.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "tandem/base/assert.h"

namespace tandem::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;             // a person's sqlite3 shell may hold a lock for a moment
constexpr const char* kWriterCache = "-32768";  // KiB: the upper levels and right edges of all tables of a million jobs
constexpr const char* kReaderCache = "-8192";  // KiB; the kernel's page cache is behind it
constexpr const char* kLogSizeMax =
    "67108864";  // bytes that the log file keeps after a transaction that made it larger

ErrorNumber number_of_open_failure(int system_error) {
  switch (system_error) {
    case ENOENT:
      return errors::kFileNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return errors::kFilePermissionDenied;
    case EISDIR:
      return errors::kIsADirectory;
    case ENOTDIR:
      return errors::kNotADirectory;
    case ENOSPC:
    case EDQUOT:
      return errors::kDiskFull;
    case EMFILE:
    case ENFILE:
      return errors::kTooManyOpenFiles;
    default:
      return errors::kIoError;
  }
}

ErrorNumber number_of_io_error(int code, int system_error) {
  if (code == SQLITE_IOERR_NOMEM) return errors::kStoreOutOfMemory;
  // After a failed sync the kernel may have dropped the pages, whatever the reason: that is never only a full disk.
  const bool sync = code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
  if (!sync && (system_error == ENOSPC || system_error == EDQUOT)) return errors::kDiskFull;
  if (!sync && (system_error == EMFILE || system_error == ENFILE)) return errors::kTooManyOpenFiles;
  return errors::kIoError;
}

ErrorNumber number_of(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return errors::kDiskFull;
    case SQLITE_IOERR:
      return number_of_io_error(code, system_error);
    case SQLITE_CANTOPEN:
      return number_of_open_failure(code == SQLITE_CANTOPEN_ISDIR ? EISDIR : system_error);
    case SQLITE_NOMEM:
      return errors::kStoreOutOfMemory;
    case SQLITE_CORRUPT:
      return errors::kStoreDamaged;
    case SQLITE_NOTADB:
      return errors::kStoreForeign;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return errors::kLockHeld;
    case SQLITE_TOOBIG:
      return errors::kBatchTooLarge;
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return errors::kFilePermissionDenied;
    default:
      return errors::kInternal;
  }
}

std::string_view advice(ErrorNumber number) {
  if (number == errors::kDiskFull) return "free space on its file system and try again";
  if (number == errors::kIoError) return "check the disk and the kernel log, then restart";
  if (number == errors::kFileNotFound) return "create the folder or choose another data directory";
  if (number == errors::kFilePermissionDenied)
    return "give this user read and write permission on the file and its folder";
  if (number == errors::kIsADirectory) return "name a file";
  if (number == errors::kNotADirectory) return "choose another data directory";
  if (number == errors::kStoreOutOfMemory) return "free memory and try again";
  if (number == errors::kTooManyOpenFiles) return "raise the limit of open files (ulimit -n) or close some connections";
  if (number == errors::kStoreDamaged) return "restore the last backup";
  if (number == errors::kStoreForeign)
    return "it is no database of ours, or its first page is damaged: check the data directory";
  if (number == errors::kLockHeld) return "another process is using the file: stop it or choose another data directory";
  if (number == errors::kBatchTooLarge) return "split it";
  return "report this with the log";
}

/// Relative paths get "./" so that a name that starts with "file:" stays a name.
std::string literal(const std::string& path) { return path.starts_with('/') ? path : "./" + path; }

}  // namespace

Use::~Use() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Use& Use::blob(int parameter, std::string_view bytes) {
  // A null pointer would bind NULL instead of no bytes.
  const char* data = bytes.data() == nullptr ? "" : bytes.data();
  TANDEM_ASSERT(sqlite3_bind_blob64(statement_, parameter, data, bytes.size(), SQLITE_STATIC) == SQLITE_OK);
  return *this;
}

Use& Use::text(int parameter, std::string_view characters) {
  const int bound =
      sqlite3_bind_text64(statement_, parameter, characters.data(), characters.size(), SQLITE_STATIC, SQLITE_UTF8);
  TANDEM_ASSERT(bound == SQLITE_OK);
  return *this;
}

Use& Use::integer(int parameter, std::uint64_t value) {
  TANDEM_ASSERT(sqlite3_bind_int64(statement_, parameter, static_cast<sqlite3_int64>(value)) == SQLITE_OK);
  return *this;
}

std::string_view Use::blob_at(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view()
                         : std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::uint64_t Use::integer_at(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(statement_, column));
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, const std::string& vfs, Access access) {
  // A library built without mutexes would corrupt memory as soon as there is a second connection.
  TANDEM_ASSERT(sqlite3_threadsafe() != 0);
  const int common = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  const int mode = access == Access::kReader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int opened =
      sqlite3_open_v2(literal(path).c_str(), &handle, common | mode, vfs.empty() ? nullptr : vfs.c_str());
  if (handle == nullptr) return fail(errors::kStoreOutOfMemory, "not enough memory to open '{}'", path);
  std::unique_ptr<Connection> connection(new Connection(handle, path));
  if (opened != SQLITE_OK) return unexpected<Error>(connection->error(opened));
  if (access == Access::kLock) {
    TANDEM_TRY(connection->execute("PRAGMA journal_mode = MEMORY"));
    return connection;
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  TANDEM_TRY(connection->execute("PRAGMA temp_store = MEMORY"));
  // A read error in a mapped file is a signal, and a stale map has corrupted databases: none, in no connection.
  TANDEM_TRY(connection->execute("PRAGMA mmap_size = 0"));
  TANDEM_TRY_ASSIGN(const std::string mapped, connection->text("PRAGMA mmap_size"));
  TANDEM_ASSERT(mapped.empty() || mapped == "0");
  if (access == Access::kReader) {
    connection->keep_log_on_close();
    TANDEM_TRY(connection->execute("PRAGMA query_only = ON"));
    TANDEM_TRY(connection->execute(fmt::format("PRAGMA cache_size = {}", kReaderCache).c_str()));
    return connection;
  }
  if (sqlite3_db_readonly(handle, "main") != 0) {
    return fail(errors::kFilePermissionDenied, "cannot write '{}': {}", path, advice(errors::kFilePermissionDenied));
  }
  sqlite3_wal_autocheckpoint(handle, 0);
  TANDEM_TRY(connection->execute("PRAGMA synchronous = FULL"));
  TANDEM_TRY(connection->execute(fmt::format("PRAGMA cache_size = {}", kWriterCache).c_str()));
  TANDEM_TRY(connection->execute(fmt::format("PRAGMA journal_size_limit = {}", kLogSizeMax).c_str()));
  return connection;
}

Result<void> Connection::execute(const char* sql) {
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return unexpected<Error>(error(code));
  return {};
}

Result<std::string> Connection::text(const char* sql) {
  TANDEM_TRY_ASSIGN(std::vector<std::string> rows, texts(sql));
  return rows.empty() ? std::string() : std::move(rows.front());
}

Result<std::vector<std::string>> Connection::texts(const char* sql) {
  TANDEM_TRY_ASSIGN(const StatementPtr statement, prepare(sql, 0));
  std::vector<std::string> rows;
  int code = sqlite3_step(statement.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(statement.get())) {
    const unsigned char* value = sqlite3_column_text(statement.get(), 0);
    const int size = sqlite3_column_bytes(statement.get(), 0);
    rows.push_back(value == nullptr ? std::string() : std::string(value, value + size));
  }
  if (code != SQLITE_DONE) return unexpected<Error>(error(code));
  return rows;
}

Result<std::int64_t> Connection::integer(const char* sql) {
  TANDEM_TRY_ASSIGN(const StatementPtr statement, prepare(sql, 0));
  const int code = sqlite3_step(statement.get());
  if (code == SQLITE_DONE) return 0;
  if (code != SQLITE_ROW) return unexpected<Error>(error(code));
  return sqlite3_column_int64(statement.get(), 0);
}

Result<Connection::StatementPtr> Connection::prepare(std::string_view sql, unsigned flags) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()), flags, &statement, nullptr);
  if (code != SQLITE_OK) return unexpected<Error>(error(code));
  return StatementPtr(statement);
}

Result<sqlite3_stmt*> Connection::prepared(StatementPtr& slot, std::string_view sql) {
  TANDEM_TRY_ASSIGN(slot, prepare(sql, SQLITE_PREPARE_PERSISTENT));
  return slot.get();
}

Result<sqlite3_stmt*> Connection::statement(Query query, store::Table table) {
  StatementPtr& slot =
      statements_[static_cast<std::size_t>(query) * store::kNumTables + static_cast<std::size_t>(table)];
  return slot ? Result<sqlite3_stmt*>(slot.get()) : prepared(slot, sql_of(query, table));
}

Result<sqlite3_stmt*> Connection::statement(LogQuery query) {
  StatementPtr& slot = log_statements_[static_cast<std::size_t>(query)];
  return slot ? Result<sqlite3_stmt*>(slot.get()) : prepared(slot, sql_of(query));
}

Error Connection::error(int code) const {
  const int system_error = sqlite3_system_errno(handle());
  const ErrorNumber number = number_of(code, system_error);
  std::string reason = sqlite3_errmsg(handle());
  const int primary = code & 0xff;
  if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && system_error != 0) {
    reason += fmt::format(" ({})", std::strerror(system_error));
  }
  return make_error(number, "'{}': {} [sqlite {}]: {}", path_, reason, code, advice(number));
}

void Connection::keep_log_on_close() { sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr); }

bool is_transient(const Error& error) {
  return error.number == errors::kDiskFull || error.number == errors::kStoreOutOfMemory ||
         error.number == errors::kLockHeld;
}

}  // namespace tandem::sqlite
