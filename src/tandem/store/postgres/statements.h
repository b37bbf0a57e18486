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

/// Statements that exist once for each Table.
enum class Query : std::uint8_t {
  kGet,         ///< $1 key -> version, value
  kUp,          ///< $1 from, $2 limit -> key, version, value, ascending
  kUpUntil,     ///< $1 from, $2 limit, $3 until -> the same below `until`
  kDown,        ///< as kUp, descending
  kDownUntil,   ///< as kUpUntil, descending
  kPage,        ///< $1 from, $2 limit, $3 bytes -> as kUp; ends when the values before a row have that many bytes
  kCount,       ///< $1 from -> number of rows
  kCountUntil,  ///< $1 from, $2 until -> number of rows
  kVersions,    ///< $1 keys -> key, version of those that exist
  kPut,         ///< $1 keys, $2 versions, $3 values
  kErase,       ///< $1 keys
};
inline constexpr std::size_t kNumQueries = static_cast<std::size_t>(Query::kErase) + 1;

/// Statements on the event log and on what every transaction goes through.
enum class CommonQuery : std::uint8_t {
  kBegin,
  kHead,          ///< -> sequence, rows of each table, schema version; nobody else writes until the transaction ends
  kAppend,        ///< $1 sequences, $2 subjects, $3 values
  kSetHead,       ///< $1 sequence, $2 rows of each table
  kSetMark,       ///< $1 writer, $2 mark
  kMark,          ///< $1 writer -> mark
  kCommit,
  kRollback,
  kAfter,         ///< $1 after, $2 limit -> sequence, subject, value
  kAfterOf,       ///< $1 after, $2 limit, $3 subject -> sequence, subject, value
  kBeginSnapshot,
  kSnapshotHead,  ///< as kHead, without holding anybody up
  kLogPage,       ///< $1 after, $2 limit, $3 bytes -> as kAfter; ends as kPage
  kLogSize,       ///< -> number of entries
  kLastSequence,  ///< -> sequence, 0 when empty
  kRows,          ///< $1 number of the table from 1 -> its rows
  kNow,           ///< -> microseconds since 1970
  kEndStopped,    ///< ends sessions of ours that hold on to a transaction while their client is silent
  kForgetWriters, ///< drops marks of writers that are long gone
};
inline constexpr std::size_t kNumCommonQueries = static_cast<std::size_t>(CommonQuery::kForgetWriters) + 1;

const Statement& statement(Query query, store::Table table);
const Statement& statement(CommonQuery query);

}  // namespace tandem::postgres
