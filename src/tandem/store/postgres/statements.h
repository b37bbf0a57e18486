// tandem/store/postgres/statements.h - every statement that runs against the store after it is open, as data.
//
// Room: store. Not here: creating tables (schema.h). Keys and values are bytea, numbers int8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tandem/store/store.h"

namespace tandem::postgres {

/// Its address is its identity; each lives for the whole process.
struct Statement {
  std::string name;  ///< as prepared statement
  std::string sql;
};

/// Statements that exist once for each Table. Those that write or check fail with kNotAsExpected unless all their rows are as they
/// were expected: at a version, 0: there, or (to be checked) -1: not there.
enum class Query : std::uint8_t {
  kGet,  ///< $1 key -> version, value
  kUp,  ///< $1 from, $2 limit -> key, version, value, ascending
  kUpUntil,  ///< $1 from, $2 limit, $3 until -> the same below `until`
  kDown,  ///< as kUp, descending
  kDownUntil,  ///< as kUpUntil, descending
  kPage,  ///< $1 from, $2 limit, $3 bytes -> as kUp; ends when the values before a row have that many bytes
  kCount,  ///< $1 from -> number of rows
  kCountUntil,  ///< $1 from, $2 until -> number of rows
  kVersions,  ///< $1 keys -> key, version of those that exist
  kInsert,  ///< $1 keys, $2 versions, $3 values
  kUpdate,  ///< $1 keys, $2 expected versions, $3 versions, $4 values; versions above 0 as they are, else as many more than before
  kPutAgain,  ///< $1 key, $2 version as in kUpdate, $3 value. Who sends it looks whether it changed a row
  kErase,  ///< $1 keys, $2 expected versions
  kCheck,  ///< $1 keys, $2 expected versions
};
inline constexpr std::size_t kNumQueries = static_cast<std::size_t>(Query::kCheck) + 1;

/// Statements on the event log and on what every transaction goes through.
enum class CommonQuery : std::uint8_t {
  kBegin,
  kJoin,  ///< until the transaction ends nobody writes alone
  kWriteAlone,  ///< until the transaction ends nobody else writes
  kHead,  ///< -> sequence, rows of each table, schema version
  kMoveHead,  ///< $1 entries, $2 more rows of each table, $3 schema version -> sequence; until the transaction ends nobody else
  ///< commits. Fails with kNotAsExpected; where there is no head, one of the next two does
  kAppend,  ///< rows of the log (log_rows.h): $1 subjects, $2 values, $3 their entries, $4 entries of the statement up to and with
  ///< each, $5 how many entries of the transaction come after those of the statement and with them, $6 mark, kept in the last row
  kMark,  ///< $1 writer, $2 number: the mark of a transaction without entries
  kMarked,  ///< $1 after, $2 mark, $3 writer, $4 number -> last sequence of the log at the commit with that mark; no row: there is none
  kCommit,
  kRollback,
  kUndo,  ///< fails, which undoes what was sent outside BEGIN
  kAfter,  ///< $1 after, $2 limit -> rows of the log: sequence, subject, value, entries
  kAfterOf,  ///< $1 after, $2 limit, $3 subject -> as kAfter
  kBeginSnapshot,
  kSnapshotHead,  ///< as kHead, without holding anybody up
  kLogPage,  ///< $1 after, $2 limit, $3 bytes -> as kAfter; ends as kPage
  kLogSize,  ///< -> number of entries
  kLastSequence,  ///< -> sequence, 0 when empty
  kRows,  ///< $1 number of the table from 1 -> its rows
  kNow,  ///< -> microseconds since 1970
  kUnsafe,  ///< -> names of settings of the server by which it may lose what it acknowledged; else empty
  kEndStopped,  ///< ends sessions of ours that hold on to a transaction while their client is silent
  kForgetWriters,  ///< drops marks of writers that are long gone
};
inline constexpr std::size_t kNumCommonQueries = static_cast<std::size_t>(CommonQuery::kForgetWriters) + 1;

/// SQLSTATE division_by_zero: how a statement says that it did not find what it was told to expect.
inline constexpr const char* kNotAsExpected = "22012";

const Statement& statement(Query query, store::Table table);
const Statement& statement(CommonQuery query);

}  // namespace tandem::postgres
