#include "tandem/store/sqlite/sqlite_store.h"

#include <algorithm>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/store/connection_pool.h"
#include "tandem/store/sqlite/group_writer.h"
#include "tandem/store/sqlite/schema.h"
#include "tandem/store/sqlite/snapshot.h"
#include "tandem/store/sqlite/writer.h"

namespace tandem::sqlite {

using Readers = store::ConnectionPool<Connection>;
using store::LogEntry;
using store::Row;
using store::Scan;
using store::Table;

namespace {

/// SQLite takes a negative limit as none.
std::uint64_t as_limit(std::size_t limit) { return std::min<std::uint64_t>(limit, kNoLimit); }

/// Steps through all rows of `use`.
template <typename TakeRow>
Result<void> for_each_row(const Connection& connection, Use& use, TakeRow take) {
  int code = use.step();
  for (; code == SQLITE_ROW; code = use.step()) take(use);
  if (code != SQLITE_DONE) return unexpected<Error>(connection.error(code));
  return {};
}

std::function<Result<std::unique_ptr<Connection>>()> reader_of(const std::string& path, const SqliteOptions& options) {
  return [path, vfs = options.vfs] { return Connection::open(path, vfs, Access::kReader); };
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path, SqliteOptions options,
                                                       Executor& executor, Clock& clock, Meter& meter) {
  TANDEM_ASSERT(options.commit_batch_max > 0 && options.readers_max > 0);
  TANDEM_TRY_ASSIGN(auto writer, Writer::open(path, options.vfs, options.checkpoint_bytes));
  auto queue = std::make_unique<store::CommitQueue>(
      std::make_unique<SqliteGroups>(std::move(writer), clock, meter, options.crash_points),
      store::CommitQueueOptions{.batches_max = options.commit_batch_max, .wait = options.commit_wait}, executor, clock,
      meter);
  return std::unique_ptr<SqliteStore>(new SqliteStore(reader_of(path, options), options.readers_max, std::move(queue)));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open_for_reading(const std::string& path, SqliteOptions options) {
  const auto open_reader = reader_of(path, options);
  TANDEM_TRY_ASSIGN(const auto first, open_reader());
  TANDEM_TRY(check_schema(*first));
  return std::unique_ptr<SqliteStore>(new SqliteStore(open_reader, options.readers_max, nullptr));
}

Result<store::Migration> SqliteStore::migrate(const std::string& path, const SqliteOptions& options) {
  TANDEM_TRY_ASSIGN(const auto writer, Writer::open(path, options.vfs, options.checkpoint_bytes));
  return writer->migration();
}

SqliteStore::SqliteStore(const OpenReader& open_reader, std::size_t readers_max,
                         std::unique_ptr<store::CommitQueue> queue)
    : open_reader_(open_reader),
      readers_(std::make_unique<Readers>(open_reader, readers_max)),
      queue_(std::move(queue)) {}

SqliteStore::~SqliteStore() {
  if (queue_ != nullptr) queue_->stop();  // the last answers may still read
  readers_.reset();  // before the writer, which as the last connection puts the whole log into the database
}

void SqliteStore::commit(store::Batch batch, store::CommitDone done) {
  if (queue_ != nullptr) return queue_->push(std::move(batch), std::move(done));
  done(fail(
      errors::kLockHeld,
      "another process has the store and serves nobody, as a `tandem run` does: wait until it ends, or use another "
      "--data"));
}

Result<std::optional<Row>> SqliteStore::get(Table table, std::string_view key) {
  TANDEM_TRY_ASSIGN(const Readers::Lease reader, readers_->take());
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, reader->statement(Query::kGet, table));
  Use use(statement);
  std::optional<Row> row;
  TANDEM_TRY(for_each_row(*reader, use.blob(1, key), [&](const Use& found) {
    row = Row{std::string(key), found.integer_at(0), Bytes(found.blob_at(1))};
  }));
  return row;
}

Result<std::vector<Row>> SqliteStore::scan(const Scan& scan) {
  const bool bounded = !scan.until.empty();
  const Query up = bounded ? Query::kUpUntil : Query::kUp;
  const Query down = bounded ? Query::kDownUntil : Query::kDown;
  TANDEM_TRY_ASSIGN(const Readers::Lease reader, readers_->take());
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, reader->statement(scan.descending ? down : up, scan.table));
  Use use(statement);
  use.blob(1, scan.from).integer(2, as_limit(scan.limit));
  if (bounded) use.blob(3, scan.until);
  std::vector<Row> rows;
  TANDEM_TRY(for_each_row(*reader, use, [&](const Use& found) {
    rows.push_back({std::string(found.blob_at(0)), found.integer_at(1), Bytes(found.blob_at(2))});
  }));
  return rows;
}

Result<std::uint64_t> SqliteStore::count(Table table, std::string_view prefix) {
  TANDEM_TRY_ASSIGN(const Readers::Lease reader, readers_->take());
  std::uint64_t rows = 0;
  const auto take = [&](const Use& found) { rows = found.integer_at(0); };
  if (prefix.empty()) {
    TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, reader->statement(LogQuery::kRows));
    Use use(statement);
    TANDEM_TRY(for_each_row(*reader, use.text(1, to_string(table)), take));
    return rows;
  }
  const Scan range = Scan::prefix(table, std::string(prefix));
  const bool bounded = !range.until.empty();
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement,
                    reader->statement(bounded ? Query::kCountUntil : Query::kCount, table));
  Use use(statement);
  use.blob(1, range.from);
  if (bounded) use.blob(2, range.until);
  TANDEM_TRY(for_each_row(*reader, use, take));
  return rows;
}

Result<std::vector<LogEntry>> SqliteStore::read_log(std::uint64_t after, std::size_t limit, std::string_view subject) {
  TANDEM_TRY_ASSIGN(const Readers::Lease reader, readers_->take());
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement,
                    reader->statement(subject.empty() ? LogQuery::kAfter : LogQuery::kAfterOf));
  Use use(statement);
  use.integer(1, as_limit(after)).integer(2, as_limit(limit));
  if (!subject.empty()) use.blob(3, subject);
  std::vector<LogEntry> entries;
  TANDEM_TRY(for_each_row(*reader, use, [&](const Use& found) {
    entries.push_back({found.integer_at(0), std::string(found.blob_at(1)), Bytes(found.blob_at(2))});
  }));
  return entries;
}

Result<std::unique_ptr<store::Snapshot>> SqliteStore::snapshot() {
  TANDEM_TRY_ASSIGN(auto connection, open_reader_());
  return begin_snapshot(std::move(connection));
}

Result<std::uint64_t> SqliteStore::last_sequence() {
  TANDEM_TRY_ASSIGN(const Readers::Lease reader, readers_->take());
  TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, reader->statement(LogQuery::kLastSequence));
  Use use(statement);
  std::uint64_t sequence = 0;
  TANDEM_TRY(for_each_row(*reader, use, [&](const Use& found) { sequence = found.integer_at(0); }));
  return sequence;
}

}  // namespace tandem::sqlite
