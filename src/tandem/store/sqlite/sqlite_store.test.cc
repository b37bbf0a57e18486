#include "tandem/store/sqlite/sqlite_store.h"

#include "tandem/store/sqlite/testing/temp_folder.h"
#include "tandem/store/testing/conformance.h"

namespace tandem::store {

struct SqliteHarness {
  sqlite::TempFolder folder;
  ThreadExecutor executor{1};
  SystemClock clock;
  NullMeter meter;
  std::unique_ptr<Store> open() {
    return sqlite::SqliteStore::open(folder / "store.db", {}, executor, clock, meter).value();
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreConformance, SqliteHarness);

}  // namespace tandem::store
