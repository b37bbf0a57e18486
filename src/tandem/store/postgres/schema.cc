#include "tandem/store/postgres/schema.h"

#include <array>

namespace tandem::postgres {
namespace {

constexpr const char* kMigrationLock =
    "7884949621034182125";  // of pg_advisory_lock(): ours by agreement of all versions

// store_head changes with every transaction, writer with some: room on their page for the new version of the row.
constexpr const char* kCreate = R"sql(
  CREATE TABLE tandem.schema_version (version int8 NOT NULL);
  INSERT INTO tandem.schema_version VALUES (0);
  CREATE TABLE tandem.job         (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.job_index   (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.step        (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.blob        (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.submission  (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.idempotency (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.budget      (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.evidence    (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.lineage     (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.meta        (key bytea PRIMARY KEY, version int8 NOT NULL, value bytea NOT NULL);
  CREATE TABLE tandem.event_log   (sequence int8 PRIMARY KEY, subject bytea NOT NULL, value bytea NOT NULL);
  CREATE INDEX event_log_by_subject ON tandem.event_log (subject, sequence);
  CREATE TABLE tandem.store_head  (one bool PRIMARY KEY DEFAULT true CHECK (one), sequence int8 NOT NULL,
                                   rows int8[] NOT NULL) WITH (fillfactor = 20);
  INSERT INTO tandem.store_head (sequence, rows) VALUES (0, array_fill(0::int8, ARRAY[10]));
  CREATE TABLE tandem.writer      (id bytea PRIMARY KEY, mark int8 NOT NULL, seen timestamptz NOT NULL) WITH (fillfactor = 20);
)sql";

// What a writer committed last. Rows of jobs and budgets change some times: room on their page, so that their index need not change
// as well. Versions that know nothing of the lock of kJoin write no more.
constexpr const char* kQuickGroups = R"sql(
  ALTER TABLE tandem.writer ADD COLUMN sequence int8 NOT NULL DEFAULT 0;
  ALTER TABLE tandem.job SET (fillfactor = 50);
  ALTER TABLE tandem.budget SET (fillfactor = 50);
)sql";

// What a row was before holds one entry.
constexpr const char* kSharedLogRows = "ALTER TABLE tandem.event_log ADD COLUMN entries int8 NOT NULL DEFAULT 1;";

// A job's row is half as long again when it has ended, and all jobs of a page end together, before anything of it can be used again: at
// 50, a quarter of them found no room on it.
constexpr const char* kRoomForEnds = "ALTER TABLE tandem.job SET (fillfactor = 40);";

// Which commit it was, in the last row of each; `writer` is of those that append nothing.
constexpr const char* kMarkInLog = "ALTER TABLE tandem.event_log ADD COLUMN mark bytea;";

constexpr std::array<const char*, 5> kMigrations = {kCreate, kQuickGroups, kSharedLogRows, kRoomForEnds, kMarkInLog};

const Statement kState = {
    .name = "schema_state",
    .sql =
        "SELECT (SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'tandem'), "
        "(SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('tandem.schema_version')), "
        "(SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'tandem')"};
const Statement kVersion = {.name = "schema_version", .sql = "SELECT version FROM tandem.schema_version"};

/// `before`: SQL that comes first in the same transaction.
Result<void> migrate(Connection& connection, std::size_t number, std::string_view before) {
  auto done = connection.script(fmt::format("BEGIN; {} {} UPDATE tandem.schema_version SET version = {}; COMMIT",
                                            before, kMigrations[number], number + 1));
  // The first error is the one to tell; the end of the session would roll back just the same.
  if (!done && !connection.broken()) (void)connection.script("ROLLBACK");
  return done;
}

struct Found {
  std::size_t version = 0;  ///< 0: there is no store
  bool schema = false;  ///< the empty schema, at least
};

Result<Found> look(Connection& connection, const std::string& shown) {
  TANDEM_TRY_ASSIGN(const Answer state, connection.run(kState));
  std::size_t version = 0;
  if (state.integer(0, 1) != 0) {
    TANDEM_TRY_ASSIGN(const Answer row, connection.run(kVersion));
    if (row.num_rows() != 1 || row.integer(0, 0) < 1) {
      return fail(errors::kStoreDamaged,
                  "{} has a schema 'tandem' whose version no version wrote: restore the last backup", shown);
    }
    version = static_cast<std::size_t>(row.integer(0, 0));
  } else if (state.integer(0, 0) != 0) {
    return fail(errors::kStoreForeign, "{} has a schema 'tandem' of another application: name another database", shown);
  }
  if (version > kMigrations.size()) {
    return fail(errors::kStoreNewer,
                "{} has schema version {}, this binary knows versions up to {}: use the newer binary", shown, version,
                kMigrations.size());
  }
  return Found{.version = version, .schema = state.integer(0, 2) != 0};
}

Result<store::Migration> check_and_migrate(Connection& connection, const std::string& shown) {
  TANDEM_TRY_ASSIGN(const Found found, look(connection, shown));
  // A role that may not create schemas can be given one.
  const std::string_view before = found.schema ? "" : "CREATE SCHEMA tandem;";
  for (std::size_t number = found.version; number < kMigrations.size(); ++number)
    TANDEM_TRY(migrate(connection, number, number == 0 ? before : ""));
  return store::Migration{.from = found.version, .to = kMigrations.size()};
}

}  // namespace

std::span<const char* const> migrations() { return kMigrations; }

Result<void> check_schema(Connection& connection, const std::string& shown) {
  TANDEM_TRY_ASSIGN(const Found found, look(connection, shown));
  if (found.version == kMigrations.size()) return {};
  if (found.version == 0) return fail(errors::kStoreForeign, "{} holds no store yet", shown);
  return fail(errors::kStoreForeign,
              "{} has the older schema version {}, this binary reads {}: bring it up with `tandem store migrate`",
              shown, found.version, kMigrations.size());
}

Result<store::Migration> prepare_schema(Connection& connection, const std::string& shown) {
  TANDEM_TRY(connection.script(fmt::format("SELECT pg_advisory_lock({})", kMigrationLock)));
  auto done = check_and_migrate(connection, shown);
  if (connection.broken()) return done;
  TANDEM_TRY(connection.script(fmt::format("SELECT pg_advisory_unlock({})", kMigrationLock)));
  return done;
}

}  // namespace tandem::postgres
