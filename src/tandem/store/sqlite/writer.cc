#include "tandem/store/sqlite/writer.h"

#include <algorithm>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/store/precondition.h"
#include "tandem/store/sqlite/schema.h"

namespace tandem::sqlite {

using store::Append;
using store::Batch;
using store::Check;
using store::Committed;
using store::Erase;
using store::Expect;
using store::Put;
using store::Table;

namespace {

/// Holds an exclusive lock on the empty file "<path>-writer" for as long as it is open.
Result<std::unique_ptr<Connection>> lock_out_other_writers(const std::string& path, const std::string& vfs) {
  TANDEM_TRY_ASSIGN(std::unique_ptr<Connection> lock, Connection::open(path + "-writer", vfs, Access::kLock));
  const auto locked = lock->execute("BEGIN EXCLUSIVE");
  if (!locked && locked.error().number == errors::kLockHeld) {
    return fail(errors::kLockHeld, "'{}' is open in another store: close that one or choose another data directory",
                path);
  }
  TANDEM_TRY(locked);
  return lock;
}

}  // namespace

Writer::Writer(std::unique_ptr<Connection> lock, std::unique_ptr<Connection> connection)
    : lock_(std::move(lock)), connection_(std::move(connection)) {}

Result<std::unique_ptr<Writer>> Writer::open(const std::string& path, const std::string& vfs,
                                             std::uint64_t checkpoint_bytes) {
  // The file first: a path that cannot be a store gets no lock file beside it. Nothing is written before there is a
  // lock.
  TANDEM_TRY_ASSIGN(auto connection, Connection::open(path, vfs, Access::kWriter));
  TANDEM_TRY_ASSIGN(auto lock, lock_out_other_writers(path, vfs));
  std::unique_ptr<Writer> writer(new Writer(std::move(lock), std::move(connection)));
  TANDEM_TRY_ASSIGN(writer->migration_, prepare_schema(*writer->connection_));
  TANDEM_TRY(writer->load(checkpoint_bytes));
  return writer;
}

Result<void> Writer::load(std::uint64_t checkpoint_bytes) {
  TANDEM_TRY_ASSIGN(const std::int64_t page_bytes, connection_->integer("PRAGMA page_size"));
  TANDEM_ASSERT(page_bytes > 0);
  page_bytes_ = static_cast<std::uint64_t>(page_bytes);
  checkpoint_pages_ = std::max<std::uint64_t>(1, checkpoint_bytes / page_bytes_);
  checkpoint_at_pages_ = checkpoint_pages_;
  TANDEM_TRY_ASSIGN(const std::int64_t last, connection_->integer(sql_of(LogQuery::kLastSequence)));
  committed_sequence_ = sequence_ = static_cast<std::uint64_t>(last);
  sqlite3_wal_hook(connection_->handle(), &Writer::on_commit, this);
  // What a crash left in the log belongs into the database before there are readers: recovery stays short next time. On
  // a full disk it stays where it is, and the store can at least be read.
  const auto copied = checkpoint();
  if (!copied && !is_transient(copied.error())) return unexpected<Error>(copied.error());
  return copied && copied->complete ? check_length() : Result<void>();
}

Result<void> Writer::check_length() {
  // SQLite notices when whole pages are missing; a page that is cut reads as if it ended in zeros.
  TANDEM_TRY_ASSIGN(const std::int64_t pages, connection_->integer("PRAGMA page_count"));
  sqlite3_file* file = nullptr;
  sqlite3_int64 bytes = 0;
  sqlite3_file_control(connection_->handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  TANDEM_ASSERT(file != nullptr && file->pMethods != nullptr);
  if (const int code = file->pMethods->xFileSize(file, &bytes); code != SQLITE_OK) {
    return unexpected<Error>(connection_->error(code));
  }
  const std::int64_t expected = pages * static_cast<std::int64_t>(page_bytes_);
  if (bytes >= expected) return {};
  return fail(errors::kStoreDamaged, "'{}' has {} bytes and should have {}: it was truncated, restore the last backup",
              connection_->path(), bytes, expected);
}

int Writer::on_commit(void* self, sqlite3*, const char*, int log_pages) {
  static_cast<Writer*>(self)->log_pages_ = static_cast<std::uint64_t>(log_pages);
  return SQLITE_OK;
}

Result<void> Writer::begin() { return connection_->execute("BEGIN IMMEDIATE"); }

namespace {

/// Its rows are made and erased, and rarely changed.
bool is_written_once(Table table) {
  return table == Table::kJobIndex || table == Table::kBlob || table == Table::kLineage || table == Table::kStep ||
         table == Table::kEvidence;
}

}  // namespace

namespace {

/// The one whose row no other operation of the batch names, so that it may come before them; null where there is none.
const store::Operation* put_with_precondition(const Batch& batch) {
  constexpr std::size_t kOperationsMax = 64;  // of a batch that is searched
  if (batch.operations.size() > kOperationsMax) return nullptr;
  const auto names = [](const store::Operation& operation, const Put& put) {
    return std::visit(
        [&](const auto& other) {
          if constexpr (std::is_same_v<std::decay_t<decltype(other)>, Append>)
            return false;
          else
            return other.table == put.table && other.key == put.key;
        },
        operation);
  };
  for (const store::Operation& operation : batch.operations) {
    const Put* put = std::get_if<Put>(&operation);
    const bool is_tested = put != nullptr && put->version == 0 &&
                           (put->expect.kind == Expect::Kind::kAbsent || put->expect.kind == Expect::Kind::kVersion);
    if (!is_tested) continue;
    const auto count = std::count_if(batch.operations.begin(), batch.operations.end(),
                                     [&](const store::Operation& other) { return names(other, *put); });
    if (count == 1) return &operation;
  }
  return nullptr;
}

}  // namespace

struct Writer::Precondition {
  Writer& writer;
  template <typename RowOperation>
  Result<void> operator()(const RowOperation& operation) const {
    if (operation.expect.kind == Expect::Kind::kAny) return {};
    TANDEM_TRY_ASSIGN(const auto version, writer.version_of(operation.table, operation.key));
    return store::check_expect(operation.table, operation.key, operation.expect, version);
  }
  Result<void> operator()(const Append&) const { return {}; }
};

struct Writer::Effect {
  Writer& writer;
  Committed& committed;

  Result<void> operator()(const Put& put) const {
    if (put.version != 0) return put_at_version(put);
    // The likelier statement first. The other one follows where an operation before this one in the batch changed the
    // row.
    const bool likely_new = put.expect.kind == Expect::Kind::kAbsent || is_written_once(put.table);
    TANDEM_TRY_ASSIGN(bool done,
                      writer.change(likely_new ? Query::kInsert : Query::kUpdate, put.table, put.key, &put.value));
    bool inserted = likely_new && done;
    if (!done) {
      TANDEM_TRY_ASSIGN(done,
                        writer.change(likely_new ? Query::kUpdate : Query::kInsert, put.table, put.key, &put.value));
      inserted = !likely_new;
    }
    TANDEM_ASSERT(done);
    if (inserted) ++writer.added_rows_[static_cast<std::size_t>(put.table)];
    return {};
  }
  Result<void> put_at_version(const Put& put) const {
    TANDEM_TRY((*this)(Erase{put.table, put.key, {}}));
    TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, writer.connection_->statement(Query::kInsertAt, put.table));
    Use use(statement);
    use.blob(1, put.key).blob(2, put.value).integer(3, put.version);
    TANDEM_TRY(writer.run(use));
    ++writer.added_rows_[static_cast<std::size_t>(put.table)];
    return {};
  }
  Result<void> operator()(const Erase& erase) const {
    TANDEM_TRY_ASSIGN(const bool erased, writer.change(Query::kErase, erase.table, erase.key, nullptr));
    if (erased) --writer.added_rows_[static_cast<std::size_t>(erase.table)];
    return {};
  }
  Result<void> operator()(const Check&) const { return {}; }
  Result<void> operator()(const Append& append) const {
    TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, writer.connection_->statement(LogQuery::kAppend));
    Use use(statement);
    use.integer(1, writer.sequence_ + 1).blob(2, append.subject).blob(3, append.value);
    TANDEM_TRY(writer.run(use));
    committed.sequences.push_back(++writer.sequence_);
    return {};
  }
};

Result<Committed> Writer::apply(const Batch& batch) {
  // Every precondition before any effect: a refused batch leaves nothing, so no other batch of the group is undone with
  // it. One put is the last precondition and the first effect, with one statement for both.
  const store::Operation* const first = put_with_precondition(batch);
  for (const store::Operation& operation : batch.operations)
    if (&operation != first) TANDEM_TRY(std::visit(Precondition{*this}, operation));
  if (first != nullptr) TANDEM_TRY(put_where(std::get<Put>(*first)));
  Committed committed;
  for (const store::Operation& operation : batch.operations)
    if (&operation != first) TANDEM_TRY(std::visit(Effect{*this, committed}, operation));
  return committed;
}

Result<void> Writer::put_where(const Put& put) {
  const bool is_new = put.expect.kind == Expect::Kind::kAbsent;
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement,
                    connection_->statement(is_new ? Query::kInsert : Query::kUpdateAt, put.table));
  {
    Use use(statement);
    use.blob(1, put.key).blob(2, put.value);
    if (!is_new) use.integer(3, put.expect.version);
    TANDEM_TRY(run(use));
  }
  if (sqlite3_changes(connection_->handle()) == 0) {
    TANDEM_TRY_ASSIGN(const auto version, version_of(put.table, put.key));
    TANDEM_TRY(store::check_expect(put.table, put.key, put.expect, version));
    return fail(errors::kInternal, "the row '{}' was not written although it is as expected", put.key);
  }
  if (is_new) ++added_rows_[static_cast<std::size_t>(put.table)];
  return {};
}

Result<void> Writer::commit() {
  auto committed = [&]() -> Result<void> {
    for (std::size_t table = 0; table < added_rows_.size(); ++table) {
      if (added_rows_[table] != 0) TANDEM_TRY(add_rows(static_cast<Table>(table), added_rows_[table]));
    }
    return connection_->execute("COMMIT");
  }();
  if (!committed) {
    rollback();
    return committed;
  }
  added_rows_.fill(0);
  committed_sequence_ = sequence_;
  return {};
}

void Writer::rollback() {
  // SQLite may have rolled back by itself (a full disk does). A rollback writes nothing, so it cannot fail for want of
  // space; if it fails for another reason, the next begin() says so.
  if (connection_->in_transaction()) (void)connection_->execute("ROLLBACK");
  added_rows_.fill(0);
  sequence_ = committed_sequence_;
}

Result<Checkpoint> Writer::checkpoint() {
  int log_pages = 0;
  int copied_pages = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(connection_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &copied_pages);
  const bool complete = code == SQLITE_OK && log_pages == copied_pages;
  // Incomplete: a reader still needs older pages. Another try is due once the log has grown by a quarter of its usual
  // size.
  checkpoint_at_pages_ = complete ? checkpoint_pages_ : log_pages_ + std::max<std::uint64_t>(1, checkpoint_pages_ / 4);
  if (complete) log_pages_ = 0;
  if (code != SQLITE_OK && code != SQLITE_BUSY) return unexpected<Error>(connection_->error(code));
  return Checkpoint{.complete = complete};
}

Result<std::optional<std::uint64_t>> Writer::version_of(Table table, std::string_view key) {
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, connection_->statement(Query::kVersion, table));
  Use use(statement);
  const int code = use.blob(1, key).step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return unexpected<Error>(connection_->error(code));
  return use.integer_at(0);
}

Result<bool> Writer::change(Query query, Table table, std::string_view key, const Bytes* value) {
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, connection_->statement(query, table));
  Use use(statement);
  use.blob(1, key);
  if (value != nullptr) use.blob(2, *value);
  TANDEM_TRY(run(use));
  return sqlite3_changes(connection_->handle()) > 0;
}

Result<void> Writer::add_rows(Table table, std::int64_t change) {
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, connection_->statement(LogQuery::kAddRows));
  Use use(statement);
  use.text(1, to_string(table)).integer(2, static_cast<std::uint64_t>(change));
  return run(use);
}

Result<void> Writer::run(Use& use) {
  const int code = use.step();
  if (code != SQLITE_DONE) return unexpected<Error>(connection_->error(code));
  return {};
}

}  // namespace tandem::sqlite
