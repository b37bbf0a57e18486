#include "tandem/orchestrate/resilience/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/store/memory/memory_store.h"

namespace tandem::resilience {
namespace {

/// Whoever waits lets as much time pass as he waits for.
class SkippingWaits final : public Executor {
 public:
  explicit SkippingWaits(FakeClock& clock) : clock_(clock), tasks_(clock) {}
  void post(Task task) override { tasks_.post(std::move(task)); }
  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) override {
    return tasks_.post_after(delay, std::move(task));
  }
  void parallel(std::size_t count, std::size_t threads_max, const std::function<void(std::size_t)>& body) override {
    tasks_.parallel(count, threads_max, body);
  }
  std::unique_ptr<Timer> start_loop(const char* name, std::function<void(std::stop_token)> body) override {
    return tasks_.start_loop(name, std::move(body));
  }
  std::size_t threads() const override { return tasks_.threads(); }
  std::unique_ptr<Condition> make_condition() override {
    struct Skipping final : Condition {
      explicit Skipping(FakeClock& c) : clock(c) {}
      void notify_one() override {}
      void notify_all() override {}
      void wait(std::unique_lock<std::mutex>&) override {}
      bool wait_for(std::unique_lock<std::mutex>&, std::chrono::nanoseconds duration) override {
        clock.advance(duration);
        return false;
      }
      FakeClock& clock;
    };
    return std::make_unique<Skipping>(clock_);
  }

 private:
  FakeClock& clock_;
  SkippingExecutor tasks_;
};

/// A start counts for a minute and the rest of its half second.
constexpr std::chrono::nanoseconds kMinuteAtMost = std::chrono::minutes(1) + SharedStarts::kStep;

class GatesTest : public testing::Test {
 protected:
  Deadline now() { return Deadline(clock_.monotonic()); }
  Result<void> begin(Gates* gates = nullptr) {
    return (gates != nullptr ? *gates : gates_).enter("strict", {}, now()).map([](Gates::Pass pass) { pass.begun(); });
  }
  FakeClock clock_;
  ThreadExecutor executor_{1};
  ThreadExecutor store_threads_{1};
  memory::MemoryStore store_{store_threads_};
  RecordingLog log_;
  const std::map<std::string, GateLimits, std::less<>> limits_{{"narrow", {.calls_max = 2}},
                                                               {"strict", {.starts_per_minute_max = 2}},
                                                               {"vendor.*", {.calls_max = 2}},
                                                               {"vendor.own", {.calls_max = 1}}};
  Gates gates_{executor_, clock_, store_, log_, limits_};
};

TEST_F(GatesTest, whoever_has_no_limits_passes) {
  std::vector<Gates::Pass> passes;
  for (int i = 0; i < 100; ++i) {
    auto pass = gates_.enter("other", {}, now());
    ASSERT_THAT(pass, Succeeds());
    passes.push_back(*std::move(pass));
  }
}

TEST_F(GatesTest, so_many_are_under_way_at_once_and_the_next_passes_when_one_leaves) {
  std::optional<Gates::Pass> first(*gates_.enter("narrow", {}, now()));
  const Gates::Pass second = *gates_.enter("narrow", {}, now());
  EXPECT_THAT(gates_.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
  std::atomic<bool> passed = false;
  std::jthread third([&] {
    const auto pass = gates_.enter("narrow", {}, Deadline::never());
    passed = pass.has_value();
  });
  first.reset();
  third.join();
  EXPECT_TRUE(passed);
}

TEST_F(GatesTest, the_backends_of_a_vendor_share_a_gate_and_the_third_waits) {
  std::optional<Gates::Pass> first(*gates_.enter("vendor.simulator", {}, now()));
  const Gates::Pass second = *gates_.enter("vendor.qpu.one", {}, now());
  EXPECT_THAT(gates_.enter("vendor.qpu.two", {}, now()), FailsWith(errors::kBackendBusy));
  EXPECT_THAT(gates_.enter("vendors.one", {}, now()), Succeeds()) << "another vendor, whose name begins alike";
  EXPECT_THAT(gates_.enter("vendor.own", {}, now()), Succeeds()) << "a gate of its own";
  std::atomic<bool> passed = false;
  std::jthread third([&] {
    const auto pass = gates_.enter("vendor.qpu.two", {}, Deadline::never());
    passed = pass.has_value();
  });
  first.reset();
  third.join();
  EXPECT_TRUE(passed);
}

TEST_F(GatesTest, so_many_begin_in_any_minute) {
  ASSERT_THAT(begin(), Succeeds());
  clock_.advance(std::chrono::seconds(30));
  ASSERT_THAT(begin(), Succeeds());
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy));
  clock_.advance(std::chrono::seconds(30));
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy)) << "the first is a minute ago";
  clock_.advance(SharedStarts::kStep);
  EXPECT_THAT(begin(), Succeeds());
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy));
}

TEST_F(GatesTest, so_many_begin_in_any_minute_of_all_processes_that_share_the_store) {
  Gates other(executor_, clock_, store_, log_, limits_);
  EXPECT_THAT(begin(), Succeeds());
  clock_.advance(std::chrono::seconds(30));
  EXPECT_THAT(begin(&other), Succeeds());
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy));
  EXPECT_THAT(begin(&other), FailsWith(errors::kBackendBusy));
  clock_.advance(std::chrono::seconds(30) + SharedStarts::kStep);
  EXPECT_THAT(begin(&other), Succeeds());
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy));
  // Nor does a restart make room.
  Gates restarted(executor_, clock_, store_, log_, limits_);
  EXPECT_THAT(begin(&restarted), FailsWith(errors::kBackendBusy));
  clock_.advance(std::chrono::seconds(30));
  EXPECT_THAT(begin(&restarted), Succeeds());
}

/// All ask at once: 12 starts of which 2 may fall into any 60 s take 5 minutes at least, of the clock that they share.
TEST_F(GatesTest, processes_that_race_for_the_same_minutes_stay_within_the_limit_and_all_get_their_turn) {
  constexpr int kEach = 4;
  std::vector<std::unique_ptr<Gates>> processes;
  for (int i = 0; i < 3; ++i) processes.push_back(std::make_unique<Gates>(executor_, clock_, store_, log_, limits_));
  const Instant begin = clock_.monotonic();
  {
    std::atomic<int> begun = 0;
    std::vector<std::jthread> threads;
    for (const auto& gates : processes)
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i, ++begun) {
          while (true) {
            auto pass = gates->enter("strict", {}, now());
            if (pass) pass->begun();
            if (pass) break;
            std::this_thread::yield();
          }
        }
      });
    while (begun != 12) {
      clock_.advance(std::chrono::seconds(1));
      std::this_thread::yield();
    }
  }
  EXPECT_GE(clock_.monotonic() - begin, std::chrono::minutes(5));
  const auto row = store_.get(store::Table::kMeta, "starts/strict").value();
  EXPECT_EQ(row->version, 12u) << "one commit a start";
  EXPECT_LE(Json::parse(row->value).size(), 2u);
}

TEST_F(GatesTest, a_time_that_a_clock_wrote_before_it_was_set_back_holds_nobody_up) {
  clock_.step_wall(std::chrono::hours(1));
  for (int i = 0; i < 2; ++i) ASSERT_THAT(begin(), Succeeds());
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy));
  clock_.step_wall(-std::chrono::hours(1));
  EXPECT_THAT(begin(), Succeeds());
}

TEST_F(GatesTest, a_damaged_row_of_starts_counts_as_a_full_minute_is_told_of_and_is_over_with_it) {
  for (const char* damaged : {"[true]", "[[1,-1]]", "{}", "[[99999999999999999,1]]", "not even this"}) {
    clock_.advance(kMinuteAtMost);
    ASSERT_THAT(store_.commit_and_wait(store::Batch().put(store::Table::kMeta, "starts/strict", damaged)), Succeeds());
    const std::size_t told = log_.count("gate.starts_damaged");
    EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy)) << damaged;
    clock_.advance(std::chrono::seconds(59));
    EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy)) << damaged;
    clock_.advance(kMinuteAtMost - std::chrono::seconds(59));
    EXPECT_THAT(begin(), Succeeds()) << damaged;
    EXPECT_EQ(log_.count("gate.starts_damaged"), told + 1) << damaged;
  }
}

TEST_F(GatesTest, the_row_of_starts_stays_small_whatever_the_limit_is) {
  std::map<std::string, GateLimits, std::less<>> limits{{"strict", {.starts_per_minute_max = 1'000'000}}};
  Gates wide(executor_, clock_, store_, log_, limits);
  for (int i = 0; i < 3'000; ++i) {
    auto pass = wide.enter("strict", {}, now());
    ASSERT_THAT(pass, Succeeds());
    pass->begun();
    clock_.advance(std::chrono::milliseconds(40));  // two minutes in all
  }
  const auto row = store_.get(store::Table::kMeta, "starts/strict").value();
  EXPECT_LE(row->value.size(), 4'096u);
  std::size_t counted = 0;
  for (const Json& step : Json::parse(row->value)) counted += step[1].get<std::size_t>();
  EXPECT_NEAR(static_cast<double>(counted), 1'500, 15);
}

TEST_F(GatesTest, what_did_not_begin_after_all_gives_its_start_back) {
  for (int i = 0; i < 10; ++i)
    EXPECT_THAT(gates_.enter("strict", {}, now()), Succeeds()) << "refused before it was sent";
  ASSERT_THAT(begin(), Succeeds());
  EXPECT_TRUE(gates_.try_start("strict").value()) << "sent once more";
  EXPECT_FALSE(gates_.try_start("strict").value());
  EXPECT_THAT(begin(), FailsWith(errors::kBackendBusy));
  EXPECT_TRUE(gates_.try_start("narrow").value()) << "it has no limit of that";
}

TEST_F(GatesTest, what_an_earlier_process_began_is_counted_and_waits_for_nothing) {
  std::optional<Gates::Pass> first(gates_.resume("narrow"));
  const Gates::Pass second = gates_.resume("narrow");
  const Gates::Pass third = gates_.resume("narrow");
  first.reset();
  EXPECT_THAT(gates_.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
}

TEST_F(GatesTest, who_waits_for_a_minute_is_let_in_when_it_is_over) {
  SkippingWaits skipping(clock_);
  Gates gates(skipping, clock_, store_, log_, limits_);
  for (int i = 0; i < 2; ++i) ASSERT_THAT(this->begin(), Succeeds());
  const Instant begin = clock_.monotonic();
  EXPECT_THAT(gates.enter("strict", {}, Deadline::after(clock_, std::chrono::seconds(59))),
              FailsWith(errors::kBackendBusy));
  EXPECT_THAT(gates.enter("strict", {}, Deadline::never()), Succeeds());
  EXPECT_EQ(clock_.monotonic() - begin, kMinuteAtMost);
}

TEST_F(GatesTest, who_is_told_to_stop_waits_no_longer) {
  const Gates::Pass first = *gates_.enter("narrow", {}, now());
  const Gates::Pass second = *gates_.enter("narrow", {}, now());
  std::jthread waiting([&](const std::stop_token& stop) {
    EXPECT_THAT(gates_.enter("narrow", stop, Deadline::never()), FailsWith(errors::kCancelled));
  });
  waiting.request_stop();
}

}  // namespace
}  // namespace tandem::resilience
