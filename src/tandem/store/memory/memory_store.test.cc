#include "tandem/store/memory/memory_store.h"

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/store/testing/conformance.h"

namespace tandem::store {

struct MemoryHarness {
  ThreadExecutor executor{2};
  std::shared_ptr<memory::Contents> contents = memory::new_contents();
  std::unique_ptr<Store> open() { return std::make_unique<memory::MemoryStore>(executor, contents); }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreConformance, MemoryHarness);

}  // namespace tandem::store

namespace tandem::memory {
namespace {

using store::Batch;
using store::Committed;
using store::Table;

class MemoryStoreTest : public testing::Test {
 protected:
  void commit(const std::string& key) {
    store.commit(Batch().put(Table::kJob, key, ""), [this, key](Result<Committed> done) {
      answers += key + (done ? "+" : "-") + " ";
      if (!done) last_error = done.error();
    });
  }
  std::string keys() {
    std::string text;
    for (const store::Row& row : store::rows_of(store, {.table = Table::kJob, .from = "", .until = ""}))
      text += row.key + " ";
    return text;
  }

  FakeClock clock;
  ManualExecutor executor{clock};
  MemoryStore store{executor};
  std::string answers;
  Error last_error;
};

TEST_F(MemoryStoreTest, nothing_happens_until_the_executor_runs) {
  commit("a");
  EXPECT_EQ(keys(), "");
  EXPECT_EQ(answers, "");
  EXPECT_EQ(executor.run_ready(), 1);
  EXPECT_EQ(keys(), "a ");
  EXPECT_EQ(answers, "a+ ");
}

TEST_F(MemoryStoreTest, the_planted_commits_fail_and_leave_nothing) {
  commit("before");
  store.fail_commits(2, 2, make_error(errors::kIoError, "planted"));
  for (const char* key : {"1", "2", "3", "4"}) commit(key);
  executor.run_ready();
  EXPECT_EQ(answers, "before+ 1+ 2- 3- 4+ ");
  EXPECT_EQ(keys(), "1 4 before ");
  EXPECT_EQ(last_error, make_error(errors::kIoError, "planted"));
}

TEST_F(MemoryStoreTest, held_answers_come_late_and_in_order) {
  store.hold_answers();
  commit("a");
  commit("b");
  executor.run_ready();
  EXPECT_EQ(keys(), "a b ");
  EXPECT_EQ(answers, "");
  store.release_answers();
  commit("c");
  executor.run_ready();
  EXPECT_EQ(answers, "a+ b+ c+ ");
}

TEST(MemoryStoreClosing, gives_held_answers) {
  FakeClock clock;
  ManualExecutor executor(clock);
  int answered = 0;
  {
    MemoryStore store(executor);
    store.hold_answers();
    store.commit(Batch(), [&](Result<Committed>) { ++answered; });
    executor.run_ready();
    store.commit(Batch(), [&](Result<Committed>) { ++answered; });
    EXPECT_EQ(answered, 0);
  }
  EXPECT_EQ(answered, 2);
  executor.run_ready();  // the task posted for the store that is gone finds nothing to do
  EXPECT_EQ(answered, 2);
}

}  // namespace
}  // namespace tandem::memory
