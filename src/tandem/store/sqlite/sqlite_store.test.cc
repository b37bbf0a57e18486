#include "tandem/store/sqlite/sqlite_store.h"

#include <unistd.h>

#include <fstream>
#include <iterator>

#include "tandem/store/sqlite/connection.h"
#include "tandem/store/sqlite/schema.h"
#include "tandem/store/sqlite/testing/fault_disk.h"
#include "tandem/store/testing/conformance.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::store {

struct SqliteHarness {
  TempFolder folder;
  ThreadExecutor executor{1};
  SystemClock clock;
  NullMeter meter;
  std::unique_ptr<Store> open() {
    return sqlite::SqliteStore::open(folder / "store.db", {}, executor, clock, meter).value();
  }
};

/// The other end of every option: groups of two that wait for company, one reader, a checkpoint after every commit. In
/// memory, where that many syncs cost nothing.
struct SmallSqliteHarness {
  sqlite::FaultDisk disk{"small"};
  const sqlite::SqliteOptions options{.commit_batch_max = 2,
                                      .commit_wait = std::chrono::microseconds(50),
                                      .readers_max = 1,
                                      .checkpoint_bytes = 1,
                                      .vfs = disk.name()};
  ThreadExecutor executor{1};
  SystemClock clock;
  NullMeter meter;
  std::unique_ptr<Store> open() {
    return sqlite::SqliteStore::open("store.db", options, executor, clock, meter).value();
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreConformance, SqliteHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(SmallSqlite, StoreConformance, SmallSqliteHarness);

}  // namespace tandem::store

namespace tandem::sqlite {
namespace {

using store::Batch;
using store::Table;

std::string bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write_bytes(const std::string& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

class SqliteStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteStore>> open(const std::string& where, SqliteOptions options = {}) {
    return SqliteStore::open(where, std::move(options), executor, clock, meter);
  }
  void change(const char* sql) {
    const auto connection = Connection::open(path, "", Access::kWriter).value();
    ASSERT_THAT(connection->execute(sql), Succeeds());
  }
  /// Fails with `number`, names the file, and leaves it as it is.
  void expect_refused(ErrorNumber number) {
    const std::string before = bytes_of(path);
    const auto opened = open(path);
    ASSERT_THAT(opened, FailsWith(number));
    EXPECT_THAT(opened.error().message, testing::HasSubstr(path));
    EXPECT_TRUE(bytes_of(path) == before);
  }
  void make_store(int jobs) {
    const auto store = open(path).value();
    Batch batch;
    for (int i = 0; i < jobs; ++i) batch.put(Table::kJob, "job/" + std::to_string(i), Bytes(1000, 'j'));
    ASSERT_THAT(store->commit_and_wait(std::move(batch)), Succeeds());
  }

  store::TempFolder folder;
  const std::string path = folder / "store.db";
  ThreadExecutor executor{1};
  SystemClock clock;
  NullMeter meter;
};

TEST_F(SqliteStoreTest, every_table_is_strict_and_there_is_one_for_each_table_of_the_house) {
  make_store(1);
  const auto connection = Connection::open(path, "", Access::kReader).value();
  for (const Table table : store::all_tables()) {
    const std::string sql = fmt::format(
        "SELECT strict || wr FROM pragma_table_list WHERE schema = 'main' AND name = '{}'", to_string(table));
    EXPECT_EQ(connection->text(sql.c_str()).value(), "11") << to_string(table);
  }
  EXPECT_EQ(connection->integer("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict = 0").value(),
            1);  // sqlite_schema
  EXPECT_EQ(connection->text("PRAGMA journal_mode").value(), "wal");
  EXPECT_EQ(connection->integer("PRAGMA application_id").value(), kApplicationId);
  EXPECT_EQ(connection->integer("PRAGMA user_version").value(), static_cast<std::int64_t>(migrations().size()));
}

TEST_F(SqliteStoreTest, readers_cannot_write) {
  make_store(1);
  const auto connection = Connection::open(path, "", Access::kReader).value();
  EXPECT_THAT(connection->execute("DELETE FROM job"), FailsWith(errors::kFilePermissionDenied));
}

TEST_F(SqliteStoreTest, closing_leaves_one_file_with_everything_in_it) {
  make_store(10);
  EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
  EXPECT_EQ(Connection::open(path, "", Access::kReader).value()->integer("SELECT count(*) FROM job").value(), 10);
}

TEST_F(SqliteStoreTest, a_store_from_a_newer_version_is_refused) {
  make_store(1);
  change("PRAGMA user_version = 1000000");
  expect_refused(errors::kStoreNewer);
}

TEST_F(SqliteStoreTest, a_version_that_no_version_wrote_is_damage) {
  make_store(1);
  for (const char* sql : {"PRAGMA user_version = 0", "PRAGMA user_version = -1"}) {
    change(sql);
    expect_refused(errors::kStoreDamaged);
  }
}

TEST_F(SqliteStoreTest, a_file_of_somebody_else_is_refused) {
  write_bytes(
      path,
      "This is a letter, not a database. It is long enough to be taken for one if nobody looks at its first bytes.\n");
  expect_refused(errors::kStoreForeign);
  write_bytes(path, "short");
  expect_refused(errors::kStoreForeign);
  std::filesystem::remove(path);
  change("CREATE TABLE theirs(x)");
  expect_refused(errors::kStoreForeign);
  std::filesystem::remove(path);
  change("PRAGMA application_id = 77");
  expect_refused(errors::kStoreForeign);
}

TEST_F(SqliteStoreTest, an_empty_file_becomes_a_store) {
  write_bytes(path, "");
  EXPECT_THAT(open(path), Succeeds());
}

TEST_F(SqliteStoreTest, a_truncated_file_is_refused_wherever_it_was_cut) {
  make_store(200);
  const std::string whole = bytes_of(path);
  ASSERT_GT(whole.size(), 200'000);
  // To SQLite a file of one byte is an empty one.
  for (std::size_t size = whole.size() - 1; size > 1; size = size > 20'000 ? size - 7'919 : size / 2) {
    write_bytes(path, whole.substr(0, size));
    const auto opened = open(path);
    ASSERT_FALSE(opened.has_value()) << size;
    EXPECT_TRUE(opened.error().number == errors::kStoreDamaged || opened.error().number == errors::kStoreForeign)
        << size << ": " << opened.error().to_string();
  }
  write_bytes(path, whole);
  EXPECT_EQ(open(path).value()->count(Table::kJob, "").value(), 200);
}

TEST_F(SqliteStoreTest, reading_a_damaged_page_is_an_error_and_not_an_answer) {
  make_store(200);
  std::string bytes = bytes_of(path);
  for (std::size_t page = 8192 * 3; page < bytes.size(); page += 8192) bytes.replace(page, 64, std::string(64, '\x5a'));
  write_bytes(path, bytes);
  const auto store = open(path);
  if (!store) {
    EXPECT_THAT(store, FailsWith(errors::kStoreDamaged));
    return;
  }
  EXPECT_THAT((*store)->scan({.table = Table::kJob, .from = "", .until = ""}), FailsWith(errors::kStoreDamaged));
}

TEST_F(SqliteStoreTest, paths_that_cannot_be_a_store_are_named) {
  EXPECT_THAT(open(folder / "missing/store.db"), FailsWith(errors::kFileNotFound));
  EXPECT_THAT(open(folder.path()), FailsWith(errors::kIsADirectory));
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "-writer"));
  write_bytes(folder / "file", "x");
  EXPECT_THAT(open(folder / "file/store.db"), FailsWith(errors::kNotADirectory));
}

TEST_F(SqliteStoreTest, a_file_without_permission_is_refused) {
  make_store(1);
  // Root may write everything; as nobody the permission bits count.
  const bool root = geteuid() == 0;
  const auto as_user = [&](const auto& body) {
    ASSERT_EQ(root ? seteuid(65534) : 0, 0);
    body();
    ASSERT_EQ(root ? seteuid(0) : 0, 0);
  };
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all | std::filesystem::perms::others_exec);
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  as_user([&] { EXPECT_THAT(open(path), FailsWith(errors::kFilePermissionDenied)); });
  as_user([&] { EXPECT_THAT(open(folder / "new.db"), FailsWith(errors::kFilePermissionDenied)); });
}

TEST_F(SqliteStoreTest, paths_are_taken_literally) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  EXPECT_THAT(open("file:name?mode=memory"), Succeeds());
  EXPECT_TRUE(std::filesystem::exists("file:name?mode=memory"));
  std::filesystem::current_path(before);
}

TEST_F(SqliteStoreTest, the_log_stays_short_under_load_and_reads) {
  const auto store = open(path, {.checkpoint_bytes = 256 << 10, .vfs = {}}).value();
  std::uintmax_t longest = 0;
  store::run_threads(8, [&](int thread) {
    for (int i = 0; i < 60; ++i) {
      const std::string key = std::to_string(thread) + "/" + std::to_string(i);
      ASSERT_THAT(store->commit_and_wait(Batch().put(Table::kJob, key, Bytes(20'000, 'x'))), Succeeds());
      ASSERT_EQ(store->scan({.table = Table::kJob, .from = key, .until = "", .limit = 3}).value().at(0).key, key);
      if (thread == 0) longest = std::max(longest, std::filesystem::file_size(path + "-wal"));
    }
  });
  EXPECT_LT(longest, 4 << 20);  // 9.6 MB were written
}

TEST_F(SqliteStoreTest, a_long_read_delays_the_checkpoint_and_not_the_commits) {
  const auto store = open(path, {.checkpoint_bytes = 64 << 10, .vfs = {}}).value();
  const auto put = [&](int i) {
    return store->commit_and_wait(Batch().put(Table::kJob, std::to_string(i), Bytes(8'000, 'x')));
  };
  ASSERT_THAT(put(0), Succeeds());
  const auto reader = Connection::open(path, "", Access::kReader).value();
  ASSERT_THAT(reader->execute("BEGIN; SELECT count(*) FROM job"), Succeeds());
  for (int i = 1; i < 100; ++i) ASSERT_THAT(put(i), Succeeds());
  EXPECT_EQ(reader->integer("SELECT count(*) FROM job").value(), 1);  // its snapshot
  const auto held = std::filesystem::file_size(path + "-wal");
  EXPECT_GT(held, 99 * 8'000);
  ASSERT_THAT(reader->execute("COMMIT"), Succeeds());
  for (int i = 100; i < 200; ++i) ASSERT_THAT(put(i), Succeeds());
  EXPECT_LT(std::filesystem::file_size(path + "-wal"), held + 500'000);  // started again from its beginning
  EXPECT_EQ(store->count(Table::kJob, "").value(), 200);
}

TEST_F(SqliteStoreTest, a_snapshot_holds_the_log_up_only_until_it_is_let_go) {
  const auto store = open(path, {.checkpoint_bytes = 64 << 10, .vfs = {}}).value();
  const auto put = [&](int i) {
    return store->commit_and_wait(Batch().put(Table::kJob, std::to_string(i), Bytes(8'000, 'x')));
  };
  ASSERT_THAT(put(0), Succeeds());
  auto snapshot = store->snapshot().value();
  for (int i = 1; i < 100; ++i) ASSERT_THAT(put(i), Succeeds());
  const auto held = std::filesystem::file_size(path + "-wal");
  EXPECT_GT(held, 99 * 8'000);
  EXPECT_EQ(store::contents_of(*snapshot).tables.at("job").size(), 1u);
  snapshot.reset();
  for (int i = 100; i < 200; ++i) ASSERT_THAT(put(i), Succeeds());
  EXPECT_LT(std::filesystem::file_size(path + "-wal"), held + 500'000);  // started again from its beginning
}

TEST_F(SqliteStoreTest, a_snapshot_names_the_faults_of_its_file) {
  make_store(200);
  EXPECT_THAT(open(path).value()->snapshot().value()->faults().value(), testing::IsEmpty());
  {
    const auto hand = Connection::open(path, "", Access::kWriter).value();
    ASSERT_THAT(hand->execute("UPDATE row_count SET rows = 7 WHERE name = 'job'"), Succeeds());
  }
  EXPECT_THAT(open(path).value()->snapshot().value()->faults().value(),
              testing::ElementsAre("table job has 200 rows and counts 7"));
  std::string bytes = bytes_of(path);
  bytes.replace(8192 * 3, 64, std::string(64, '\x5a'));
  write_bytes(path, bytes);
  const auto damaged = SqliteStore::open_for_reading(path, {}).value()->snapshot();
  const auto faults =
      damaged ? (*damaged)->faults() : Result<std::vector<std::string>>(unexpected<Error>(damaged.error()));
  if (faults)
    EXPECT_THAT(*faults, testing::Not(testing::IsEmpty()));
  else
    EXPECT_THAT(faults, FailsWith(errors::kStoreDamaged));
}

TEST_F(SqliteStoreTest, opening_and_a_first_scan_of_100000_jobs_take_less_than_a_second) {
  constexpr int kJobs = 100'000;
  {
    const auto store = open(path).value();
    for (int i = 0; i < kJobs;) {
      Batch batch;
      for (const int end = i + 2'000; i < end; ++i) {
        const std::string id = fmt::format("job_{:08}", i);
        batch.put(Table::kJob, id, Bytes(800, 'j'))
            .put(Table::kJobIndex, "state/queued/" + id, "")
            .append(id, Bytes(200, 'e'));
      }
      store->commit(std::move(batch), [](Result<store::Committed> done) { ASSERT_THAT(done, Succeeds()); });
    }
  }
  const Instant started = clock.monotonic();
  const auto store = open(path).value();
  const auto queued = store->scan(store::Scan::prefix(Table::kJobIndex, "state/queued/", 1000)).value();
  const auto count = store->count(Table::kJob, "").value();
  const auto last = store->last_sequence().value();
  const auto elapsed = clock.monotonic() - started;
  EXPECT_EQ(queued.size(), 1000);
  EXPECT_EQ(count, kJobs);
  EXPECT_EQ(last, kJobs);
  EXPECT_LT(elapsed, std::chrono::seconds(1));
  RecordProperty("open_and_scan_us",
                 std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(elapsed).count()));
}

TEST(SqliteReading, a_second_process_sees_what_the_first_commits_and_can_change_nothing) {
  store::TempFolder folder;
  const std::string path = folder / "store.db";
  EXPECT_THAT(SqliteStore::open_for_reading(path, {}), FailsWith(errors::kFileNotFound));
  ThreadExecutor executor(1);
  SystemClock clock;
  NullMeter meter;
  const auto writing = SqliteStore::open(path, {}, executor, clock, meter).value();
  const auto reading = SqliteStore::open_for_reading(path, {}).value();
  for (const char* value : {"1", "2"}) {
    ASSERT_THAT(writing->commit_and_wait(Batch().put(Table::kMeta, "k", value).append("k", value)), Succeeds());
    EXPECT_EQ(reading->get(Table::kMeta, "k").value()->value, value);
  }
  EXPECT_EQ(reading->last_sequence().value(), 2u);
  EXPECT_THAT(reading->commit_and_wait(Batch().put(Table::kMeta, "k", "3")), FailsWith(errors::kLockHeld));
  EXPECT_EQ(writing->get(Table::kMeta, "k").value()->value, "2");
}

}  // namespace
}  // namespace tandem::sqlite
