// tandem/store/testing/conformance.h - what every Store must show, whatever is behind it.
//
// Room: store, tests only. An implementation writes a Harness and one line:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreConformance, MemoryHarness);
// Harness: default constructible; open() gives a store on the harness's one set of rows, which outlives the store; one
// at a time.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/store.h"

namespace tandem::store {

inline std::vector<Table> all_tables() {
  std::vector<Table> tables;
  for (std::size_t i = 0; i < kNumTables; ++i) tables.push_back(static_cast<Table>(i));
  return tables;
}

/// The value itself: `for (auto& row : store.scan(...).value())` would walk a result that is already gone.
inline std::vector<Row> rows_of(Store& store, const Scan& scan) { return store.scan(scan).value(); }
inline std::vector<LogEntry> log_of(Store& store, std::uint64_t after, std::size_t limit,
                                    std::string_view subject = {}) {
  return store.read_log(after, limit, subject).value();
}

/// Everything a store holds, for comparing whole states.
struct Contents {
  std::map<std::string, std::vector<Row>> tables;
  std::vector<std::pair<std::string, Bytes>> log;
  std::map<std::string, std::uint64_t> counts;
  friend bool operator==(const Contents&, const Contents&) = default;
};

inline Contents contents_of(Store& store) {
  Contents contents;
  for (const Table table : all_tables()) {
    const std::string name(to_string(table));
    contents.tables[name] = store.scan({.table = table, .from = "", .until = "", .limit = 1'000'000}).value();
    contents.counts[name] = store.count(table, "").value();
  }
  for (LogEntry& entry : log_of(store, 0, 1'000'000)) {
    EXPECT_EQ(entry.sequence, contents.log.size() + 1);
    contents.log.emplace_back(std::move(entry.subject), std::move(entry.value));
  }
  return contents;
}

/// The same of a snapshot.
inline Contents contents_of(Snapshot& snapshot) {
  Contents contents;
  for (const Table table : all_tables()) {
    auto& rows = contents.tables[std::string(to_string(table))];
    EXPECT_THAT(snapshot.read_rows(table,
                                   [&](Row row) -> Result<void> {
                                     rows.push_back(std::move(row));
                                     return {};
                                   }),
                Succeeds());
    contents.counts[std::string(to_string(table))] = rows.size();
  }
  EXPECT_THAT(snapshot.read_log([&](LogEntry entry) -> Result<void> {
    EXPECT_EQ(entry.sequence, contents.log.size() + 1);
    contents.log.emplace_back(std::move(entry.subject), std::move(entry.value));
    return {};
  }),
              Succeeds());
  EXPECT_EQ(snapshot.last_sequence(), contents.log.size());
  return contents;
}

inline void run_threads(int threads, const std::function<void(int)>& body) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back(body, i);
  for (std::thread& thread : running) thread.join();
}

template <typename Harness>
class StoreConformance : public testing::Test {
 protected:
  void SetUp() override { store = harness.open(); }
  void reopen() {
    store.reset();
    store = harness.open();
  }
  Result<Committed> commit(Batch batch) { return store->commit_and_wait(std::move(batch)); }
  Row row(Table table, std::string_view key) {
    const auto found = store->get(table, key).value();
    return found ? *found : Row{};
  }

  Harness harness;
  std::unique_ptr<Store> store;
};

TYPED_TEST_SUITE_P(StoreConformance);

TYPED_TEST_P(StoreConformance, a_row_starts_at_version_one_and_every_put_adds_one) {
  EXPECT_EQ(this->store->get(Table::kJob, "a").value(), std::nullopt);
  for (std::uint64_t version = 1; version <= 3; ++version) {
    const Bytes value = "value " + std::to_string(version);
    ASSERT_THAT(this->commit(Batch().put(Table::kJob, "a", value)), Succeeds());
    EXPECT_EQ(this->row(Table::kJob, "a"), (Row{"a", version, value}));
  }
  ASSERT_THAT(this->commit(Batch().erase(Table::kJob, "a")), Succeeds());
  EXPECT_EQ(this->store->get(Table::kJob, "a").value(), std::nullopt);
  ASSERT_THAT(this->commit(Batch().put(Table::kJob, "a", "again")), Succeeds());
  EXPECT_EQ(this->row(Table::kJob, "a"), (Row{"a", 1, "again"}));
}

TYPED_TEST_P(StoreConformance, every_expectation_holds_exactly_when_it_says) {
  // Versions 0 (no row) to 3 against every kind and version, for every operation that can carry one.
  std::vector<Expect> expects = {Expect::any(), Expect::absent(), Expect::present()};
  for (std::uint64_t version = 0; version <= 4; ++version) expects.push_back(Expect::at(version));
  for (std::uint64_t version = 0; version <= 3; ++version) {
    for (const Expect expect : expects) {
      const bool holds = expect.kind == Expect::Kind::kAny || (expect.kind == Expect::Kind::kAbsent && version == 0) ||
                         (expect.kind == Expect::Kind::kPresent && version > 0) ||
                         (expect.kind == Expect::Kind::kVersion && version > 0 && expect.version == version);
      for (int operation = 0; operation < 3; ++operation) {
        SCOPED_TRACE(testing::Message() << "version " << version << ", kind " << static_cast<int>(expect.kind) << " "
                                        << expect.version << ", operation " << operation);
        (void)this->commit(Batch().erase(Table::kJob, "k"));
        for (std::uint64_t i = 0; i < version; ++i)
          ASSERT_THAT(this->commit(Batch().put(Table::kJob, "k", "old")), Succeeds());
        Batch batch;
        if (operation == 0) batch.put(Table::kJob, "k", "new", expect);
        if (operation == 1) batch.erase(Table::kJob, "k", expect);
        if (operation == 2) batch.check(Table::kJob, "k", expect);
        const auto result = this->commit(std::move(batch));
        Row after = version > 0 ? Row{"k", version, "old"} : Row{};
        if (holds) {
          EXPECT_THAT(result, Succeeds());
          if (operation == 0) after = Row{"k", version + 1, "new"};
          if (operation == 1) after = Row{};
        } else {
          ASSERT_THAT(result, FailsWith(errors::kPreconditionFailed));
          EXPECT_THAT(result.error().message, testing::HasSubstr("job 'k'"));
        }
        EXPECT_EQ(this->row(Table::kJob, "k"), after);
      }
    }
  }
}

TYPED_TEST_P(StoreConformance, a_refused_batch_leaves_nothing) {
  ASSERT_THAT(this->commit(Batch().put(Table::kJob, "a", "1").put(Table::kMeta, "m", "1").append("a", "first")),
              Succeeds());
  const Contents before = contents_of(*this->store);
  Batch batch;
  for (const Table table : all_tables()) batch.put(table, "new", "x");
  batch.put(Table::kJob, "a", "2")
      .erase(Table::kMeta, "m")
      .append("a", "second")
      .check(Table::kStep, "nothing", Expect::present());
  EXPECT_THAT(this->commit(std::move(batch)), FailsWith(errors::kPreconditionFailed));
  EXPECT_EQ(contents_of(*this->store), before);
  const auto next = this->commit(Batch().append("a", "third"));
  ASSERT_THAT(next, Succeeds());
  EXPECT_THAT(next->sequences, testing::ElementsAre(2));
}

TYPED_TEST_P(StoreConformance, preconditions_see_the_rows_before_the_batch_and_operations_run_in_order) {
  ASSERT_THAT(this->commit(Batch().put(Table::kJob, "old", "0")), Succeeds());
  ASSERT_THAT(this->commit(Batch()
                               .put(Table::kJob, "twice", "1", Expect::absent())
                               .put(Table::kJob, "twice", "2", Expect::absent())
                               .put(Table::kJob, "gone", "1")
                               .erase(Table::kJob, "gone", Expect::absent())
                               .erase(Table::kJob, "old", Expect::at(1))
                               .put(Table::kJob, "old", "1", Expect::at(1))
                               .put(Table::kJob, "old", "2", Expect::present())),
              Succeeds());
  EXPECT_EQ(this->row(Table::kJob, "twice"), (Row{"twice", 2, "2"}));
  EXPECT_EQ(this->row(Table::kJob, "gone"), Row{});
  EXPECT_EQ(this->row(Table::kJob, "old"), (Row{"old", 2, "2"}));
  EXPECT_EQ(this->store->count(Table::kJob, "").value(), 2);
}

TYPED_TEST_P(StoreConformance, an_empty_batch_and_one_of_checks_only_succeed) {
  EXPECT_THAT(this->commit(Batch()), Succeeds());
  EXPECT_THAT(this->commit(Batch().check(Table::kJob, "a", Expect::absent())), Succeeds());
  EXPECT_THAT(this->commit(Batch().check(Table::kJob, "a", Expect::present())), FailsWith(errors::kPreconditionFailed));
  EXPECT_EQ(this->store->last_sequence().value(), 0);
}

TYPED_TEST_P(StoreConformance, tables_are_separate_and_keys_are_bytes) {
  const std::vector<std::string> keys = {"",
                                         std::string(1, '\0'),
                                         std::string("a\0b", 3),
                                         "a",
                                         "a/b",
                                         "\x7f",
                                         "\x80",
                                         "\xff",
                                         "\xff\xff",
                                         "\xc3\x28",
                                         "A",
                                         std::string(Batch::kKeyBytesMax, '\xfe')};
  for (const Table table : all_tables()) {
    for (const std::string& key : keys) {
      ASSERT_THAT(this->commit(Batch().put(table, key, std::string(to_string(table)) + key, Expect::absent())),
                  Succeeds());
    }
  }
  std::vector<std::string> sorted = keys;
  std::sort(sorted.begin(), sorted.end());  // std::string compares as unsigned bytes
  for (const Table table : all_tables()) {
    const auto rows = this->store->scan({.table = table, .from = "", .until = ""}).value();
    ASSERT_EQ(rows.size(), sorted.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      EXPECT_EQ(rows[i], (Row{sorted[i], 1, std::string(to_string(table)) + sorted[i]}));
    for (const std::string& key : keys)
      EXPECT_EQ(this->row(table, key), (Row{key, 1, std::string(to_string(table)) + key}));
  }
}

TYPED_TEST_P(StoreConformance, scans_and_counts_agree_with_a_sorted_map) {
  Xoshiro256 generator(7);
  const auto random_key = [&] {
    std::string key;
    for (std::uint64_t i = generator.below(4); i > 0; --i)
      key.push_back(
          "\x00\x01"
          "a\xfe\xff"[generator.below(5)]);
    return key;
  };
  std::map<std::string, std::string> reference;
  Batch batch;
  for (int i = 0; i < 120; ++i) {
    const std::string key = random_key();
    reference[key] = "v" + std::to_string(i);
    batch.put(Table::kJobIndex, key, reference[key]);
  }
  for (int i = 0; i < 20; ++i) {
    const std::string key = random_key();
    reference.erase(key);
    batch.erase(Table::kJobIndex, key);
  }
  ASSERT_THAT(this->commit(std::move(batch)), Succeeds());
  for (int i = 0; i < 600; ++i) {
    const Scan scan{.table = Table::kJobIndex,
                    .from = random_key(),
                    .until = random_key(),
                    .limit = generator.below(3) == 0 ? generator.below(6) : 1000,
                    .descending = generator.below(2) == 0};
    std::vector<std::pair<std::string, std::string>> expected;
    for (const auto& [key, value] : reference) {
      if (key >= scan.from && (scan.until.empty() || key < scan.until)) expected.emplace_back(key, value);
    }
    if (scan.descending) std::reverse(expected.begin(), expected.end());
    expected.resize(std::min(expected.size(), scan.limit));
    std::vector<std::pair<std::string, std::string>> found;
    for (const Row& row : rows_of(*this->store, scan)) found.emplace_back(row.key, row.value);
    ASSERT_EQ(found, expected) << "scan " << i;
  }
  for (int i = 0; i < 200; ++i) {
    const std::string prefix = random_key();
    std::vector<std::string> expected;
    for (const auto& [key, value] : reference) {
      if (key.starts_with(prefix)) expected.push_back(key);
    }
    std::vector<std::string> found;
    for (const Row& row : rows_of(*this->store, Scan::prefix(Table::kJobIndex, prefix))) found.push_back(row.key);
    ASSERT_EQ(found, expected);
    ASSERT_EQ(this->store->count(Table::kJobIndex, prefix).value(), expected.size());
  }
}

TYPED_TEST_P(StoreConformance, values_of_any_bytes_and_64_mebibytes_come_back_whole) {
  Bytes every_byte;
  for (int i = 0; i < 256; ++i) every_byte.push_back(static_cast<char>(i));
  Bytes large(std::size_t{64} << 20, '\0');
  Xoshiro256 generator(3);
  for (std::size_t i = 0; i < large.size(); i += 997) large[i] = static_cast<char>(generator());
  ASSERT_THAT(this->commit(Batch()
                               .put(Table::kBlob, "empty", "")
                               .put(Table::kBlob, "bytes", every_byte)
                               .put(Table::kBlob, "large", large)
                               .append("", "")
                               .append(std::string("\0s", 2), every_byte)
                               .append("large", large)),
              Succeeds());
  this->reopen();
  EXPECT_EQ(this->row(Table::kBlob, "empty"), (Row{"empty", 1, ""}));
  EXPECT_EQ(this->row(Table::kBlob, "bytes"), (Row{"bytes", 1, every_byte}));
  EXPECT_TRUE(this->row(Table::kBlob, "large").value == large);  // not EXPECT_EQ: a failure would print it
  const auto log = this->store->read_log(0, 10).value();
  ASSERT_EQ(log.size(), 3);
  EXPECT_EQ(log[0].value, "");
  EXPECT_EQ(log[1].subject, std::string("\0s", 2));
  EXPECT_EQ(log[1].value, every_byte);
  EXPECT_TRUE(log[2].value == large);
}

TYPED_TEST_P(StoreConformance, what_is_above_a_limit_is_refused_by_name) {
  Batch many;
  for (std::size_t i = 0; i <= Batch::kOperationsMax; ++i) many.append("s", "");
  const auto too_many = this->commit(many);
  ASSERT_THAT(too_many, FailsWith(errors::kBatchTooLarge));
  EXPECT_THAT(too_many.error().message, testing::AllOf(testing::HasSubstr("10001"), testing::HasSubstr("10000")));
  const std::string long_key(Batch::kKeyBytesMax + 1, 'k');
  EXPECT_THAT(this->commit(Batch().put(Table::kJob, long_key, "")), FailsWith(errors::kBatchTooLarge));
  EXPECT_THAT(this->commit(Batch().erase(Table::kJob, long_key)), FailsWith(errors::kBatchTooLarge));
  EXPECT_THAT(this->commit(Batch().check(Table::kJob, long_key, Expect::absent())), FailsWith(errors::kBatchTooLarge));
  EXPECT_THAT(this->commit(Batch().append(long_key, "")), FailsWith(errors::kBatchTooLarge));
  EXPECT_EQ(this->store->last_sequence().value(), 0);
  many.operations.pop_back();
  EXPECT_THAT(this->commit(std::move(many)), Succeeds());
  EXPECT_EQ(this->store->last_sequence().value(), Batch::kOperationsMax);
}

TYPED_TEST_P(StoreConformance, the_log_is_read_by_position_and_by_subject) {
  const auto committed = this->commit(Batch().append("a", "1").append("b", "2").append("a", "3"));
  ASSERT_THAT(committed, Succeeds());
  EXPECT_THAT(committed->sequences, testing::ElementsAre(1, 2, 3));
  ASSERT_THAT(this->commit(Batch().append("b", "4").append("a", "5")), Succeeds());
  const auto values = [&](std::uint64_t after, std::size_t limit, std::string_view subject) {
    std::string text;
    for (const LogEntry& entry : log_of(*this->store, after, limit, subject)) {
      EXPECT_EQ(entry.value, std::to_string(entry.sequence));
      text += entry.subject + entry.value + " ";
    }
    return text;
  };
  EXPECT_EQ(values(0, 100, ""), "a1 b2 a3 b4 a5 ");
  EXPECT_EQ(values(2, 2, ""), "a3 b4 ");
  EXPECT_EQ(values(5, 100, ""), "");
  EXPECT_EQ(values(std::numeric_limits<std::uint64_t>::max(), 100, ""), "");
  EXPECT_EQ(values(0, 100, "a"), "a1 a3 a5 ");
  EXPECT_EQ(values(1, 1, "a"), "a3 ");
  EXPECT_EQ(values(0, 0, "a"), "");
  EXPECT_EQ(values(0, 100, "c"), "");
}

TYPED_TEST_P(StoreConformance, sixteen_threads_counting_by_compare_and_set_lose_nothing) {
  constexpr int kThreads = 16;
  constexpr int kEach = 25;
  constexpr std::uint64_t kCounters = 8;
  std::atomic<int> refused = 0;
  run_threads(kThreads, [&](int thread) {
    for (int i = 0; i < kEach; ++i) {
      const std::string key = "counter/" + std::to_string(static_cast<std::uint64_t>(thread + i) % kCounters);
      while (true) {
        const auto row = this->store->get(Table::kBudget, key).value();
        const int value = row ? std::stoi(row->value) : 0;
        const Expect expect = row ? Expect::at(row->version) : Expect::absent();
        const auto done = this->commit(
            Batch().put(Table::kBudget, key, std::to_string(value + 1), expect).append(key, std::to_string(value + 1)));
        if (done) break;
        ASSERT_THAT(done, FailsWith(errors::kPreconditionFailed));
        ++refused;
      }
    }
  });
  int sum = 0;
  for (const Row& row : rows_of(*this->store, Scan::prefix(Table::kBudget, "counter/"))) {
    sum += std::stoi(row.value);
    EXPECT_EQ(row.value, std::to_string(row.version));
    // Each counter's own log counts 1, 2, 3, ... : log order is commit order.
    const auto log = this->store->read_log(0, 10'000, row.key).value();
    ASSERT_EQ(log.size(), row.version);
    for (std::size_t i = 0; i < log.size(); ++i) EXPECT_EQ(log[i].value, std::to_string(i + 1));
  }
  EXPECT_EQ(sum, kThreads * kEach);
  EXPECT_EQ(this->store->last_sequence().value(), kThreads * kEach);  // refused batches used no number
}

TYPED_TEST_P(StoreConformance, sequences_are_gapless_and_batches_of_the_log_are_not_interleaved) {
  constexpr int kThreads = 8;
  constexpr int kEach = 50;
  std::mutex mutex;
  std::set<std::uint64_t> given;
  run_threads(kThreads, [&](int thread) {
    for (int i = 0; i < kEach; ++i) {
      Batch batch;
      for (int part = 0; part <= i % 3; ++part) batch.append("t" + std::to_string(thread), std::to_string(part));
      if (i % 5 == 4) batch.check(Table::kJob, "missing", Expect::present());
      const auto done = this->commit(std::move(batch));
      ASSERT_EQ(done.has_value(), i % 5 != 4);
      if (!done) continue;
      for (std::size_t part = 1; part < done->sequences.size(); ++part) {
        EXPECT_EQ(done->sequences[part], done->sequences[0] + part);
      }
      const std::lock_guard lock(mutex);
      given.insert(done->sequences.begin(), done->sequences.end());
    }
  });
  ASSERT_FALSE(given.empty());
  EXPECT_EQ(*given.begin(), 1);
  EXPECT_EQ(*given.rbegin(), given.size());
  EXPECT_EQ(this->store->last_sequence().value(), given.size());
  std::uint64_t expected = 0;
  for (const LogEntry& entry : log_of(*this->store, 0, 100'000)) EXPECT_EQ(entry.sequence, ++expected);
}

TYPED_TEST_P(StoreConformance, batches_of_one_thread_are_applied_and_answered_in_order) {
  constexpr int kBatches = 500;
  std::vector<int> answered;  // only the store's thread touches it until the last answer
  for (int i = 0; i < kBatches; ++i) {
    // Each rests on the one before it, which may still be in the queue or in the same group.
    Batch batch;
    batch.put(Table::kStep, "chain", std::to_string(i),
              i == 0 ? Expect::absent() : Expect::at(static_cast<std::uint64_t>(i)));
    this->store->commit(std::move(batch), [&answered, i](Result<Committed> done) {
      EXPECT_THAT(done, Succeeds());
      answered.push_back(i);
    });
  }
  ASSERT_THAT(this->commit(Batch()), Succeeds());
  ASSERT_EQ(answered.size(), kBatches);
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
  EXPECT_EQ(this->row(Table::kStep, "chain"), (Row{"chain", kBatches, std::to_string(kBatches - 1)}));
}

TYPED_TEST_P(StoreConformance, a_conflict_refuses_only_the_later_batch) {
  std::vector<bool> outcomes;
  for (int i = 0; i < 6; ++i) {
    Batch batch;
    batch.put(Table::kSubmission, "token/" + std::to_string(i / 2), std::to_string(i), Expect::absent());
    batch.put(Table::kMeta, "of/" + std::to_string(i), "");
    this->store->commit(std::move(batch), [&](Result<Committed> done) { outcomes.push_back(done.has_value()); });
  }
  ASSERT_THAT(this->commit(Batch()), Succeeds());
  EXPECT_THAT(outcomes, testing::ElementsAre(true, false, true, false, true, false));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(this->store->get(Table::kMeta, "of/" + std::to_string(i)).value().has_value(), i % 2 == 0);
  }
}

TYPED_TEST_P(StoreConformance, a_read_after_the_answer_sees_the_commit) {
  run_threads(8, [&](int thread) {
    for (int i = 0; i < 50; ++i) {
      const std::string key = std::to_string(thread) + "/" + std::to_string(i);
      const auto done = this->commit(Batch().put(Table::kEvidence, key, key).append(key, key));
      ASSERT_THAT(done, Succeeds());
      EXPECT_EQ(this->row(Table::kEvidence, key), (Row{key, 1, key}));
      EXPECT_GE(this->store->last_sequence().value(), done->sequences.at(0));
      EXPECT_EQ(this->store->read_log(0, 10, key).value().size(), 1);
    }
  });
}

TYPED_TEST_P(StoreConformance, a_done_may_read_and_commit_again) {
  std::mutex mutex;
  std::condition_variable finished;
  int left = 20;
  std::function<void(Result<Committed>)> next = [&](Result<Committed> done) {
    EXPECT_THAT(done, Succeeds());
    EXPECT_EQ(this->store->count(Table::kJob, "").value(), static_cast<std::uint64_t>(20 - left));
    const std::lock_guard lock(mutex);
    if (left-- == 0) return finished.notify_one();
    this->store->commit(Batch().put(Table::kJob, "job/" + std::to_string(left), ""), next);
  };
  this->store->commit(Batch(), next);
  std::unique_lock lock(mutex);
  finished.wait(lock, [&] { return left < 0; });
  EXPECT_EQ(this->store->count(Table::kJob, "job/").value(), 20);
}

TYPED_TEST_P(StoreConformance, everything_is_there_after_reopening) {
  Batch batch;
  for (const Table table : all_tables())
    batch.put(table, "k", "1").put(table, "k", "2").put(table, "gone", "").erase(table, "gone");
  batch.append("s", "1").append("t", "2");
  ASSERT_THAT(this->commit(std::move(batch)), Succeeds());
  const Contents before = contents_of(*this->store);
  this->reopen();
  EXPECT_EQ(contents_of(*this->store), before);
  for (const Table table : all_tables()) EXPECT_EQ(this->store->count(table, "").value(), 1);
  EXPECT_THAT(this->commit(Batch().put(Table::kJob, "k", "3", Expect::at(2))), Succeeds());
  const auto next = this->commit(Batch().append("s", "3"));
  ASSERT_THAT(next, Succeeds());
  EXPECT_THAT(next->sequences, testing::ElementsAre(3));
}

TYPED_TEST_P(StoreConformance, a_snapshot_is_the_whole_store_of_its_moment_whatever_is_written_after_it) {
  for (const Table table : all_tables()) {
    Batch batch;
    for (int i = 0; i < 1500; ++i) batch.put(table, i == 0 ? "" : "k" + std::to_string(i), std::to_string(i));
    batch.put(table, std::string("\0\xff", 2), Bytes(3u << 20, '\0')).put(table, "k7", "again");
    for (int i = 0; i < 150; ++i) batch.append("s" + std::to_string(i), std::to_string(i));
    ASSERT_THAT(this->commit(std::move(batch)), Succeeds());
  }
  const Contents before = contents_of(*this->store);
  const auto snapshot = this->store->snapshot().value();
  Batch later;
  for (const Table table : all_tables()) later.put(table, "k3", "later").erase(table, "k4").put(table, "new", "");
  later.append("later", "");
  ASSERT_THAT(this->commit(std::move(later)), Succeeds());
  EXPECT_EQ(contents_of(*snapshot), before);
  EXPECT_EQ(contents_of(*snapshot), before);
  EXPECT_THAT(snapshot->faults().value(), testing::IsEmpty());
  EXPECT_NE(contents_of(*this->store), before);
}

TYPED_TEST_P(StoreConformance, a_snapshot_under_load_has_every_commit_entirely_or_not_at_all) {
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> written = 0;
  std::thread load([&] {
    run_threads(4, [&](int thread) {
      for (int i = 0; !stop; ++i) {
        const std::string key = std::to_string(thread) + "/" + std::to_string(i);
        ASSERT_THAT(this->commit(Batch()
                                     .put(Table::kJob, key, "")
                                     .put(Table::kMeta, key, "")
                                     .put(Table::kBudget, std::to_string(thread), std::to_string(i))
                                     .append(key, "")
                                     .append(key, "")),
                    Succeeds());
        ++written;
      }
    });
  });
  while (written < 20) std::this_thread::yield();
  for (int round = 0; round < 5; ++round) {
    const std::uint64_t acknowledged = written;
    const Contents contents = contents_of(*this->store->snapshot().value());
    const auto& jobs = contents.tables.at("job");
    EXPECT_GE(jobs.size(), acknowledged);
    EXPECT_EQ(contents.tables.at("meta"), jobs);
    EXPECT_EQ(contents.log.size(), 2 * jobs.size());
    std::map<std::string, int> entries;
    for (const auto& [subject, value] : contents.log) ++entries[subject];
    for (const Row& job : jobs) EXPECT_EQ(entries[job.key], 2);
    std::uint64_t commits = 0;
    for (const Row& counter : contents.tables.at("budget")) {
      EXPECT_EQ(counter.value, std::to_string(counter.version - 1));
      commits += counter.version;
    }
    EXPECT_EQ(commits, jobs.size());
  }
  stop = true;
  load.join();
}

TYPED_TEST_P(StoreConformance, a_function_that_fails_ends_the_reading_of_a_snapshot) {
  ASSERT_THAT(this->commit(Batch().put(Table::kJob, "a", "").put(Table::kJob, "b", "").append("s", "").append("s", "")),
              Succeeds());
  const auto snapshot = this->store->snapshot().value();
  int calls = 0;
  const auto fails = [&](const auto&) -> Result<void> {
    ++calls;
    return fail(errors::kDiskFull, "full");
  };
  EXPECT_THAT(snapshot->read_rows(Table::kJob, fails), FailsWith(errors::kDiskFull));
  EXPECT_THAT(snapshot->read_log(fails), FailsWith(errors::kDiskFull));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(contents_of(*snapshot).log.size(), 2u);
}

TYPED_TEST_P(StoreConformance, a_restored_row_has_its_version_and_goes_on_from_it) {
  ASSERT_THAT(this->commit(Batch().restore(Table::kJob, {"a", 7, "x"}).restore(Table::kJob, {"b", 1, "y"})),
              Succeeds());
  EXPECT_EQ(this->row(Table::kJob, "a"), (Row{"a", 7, "x"}));
  EXPECT_THAT(this->commit(Batch().restore(Table::kJob, {"a", 9, "z"})), FailsWith(errors::kPreconditionFailed));
  ASSERT_THAT(this->commit(Batch().put(Table::kJob, "a", "next", Expect::at(7))), Succeeds());
  EXPECT_EQ(this->row(Table::kJob, "a"), (Row{"a", 8, "next"}));
  EXPECT_EQ(this->store->count(Table::kJob, "").value(), 2u);
  EXPECT_THAT(this->store->snapshot().value()->faults().value(), testing::IsEmpty());
}

TYPED_TEST_P(StoreConformance, closing_answers_every_commit_exactly_once_and_keeps_what_it_acknowledged) {
  constexpr std::size_t kBatches = 400;
  std::vector<int> answers(kBatches, 0);
  std::vector<bool> acknowledged(kBatches, false);
  std::vector<int> late_answers;
  Store& closing = *this->store;
  for (std::size_t i = 0; i < kBatches; ++i) {
    this->store->commit(
        Batch().put(Table::kJob, std::to_string(i), "").append("s", ""), [&, i](Result<Committed> done) {
          ++answers[i];
          acknowledged[i] = done.has_value();
          // From inside a `done`, also while the store is being closed: refused or done, but answered.
          if (i % 100 == 99) {
            closing.commit(Batch().put(Table::kMeta, std::to_string(i), ""), [&](Result<Committed> late) {
              late_answers.push_back(late ? 1 : late.error().number == errors::kStoreClosed ? 0 : -1);
            });
          }
        });
  }
  this->store.reset();
  EXPECT_THAT(answers, testing::Each(1));
  EXPECT_THAT(late_answers, testing::SizeIs(4));
  EXPECT_THAT(late_answers, testing::Each(testing::AnyOf(0, 1)));
  this->store = this->harness.open();
  for (std::size_t i = 0; i < kBatches; ++i) {
    EXPECT_EQ(this->store->get(Table::kJob, std::to_string(i)).value().has_value(), acknowledged[i]);
  }
  EXPECT_EQ(this->store->count(Table::kMeta, "").value(),
            static_cast<std::uint64_t>(std::count(late_answers.begin(), late_answers.end(), 1)));
}

TYPED_TEST_P(StoreConformance, closing_ends_a_chain_of_commits_that_each_ask_for_the_next) {
  Store& closing = *this->store;
  std::mutex mutex;
  std::condition_variable grown;
  int length = 0;
  std::optional<ErrorNumber> end;
  std::function<void(Result<Committed>)> next = [&](Result<Committed> done) {
    {
      const std::lock_guard lock(mutex);
      ++length;
      grown.notify_one();
    }
    if (done) {
      closing.commit(Batch().append("chain", ""), next);
    } else {
      end = done.error().number;
    }
  };
  this->store->commit(Batch(), next);
  {
    std::unique_lock lock(mutex);
    grown.wait(lock, [&] { return length >= 10; });
  }
  this->store.reset();
  EXPECT_EQ(end, errors::kStoreClosed);
  this->store = this->harness.open();
  // The first batch logged nothing and the last was refused.
  EXPECT_EQ(this->store->last_sequence().value(), static_cast<std::uint64_t>(length - 2));
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreConformance, a_row_starts_at_version_one_and_every_put_adds_one, every_expectation_holds_exactly_when_it_says,
    a_refused_batch_leaves_nothing, preconditions_see_the_rows_before_the_batch_and_operations_run_in_order,
    an_empty_batch_and_one_of_checks_only_succeed, tables_are_separate_and_keys_are_bytes,
    scans_and_counts_agree_with_a_sorted_map, values_of_any_bytes_and_64_mebibytes_come_back_whole,
    what_is_above_a_limit_is_refused_by_name, the_log_is_read_by_position_and_by_subject,
    sixteen_threads_counting_by_compare_and_set_lose_nothing,
    sequences_are_gapless_and_batches_of_the_log_are_not_interleaved,
    batches_of_one_thread_are_applied_and_answered_in_order, a_conflict_refuses_only_the_later_batch,
    a_read_after_the_answer_sees_the_commit, a_done_may_read_and_commit_again,
    a_snapshot_is_the_whole_store_of_its_moment_whatever_is_written_after_it,
    a_snapshot_under_load_has_every_commit_entirely_or_not_at_all, a_function_that_fails_ends_the_reading_of_a_snapshot,
    a_restored_row_has_its_version_and_goes_on_from_it, everything_is_there_after_reopening,
    closing_answers_every_commit_exactly_once_and_keeps_what_it_acknowledged,
    closing_ends_a_chain_of_commits_that_each_ask_for_the_next);

}  // namespace tandem::store
