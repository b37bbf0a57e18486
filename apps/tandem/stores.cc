// apps/tandem/stores.cc - which store a process has.
#include "house.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/sqlite/sqlite_store.h"

namespace tandem::app {

Result<std::unique_ptr<store::Store>> open_store(const Settings& settings, const std::string& data_dir,
                                                 Executor& executor, Machine& machine, Meter& meter, bool alone) {
  const auto batch_max = static_cast<std::size_t>(settings.integer("store.commit_batch_max"));
  const auto wait = std::chrono::milliseconds(settings.integer("store.commit_wait"));
  if (const std::string address = settings.string("store.address"); !address.empty()) {
    return postgres::PostgresStore::open(address, {.commit_batch_max = batch_max, .commit_wait = wait}, executor,
                                         machine.clock, machine.rng, meter);
  }
  if (!alone) return sqlite::SqliteStore::open_for_reading(data_dir + "/tandem.db", {});
  return sqlite::SqliteStore::open(data_dir + "/tandem.db", {.commit_batch_max = batch_max, .commit_wait = wait},
                                   executor, machine.clock, meter);
}

}  // namespace tandem::app
