// Backups between the stores: what one holds at a moment is what the other holds after the restore, row by row and entry by entry.
#include "tandem/store/backup.h"

#include <thread>

#include "tandem/base/testing/memory_fs.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/testing/cluster.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/conformance.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::store {
namespace {

constexpr const char* kFile = "store.backup";

class Backups : public testing::Test {
 protected:
  std::unique_ptr<Store> postgres() {
    static postgres::Cluster cluster;
    static int made = 0;
    const std::string name = "b" + std::to_string(++made);
    cluster.sql("CREATE DATABASE " + name);
    return postgres::PostgresStore::open(cluster.address(name), {}, executor_, clock_, rng_, meter_).value();
  }
  std::unique_ptr<Store> sqlite() {
    return sqlite::SqliteStore::open(folder_ / ("s" + std::to_string(++files_)), {}, executor_, clock_, meter_).value();
  }
  Result<BackupSummary> back_up(Store& store) {
    return store::back_up(store, fs_, kFile, {.compression = Compression::kZlib, .tandem = "0.1.0"}, clock_, {});
  }
  Result<BackupSummary> restore(Store& store) { return store::restore(fs_, kFile, store, {}); }

  void a_backup_under_load_is_a_moment_of(Store& from, Store& into);

  TempFolder folder_;
  MemoryFs fs_;
  ThreadExecutor executor_{2};
  SystemClock clock_;
  SystemRng rng_;
  NullMeter meter_;
  int files_ = 0;
};

/// Writers commit all the time; each batch is numbered, so that what was whole at the moment is known from the log alone.
void Backups::a_backup_under_load_is_a_moment_of(Store& from, Store& into) {
  Batch first;
  for (const Table table : all_tables())
    first.put(table, std::string("\0\xff", 2), Bytes(2u << 20, '\xaa'))
        .put(table, "twice", "1")
        .put(table, "twice", "2");
  ASSERT_THAT(from.commit_and_wait(std::move(first)), Succeeds());
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> written = 0;
  std::thread load([&] {
    run_threads(4, [&](int thread) {
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(thread) + "/" + std::to_string(i);
        Batch batch;
        batch.put(Table::kJob, key, Bytes(300, 'j')).append(key, "a").append(key, "b");
        batch.put(Table::kBudget, std::to_string(thread), std::to_string(i));
        if (i > 0) batch.erase(Table::kStep, std::to_string(thread) + "/" + std::to_string(i - 1));
        batch.put(Table::kStep, key, key);
        ASSERT_THAT(from.commit_and_wait(std::move(batch)), Succeeds());
        ++written;
      }
    });
  });
  while (written < 500) std::this_thread::yield();
  const auto early = from.snapshot().value();
  const auto done = back_up(from);
  const auto late = from.snapshot().value();
  stop = true;
  load.join();
  ASSERT_THAT(done, Succeeds());
  ASSERT_THAT(restore(into), Succeeds());
  const Contents restored = contents_of(into);
  EXPECT_THAT(into.snapshot().value()->faults().value(), testing::IsEmpty());
  EXPECT_EQ(restored.log.size(), done->header.last_sequence);
  EXPECT_GE(done->header.last_sequence, early->last_sequence());
  EXPECT_LE(done->header.last_sequence, late->last_sequence());
  // Of the moments that the log names this is the one with so many entries: its rows follow from it.
  const Contents whole = contents_of(from);
  EXPECT_TRUE(std::equal(restored.log.begin(), restored.log.end(), whole.log.begin()));
  Contents expected = contents_of(*early);
  std::map<std::string, int> counters;
  for (std::size_t i = early->last_sequence(); i < restored.log.size(); i += 2) {
    const std::string& key = restored.log[i].first;
    EXPECT_EQ(restored.log[i + 1].first, key);
    expected.tables["job"].push_back({key, 1, Bytes(300, 'j')});
    counters[key.substr(0, key.find('/'))] = std::stoi(key.substr(key.find('/') + 1));
  }
  std::sort(expected.tables["job"].begin(), expected.tables["job"].end(),
            [](const Row& a, const Row& b) { return a.key < b.key; });
  EXPECT_EQ(restored.tables.at("job"), expected.tables["job"]);
  for (const auto& [thread, last] : counters) {
    const Row row = *into.get(Table::kBudget, thread).value();
    EXPECT_EQ(row, (Row{thread, static_cast<std::uint64_t>(last) + 1, std::to_string(last)}));
    EXPECT_TRUE(into.get(Table::kStep, thread + "/" + std::to_string(last)).value().has_value());
  }
  for (const char* quiet : {"blob", "meta", "lineage"}) EXPECT_EQ(restored.tables.at(quiet), whole.tables.at(quiet));
  // And the same once more, now that nobody writes: everything is equal.
  ASSERT_THAT(back_up(into), Succeeds());
  memory::MemoryStore copy(executor_);
  ASSERT_THAT(restore(copy), Succeeds());
  EXPECT_EQ(contents_of(copy), restored);
}

TEST_F(Backups, one_of_a_file_taken_under_load_moves_into_a_server) {
  const auto from = sqlite();
  const auto into = postgres();
  a_backup_under_load_is_a_moment_of(*from, *into);
}

TEST_F(Backups, one_of_a_server_taken_under_load_moves_into_a_file) {
  const auto from = postgres();
  const auto into = sqlite();
  a_backup_under_load_is_a_moment_of(*from, *into);
}

TEST_F(Backups, a_restored_store_goes_on_where_the_other_one_was) {
  const auto from = sqlite();
  ASSERT_THAT(from->commit_and_wait(Batch().put(Table::kJob, "a", "1").put(Table::kJob, "a", "2").append("s", "1")),
              Succeeds());
  ASSERT_THAT(back_up(*from), Succeeds());
  const auto into = postgres();
  ASSERT_THAT(restore(*into), Succeeds());
  const auto next = into->commit_and_wait(Batch().put(Table::kJob, "a", "3", Expect::at(2)).append("s", "2"));
  ASSERT_THAT(next, Succeeds());
  EXPECT_THAT(next->sequences, testing::ElementsAre(2));
}

TEST_F(Backups, only_an_empty_store_is_filled) {
  const auto from = sqlite();
  ASSERT_THAT(back_up(*from), Succeeds());
  for (const auto& [into, why] :
       {std::pair{sqlite(), Batch().put(Table::kMeta, "k", "")},
        std::pair{postgres(), Batch().put(Table::kLineage, "k", "")}, std::pair{postgres(), Batch().append("s", "")}}) {
    ASSERT_THAT(into->commit_and_wait(why), Succeeds());
    const Contents before = contents_of(*into);
    EXPECT_THAT(restore(*into), FailsWith(errors::kStoreNotEmpty));
    EXPECT_EQ(contents_of(*into), before);
  }
}

TEST_F(Backups, a_damaged_file_leaves_the_store_empty) {
  const auto from = sqlite();
  for (int i = 0; i < 20; ++i)
    ASSERT_THAT(from->commit_and_wait(Batch().put(Table::kBlob, std::to_string(i), Bytes(1u << 20, 'b'))), Succeeds());
  ASSERT_THAT(back_up(*from), Succeeds());
  Bytes bytes = fs_.read_file(kFile, UINT64_MAX).value();
  bytes[bytes.size() - 40] ^= 1;
  fs_.put_file(kFile, bytes);
  const auto into = sqlite();
  EXPECT_THAT(restore(*into), FailsWith(errors::kBackupDamaged));
  EXPECT_EQ(into->snapshot().value()->last_sequence(), 0u);
  for (const Table table : all_tables()) EXPECT_EQ(into->count(table, "").value(), 0u);
  EXPECT_THAT(refuse_unfinished_restore(*into), Succeeds());
}

TEST_F(Backups, a_restore_that_somebody_writes_into_ends_and_is_known_as_unfinished) {
  const auto from = sqlite();
  for (int i = 0; i < 12'000; ++i) {
    Batch batch;
    batch.put(Table::kJob, std::to_string(i), "").append("s", "");
    from->commit(std::move(batch), [](const auto&) {});
  }
  ASSERT_THAT(from->commit_and_wait(Batch()), Succeeds());
  ASSERT_THAT(back_up(*from), Succeeds());
  const auto into = sqlite();
  std::thread meddler([&] {
    while (!into->get(Table::kMeta, "restore/unfinished").value()) std::this_thread::yield();
    EXPECT_THAT(into->commit_and_wait(Batch().put(Table::kMeta, "node/1", "")), Succeeds());
  });
  EXPECT_THAT(restore(*into), FailsWith(errors::kStoreNotEmpty));
  meddler.join();
  EXPECT_THAT(refuse_unfinished_restore(*into), FailsWith(errors::kRestoreUnfinished));
}

}  // namespace
}  // namespace tandem::store
