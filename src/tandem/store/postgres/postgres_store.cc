#include "tandem/store/postgres/postgres_store.h"

#include <algorithm>
#include <array>
#include <limits>

#include "tandem/base/assert.h"
#include "tandem/store/connection_pool.h"
#include "tandem/store/postgres/group_writer.h"
#include "tandem/store/postgres/log_rows.h"
#include "tandem/store/postgres/schema.h"
#include "tandem/store/postgres/signals.h"
#include "tandem/store/postgres/snapshot.h"

namespace tandem::postgres {

using store::LogEntry;
using store::Row;
using store::Scan;
using store::Table;

namespace {

constexpr std::size_t kWriterIdBytes = 16;
constexpr std::size_t kSessionBytesMax = std::size_t{32} << 20;

std::int64_t as_integer(std::uint64_t value) {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(value, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())));
}

/// One statement on a session of the pool. Reading twice is harmless, so a session that was lost meanwhile gets a second try.
Result<Answer> read(store::ConnectionPool<Connection>& readers, const Statement& statement, const Params& params) {
  for (bool again = false;; again = true) {
    TANDEM_TRY_ASSIGN(auto session, readers.take());
    auto answer = session->run(statement, params);
    // libpq keeps its buffer as large as the largest answer was.
    if (answer && answer->memory_bytes() > kSessionBytesMax) session.drop();
    if (answer || !session->broken()) return answer;
    session.drop();
    if (again) return answer;
    readers.drop_idle();
  }
}

std::unique_ptr<store::ConnectionPool<Connection>> readers_of(const Address& where, const PostgresOptions& options,
                                                              const Clock& clock) {
  return std::make_unique<store::ConnectionPool<Connection>>(
      [where, wait = options.answer_wait, &clock] { return Connection::open(where, wait, clock); },
      options.readers_max);
}

std::function<Result<std::unique_ptr<store::Snapshot>>()> snapshots_of(const Address& where,
                                                                       const PostgresOptions& options,
                                                                       const Clock& clock) {
  return [where, wait = options.answer_wait, &clock] { return begin_snapshot(where, wait, clock); };
}

}  // namespace

Result<std::unique_ptr<PostgresStore>> PostgresStore::open(const std::string& address, PostgresOptions options,
                                                           Executor& executor, const Clock& clock, Rng& rng,
                                                           Meter& meter) {
  TANDEM_ASSERT(options.commit_batch_max > 0 && options.readers_max > 0);
  TANDEM_TRY_ASSIGN(const Address where, Address::parse(address));
  std::array<std::uint8_t, kWriterIdBytes> id{};
  rng.fill(id);
  auto signals = std::make_unique<Signals>(where, options.answer_wait, executor, clock);
  TANDEM_TRY_ASSIGN(auto writer,
                    PostgresGroups::open(where, options, std::string(id.begin(), id.end()), executor, clock, *signals));
  auto queue = std::make_unique<store::CommitQueue>(
      std::move(writer),
      store::CommitQueueOptions{.batches_max = options.commit_batch_max, .wait = options.commit_wait}, executor, clock,
      meter);
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(signals), readers_of(where, options, clock),
                                                          snapshots_of(where, options, clock), std::move(queue)));
}

Result<std::unique_ptr<PostgresStore>> PostgresStore::open_for_reading(const std::string& address,
                                                                       PostgresOptions options, const Clock& clock) {
  TANDEM_TRY_ASSIGN(const Address where, Address::parse(address));
  TANDEM_TRY_ASSIGN(const auto first, Connection::open(where, options.answer_wait, clock));
  TANDEM_TRY(check_schema(*first, where.shown));
  return std::unique_ptr<PostgresStore>(
      new PostgresStore(nullptr, readers_of(where, options, clock), snapshots_of(where, options, clock), nullptr));
}

Result<store::Migration> PostgresStore::migrate(const std::string& address, PostgresOptions options,
                                                const Clock& clock) {
  TANDEM_TRY_ASSIGN(const Address where, Address::parse(address));
  TANDEM_TRY_ASSIGN(const auto session, Connection::open(where, options.answer_wait, clock));
  return prepare_schema(*session, where.shown);
}

PostgresStore::PostgresStore(std::unique_ptr<Signals> signals, std::unique_ptr<Readers> readers,
                             OpenSnapshot open_snapshot, std::unique_ptr<store::CommitQueue> queue)
    : signals_(std::move(signals)),
      readers_(std::move(readers)),
      open_snapshot_(std::move(open_snapshot)),
      queue_(std::move(queue)) {}

std::unique_ptr<Timer> PostgresStore::watch(std::function<void()> on_change) {
  return signals_ == nullptr ? nullptr : signals_->watch(std::move(on_change));
}

PostgresStore::~PostgresStore() {
  if (queue_ != nullptr) queue_->stop();  // the last answers may still read
}

void PostgresStore::commit(store::Batch batch, store::CommitDone done) {
  if (queue_ != nullptr) return queue_->push(std::move(batch), std::move(done));
  done(fail(errors::kStoreClosed, "the store was opened to be read"));
}

Result<std::optional<Row>> PostgresStore::get(Table table, std::string_view key) {
  TANDEM_TRY_ASSIGN(const Answer answer, read(*readers_, statement(Query::kGet, table), Params().bytes(key)));
  if (answer.num_rows() == 0) return std::optional<Row>();
  return std::optional<Row>(
      Row{std::string(key), static_cast<std::uint64_t>(answer.integer(0, 0)), Bytes(answer.bytes(0, 1))});
}

Result<std::vector<Row>> PostgresStore::scan(const Scan& scan) {
  const bool bounded = !scan.until.empty();
  const Query up = bounded ? Query::kUpUntil : Query::kUp;
  const Query down = bounded ? Query::kDownUntil : Query::kDown;
  Params params;
  params.bytes(scan.from).integer(as_integer(scan.limit));
  if (bounded) params.bytes(scan.until);
  TANDEM_TRY_ASSIGN(const Answer answer, read(*readers_, statement(scan.descending ? down : up, scan.table), params));
  std::vector<Row> rows;
  rows.reserve(answer.num_rows());
  for (std::size_t i = 0; i < answer.num_rows(); ++i) {
    rows.push_back(
        {std::string(answer.bytes(i, 0)), static_cast<std::uint64_t>(answer.integer(i, 1)), Bytes(answer.bytes(i, 2))});
  }
  return rows;
}

Result<std::uint64_t> PostgresStore::count(Table table, std::string_view prefix) {
  Params params;
  const Statement* counting = &statement(CommonQuery::kRows);
  const Scan range = Scan::prefix(table, std::string(prefix));
  if (prefix.empty()) {
    params.integer(static_cast<std::int64_t>(table) + 1);
  } else {
    params.bytes(range.from);
    if (!range.until.empty()) params.bytes(range.until);
    counting = &statement(range.until.empty() ? Query::kCount : Query::kCountUntil, table);
  }
  TANDEM_TRY_ASSIGN(const Answer answer, read(*readers_, *counting, params));
  if (answer.num_rows() != 1 || answer.null(0, 0))
    return fail(errors::kStoreDamaged, "the store has no count of its rows: restore the last backup");
  return static_cast<std::uint64_t>(answer.integer(0, 0));
}

Result<std::vector<LogEntry>> PostgresStore::read_log(std::uint64_t after, std::size_t limit,
                                                      std::string_view subject) {
  Params params;
  params.integer(as_integer(after)).integer(as_integer(limit));
  if (!subject.empty()) params.bytes(subject);
  TANDEM_TRY_ASSIGN(const Answer answer,
                    read(*readers_, statement(subject.empty() ? CommonQuery::kAfter : CommonQuery::kAfterOf), params));
  return entries_of(answer, after, limit);
}

Result<std::uint64_t> PostgresStore::last_sequence() {
  TANDEM_TRY_ASSIGN(const Answer answer, read(*readers_, statement(CommonQuery::kLastSequence), Params()));
  if (answer.num_rows() != 1) return fail(errors::kStoreDamaged, "the store has no head: restore the last backup");
  return static_cast<std::uint64_t>(answer.integer(0, 0));
}

Result<std::unique_ptr<store::Snapshot>> PostgresStore::snapshot() { return open_snapshot_(); }

Result<Timestamp> PostgresStore::now() {
  TANDEM_TRY_ASSIGN(const Answer answer, read(*readers_, statement(CommonQuery::kNow), Params()));
  return Timestamp{answer.integer(0, 0)};
}

Result<std::string> PostgresStore::unsafe_settings() {
  TANDEM_TRY_ASSIGN(const Answer answer, read(*readers_, statement(CommonQuery::kUnsafe), Params()));
  return std::string(answer.bytes(0, 0));
}

}  // namespace tandem::postgres
