#include "tandem/store/postgres/group_writer.h"

#include <algorithm>
#include <new>

#include "tandem/base/assert.h"
#include "tandem/base/pause.h"
#include "tandem/store/crash_points.h"
#include "tandem/store/postgres/log_rows.h"
#include "tandem/store/postgres/schema.h"
#include "tandem/store/precondition.h"

namespace tandem::postgres {

using store::Batch;
using store::Committed;
using store::Table;
using Before = PlannedRow::Before;

namespace {

constexpr std::size_t kStatementBytesMax = std::size_t{32}
                                           << 20;  // values in one statement, unless one alone is larger
constexpr auto kResolvePause = std::chrono::milliseconds(100);

// In a group of so many batches the server goes on to what others wait for, above all the head, while its word on the rows is on its
// way to us: it would have nothing to do meanwhile. With larger groups processors are busy, and our thread may take long to come to its
// turn: then nothing that others wait for is to be held.
constexpr std::size_t kTogetherMax = 16;
// So many rows that others may wait for are confirmed with the group's own, each by a statement of its own: a quicker one, which needs
// nothing to compare what it found. There is one as a rule, the document that the jobs share.
constexpr std::size_t kAloneMax = 4;

/// After which errors the same group may do better where nobody else writes, or is told better why not: something was not as expected,
/// or two writers waited for each other.
bool is_conflict(std::string_view state) {
  constexpr std::string_view kUniqueViolation = "23505";
  constexpr std::string_view kNotNullViolation = "23502";  // there is no head
  constexpr std::string_view kRolledBack = "40";  // the class: deadlock, serialization
  return state == kNotAsExpected || state == kUniqueViolation || state == kNotNullViolation ||
         state.starts_with(kRolledBack);
}

std::int64_t schema_version() { return static_cast<std::int64_t>(migrations().size()); }

/// What a plan does to one table. Each list has its keys ascending: writers that name the same rows wait for them in one order.
struct TableChanges {
  using Entry = GroupPlan::Rows::value_type;
  using Entries = std::vector<const Entry*>;
  Entries inserted;
  Entries updated;  ///< at a version
  Entries put_again;  ///< at any version: rows that many share
  Entries erased;
  Entries checked;

  explicit TableChanges(const GroupPlan::Rows& rows) {
    for (const Entry& entry : rows) {
      const PlannedRow& row = entry.second;
      if (!row.matters) continue;
      if (row.value == nullptr)
        (row.there() && !row.now ? erased : checked).push_back(&entry);
      else
        (!row.there() ? inserted : row.before == Before::kVersion ? updated : put_again).push_back(&entry);
    }
    for (Entries* list : {&inserted, &updated, &put_again, &erased, &checked})
      std::sort(list->begin(), list->end(), [](const Entry* a, const Entry* b) { return a->first < b->first; });
  }
};

/// The columns of a statement's rows.
struct Columns {
  std::vector<std::string_view> keys;
  std::vector<std::string_view> values;
  std::vector<std::int64_t> expected;
  std::vector<std::int64_t> versions;
  std::size_t bytes = 0;

  void add(const TableChanges::Entry& entry) {
    const auto& [key, row] = entry;
    keys.push_back(key);
    expected.push_back(row.expected());
    versions.push_back(row.now.value_or(0));
    values.push_back(row.value == nullptr ? std::string_view() : std::string_view(*row.value));
    bytes += key.size() + values.back().size();
  }
};

/// From the answers to ask_versions().
void learn(GroupPlan& plan, std::span<const Answer> known) {
  plan.begin_surely();
  auto versions = known.begin();
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    if (plan.rows(table).empty()) continue;
    for (std::size_t row = 0; row < versions->num_rows(); ++row)
      plan.know(table, versions->bytes(row, 0), static_cast<std::uint64_t>(versions->integer(row, 1)));
    ++versions;
  }
}

/// Decides all batches, and adds an answer for each with sequences that count from 1.
Result<void> decide(GroupPlan& plan, std::span<const Batch* const> group, store::Answers& answers) {
  for (const Batch* batch : group) {
    std::uint64_t sequence = plan.appended().size();
    if (auto decided = plan.decide(*batch); !decided) {
      if (!plan.is_sure()) return decided;
      answers.emplace_back(unexpected<Error>(std::move(decided).error()));
      continue;
    }
    Committed committed;
    while (sequence < plan.appended().size()) committed.sequences.push_back(++sequence);
    answers.emplace_back(std::move(committed));
  }
  return {};
}

/// `last`: of the log, after the commit.
void number(store::Answers& answers, std::uint64_t last) {
  std::uint64_t before = last;
  for (const auto& answer : answers) before -= answer ? answer->sequences.size() : 0;
  for (auto& answer : answers)
    if (answer)
      for (std::uint64_t& sequence : answer->sequences) sequence += before;
}

/// libpq copies what it is given to send; a large group goes out in parts, so that it is not held three times.
Result<void> send_entries(Connection& connection, Query query, std::size_t table,
                          const TableChanges::Entries& entries) {
  const Statement& chosen = statement(query, static_cast<Table>(table));
  for (std::size_t i = 0; i < entries.size();) {
    Columns columns;
    while (i < entries.size() && columns.bytes < kStatementBytesMax) columns.add(*entries[i++]);
    Params params;
    params.byte_strings(columns.keys);
    if (query != Query::kInsert) params.integers(columns.expected);
    if (query != Query::kErase) params.integers(columns.versions).byte_strings(columns.values);
    connection.send(chosen, params);
    if (columns.bytes >= kStatementBytesMax) TANDEM_TRY(connection.finish());
  }
  return {};
}

/// The rows that are the jobs' own.
Result<void> send_own_rows(Connection& connection, const std::vector<TableChanges>& changes) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    TANDEM_TRY(send_entries(connection, Query::kUpdate, i, changes[i].updated));
    TANDEM_TRY(send_entries(connection, Query::kInsert, i, changes[i].inserted));
    TANDEM_TRY(send_entries(connection, Query::kErase, i, changes[i].erased));
  }
  return {};
}

/// The others: whoever else puts these waits until we are done, so they are written as late as can be.
Result<void> send_shared_rows(Connection& connection, const std::vector<TableChanges>& changes) {
  for (std::size_t i = 0; i < changes.size(); ++i)
    TANDEM_TRY(send_entries(connection, Query::kUpdate, i, changes[i].put_again));
  return {};
}

/// The same, each in a statement of its own.
void send_shared_rows_alone(Connection& connection, const std::vector<TableChanges>& changes) {
  for (std::size_t i = 0; i < changes.size(); ++i) {
    for (const TableChanges::Entry* entry : changes[i].put_again) {
      const auto& [key, row] = *entry;
      connection.send(statement(Query::kPutAgain, static_cast<Table>(i)),
                      Params().bytes(key).integer(row.now.value_or(0)).bytes(*row.value));
    }
  }
}

std::vector<TableChanges> changes_of(const GroupPlan& plan) {
  std::vector<TableChanges> out;
  for (std::size_t i = 0; i < store::kNumTables; ++i) out.emplace_back(plan.rows(static_cast<Table>(i)));
  return out;
}

/// Returns the number of statements.
Result<std::size_t> send_log(Connection& connection, const std::vector<const store::Append*>& appended,
                             std::string_view mark) {
  std::size_t sent = 0;
  for (std::size_t i = 0; i < appended.size(); ++sent) {
    const std::size_t first = i;
    std::size_t bytes = 0;
    for (; i < appended.size() && bytes < kStatementBytesMax; ++i)
      bytes += appended[i]->subject.size() + appended[i]->value.size();
    connection.send(statement(CommonQuery::kAppend),
                    append_params(std::span(appended).subspan(first, i - first),
                                  static_cast<std::int64_t>(appended.size() - first), mark));
    if (bytes >= kStatementBytesMax) TANDEM_TRY(connection.finish());
  }
  return sent;
}

/// Of rows that are not written. Returns the number of statements.
std::size_t send_checks(Connection& connection, const std::vector<TableChanges>& changes) {
  std::size_t sent = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].checked.empty()) continue;
    Columns columns;
    for (const TableChanges::Entry* entry : changes[i].checked) columns.add(*entry);
    connection.send(statement(Query::kCheck, static_cast<Table>(i)),
                    Params().byte_strings(columns.keys).integers(columns.expected));
    ++sent;
  }
  return sent;
}

}  // namespace

struct PostgresGroups::Changes {
  std::vector<TableChanges> tables;
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
  if (connection_ != nullptr && !connection_->ended_meanwhile()) return {};
  connection_.reset();
  TANDEM_TRY_ASSIGN(connection_, Connection::open(address_, options_.answer_wait, clock_));
  const auto prepare = [&]() -> Result<void> {
    // Again on every connect: a server that was restored from a backup may have another schema than the one we knew.
    TANDEM_TRY(prepare_schema(*connection_, address_.shown));
    connection_->send(statement(CommonQuery::kForgetWriters));
    connection_->send(statement(CommonQuery::kLastSequence));
    TANDEM_TRY_ASSIGN(const std::vector<Answer> answers, connection_->finish());
    log_before_ = answers.at(1).num_rows() == 1 ? answers.at(1).integer(0, 0) : 0;
    return {};
  };
  auto ready = prepare();
  if (!ready) connection_.reset();
  return ready;
}

Result<void> PostgresGroups::write(Group group, store::Answers& answers) {
  std::size_t bytes = 0;
  for (const Batch* batch : group) bytes += store::size_bytes(*batch);
  Written written = std::nullopt;
  if (bytes < kStatementBytesMax) {  // what goes out in parts cannot be undone by the server alone
    written = attempt(&PostgresGroups::write_quickly, group, answers);
    if (written && !*written) written = attempt(&PostgresGroups::write_informed, group, answers);
  }
  if (written && !*written) written = attempt(&PostgresGroups::write_surely, group, answers);
  // A session that was lost while nothing was asked of it is no reason to refuse anybody.
  if (!written && !committing_ && connection_ != nullptr && connection_->broken())
    written = attempt(&PostgresGroups::write_surely, group, answers);
  if (!written && written.error().number == errors::kLockHeld) end_stopped_sessions();
  if (bytes >= kStatementBytesMax) connection_.reset();  // libpq keeps its buffer as large as it ever was
  if (!written) return unexpected<Error>(std::move(written).error());
  number(answers, static_cast<std::uint64_t>(**written));
  return {};
}

PostgresGroups::Written PostgresGroups::attempt(Way way, Group group, store::Answers& answers) {
  committing_ = false;
  answers.clear();
  try {
    TANDEM_TRY(connect());
    return (this->*way)(group, answers);
  } catch (const std::bad_alloc&) {
    connection_.reset();
    Error error = make_error(errors::kStoreOutOfMemory, "not enough memory to send {} batches", group.size());
    if (!committing_) return unexpected<Error>(std::move(error));
    auto written = resolve(error);
    return written && !*written ? Written(unexpected<Error>(std::move(error))) : written;
  }
}

PostgresGroups::Written PostgresGroups::write_quickly(Group group, store::Answers& answers) {
  GroupPlan plan(group, presence_);
  // A refusal that rests on a guess, or on what another batch expects, is none.
  if (!decide(plan, group, answers)) return std::nullopt;
  return write_confirmed(plan, group.size());
}

PostgresGroups::Written PostgresGroups::write_informed(Group group, store::Answers& answers) {
  GroupPlan plan(group, presence_);
  ask_versions(plan);
  TANDEM_TRY_ASSIGN(const std::vector<Answer> known, connection_->finish());
  learn(plan, known);
  TANDEM_TRY(decide(plan, group, answers));
  return plan.any() ? write_confirmed(plan, group.size()) : 0;
}

PostgresGroups::Written PostgresGroups::write_confirmed(const GroupPlan& plan, std::size_t batches) {
  connection_->send(statement(CommonQuery::kJoin));
  const Changes changes{changes_of(plan)};
  TANDEM_TRY(send_own_rows(*connection_, changes.tables));
  // The commit is sent when the server has confirmed the rows: if it goes away before, it has done nothing, and nothing has to be
  // found out.
  const bool together = batches <= kTogetherMax;
  std::size_t shared = 0;
  for (const TableChanges& table : changes.tables) shared += table.put_again.size();
  const bool alone = together && shared <= kAloneMax;
  if (alone) send_shared_rows_alone(*connection_, changes.tables);
  connection_->ask_to_confirm();
  const auto send_rest = [&]() -> Result<std::size_t> {
    if (!alone) TANDEM_TRY(send_shared_rows(*connection_, changes.tables));
    return send_head(plan, changes);
  };
  Result<std::size_t> sent = 0;
  if (together) sent = send_rest();
  const auto confirmed = connection_->confirm();
  if (!confirmed) return after(confirmed.error());
  if (alone && std::any_of(confirmed->end() - static_cast<std::ptrdiff_t>(shared), confirmed->end(),
                           [](const Answer& answer) { return answer.num_changed() != 1; })) {
    (void)connection_->run(statement(CommonQuery::kUndo));
    return std::nullopt;
  }
  if (!together) sent = send_rest();
  TANDEM_TRY(sent);
  reach(one_of(store::kPoints, "postgres.before_commit"));
  committing_ = true;
  const auto answered = connection_->finish([this] { reach(one_of(store::kPoints, "postgres.after_send")); });
  reach(one_of(store::kPoints, "postgres.after_commit"));
  if (!answered) return after(answered.error());
  plan.remember();
  log_before_ = answered->at(answered->size() - *sent).integer(0, 0);
  return log_before_;
}

PostgresGroups::Written PostgresGroups::write_surely(Group group, store::Answers& answers) {
  const auto give_up = [this](Error error) -> Written {
    if (connection_ != nullptr && !connection_->broken() && connection_->in_transaction())
      (void)connection_->run(statement(CommonQuery::kRollback));  // the end of the session does the same
    return unexpected<Error>(std::move(error));
  };
  GroupPlan plan(group, presence_);
  const auto sequence = read_alone(plan);
  if (!sequence) return give_up(sequence.error());
  TANDEM_TRY(decide(plan, group, answers));
  if (!plan.any()) {
    TANDEM_TRY(connection_->run(statement(CommonQuery::kRollback)));
    return *sequence;
  }
  const Changes changes{changes_of(plan)};
  if (const auto sent = send_own_rows(*connection_, changes.tables); !sent) return give_up(sent.error());
  if (const auto sent = send_shared_rows(*connection_, changes.tables); !sent) return give_up(sent.error());
  if (const auto sent = send_head(plan, changes); !sent) return give_up(sent.error());
  reach(one_of(store::kPoints, "postgres.before_commit"));
  connection_->send(statement(CommonQuery::kCommit));
  committing_ = true;
  const auto answered = connection_->finish([this] { reach(one_of(store::kPoints, "postgres.after_send")); });
  reach(one_of(store::kPoints, "postgres.after_commit"));
  if (!answered) {
    const auto written = after(answered.error());
    return written && !*written ? give_up(answered.error()) : written;
  }
  plan.remember();
  log_before_ = *sequence + static_cast<std::int64_t>(plan.appended().size());
  return log_before_;
}

void PostgresGroups::ask_versions(const GroupPlan& plan) {
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    if (plan.rows(table).empty()) continue;
    std::vector<std::string_view> keys;
    for (const auto& [key, row] : plan.rows(table)) keys.push_back(key);
    connection_->send(statement(Query::kVersions, table), Params().byte_strings(keys));
  }
}

Result<std::int64_t> PostgresGroups::read_alone(GroupPlan& plan) {
  connection_->send(statement(CommonQuery::kBegin));
  connection_->send(statement(CommonQuery::kWriteAlone));
  connection_->send(statement(CommonQuery::kHead));
  constexpr std::size_t kBefore = 2;  // answers
  ask_versions(plan);
  TANDEM_TRY_ASSIGN(const std::vector<Answer> known, connection_->finish());
  const Answer& head = known.at(kBefore);
  if (head.num_rows() != 1)
    return fail(errors::kStoreDamaged, "{} has no head: restore the last backup", address_.shown);
  if (head.null(0, 2) || head.integer(0, 2) != schema_version())
    return fail(errors::kStoreNewer, "{} was migrated by another version while this one ran: start this one again",
                address_.shown);
  if (const std::size_t counts = head.integers(0, 1).size(); counts != store::kNumTables)
    return fail(errors::kStoreDamaged, "{} counts {} tables instead of {}: restore the last backup", address_.shown,
                counts, store::kNumTables);
  learn(plan, std::span(known).subspan(kBefore + 1));
  return head.integer(0, 0);
}

Result<std::size_t> PostgresGroups::send_head(const GroupPlan& plan, const Changes& changes) {
  connection_->send(statement(CommonQuery::kMoveHead), Params()
                                                           .integer(static_cast<std::int64_t>(plan.appended().size()))
                                                           .integers(plan.added())
                                                           .integer(schema_version()));
  ++mark_;
  marked_after_ = log_before_;
  std::size_t marking = 1;
  if (plan.appended().empty()) {
    connection_->send(statement(CommonQuery::kMark), Params().bytes(id_).integer(mark_));
  } else {
    TANDEM_TRY_ASSIGN(marking, send_log(*connection_, plan.appended(), mark()));
  }
  // What is true now stays true until we commit: whoever writes these rows as well comes after us.
  return 1 + marking + send_checks(*connection_, changes.tables);
}

std::string PostgresGroups::mark() const {
  std::string out = id_;
  append_number(out, static_cast<std::uint64_t>(mark_));
  return out;
}

PostgresGroups::Written PostgresGroups::after(const Error& error) {
  if (connection_->refusal().empty()) return committing_ ? resolve(error) : Written(unexpected<Error>(error));
  if (is_conflict(connection_->refusal())) return std::nullopt;
  return unexpected<Error>(error);
}

PostgresGroups::Written PostgresGroups::resolve(const Error& lost) {
  const Deadline deadline = Deadline::after(clock_, options_.doubt_wait);
  const std::string mark = this->mark();
  while (true) {
    const auto asked = [&]() -> Result<std::vector<Answer>> {
      TANDEM_TRY(connect());
      // The lost session may still be at work. It has the lock since before it was sent the commit, shared or alone, so whoever is alone
      // comes after its end, whichever that is.
      connection_->send(statement(CommonQuery::kWriteAlone));
      connection_->send(statement(CommonQuery::kMarked),
                        Params().integer(marked_after_).bytes(mark).bytes(id_).integer(mark_));
      return connection_->finish();
    }();
    if (asked) {
      const Answer& found = asked->at(1);
      if (found.num_rows() == 0) return std::nullopt;
      log_before_ = found.integer(0, 0);
      return log_before_;
    }
    const Error& error = asked.error();
    const bool may_pass = error.number == errors::kStoreUnreachable || error.number == errors::kLockHeld;
    if (!may_pass || deadline.expired(clock_)) {
      return fail(errors::kIoError, "{}; what became of the last commit could not be found out: {}", lost.message,
                  error.message);
    }
    if (error.number == errors::kLockHeld) end_stopped_sessions();
    pause(executor_, kResolvePause, {});
  }
}

void PostgresGroups::end_stopped_sessions() {
  if (connection_ == nullptr || connection_->broken()) return;
  (void)connection_->run(statement(CommonQuery::kEndStopped));
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
