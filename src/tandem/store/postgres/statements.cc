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
    "INSERT INTO {0} (key, version, value) SELECT * FROM unnest($1::bytea[], $2::int8[], $3::bytea[])",
    "WITH done AS (UPDATE {0} AS row SET value = new.value, "
    "version = CASE WHEN new.version > 0 THEN new.version ELSE row.version - new.version END "
    "FROM unnest($1::bytea[], $2::int8[], $3::int8[], $4::bytea[]) AS new (key, expected, version, value) "
    "WHERE row.key = new.key AND (new.expected = 0 OR row.version = new.expected) RETURNING 1) "
    "SELECT 1 / (count(*) = cardinality($1::bytea[]))::int FROM done",
    "UPDATE {0} SET value = $3, version = CASE WHEN $2::int8 > 0 THEN $2::int8 ELSE version - $2::int8 END "
    "WHERE key = $1",
    "WITH done AS (DELETE FROM {0} AS row USING unnest($1::bytea[], $2::int8[]) AS old (key, expected) "
    "WHERE row.key = old.key AND (old.expected = 0 OR row.version = old.expected) RETURNING 1) "
    "SELECT 1 / (count(*) = cardinality($1::bytea[]))::int FROM done",
    "SELECT 1 / (count(*) = 0)::int FROM unnest($1::bytea[], $2::int8[]) AS old (key, expected) "
    "LEFT JOIN {0} AS row ON row.key = old.key WHERE CASE old.expected WHEN -1 THEN row.key IS NOT NULL "
    "WHEN 0 THEN row.key IS NULL ELSE row.version IS DISTINCT FROM old.expected END",
};

// Index = CommonQuery.
constexpr std::array<const char*, kNumCommonQueries> kCommonSql = {
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    // The number is ours by agreement of all versions; another one than schema.cc takes.
    "SELECT pg_advisory_xact_lock_shared(7884949621034182126)",
    "SELECT pg_advisory_xact_lock(7884949621034182126)",
    "SELECT sequence, rows, (SELECT version FROM schema_version) FROM store_head FOR UPDATE",
    "UPDATE store_head SET sequence = sequence + $1::int8 / (((SELECT version FROM schema_version) = $3::int8 "
    "AND cardinality(rows) = cardinality($2::int8[]) AND array_position(rows, NULL) IS NULL) IS TRUE)::int, "
    "rows = ARRAY(SELECT was + more FROM unnest(rows, $2::int8[]) WITH ORDINALITY AS counts (was, more, n) ORDER BY n) "
    "RETURNING sequence",
    "INSERT INTO event_log (sequence, subject, value, entries, mark) "
    "SELECT (SELECT sequence FROM store_head) - $5::int8 + upto, subject, value, entries, "
    "CASE WHEN upto = $5::int8 THEN $6::bytea END "
    "FROM unnest($1::bytea[], $2::bytea[], $3::int8[], $4::int8[]) AS new (subject, value, entries, upto)",
    "INSERT INTO writer (id, mark, seen, sequence) VALUES ($1, $2, now(), (SELECT sequence FROM store_head)) "
    "ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, seen = excluded.seen, sequence = excluded.sequence",
    "SELECT sequence FROM event_log WHERE sequence > $1 AND mark = $2 "
    "UNION ALL SELECT sequence FROM writer WHERE id = $3 AND mark = $4",
    "COMMIT",
    "ROLLBACK",
    "SELECT 1 / 0",
    "SELECT sequence, subject, value, entries FROM event_log WHERE sequence > $1 ORDER BY sequence LIMIT $2",
    "SELECT sequence, subject, value, entries FROM event_log WHERE subject = $3 AND sequence > $1 ORDER BY sequence "
    "LIMIT $2",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SELECT sequence, rows, (SELECT version FROM schema_version) FROM store_head",
    "SELECT sequence, subject, value, entries FROM (SELECT *, sum(octet_length(value)) OVER (ORDER BY sequence ROWS "
    "UNBOUNDED "
    "PRECEDING) "
    "AS total FROM (SELECT sequence, subject, value, entries FROM event_log WHERE sequence > $1 ORDER BY sequence "
    "LIMIT $2) AS "
    "first) "
    "AS summed WHERE total - octet_length(value) < $3 ORDER BY sequence",
    "SELECT coalesce(sum(entries), 0)::int8 FROM event_log",
    "SELECT sequence FROM store_head",
    "SELECT rows[($1::int8)::int4] FROM store_head",
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8",
    "SELECT coalesce(string_agg(name, ', ' ORDER BY name), '') FROM pg_settings "
    "WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'",
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
