// tandem/store/sqlite/queries.h - every statement that runs against the store after it is open, as data.
//
// Room: store. Not here: creating tables (schema.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tandem/store/store.h"

namespace tandem::sqlite {

/// Statements that exist once for each Table. Parameters are numbered ?1 ...; keys and values are blobs.
enum class Query : std::uint8_t {
  kVersion,     ///< ?1 key -> version
  kInsert,      ///< ?1 key, ?2 value; at version 1; changes nothing where the row exists
  kInsertAt,    ///< ?1 key, ?2 value, ?3 version; there must be no row
  kUpdate,      ///< ?1 key, ?2 value; the version grows by one; changes nothing where there is no row
  kUpdateAt,    ///< ?1 key, ?2 value, ?3 version; as kUpdate; changes nothing where the row has another version
  kErase,       ///< ?1 key
  kGet,         ///< ?1 key -> version, value
  kUp,          ///< ?1 from, ?2 limit -> key, version, value, ascending
  kUpUntil,     ///< ?1 from, ?2 limit, ?3 until -> the same below `until`
  kDown,        ///< as kUp, descending
  kDownUntil,   ///< as kUpUntil, descending
  kCount,       ///< ?1 from -> number of rows
  kCountUntil,  ///< ?1 from, ?2 until -> number of rows
};
inline constexpr std::size_t kNumQueries = static_cast<std::size_t>(Query::kCountUntil) + 1;

/// Statements on the event log and the row counts.
enum class LogQuery : std::uint8_t {
  kAppend,        ///< ?1 sequence, ?2 subject, ?3 value
  kAfter,         ///< ?1 after, ?2 limit -> sequence, subject, value
  kAfterOf,       ///< ?1 after, ?2 limit, ?3 subject -> sequence, subject, value
  kLastSequence,  ///< -> sequence, 0 when empty
  kRows,          ///< ?1 table name as text -> number of its rows
  kAddRows,       ///< ?1 table name as text, ?2 signed change
};
inline constexpr std::size_t kNumLogQueries = static_cast<std::size_t>(LogQuery::kAddRows) + 1;

/// As a limit: all rows. SQLite's integers are signed.
inline constexpr std::uint64_t kNoLimit = INT64_MAX;

std::string sql_of(Query query, store::Table table);
const char* sql_of(LogQuery query);

}  // namespace tandem::sqlite
