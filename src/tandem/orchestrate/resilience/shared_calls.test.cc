// Calls that are under way are counted for all processes of a store, as places that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/pause.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/orchestrate/resilience/gates.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/postgres/testing/database.h"

namespace tandem::resilience {
namespace {

constexpr const char* kGate = "calls/narrow";

/// Processes, each with gates of its own, over one store of any kind.
class SharedCallsTest : public testing::TestWithParam<std::string> {
 protected:
  SharedCallsTest() {
    if (GetParam() == "memory")
      store_ = std::make_unique<memory::MemoryStore>(store_threads_);
    else
      store_ = database_.emplace().try_open().value();
  }
  Gates& process(const std::string& name, std::size_t calls_max) {
    limits_["narrow"] = {.calls_max = calls_max};
    live(name, true);
    return *processes_.emplace_back(
        std::make_unique<Gates>(executor_, clock_, *store_, log_, limits_,
                                AmongOthers{.node = name, .has_lease = [this](const std::string& node) -> Result<bool> {
                                              const std::lock_guard lock(mutex_);
                                              return leases_[node];
                                            }}));
  }
  void live(const std::string& node, bool lives) {
    const std::lock_guard lock(mutex_);
    leases_[node] = lives;
  }
  Deadline now() { return Deadline(clock_.monotonic()); }
  Json places() { return Json::parse(store_->get(store::Table::kMeta, kGate).value()->value)["nodes"]; }

  SystemClock clock_;
  ThreadExecutor executor_{1};
  ThreadExecutor store_threads_{1};
  RecordingLog log_;
  std::optional<postgres::Database> database_;
  std::unique_ptr<store::Store> store_;
  std::map<std::string, GateLimits, std::less<>> limits_;
  std::mutex mutex_;
  std::map<std::string, bool> leases_;
  std::vector<std::unique_ptr<Gates>> processes_;
};
INSTANTIATE_TEST_SUITE_P(Stores, SharedCallsTest, testing::Values("memory", "postgres"),
                         [](const auto& param) { return param.param; });

TEST_P(SharedCallsTest, so_many_are_under_way_of_all_processes_together) {
  Gates& one = process("one", 2);
  Gates& two = process("two", 2);
  std::optional<Gates::Pass> first(*one.enter("narrow", {}, now()));
  const Gates::Pass second = *two.enter("narrow", {}, now());
  EXPECT_THAT(one.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
  EXPECT_THAT(two.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
  EXPECT_EQ(places().size(), 2u) << "who does not wait any more has no turn: " << places();
  first.reset();
  const Gates::Pass third = *two.enter("narrow", {}, now());
  EXPECT_THAT(one.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
  const Gates::Pass resumed = one.resume("narrow");
  EXPECT_EQ(places()["one"]["held"], 1);
  EXPECT_EQ(places()["two"]["held"], 2);
}

/// Each wants the one place all the time, and so gets every second of its turns.
TEST_P(SharedCallsTest, processes_that_wait_take_turns_and_never_exceed_the_limit) {
  constexpr int kTurns = 10;
  constexpr std::size_t kCallsMax = 1;
  std::vector<Gates*> processes;
  for (const char* name : {"one", "two"}) processes.push_back(&process(name, kCallsMax));
  std::mutex mutex;
  std::vector<std::size_t> order;
  std::size_t under_way = 0;
  std::size_t most = 0;
  std::atomic<int> ready = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t p = 0; p < processes.size(); ++p)
      for (int t = 0; t < 2; ++t)
        threads.emplace_back([&, p] {
          ++ready;
          while (ready != 4) std::this_thread::yield();
          for (int i = 0; i < kTurns; ++i) {
            const auto pass = processes[p]->enter("narrow", {}, Deadline::never());
            ASSERT_THAT(pass, Succeeds());
            {
              const std::lock_guard lock(mutex);
              order.push_back(p);
              most = std::max(most, ++under_way);
            }
            (void)pause(executor_, std::chrono::milliseconds(5), {});  // a call lasts longer than a commit
            const std::lock_guard lock(mutex);
            --under_way;
          }
        });
  }
  EXPECT_EQ(most, kCallsMax);
  ASSERT_EQ(order.size(), 4u * kTurns);
  // While both want it nobody gets it much more often than the other.
  const std::size_t contended = order.size() / 2;
  const auto first = std::count(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(contended), 0u);
  EXPECT_GE(first, static_cast<std::ptrdiff_t>(contended / 3));
  EXPECT_LE(first, static_cast<std::ptrdiff_t>(2 * contended / 3));
  EXPECT_TRUE(places().empty()) << places();
}

/// Calls that are over before a commit is: their process writes the row all the time. Another one gets in between, and who was starved
/// would wait here without end: the greedy process does not stop before the other has had all its turns.
TEST_P(SharedCallsTest, a_process_whose_calls_are_shorter_than_a_commit_keeps_nobody_from_a_turn) {
  constexpr int kTurns = 20;
  Gates& greedy = process("greedy", 2);
  Gates& modest = process("modest", 2);
  std::atomic<bool> over = false;
  std::atomic<bool> begun = false;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t)
      threads.emplace_back([&] {
        while (!over) {
          ASSERT_THAT(greedy.enter("narrow", {}, Deadline::never()), Succeeds());
          begun = true;
        }
      });
    while (!begun) std::this_thread::yield();
    for (int i = 0; i < kTurns; ++i) EXPECT_THAT(modest.enter("narrow", {}, Deadline::never()), Succeeds());
    over = true;
  }
  EXPECT_TRUE(places().empty()) << places();
}

TEST_P(SharedCallsTest, the_places_and_the_turn_of_a_process_whose_lease_is_over_are_free) {
  Gates& lost = process("lost", 2);
  Gates& other = process("other", 2);
  const Gates::Pass first = *lost.enter("narrow", {}, now());
  const Gates::Pass second = *lost.enter("narrow", {}, now());
  EXPECT_THAT(other.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
  live("lost", false);
  const auto third = other.enter("narrow", {}, now());
  EXPECT_THAT(third, Succeeds());
  EXPECT_FALSE(places().contains("lost")) << places();
  // It was only slow: what it still has counts again with its next word.
  live("lost", true);
  const Gates::Pass resumed = lost.resume("narrow");
  EXPECT_EQ(places()["lost"]["held"], 3);
}

TEST_P(SharedCallsTest, a_damaged_row_is_told_of_and_written_anew) {
  Gates& one = process("one", 1);
  ASSERT_THAT(store_->commit_and_wait(store::Batch().put(store::Table::kMeta, kGate, R"({"nodes":{"one":7}})")),
              Succeeds());
  const auto pass = one.enter("narrow", {}, now());
  EXPECT_THAT(pass, Succeeds());
  EXPECT_EQ(log_.count("gate.calls_damaged"), 1u);
  EXPECT_EQ(places()["one"]["held"], 1);
}

}  // namespace
}  // namespace tandem::resilience
