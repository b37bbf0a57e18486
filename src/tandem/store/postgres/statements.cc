#include "tandem/store/postgres/statements.h"

#include <fmt/format.h>

#include <array>

#include "tandem/base/assert.h"

namespace tandem::postgres {
namespace {

// {0} is the table. Index = Query.
constexpr std::array<const char*, kNumQueries> kSql = {
    "SELECT version, value FROM {0} WHERE key = $1",
    "SELECT key, version, value FROM {0} WHERE key >= $1 ORDER BY key LIMIT $2",
    "SELECT key, version, value FROM {0} WHERE key >= $1 AND key < $3 ORDER BY key LIMIT $2",
    "SELECT key, version, value FROM {0} WHERE key >= $1 ORDER BY key DESC LIMIT $2",
    "SELECT key, version, value FROM {0} WHERE key >= $1 AND key < $3 ORDER BY key DESC LIMIT $2",
    "SELECT key, version, value FROM (SELECT *, sum(octet_length(value)) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) "
    "AS total "
    "FROM (SELECT key, version, value FROM {0} WHERE key >= $1 ORDER BY key LIMIT $2) AS first) AS summed "
    "WHERE total - octet_length(value) < $3 ORDER BY key",
    "SELECT count(*) FROM {0} WHERE key >= $1",
    "SELECT count(*) FROM {0} WHERE key >= $1 AND key < $2",
    "SELECT key, version FROM {0} WHERE key = ANY($1::bytea[])",
    "INSERT INTO {0} (key, version, value) SELECT * FROM unnest($1::bytea[], $2::int8[], $3::bytea[]) "
    "ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value",
    "DELETE FROM {0} WHERE key = ANY($1::bytea[])",
};

// Index = CommonQuery.
constexpr std::array<const char*, kNumCommonQueries> kCommonSql = {
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    "SELECT sequence, rows, (SELECT version FROM schema_version) FROM store_head FOR UPDATE",
    "INSERT INTO event_log (sequence, subject, value) SELECT * FROM unnest($1::int8[], $2::bytea[], $3::bytea[])",
    "UPDATE store_head SET sequence = $1::int8, rows = $2::int8[]",
    "INSERT INTO writer (id, mark, seen) VALUES ($1, $2, now()) "
    "ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, seen = excluded.seen",
    "SELECT mark FROM writer WHERE id = $1",
    "COMMIT",
    "ROLLBACK",
    "SELECT sequence, subject, value FROM event_log WHERE sequence > $1 ORDER BY sequence LIMIT $2",
    "SELECT sequence, subject, value FROM event_log WHERE subject = $3 AND sequence > $1 ORDER BY sequence LIMIT $2",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SELECT sequence, rows, (SELECT version FROM schema_version) FROM store_head",
    "SELECT sequence, subject, value FROM (SELECT *, sum(octet_length(value)) OVER (ORDER BY sequence ROWS UNBOUNDED "
    "PRECEDING) "
    "AS total FROM (SELECT sequence, subject, value FROM event_log WHERE sequence > $1 ORDER BY sequence LIMIT $2) AS "
    "first) "
    "AS summed WHERE total - octet_length(value) < $3 ORDER BY sequence",
    "SELECT count(*) FROM event_log",
    "SELECT sequence FROM store_head",
    "SELECT rows[($1::int8)::int4] FROM store_head",
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'tandem' "
    "AND datname = current_database() AND usename = current_user AND pid <> pg_backend_pid() "
    "AND xact_start < clock_timestamp() - interval '4 seconds' AND wait_event_type = 'Client'",
    "DELETE FROM writer WHERE seen < now() - interval '30 days'",
};

}  // namespace

const Statement& statement(Query query, store::Table table) {
  static const auto kStatements = [] {
    std::array<Statement, kNumQueries * store::kNumTables> out;
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto name = store::to_string(static_cast<store::Table>(i % store::kNumTables));
      out[i] = {.name = fmt::format("q{}_{}", i / store::kNumTables, name),
                .sql = fmt::format(fmt::runtime(kSql[i / store::kNumTables]), name)};
    }
    return out;
  }();
  return kStatements[static_cast<std::size_t>(query) * store::kNumTables + static_cast<std::size_t>(table)];
}

const Statement& statement(CommonQuery query) {
  static const auto kStatements = [] {
    std::array<Statement, kNumCommonQueries> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = {.name = fmt::format("c{}", i), .sql = kCommonSql[i]};
    return out;
  }();
  return kStatements[static_cast<std::size_t>(query)];
}

}  // namespace tandem::postgres
