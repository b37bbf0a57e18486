#include "tandem/store/sqlite/schema.h"

#include <array>

namespace tandem::sqlite {
namespace {

// Rows of about a kilobyte stay whole in a page of this size (a WITHOUT ROWID row leaves the page above a quarter of
// it).
constexpr const char* kPageSize = "PRAGMA page_size = 8192";

// Keys are blobs so that they compare as bytes, whatever they hold; a key WITHOUT ROWID is never null. `version` stands
// before `value` so that reading it never follows the overflow pages of a large value. row_count is kept because
// counting a B-tree reads all of it.
constexpr const char* kCreate = R"sql(
  CREATE TABLE job         (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE job_index   (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE step        (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE blob        (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE submission  (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE idempotency (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE budget      (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE evidence    (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE lineage     (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE meta        (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE event_log   (sequence INTEGER PRIMARY KEY, subject BLOB NOT NULL, value BLOB NOT NULL) STRICT;
  CREATE INDEX event_log_by_subject ON event_log(subject);  -- and by sequence, which every index ends with
  CREATE TABLE row_count   (name TEXT NOT NULL PRIMARY KEY, rows INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO row_count VALUES ('job', 0), ('job_index', 0), ('step', 0), ('blob', 0), ('submission', 0),
                               ('idempotency', 0), ('budget', 0), ('evidence', 0), ('lineage', 0), ('meta', 0);
)sql";

constexpr std::array<const char*, 1> kMigrations = {kCreate};

Result<void> migrate(Connection& writer, std::size_t number) {
  TANDEM_TRY(writer.execute("BEGIN IMMEDIATE"));
  auto applied = [&]() -> Result<void> {
    TANDEM_TRY(writer.execute(kMigrations[number]));
    TANDEM_TRY(writer.execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str()));
    TANDEM_TRY(writer.execute(fmt::format("PRAGMA user_version = {}", number + 1).c_str()));
    return writer.execute("COMMIT");
  }();
  // The first error is the one to tell; closing the connection would roll back just the same.
  if (!applied && writer.in_transaction()) (void)writer.execute("ROLLBACK");
  return applied;
}

}  // namespace

std::span<const char* const> migrations() { return kMigrations; }

Result<store::Migration> prepare_schema(Connection& writer) {
  TANDEM_TRY_ASSIGN(const std::int64_t application, writer.integer("PRAGMA application_id"));
  TANDEM_TRY_ASSIGN(const std::int64_t version, writer.integer("PRAGMA user_version"));
  if (application != kApplicationId) {
    TANDEM_TRY_ASSIGN(const std::int64_t objects, writer.integer("SELECT count(*) FROM sqlite_schema"));
    if (application != 0 || version != 0 || objects != 0) {
      return fail(errors::kStoreForeign,
                  "'{}' is a database of another application (id {:#x}): check the data directory", writer.path(),
                  application);
    }
    TANDEM_TRY(writer.execute(kPageSize));
  } else if (version < 1) {
    return fail(errors::kStoreDamaged, "'{}' has schema version {}, which no version wrote: restore the last backup",
                writer.path(), version);
  } else if (static_cast<std::size_t>(version) > kMigrations.size()) {
    return fail(errors::kStoreNewer,
                "'{}' has schema version {}, this binary knows versions up to {}: use the newer binary", writer.path(),
                version, kMigrations.size());
  }
  TANDEM_TRY_ASSIGN(const std::string mode, writer.text("PRAGMA journal_mode = WAL"));
  if (mode != "wal") {
    return fail(errors::kIoError,
                "'{}': its file system cannot share memory for a write-ahead log (journal mode '{}'): use a local disk",
                writer.path(), mode);
  }
  for (auto number = static_cast<std::size_t>(version); number < kMigrations.size(); ++number)
    TANDEM_TRY(migrate(writer, number));
  return store::Migration{.from = static_cast<std::uint64_t>(version), .to = kMigrations.size()};
}

Result<void> check_schema(Connection& reader) {
  TANDEM_TRY_ASSIGN(const std::int64_t application, reader.integer("PRAGMA application_id"));
  TANDEM_TRY_ASSIGN(const std::int64_t version, reader.integer("PRAGMA user_version"));
  if (application == kApplicationId && static_cast<std::size_t>(version) == kMigrations.size()) return {};
  if (application == kApplicationId && static_cast<std::size_t>(version) > kMigrations.size())
    return fail(errors::kStoreNewer,
                "'{}' has schema version {}, this binary knows versions up to {}: use the newer binary", reader.path(),
                version, kMigrations.size());
  if (application == kApplicationId && version > 0)
    return fail(errors::kStoreForeign,
                "'{}' has the older schema version {}, this binary reads {}: bring it up with `tandem store migrate`",
                reader.path(), version, kMigrations.size());
  return fail(errors::kStoreForeign,
              "'{}' cannot be read as it is (id {:#x}, version {}): wait until its process is done", reader.path(),
              application, version);
}

}  // namespace tandem::sqlite
