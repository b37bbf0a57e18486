#include "tandem/store/postgres/group_writer.h"

#include <array>
#include <deque>
#include <new>
#include <unordered_map>

#include "tandem/base/assert.h"
#include "tandem/base/pause.h"
#include "tandem/store/crash_points.h"
#include "tandem/store/postgres/schema.h"
#include "tandem/store/precondition.h"

namespace tandem::postgres {

using store::Append;
using store::Batch;
using store::Check;
using store::Committed;
using store::Erase;
using store::Expect;
using store::Put;
using store::Table;

namespace {

constexpr std::size_t kStatementBytesMax = std::size_t{32}
                                           << 20;  // values in one statement, unless one alone is larger
constexpr auto kResolvePause = std::chrono::milliseconds(100);

/// A row while a group is decided. Views are of the batches, which outlive it.
struct RowState {
  std::optional<std::uint64_t> before;
  std::optional<std::uint64_t> now;
  const Bytes* value = nullptr;
  bool changed = false;
};
using Rows = std::unordered_map<std::string_view, RowState>;

Rows::value_type* find(std::array<Rows, store::kNumTables>& rows, Table table, std::string_view key) {
  const auto found = rows[static_cast<std::size_t>(table)].find(key);
  TANDEM_ASSERT(found != rows[static_cast<std::size_t>(table)].end());
  return &*found;
}

}  // namespace

struct PostgresGroups::Changes {
  std::array<Rows, store::kNumTables> rows;
  std::vector<const Append*> appended;
  std::int64_t sequence = 0;
  std::vector<std::int64_t> counts;
  bool any = false;

  void name_rows(const Batch& batch) {
    const auto name = [&](const auto& operation) {
      if constexpr (!std::is_same_v<std::decay_t<decltype(operation)>, Append>)
        rows[static_cast<std::size_t>(operation.table)].try_emplace(operation.key);
    };
    for (const store::Operation& operation : batch.operations) std::visit(name, operation);
  }

  Result<void> check(const Batch& batch) {
    const auto expect = [&](const auto& operation) -> Result<void> {
      if constexpr (std::is_same_v<std::decay_t<decltype(operation)>, Append>)
        return {};
      else
        return store::check_expect(operation.table, operation.key, operation.expect,
                                   find(rows, operation.table, operation.key)->second.now);
    };
    for (const store::Operation& operation : batch.operations) TANDEM_TRY(std::visit(expect, operation));
    return {};
  }

  struct Effect {
    Changes& changes;
    Committed& committed;
    void operator()(const Put& put) const {
      RowState& row = find(changes.rows, put.table, put.key)->second;
      if (!row.now) ++changes.counts[static_cast<std::size_t>(put.table)];
      row.now = put.version != 0 ? put.version : row.now.value_or(0) + 1;
      row.value = &put.value;
      row.changed = true;
    }
    void operator()(const Erase& erase) const {
      RowState& row = find(changes.rows, erase.table, erase.key)->second;
      if (row.now) --changes.counts[static_cast<std::size_t>(erase.table)];
      row.now.reset();
      row.value = nullptr;
      row.changed = true;
    }
    void operator()(const Check&) const {}
    void operator()(const Append& append) const {
      changes.appended.push_back(&append);
      committed.sequences.push_back(static_cast<std::uint64_t>(++changes.sequence));
    }
  };
  Committed apply(const Batch& batch) {
    Committed committed;
    for (const store::Operation& operation : batch.operations) std::visit(Effect{*this, committed}, operation);
    any = true;
    return committed;
  }
};

Result<std::unique_ptr<PostgresGroups>> PostgresGroups::open(Address address, const PostgresOptions& options,
                                                             std::string id, Executor& executor, const Clock& clock,
                                                             Signals& signals) {
  std::unique_ptr<PostgresGroups> out(
      new PostgresGroups(std::move(address), options, std::move(id), executor, clock, signals));
  TANDEM_TRY(out->connect());
  return out;
}

Result<void> PostgresGroups::connect() {
  if (connection_ != nullptr && !connection_->broken()) return {};
  connection_.reset();
  TANDEM_TRY_ASSIGN(connection_, Connection::open(address_, options_.answer_wait, clock_));
  // Again on every connect: a server that was restored from a backup may have another schema than the one we knew.
  auto ready = prepare_schema(*connection_, address_.shown).map([](const store::Migration&) {});
  if (ready) ready = connection_->run(statement(CommonQuery::kForgetWriters)).map([](const Answer&) {});
  if (!ready) connection_.reset();
  return ready;
}

Result<void> PostgresGroups::write(std::span<const Batch* const> group, store::Answers& answers) {
  std::size_t bytes = 0;
  for (const Batch* batch : group) bytes += store::size_bytes(*batch);
  auto done = attempt(group, answers);
  // A session that was lost while nothing was asked of it is no reason to refuse anybody.
  if (!done && !committing_ && connection_ != nullptr && connection_->broken()) {
    answers.clear();
    done = attempt(group, answers);
  }
  if (!done && done.error().number == errors::kLockHeld) end_stopped_sessions();
  if (bytes > kStatementBytesMax) connection_.reset();  // libpq keeps its buffer as large as it ever was
  return done;
}

Result<void> PostgresGroups::attempt(std::span<const Batch* const> group, store::Answers& answers) {
  committing_ = false;
  TANDEM_TRY(connect());
  try {
    Changes changes;
    for (const Batch* batch : group) changes.name_rows(*batch);
    auto done = transact(changes, group, answers);
    if (!done) roll_back();  // the end of the session does the same
    return done;
  } catch (const std::bad_alloc&) {
    connection_.reset();
    Error error = make_error(errors::kStoreOutOfMemory, "not enough memory to send {} batches", group.size());
    return committing_ ? resolve(error) : Result<void>(unexpected<Error>(std::move(error)));
  }
}

void PostgresGroups::end_stopped_sessions() {
  if (connection_ == nullptr || connection_->broken()) return;
  (void)connection_->run(statement(CommonQuery::kEndStopped));
}

void PostgresGroups::roll_back() {
  if (connection_ != nullptr && !connection_->broken() && connection_->in_transaction())
    (void)connection_->run(statement(CommonQuery::kRollback));
}

Result<void> PostgresGroups::transact(Changes& changes, std::span<const Batch* const> group, store::Answers& answers) {
  connection_->send(statement(CommonQuery::kBegin));
  connection_->send(statement(CommonQuery::kHead));
  std::deque<std::vector<std::string_view>> keys;
  std::vector<std::size_t> asked;
  for (std::size_t table = 0; table < changes.rows.size(); ++table) {
    if (changes.rows[table].empty()) continue;
    auto& names = keys.emplace_back();
    for (const auto& [key, row] : changes.rows[table]) names.push_back(key);
    connection_->send(statement(Query::kVersions, static_cast<Table>(table)), Params().byte_strings(names));
    asked.push_back(table);
  }
  TANDEM_TRY_ASSIGN(const std::vector<Answer> known, connection_->finish());
  const Answer& head = known.at(1);
  if (head.num_rows() != 1)
    return fail(errors::kStoreDamaged, "{} has no head: restore the last backup", address_.shown);
  if (head.null(0, 2) || head.integer(0, 2) != static_cast<std::int64_t>(migrations().size()))
    return fail(errors::kStoreNewer, "{} was migrated by another version while this one ran: start this one again",
                address_.shown);
  changes.sequence = head.integer(0, 0);
  changes.counts = head.integers(0, 1);
  if (changes.counts.size() != store::kNumTables)
    return fail(errors::kStoreDamaged, "{} counts {} tables instead of {}: restore the last backup", address_.shown,
                changes.counts.size(), store::kNumTables);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Answer& versions = known.at(2 + i);
    for (std::size_t row = 0; row < versions.num_rows(); ++row) {
      RowState& state = find(changes.rows, static_cast<Table>(asked[i]), versions.bytes(row, 0))->second;
      state.before = state.now = static_cast<std::uint64_t>(versions.integer(row, 1));
    }
  }
  for (const Batch* batch : group) {
    // Every precondition before any effect: a refused batch leaves nothing.
    if (auto holds = changes.check(*batch); holds)
      answers.emplace_back(changes.apply(*batch));
    else
      answers.emplace_back(unexpected<Error>(std::move(holds).error()));
  }
  if (!changes.any) {
    TANDEM_TRY(connection_->run(statement(CommonQuery::kRollback)));
    return {};
  }
  TANDEM_TRY(write_rows(changes));
  ++mark_;
  connection_->send(statement(CommonQuery::kSetHead), Params().integer(changes.sequence).integers(changes.counts));
  connection_->send(statement(CommonQuery::kSetMark), Params().bytes(id_).integer(mark_));
  reach(one_of(store::kPoints, "postgres.before_commit"));
  connection_->send(statement(CommonQuery::kCommit));
  committing_ = true;
  const auto committed = connection_->finish([this] { reach(one_of(store::kPoints, "postgres.after_send")); });
  reach(one_of(store::kPoints, "postgres.after_commit"));
  if (committed) return {};
  return connection_->broken() ? resolve(committed.error()) : Result<void>(unexpected<Error>(committed.error()));
}

Result<void> PostgresGroups::write_rows(const Changes& changes) {
  std::vector<std::string_view> keys;
  std::vector<std::string_view> values;
  std::vector<std::int64_t> numbers;
  std::size_t bytes = 0;
  // libpq copies what it is given to send; a large group goes out in parts, so that it is not held three times.
  const auto flush = [&](const Statement& statement) -> Result<void> {
    if (keys.empty()) return {};
    connection_->send(statement, Params().byte_strings(keys).integers(numbers).byte_strings(values));
    keys.clear();
    values.clear();
    numbers.clear();
    if (std::exchange(bytes, 0) < kStatementBytesMax) return {};
    return connection_->finish().map([](const std::vector<Answer>&) {});
  };
  for (std::size_t table = 0; table < changes.rows.size(); ++table) {
    const Statement& put = statement(Query::kPut, static_cast<Table>(table));
    std::vector<std::string_view> erased;
    for (const auto& [key, row] : changes.rows[table]) {
      if (!row.changed) continue;
      if (!row.now) {
        if (row.before) erased.push_back(key);
        continue;
      }
      keys.push_back(key);
      numbers.push_back(static_cast<std::int64_t>(*row.now));
      values.push_back(*row.value);
      bytes += key.size() + row.value->size();
      if (bytes >= kStatementBytesMax) TANDEM_TRY(flush(put));
    }
    TANDEM_TRY(flush(put));
    if (!erased.empty())
      connection_->send(statement(Query::kErase, static_cast<Table>(table)), Params().byte_strings(erased));
  }
  const Statement& append = statement(CommonQuery::kAppend);
  std::int64_t sequence = changes.sequence - static_cast<std::int64_t>(changes.appended.size());
  std::vector<std::string_view> subjects;
  std::vector<std::string_view> events;
  std::vector<std::int64_t> sequences;
  for (std::size_t i = 0; i < changes.appended.size(); ++i) {
    sequences.push_back(++sequence);
    subjects.push_back(changes.appended[i]->subject);
    events.push_back(changes.appended[i]->value);
    bytes += subjects.back().size() + events.back().size();
    if (bytes < kStatementBytesMax && i + 1 < changes.appended.size()) continue;
    connection_->send(append, Params().integers(sequences).byte_strings(subjects).byte_strings(events));
    if (std::exchange(bytes, 0) >= kStatementBytesMax) TANDEM_TRY(connection_->finish());
    sequences.clear();
    subjects.clear();
    events.clear();
  }
  return {};
}

Result<void> PostgresGroups::resolve(const Error& lost) {
  const Deadline deadline = Deadline::after(clock_, options_.doubt_wait);
  while (true) {
    const auto asked = [&]() -> Result<std::int64_t> {
      TANDEM_TRY(connect());
      // Whoever holds the head is done when we have it: what the lost session did is then decided.
      connection_->send(statement(CommonQuery::kBegin));
      connection_->send(statement(CommonQuery::kHead));
      connection_->send(statement(CommonQuery::kMark), Params().bytes(id_));
      connection_->send(statement(CommonQuery::kCommit));
      TANDEM_TRY_ASSIGN(const std::vector<Answer> answers, connection_->finish());
      return answers.at(2).num_rows() == 0 ? 0 : answers.at(2).integer(0, 0);
    }();
    if (asked && *asked == mark_) return {};
    if (asked) return unexpected<Error>(lost);  // nothing was written
    roll_back();
    const bool may_pass =
        asked.error().number == errors::kStoreUnreachable || asked.error().number == errors::kLockHeld;
    if (!may_pass || deadline.expired(clock_)) {
      return fail(errors::kIoError, "{}; what became of the last commit could not be found out: {}", lost.message,
                  asked.error().message);
    }
    pause(executor_, kResolvePause, {});
  }
}

bool PostgresGroups::may_go_on(const Error& error) const {
  for (const ErrorNumber number : {errors::kStoreUnreachable, errors::kDiskFull, errors::kStoreOutOfMemory})
    if (error.number == number) return true;
  return error.number == errors::kLockHeld;  // somebody holds a lock on our tables
}

Result<void> PostgresGroups::maintain(bool /*out_of_space*/) {
  signals_.changed();
  return {};
}

}  // namespace tandem::postgres
