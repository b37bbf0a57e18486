// Guesses about rows that others wrote: whatever they are, the answers are those of a store that guesses nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "tandem/base/testing/matchers.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/postgres/presence.h"
#include "tandem/store/postgres/testing/database.h"
#include "tandem/store/testing/conformance.h"

namespace tandem::postgres {
namespace {

using store::Batch;
using store::Committed;
using store::Expect;
using store::Row;
using store::Table;
using testing::HasSubstr;

/// Two writers on one database, and a store of rows in memory that is told the same.
struct Two {
  Database database;
  std::unique_ptr<PostgresStore> one = database.try_open().value();
  std::unique_ptr<PostgresStore> two = database.try_open().value();
};

std::string said(const Result<Committed>& answer) {
  if (!answer) return answer.error().to_string();
  std::string out = "done";
  for (const std::uint64_t sequence : answer->sequences) out += " " + std::to_string(sequence);
  return out;
}

TEST(PostgresGuesses, a_put_that_expects_nothing_meets_a_row_of_another_writer) {
  Two w;
  ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kBlob, "k", "1")), Succeeds());
  ASSERT_THAT(w.two->commit_and_wait(Batch().put(Table::kBlob, "k", "2").append("s", "1")), Succeeds());
  ASSERT_THAT(w.two->commit_and_wait(Batch().put(Table::kBlob, "k", "3").put(Table::kBlob, "k", "4")), Succeeds());
  ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kBlob, "k", "5")), Succeeds());
  EXPECT_EQ(w.one->get(Table::kBlob, "k").value(), (Row{"k", 5, "5"}));
  EXPECT_EQ(w.one->count(Table::kBlob, "").value(), 1u);
}

TEST(PostgresGuesses, a_row_that_was_there_is_gone_by_another_writer) {
  Two w;
  for (int i = 0; i < 2; ++i) ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kBlob, "k", "1")), Succeeds());
  ASSERT_THAT(w.two->commit_and_wait(Batch().erase(Table::kBlob, "k", Expect::at(2))), Succeeds());
  ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kBlob, "k", "2")), Succeeds());
  EXPECT_EQ(w.two->get(Table::kBlob, "k").value(), (Row{"k", 1, "2"}));
  ASSERT_THAT(w.two->commit_and_wait(Batch().erase(Table::kBlob, "k")), Succeeds());
  ASSERT_THAT(w.one->commit_and_wait(Batch().erase(Table::kBlob, "k").put(Table::kJob, "j", "")), Succeeds());
  EXPECT_EQ(w.one->count(Table::kBlob, "").value(), 0u);
  EXPECT_EQ(w.one->count(Table::kJob, "").value(), 1u);
}

/// With the rest of its group, whatever that is, which is undone and done once. Few shared rows go in a statement each, more in one for all.
TEST(PostgresGuesses, a_shared_row_that_another_writer_removed_has_its_group_done_once) {
  for (const int shared : {1, 3, 4, 5, 7}) {
    Two w;
    const auto batch = [&](const std::string& job) {
      Batch out;
      for (int i = 0; i < shared; ++i) out.put(Table::kBlob, "shared" + std::to_string(i), job);
      return out.put(Table::kJob, job, "", Expect::absent()).append("s", job).append("s", job);
    };
    ASSERT_THAT(w.one->commit_and_wait(batch("first")), Succeeds());
    ASSERT_THAT(w.one->commit_and_wait(batch("second")), Succeeds());
    const std::string gone = "shared" + std::to_string(shared / 2);
    ASSERT_THAT(w.two->commit_and_wait(Batch().erase(Table::kBlob, gone)), Succeeds());
    const auto done = w.one->commit_and_wait(batch("third"));
    ASSERT_THAT(done, Succeeds()) << shared;
    EXPECT_THAT(done->sequences, testing::ElementsAre(5, 6));
    for (int i = 0; i < shared; ++i) {
      const std::string key = "shared" + std::to_string(i);
      EXPECT_EQ(w.two->get(Table::kBlob, key).value(), (Row{key, key == gone ? 1u : 3u, "third"}));
    }
    EXPECT_EQ(w.two->get(Table::kJob, "third").value()->version, 1u);
    EXPECT_EQ(w.two->last_sequence().value(), 6u);
    EXPECT_THAT(w.two->snapshot().value()->faults().value(), testing::IsEmpty());
  }
}

TEST(PostgresGuesses, what_another_writer_made_untrue_is_refused_with_what_is_there_and_leaves_nothing) {
  Two w;
  ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kJob, "k", "1")), Succeeds());
  ASSERT_THAT(w.two->commit_and_wait(Batch().put(Table::kJob, "k", "2", Expect::at(1))), Succeeds());
  const std::array<std::pair<Batch, const char*>, 6> kUntrue = {{
      {Batch().put(Table::kJob, "k", "3", Expect::at(1)), "is at version 2"},
      {Batch().put(Table::kJob, "k", "3", Expect::absent()), "exists at version 2"},
      {Batch().erase(Table::kJob, "k", Expect::at(1)), "is at version 2"},
      {Batch().check(Table::kJob, "k", Expect::at(1)), "is at version 2"},
      {Batch().check(Table::kJob, "k", Expect::absent()), "exists at version 2"},
      {Batch().put(Table::kJob, "none", "3", Expect::present()), "does not exist"},
  }};
  for (const auto& [untrue, why] : kUntrue) {
    Batch batch = untrue;
    batch.put(Table::kMeta, "half", "").append("s", "");
    const auto refused = w.one->commit_and_wait(std::move(batch));
    ASSERT_THAT(refused, FailsWith(errors::kPreconditionFailed));
    EXPECT_THAT(refused.error().message, HasSubstr(why));
  }
  EXPECT_EQ(w.one->get(Table::kJob, "k").value(), (Row{"k", 2, "2"}));
  EXPECT_FALSE(w.one->get(Table::kMeta, "half").value().has_value());
  EXPECT_EQ(w.one->last_sequence().value(), 0u);
}

/// The same random batches, from two writers in turn and in groups of several, get from PostgreSQL what they get from a sorted map.
TEST(PostgresGuesses, random_batches_of_two_writers_get_the_answers_of_a_store_that_guesses_nothing) {
  Two w;
  ThreadExecutor executor(1);
  memory::MemoryStore oracle(executor);
  std::mt19937_64 dice(7);
  const auto below = [&](std::uint64_t limit) { return dice() % limit; };
  const auto make = [&] {
    Batch batch;
    for (std::uint64_t i = 0, size = 1 + below(4); i < size; ++i) {
      const auto table = std::array{Table::kJob, Table::kBlob}[below(2)];
      const std::string key = "k" + std::to_string(below(6));
      const Expect expect = std::array{Expect::any(),    Expect::any(),     Expect::any(),
                                       Expect::absent(), Expect::present(), Expect::at(1 + below(3))}[below(6)];
      switch (below(6)) {
        case 0:
          batch.erase(table, key, expect);
          break;
        case 1:
          batch.check(table, key, expect);
          break;
        case 2:
          batch.append(key, key);
          break;
        default:
          batch.put(table, key, std::to_string(dice()), expect);
      }
    }
    return batch;
  };
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    PostgresStore& writer = below(2) == 0 ? *w.one : *w.two;
    std::vector<std::string> answers;
    std::vector<std::string> expected;
    for (std::uint64_t i = 0, size = below(4); i < size; ++i) {
      Batch batch = make();
      expected.push_back(said(oracle.commit_and_wait(batch)));
      refused += expected.back().starts_with("done") ? 0 : 1;
      writer.commit(std::move(batch), [&](const Result<Committed>& answer) { answers.push_back(said(answer)); });
    }
    ASSERT_THAT(writer.commit_and_wait(Batch()), Succeeds());
    ASSERT_EQ(answers, expected) << "round " << round;
  }
  EXPECT_GT(refused, 50);
  EXPECT_EQ(store::contents_of(*w.one), store::contents_of(oracle));
  EXPECT_THAT(w.one->snapshot().value()->faults().value(), testing::IsEmpty());
}

/// Each batch moves a piece from one account to another by compare and set, in an order of its own: what two writers do at once to the
/// same rows adds up.
TEST(PostgresGuesses, two_writers_that_race_for_the_same_rows_lose_nothing) {
  Two w;
  constexpr std::uint64_t kAccounts = 5;
  constexpr int kEach = 30;
  const auto name = [](std::uint64_t i) { return "a" + std::to_string(i); };
  Batch opening;
  for (std::uint64_t i = 0; i < kAccounts; ++i) opening.put(Table::kBudget, name(i), "1000");
  ASSERT_THAT(w.one->commit_and_wait(std::move(opening)), Succeeds());
  std::atomic<int> refused = 0;
  store::run_threads(6, [&](int thread) {
    PostgresStore& store = thread % 2 == 0 ? *w.one : *w.two;
    std::mt19937_64 dice(static_cast<std::uint64_t>(thread));
    for (int i = 0; i < kEach;) {
      const std::uint64_t from = dice() % kAccounts;
      const std::uint64_t to = (from + 1 + dice() % (kAccounts - 1)) % kAccounts;
      const Row payer = *store.get(Table::kBudget, name(from)).value();
      const Row payee = *store.get(Table::kBudget, name(to)).value();
      const auto done = store.commit_and_wait(
          Batch()
              .put(Table::kBudget, payer.key, std::to_string(std::stoi(payer.value) - 1), Expect::at(payer.version))
              .put(Table::kBudget, payee.key, std::to_string(std::stoi(payee.value) + 1), Expect::at(payee.version))
              .put(Table::kBlob, "shared", "")
              .append(payer.key, payee.key));
      if (done) {
        ++i;
        continue;
      }
      ASSERT_THAT(done, FailsWith(errors::kPreconditionFailed));
      ++refused;
    }
  });
  std::map<std::string, int> moved;
  const auto log = store::log_of(*w.two, 0, 1000);
  for (const auto& entry : log) {
    --moved[entry.subject];
    ++moved[entry.value];
  }
  EXPECT_EQ(log.size(), 6u * kEach);
  for (std::uint64_t i = 0; i < kAccounts; ++i)
    EXPECT_EQ(w.one->get(Table::kBudget, name(i)).value()->value, std::to_string(1000 + moved[name(i)]));
  EXPECT_EQ(w.one->get(Table::kBlob, "shared").value()->version, 6u * kEach);
  EXPECT_THAT(w.one->snapshot().value()->faults().value(), testing::IsEmpty());
  EXPECT_GT(refused, 0);  // else they never met
}

TEST(PostgresPresence, what_is_not_asked_for_is_forgotten_and_what_is_asked_for_stays) {
  Presence presence(4);
  for (int i = 0; i < 40; ++i) {
    presence.insert(Table::kBlob, "old" + std::to_string(i));
    presence.insert(Table::kBlob, "hot");
    EXPECT_TRUE(presence.contains(Table::kBlob, "hot"));
  }
  int left = 0;
  for (int i = 0; i < 40; ++i) left += presence.contains(Table::kBlob, "old" + std::to_string(i)) ? 1 : 0;
  EXPECT_LE(left, 4);
  EXPECT_TRUE(presence.contains(Table::kBlob, "old39"));
  EXPECT_FALSE(presence.contains(Table::kJob, "hot"));
  presence.erase(Table::kBlob, "hot");
  EXPECT_FALSE(presence.contains(Table::kBlob, "hot"));
}

TEST(PostgresPresence, a_writer_that_has_forgotten_a_row_writes_it_all_the_same) {
  Two w;
  ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kBlob, "hot", "1")), Succeeds());
  constexpr std::size_t kPart = 8192;
  for (std::size_t i = 0; i < 4 * Presence::kKeysMax; i += kPart) {
    Batch others;
    for (std::size_t k = i; k < i + kPart; ++k) others.put(Table::kMeta, std::to_string(k), "");
    ASSERT_THAT(w.one->commit_and_wait(std::move(others)), Succeeds());
  }
  ASSERT_THAT(w.one->commit_and_wait(Batch().put(Table::kBlob, "hot", "2")), Succeeds());
  EXPECT_EQ(w.one->get(Table::kBlob, "hot").value(), (Row{"hot", 2, "2"}));
}

}  // namespace
}  // namespace tandem::postgres
