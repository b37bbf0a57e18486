// A disk that is full, fails to read, to write or to sync: what the store answers, and what is there afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/store/sqlite/connection.h"
#include "tandem/store/sqlite/testing/fault_disk.h"
#include "tandem/store/sqlite/testing/stepped_store.h"
#include "tandem/store/testing/conformance.h"

namespace tandem::sqlite {
namespace {

using store::Batch;
using store::Expect;
using store::LogEntry;
using store::Row;
using store::Table;

class DiskFaults : public testing::Test {
 protected:
  static constexpr std::uint64_t kSmallLog = 64 << 10;  // a checkpoint every few commits
  FaultDisk disk{"fault"};
  SteppedStore store{disk, kSmallLog};
  Xoshiro256 generator{11};

  void SetUp() override { ASSERT_THAT(store.open(), Succeeds()); }
  static Batch job(int i) {
    const std::string key = std::to_string(i);
    return Batch().put(Table::kJob, key, Bytes(3000, 'v'), Expect::absent()).append(key, key);
  }
  bool has(int i) { return store->get(Table::kJob, std::to_string(i)).value().has_value(); }
  /// Loses power, restarts, and checks that the database is sound and exactly `acknowledged` of 0..end-1 are there.
  void expect_after_power_loss(const std::vector<bool>& acknowledged) {
    store.close();
    disk.reboot(generator);
    ASSERT_THAT(store.open(), Succeeds());
    const auto connection = Connection::open("store.db", disk.name(), Access::kReader).value();
    EXPECT_EQ(connection->text("PRAGMA integrity_check").value(), "ok");
    for (std::size_t i = 0; i < acknowledged.size(); ++i) {
      if (acknowledged[i]) {
        EXPECT_TRUE(has(static_cast<int>(i))) << i;
      }
    }
    const auto log = store::log_of(*store, 0, 10'000);
    EXPECT_EQ(log.size(), store->count(Table::kJob, "").value());
    for (std::size_t i = 0; i < log.size(); ++i) EXPECT_EQ(log[i].sequence, i + 1);
  }
};

TEST_F(DiskFaults, a_full_disk_refuses_the_whole_group_and_nothing_more) {
  ASSERT_THAT(store.commit(job(0)), Succeeds());
  const store::Contents before = store::contents_of(*store);
  disk.full_after(0);
  // The second batch conflicts with the first only if the first was applied, which it then was not.
  for (const auto& answer : store.commit_group({job(1), job(1), job(0), job(2)}))
    EXPECT_THAT(answer, FailsWith(errors::kDiskFull));
  EXPECT_EQ(store::contents_of(*store), before);
  EXPECT_THAT(store.commit(job(3)), FailsWith(errors::kDiskFull));
  disk.free_space();
  const auto next = store.commit(job(1));
  ASSERT_THAT(next, Succeeds());
  EXPECT_THAT(next->sequences, testing::ElementsAre(2));
  expect_after_power_loss({true, true});
}

TEST_F(DiskFaults, a_disk_that_fills_up_anywhere_loses_nothing_that_was_acknowledged) {
  // The space ends at every write of thirty commits in turn: in the log, in a checkpoint, at the start of a new log.
  int failed_at_some_write = 0;
  for (std::uint64_t write = 0; write < 150; ++write) {
    store.close();
    FaultDisk fresh("fresh");
    SteppedStore filling(fresh, kSmallLog);
    ASSERT_THAT(filling.open(), Succeeds());
    fresh.full_after(write);
    std::vector<bool> acknowledged;
    for (int i = 0; i < 30; ++i) {
      const auto answer = filling.commit(job(i));
      if (!answer) {
        ASSERT_THAT(answer, FailsWith(errors::kDiskFull)) << write;
      }
      acknowledged.push_back(answer.has_value());
      ASSERT_EQ(filling->get(Table::kJob, std::to_string(i)).value().has_value(), answer.has_value());
    }
    failed_at_some_write += std::count(acknowledged.begin(), acknowledged.end(), false) > 0 ? 1 : 0;
    fresh.free_space();
    ASSERT_THAT(filling.commit(job(30)), Succeeds()) << write;
    acknowledged.push_back(true);
    filling.close();
    fresh.reboot(generator);
    ASSERT_THAT(filling.open(), Succeeds());
    for (int i = 0; i <= 30; ++i) {
      ASSERT_EQ(filling->get(Table::kJob, std::to_string(i)).value().has_value(),
                acknowledged[static_cast<std::size_t>(i)])
          << write;
    }
  }
  EXPECT_GT(failed_at_some_write, 80);  // else the sweep ended before the writes did
}

TEST_F(DiskFaults, copying_the_log_makes_room_when_the_database_need_not_grow) {
  FaultDisk small("small");
  SteppedStore updating(small, 64 << 20);  // left alone, the log would grow for ever
  ASSERT_THAT(updating.open(), Succeeds());
  const auto update = [&](int i) {
    return updating.commit(
        Batch().put(Table::kJob, std::to_string(i % 20), Bytes(3000, static_cast<char>('a' + i % 26))));
  };
  for (int i = 0; i < 60; ++i) ASSERT_THAT(update(i), Succeeds());
  updating.close();  // the rows, and the pages that an update needs for a moment, have their place in the database now
  ASSERT_THAT(updating.open(), Succeeds());
  small.limit_capacity(1 << 20);
  int refused = 0;
  for (int i = 0; i < 1'000; ++i) {
    const auto answer = update(i);
    if (answer) continue;
    ASSERT_THAT(answer, FailsWith(errors::kDiskFull));
    ++refused;
    ASSERT_THAT(update(i), Succeeds()) << i;
  }
  EXPECT_GT(refused, 0);  // else the disk was never full
}

TEST_F(DiskFaults, a_store_on_a_full_disk_can_be_opened_and_read) {
  ASSERT_THAT(store.commit(job(0)), Succeeds());
  store.close();
  disk.full_after(0);
  ASSERT_THAT(store.open(), Succeeds());
  EXPECT_TRUE(has(0));
  EXPECT_THAT(store.commit(job(1)), FailsWith(errors::kDiskFull));
}

TEST_F(DiskFaults, after_a_failed_sync_nothing_is_acknowledged_and_nothing_acknowledged_is_lost) {
  // The sync fails that belongs to a commit, or one of a checkpoint: each in turn.
  int failed_in_a_commit = 0;
  int failed_in_a_checkpoint = 0;
  for (std::uint64_t sync = 0; sync < 40; ++sync) {
    store.close();
    FaultDisk fresh("fresh");
    SteppedStore failing(fresh, kSmallLog);
    ASSERT_THAT(failing.open(), Succeeds());
    fresh.fail_one_sync_after(sync);
    int acknowledged = 0;
    std::vector<ErrorNumber> refusals;
    for (int i = 0; i < 30; ++i) {
      const auto answer = failing.commit(job(i));
      if (!answer) refusals.push_back(answer.error().number);
      ASSERT_TRUE(!answer || refusals.empty()) << "acknowledged after a failure";
      acknowledged += answer ? 1 : 0;
    }
    if (!refusals.empty() && refusals.front() == errors::kIoError) {
      ++failed_in_a_commit;
      refusals.erase(refusals.begin());
    } else if (!refusals.empty()) {
      ++failed_in_a_checkpoint;
    }
    EXPECT_THAT(refusals, testing::Each(errors::kStoreClosed));
    for (int i = 0; i < acknowledged; ++i)
      EXPECT_TRUE(failing->get(Table::kJob, std::to_string(i)).value().has_value());  // reads go on
    failing.close();
    fresh.reboot(generator);
    ASSERT_THAT(failing.open(), Succeeds());
    for (int i = 0; i < acknowledged; ++i) {
      ASSERT_TRUE(failing->get(Table::kJob, std::to_string(i)).value().has_value()) << "sync " << sync << ", job " << i;
    }
  }
  EXPECT_GT(failed_in_a_commit, 10);
  EXPECT_GT(failed_in_a_checkpoint, 2);
}

TEST_F(DiskFaults, after_a_failed_sync_the_disk_is_left_as_it_is) {
  ASSERT_THAT(store.commit(job(0)), Succeeds());
  disk.fail_one_sync_after(0);
  ASSERT_THAT(store.commit(job(1)), FailsWith(errors::kIoError));
  const std::uint64_t changes = disk.changes();
  ASSERT_THAT(store.commit(job(2)), FailsWith(errors::kStoreClosed));
  store.close();  // otherwise the last connection would copy the log into the database and remove it
  EXPECT_EQ(disk.changes(), changes);
  expect_after_power_loss({true});
}

TEST_F(DiskFaults, a_failed_write_stops_the_store_with_its_reason) {
  ASSERT_THAT(store.commit(job(0)), Succeeds());
  disk.fail_writes_after(1);
  for (const auto& answer : store.commit_group({job(1), job(2)})) EXPECT_THAT(answer, FailsWith(errors::kIoError));
  const auto after = store.commit(job(3));
  ASSERT_THAT(after, FailsWith(errors::kStoreClosed));
  EXPECT_THAT(after.error().message, testing::HasSubstr("disk I/O error"));
  EXPECT_TRUE(has(0));
  EXPECT_FALSE(has(1));
  expect_after_power_loss({true});
}

TEST_F(DiskFaults, a_read_that_fails_is_told_as_that_and_never_as_an_answer) {
  // Each read in turn, until there are no more: while the store is opened, of a row, of many, of the log, within a commit.
  constexpr int kThere = 40;  // more pages than one
  std::map<std::string, int> failed;
  for (std::uint64_t read = 0;; ++read) {
    FaultDisk fresh("fresh");
    SteppedStore reading(fresh, kSmallLog);
    ASSERT_THAT(reading.open(), Succeeds());
    for (int i = 0; i < kThere; ++i) ASSERT_THAT(reading.commit(job(i)), Succeeds());
    reading.close();
    fresh.fail_one_read_after(read);
    const auto fails_with_the_read = [&](const char* what, const auto& answer) {
      EXPECT_THAT(answer, FailsWith(errors::kIoError)) << what << ", read " << read;
      EXPECT_TRUE(fresh.failed_a_read()) << what << ", read " << read;
      ++failed[what];
    };
    if (const auto opened = reading.open(); !opened) {
      fails_with_the_read("open", opened);
      ASSERT_THAT(reading.open(), Succeeds()) << read;
    }
    for (const int i : {0, kThere / 2, kThere - 1}) {
      const auto row = reading->get(Table::kJob, std::to_string(i));
      if (!row)
        fails_with_the_read("get", row);
      else
        ASSERT_TRUE(*row && (**row).value == Bytes(3000, 'v')) << read;
    }
    const auto rows = reading->scan(store::Scan::prefix(Table::kJob, ""));
    if (!rows)
      fails_with_the_read("scan", rows);
    else
      ASSERT_THAT(*rows, testing::SizeIs(kThere)) << read;
    const auto entries = reading->read_log(0, 1000);
    if (!entries)
      fails_with_the_read("log", entries);
    else
      ASSERT_THAT(*entries, testing::SizeIs(kThere)) << read;
    const auto refused = reading.commit(job(0));  // there is one
    if (!refused && refused.error().number != errors::kPreconditionFailed) fails_with_the_read("commit", refused);
    std::vector<bool> acknowledged(kThere, true);
    for (int i = kThere; i < kThere + 2; ++i) {
      const auto answer = reading.commit(job(i));
      // What the store cannot go on after it says from then on.
      if (!answer && answer.error().number != errors::kStoreClosed) fails_with_the_read("commit", answer);
      acknowledged.push_back(answer.has_value());
    }
    reading.close();
    const bool was_the_last = !fresh.failed_a_read();
    fresh.reboot(generator);
    ASSERT_THAT(reading.open(), Succeeds()) << read;
    for (int i = 0; i < kThere + 2; ++i) {
      const auto row = reading->get(Table::kJob, std::to_string(i));
      ASSERT_THAT(row, Succeeds());
      ASSERT_EQ(row->has_value(), acknowledged[static_cast<std::size_t>(i)]) << "read " << read << ", job " << i;
    }
    reading.close();
    if (was_the_last) break;
  }
  for (const char* what : {"open", "get", "scan", "log", "commit"}) EXPECT_GT(failed[what], 0) << what;
}

TEST_F(DiskFaults, batches_of_one_group_see_each_other_in_order) {
  const auto answers = store.commit_group({
      Batch().put(Table::kJob, "a", "1", Expect::absent()).append("a", "1"),
      Batch().put(Table::kJob, "a", "2", Expect::absent()).append("a", "2"),  // refused: there is one now
      Batch().put(Table::kJob, "a", "3", Expect::at(1)).append("a", "3"),
      Batch().erase(Table::kJob, "a", Expect::at(1)).append("a", "4"),  // refused: it is at 2
      Batch().erase(Table::kJob, "a", Expect::at(2)),
      Batch().put(Table::kJob, "a", "6", Expect::absent()).append("a", "6"),
  });
  std::string outcomes;
  for (const auto& answer : answers) outcomes += answer ? '+' : '-';
  EXPECT_EQ(outcomes, "+-+-++");
  EXPECT_EQ(store->get(Table::kJob, "a").value(), (Row{"a", 1, "6"}));
  EXPECT_EQ(answers[0]->sequences, std::vector<std::uint64_t>{1});
  EXPECT_EQ(answers[2]->sequences, std::vector<std::uint64_t>{2});
  EXPECT_EQ(answers[5]->sequences, std::vector<std::uint64_t>{3});
  EXPECT_EQ(store->count(Table::kJob, "").value(), 1);
}

TEST_F(DiskFaults, a_second_store_on_the_same_file_is_refused_until_the_first_is_closed) {
  ASSERT_THAT(store.commit(job(0)), Succeeds());
  SteppedStore second(disk);
  EXPECT_THAT(second.open(), FailsWith(errors::kLockHeld));
  EXPECT_THAT(store.commit(job(1)), Succeeds());
  store.close();
  ASSERT_THAT(second.open(), Succeeds());
  EXPECT_EQ(second->count(Table::kJob, "").value(), 2);
}

}  // namespace
}  // namespace tandem::sqlite
