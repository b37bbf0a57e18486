#include "tandem/sim/scheduler.h"

#include <gtest/gtest.h>

#include <mutex>
#include <string>

#include "tandem/base/pause.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/sim/sim_executor.h"

namespace tandem::sim {
namespace {

constexpr std::uint64_t kSteps = 100'000;

/// Runs `body` as a fibre until it has ended.
void run(Scheduler& scheduler, Group& group, std::function<void()> body) {
  scheduler.spawn(group, [&, body = std::move(body)] {
    body();
    scheduler.stop();
  });
  ASSERT_TRUE(scheduler.run(kSteps));
}

std::string order_of_three(std::uint64_t seed) {
  Scheduler scheduler(seed);
  Group group(scheduler);
  std::string out;
  for (const char name : {'a', 'b', 'c'})
    scheduler.spawn(group, [&, name] {
      for (int i = 0; i < 4; ++i) {
        out += name;
        scheduler.yield();
      }
    });
  EXPECT_FALSE(scheduler.run(kSteps));  // nobody stops it: it ends when all have ended
  return out;
}

TEST(Scheduler, a_seed_decides_who_runs_next) {
  EXPECT_EQ(order_of_three(1).size(), 12u);
  EXPECT_EQ(order_of_three(1), order_of_three(1));
  EXPECT_NE(order_of_three(1), order_of_three(2));
}

TEST(Scheduler, time_jumps_to_the_next_timer_when_nobody_can_run) {
  Scheduler scheduler(1);
  Group group(scheduler);
  std::string out;
  scheduler.after(group, 3'600'000'000'000, [&] {
    out += 'b';
    scheduler.stop();
  });
  scheduler.after(group, 1'000'000'000, [&] { out += 'a'; });
  const auto dropped = scheduler.after(group, 2'000'000'000, [&] { out += 'x'; });
  scheduler.cancel(dropped);
  ASSERT_TRUE(scheduler.run(kSteps));
  EXPECT_EQ(out, "ab");
  EXPECT_GE(scheduler.now(), 3'600'000'000'000);
}

TEST(Scheduler, a_group_that_is_paused_goes_on_where_it_was) {
  Scheduler scheduler(1);
  Group group(scheduler);
  Group other(scheduler);
  int done = 0;
  scheduler.spawn(group, [&] {
    while (true) {
      ++done;
      scheduler.sleep(1'000'000);
    }
  });
  run(scheduler, other, [&] {
    scheduler.sleep(10'500'000);
    group.pause();
    const int before = done;
    EXPECT_GT(before, 5);
    scheduler.sleep(100'000'000);
    EXPECT_EQ(done, before);
    group.resume();
    scheduler.sleep(10'500'000);
    EXPECT_GT(done, before + 5);
  });
}

TEST(SimExecutor, a_pause_lasts_as_long_as_asked_and_ends_when_stopped) {
  Scheduler scheduler(1);
  Group group(scheduler);
  SimExecutor executor(scheduler, group, 2);
  run(scheduler, group, [&] {
    const Scheduler::Nanos begin = scheduler.now();
    EXPECT_THAT(pause(executor, std::chrono::hours(1), {}), Succeeds());
    EXPECT_GE(scheduler.now() - begin, 3'600'000'000'000);
    std::stop_source stop;
    const auto timer = executor.post_after(std::chrono::milliseconds(1), [&] { stop.request_stop(); });
    EXPECT_THAT(pause(executor, std::chrono::hours(1), stop.get_token()), FailsWith(errors::kCancelled));
    EXPECT_LT(scheduler.now() - begin, 3'700'000'000'000);
  });
}

TEST(SimExecutor, a_condition_tells_a_wake_up_from_a_time_out) {
  Scheduler scheduler(1);
  Group group(scheduler);
  SimExecutor executor(scheduler, group, 2);
  run(scheduler, group, [&] {
    std::mutex mutex;
    const auto changed = executor.make_condition();
    bool ready = false;
    executor.post([&] {
      scheduler.sleep(5'000'000);
      const std::lock_guard lock(mutex);
      ready = true;
      changed->notify_one();
    });
    std::unique_lock lock(mutex);
    while (changed->wait_for(lock, std::chrono::milliseconds(1))) EXPECT_FALSE(ready);  // woken for nothing
    EXPECT_FALSE(ready);
    changed->Condition::wait(lock, [&] { return ready; });
    EXPECT_TRUE(ready);
  });
}

TEST(SimExecutor, parallel_runs_every_index_once_and_not_more_at_once_than_asked) {
  Scheduler scheduler(1);
  Group group(scheduler);
  SimExecutor executor(scheduler, group, 4);
  run(scheduler, group, [&] {
    std::vector<int> seen(20);
    int running = 0;
    executor.parallel(seen.size(), 2, [&](std::size_t i) {
      ++running;
      EXPECT_LE(running, 2);
      scheduler.sleep(1'000'000);
      ++seen[i];
      --running;
    });
    EXPECT_EQ(seen, std::vector<int>(20, 1));
  });
}

TEST(SimExecutor, destroying_a_loop_stops_and_joins_it) {
  Scheduler scheduler(1);
  Group group(scheduler);
  SimExecutor executor(scheduler, group, 1);
  bool ended = false;
  run(scheduler, group, [&] {
    auto loop = executor.start_loop("loop", [&](const std::stop_token& stop) {
      while (pause(executor, std::chrono::milliseconds(1), stop)) continue;
      scheduler.sleep(5'000'000);
      ended = true;
    });
    scheduler.sleep(20'000'000);
    EXPECT_FALSE(ended);
    loop.reset();
    EXPECT_TRUE(ended);
  });
}

}  // namespace
}  // namespace tandem::sim
