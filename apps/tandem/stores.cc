// apps/tandem/stores.cc - which store a process has.
#include "house.h"
#include "tandem/store/backup.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/schema.h"
#include "tandem/store/sqlite/schema.h"
#include "tandem/store/sqlite/sqlite_store.h"

namespace tandem::app {
namespace {

std::string store_file(const std::string& data_dir) { return data_dir + "/tandem.db"; }

Result<std::unique_ptr<store::Store>> complete(std::unique_ptr<store::Store> store) {
  TANDEM_TRY(store::refuse_unfinished_restore(*store));
  return store;
}

}  // namespace

Result<std::unique_ptr<store::Store>> open_store(const Settings& settings, const std::string& data_dir,
                                                 Executor& executor, Machine& machine, Log& log, Meter& meter,
                                                 const CrashPoints& crash_points, bool alone) {
  const auto batch_max = static_cast<std::size_t>(settings.integer("store.commit_batch_max"));
  const auto wait = std::chrono::milliseconds(settings.integer("store.commit_wait"));
  const std::string address = settings.string("store.address");
  if (address.empty() && !alone) return open_store_to_read(settings, data_dir, machine);
  if (address.empty()) {
    TANDEM_TRY_ASSIGN(
        auto store,
        sqlite::SqliteStore::open(store_file(data_dir),
                                  {.commit_batch_max = batch_max, .commit_wait = wait, .crash_points = &crash_points},
                                  executor, machine.clock, meter));
    return complete(std::move(store));
  }
  TANDEM_TRY_ASSIGN(auto store,
                    postgres::PostgresStore::open(
                        address, {.commit_batch_max = batch_max, .commit_wait = wait, .crash_points = &crash_points},
                        executor, machine.clock, machine.rng, meter));
  TANDEM_TRY_ASSIGN(const std::string unsafe, store->unsafe_settings());
  if (!unsafe.empty()) log.write(LogLevel::kWarning, "store.may_lose_commits", {{"settings_off", unsafe}});
  return complete(std::move(store));
}

Result<std::unique_ptr<store::Store>> open_store_to_read(const Settings& settings, const std::string& data_dir,
                                                         Machine& machine) {
  const std::string address = settings.string("store.address");
  if (address.empty()) {
    TANDEM_TRY_ASSIGN(auto store, sqlite::SqliteStore::open_for_reading(store_file(data_dir), {}));
    return complete(std::move(store));
  }
  TANDEM_TRY_ASSIGN(auto store, postgres::PostgresStore::open_for_reading(address, {}, machine.clock));
  return complete(std::move(store));
}

Result<store::Migration> migrate_store(const Settings& settings, const std::string& data_dir, Machine& machine) {
  // What a restore left half done is no store yet. One that cannot be read by this version has none under way.
  if (const auto readable = open_store_to_read(settings, data_dir, machine);
      !readable && readable.error().number == errors::kRestoreUnfinished)
    return tl::unexpected(readable.error());
  const std::string address = settings.string("store.address");
  if (address.empty()) return sqlite::SqliteStore::migrate(store_file(data_dir), {});
  return postgres::PostgresStore::migrate(address, {}, machine.clock);
}

std::uint64_t newest_schema(std::string_view kind) {
  if (kind == "sqlite") return sqlite::migrations().size();
  return kind == "postgres" ? postgres::migrations().size() : 0;
}

}  // namespace tandem::app
