#include "tandem/store/sqlite/queries.h"

#include <fmt/format.h>

#include <array>

#include "tandem/base/assert.h"

namespace tandem::sqlite {

std::string sql_of(Query query, store::Table table) {
  // {0} is the table. Index = Query.
  static constexpr std::array<const char*, kNumQueries> kSql = {
      "SELECT version FROM {0} WHERE key = ?1",
      "INSERT INTO {0}(key, version, value) VALUES (?1, 1, ?2) ON CONFLICT(key) DO NOTHING",
      "INSERT INTO {0}(key, version, value) VALUES (?1, ?3, ?2)",
      "UPDATE {0} SET version = version + 1, value = ?2 WHERE key = ?1",
      "UPDATE {0} SET version = version + 1, value = ?2 WHERE key = ?1 AND version = ?3",
      "DELETE FROM {0} WHERE key = ?1",
      "SELECT version, value FROM {0} WHERE key = ?1",
      "SELECT key, version, value FROM {0} WHERE key >= ?1 ORDER BY key LIMIT ?2",
      "SELECT key, version, value FROM {0} WHERE key >= ?1 AND key < ?3 ORDER BY key LIMIT ?2",
      "SELECT key, version, value FROM {0} WHERE key >= ?1 ORDER BY key DESC LIMIT ?2",
      "SELECT key, version, value FROM {0} WHERE key >= ?1 AND key < ?3 ORDER BY key DESC LIMIT ?2",
      "SELECT count(*) FROM {0} WHERE key >= ?1",
      "SELECT count(*) FROM {0} WHERE key >= ?1 AND key < ?2",
  };
  const auto index = static_cast<std::size_t>(query);
  TANDEM_ASSERT(index < kSql.size());
  return fmt::format(fmt::runtime(kSql[index]), store::to_string(table));
}

const char* sql_of(LogQuery query) {
  static constexpr std::array<const char*, kNumLogQueries> kSql = {
      "INSERT INTO event_log(sequence, subject, value) VALUES (?1, ?2, ?3)",
      "SELECT sequence, subject, value FROM event_log WHERE sequence > ?1 ORDER BY sequence LIMIT ?2",
      "SELECT sequence, subject, value FROM event_log WHERE subject = ?3 AND sequence > ?1 ORDER BY sequence LIMIT ?2",
      "SELECT coalesce(max(sequence), 0) FROM event_log",
      "SELECT rows FROM row_count WHERE name = ?1",
      "UPDATE row_count SET rows = rows + ?2 WHERE name = ?1",
  };
  const auto index = static_cast<std::size_t>(query);
  TANDEM_ASSERT(index < kSql.size());
  return kSql[index];
}

}  // namespace tandem::sqlite
