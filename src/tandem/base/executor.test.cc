#include "tandem/base/executor.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tandem/base/testing/manual_executor.h"

namespace tandem {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;

TEST(ThreadExecutor, every_task_runs_once_and_the_destructor_waits_for_them) {
  constexpr int kPosters = 4;
  constexpr int kTasks = 5'000;
  std::vector<std::atomic<int>> runs(kPosters * kTasks);
  {
    ThreadExecutor executor(3);
    std::vector<std::thread> posters;
    for (int p = 0; p < kPosters; ++p) {
      posters.emplace_back([&, p] {
        for (int i = 0; i < kTasks; ++i)
          executor.post([&runs, at = static_cast<std::size_t>(p * kTasks + i)] { ++runs[at]; });
      });
    }
    for (std::thread& poster : posters) poster.join();
  }
  for (const auto& count : runs) ASSERT_EQ(count, 1);
}

TEST(ThreadExecutor, tasks_that_post_tasks_are_all_run_before_it_ends) {
  std::atomic<int> runs = 0;
  Executor* pool = nullptr;
  const std::function<void(int)> grow = [&](int depth) {
    ++runs;
    if (depth == 0) return;
    for (int child = 0; child < 2; ++child) pool->post([&grow, depth] { grow(depth - 1); });
  };
  {
    ThreadExecutor executor(2);
    pool = &executor;
    executor.post([&grow] { grow(10); });
  }
  EXPECT_EQ(runs, (1 << 11) - 1);
}

TEST(ThreadExecutor, has_the_threads_that_were_asked_for_and_at_least_one) {
  EXPECT_EQ(ThreadExecutor(5).threads(), 5u);
  EXPECT_GE(ThreadExecutor(0).threads(), 1u);
}

TEST(Parallel, runs_each_index_once_and_no_more_at_once_than_allowed) {
  for (const std::size_t pool : {1u, 2u, 5u}) {
    ThreadExecutor executor(pool);
    for (const std::size_t count : {0u, 1u, 3u, 1000u}) {
      for (const std::size_t threads : {0u, 1u, 2u, 100u}) {
        std::vector<std::atomic<int>> runs(count);
        std::atomic<std::size_t> now = 0;
        std::atomic<std::size_t> most = 0;
        executor.parallel(count, threads, [&](std::size_t i) {
          const std::size_t running = ++now;
          std::size_t seen = most;
          while (running > seen && !most.compare_exchange_weak(seen, running)) {
          }
          ++runs[i];
          --now;
        });
        for (const auto& run : runs) ASSERT_EQ(run, 1);
        EXPECT_LE(most, std::min(pool, threads == 0 ? pool : threads));
        EXPECT_EQ(now, 0u);
      }
    }
  }
}

TEST(Parallel, what_the_bodies_wrote_is_seen_by_the_caller) {
  ThreadExecutor executor(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::size_t> plain(64);  // not atomic: a race here is one that tsan sees
    executor.parallel(plain.size(), 0, [&](std::size_t i) { plain[i] = i + 1; });
    for (std::size_t i = 0; i < plain.size(); ++i) ASSERT_EQ(plain[i], i + 1);
  }
}

TEST(Parallel, nests_without_deadlock_on_any_pool) {
  for (const std::size_t pool : {1u, 2u, 3u}) {
    ThreadExecutor executor(pool);
    std::atomic<int> leaves = 0;
    executor.parallel(5, 0, [&](std::size_t) {
      executor.parallel(4, 0, [&](std::size_t) { executor.parallel(3, 0, [&](std::size_t) { ++leaves; }); });
    });
    EXPECT_EQ(leaves, 5 * 4 * 3);
  }
}

TEST(Parallel, works_from_within_tasks_that_fill_the_pool) {
  std::atomic<int> leaves = 0;
  {
    ThreadExecutor executor(2);
    for (int i = 0; i < 50; ++i) {
      executor.post([&] { executor.parallel(10, 0, [&](std::size_t) { ++leaves; }); });
    }
  }
  EXPECT_EQ(leaves, 500);
}

TEST(Parallel, the_caller_takes_part_so_a_blocked_pool_does_not_block_it) {
  std::latch blocked(1);
  std::latch release(1);
  ThreadExecutor executor(1);
  executor.post([&] {
    blocked.count_down();
    release.wait();
  });
  blocked.wait();
  int runs = 0;
  executor.parallel(10, 0, [&](std::size_t) { ++runs; });
  EXPECT_EQ(runs, 10);
  release.count_down();
}

TEST(Timer, fires_once_and_not_before_its_time) {
  ThreadExecutor executor(1);
  std::promise<std::chrono::steady_clock::time_point> fired;
  const auto start = std::chrono::steady_clock::now();
  const auto timer = executor.post_after(milliseconds(5), [&] { fired.set_value(std::chrono::steady_clock::now()); });
  EXPECT_GE(fired.get_future().get() - start, milliseconds(5));
}

TEST(Timer, timers_of_one_delay_fire_in_the_order_they_were_made) {
  ThreadExecutor executor(2);
  constexpr int kTimers = 100;
  std::vector<int> order;  // the timer thread alone writes it
  std::latch done(kTimers);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < kTimers; ++i) {
    timers.push_back(executor.post_after(milliseconds(1), [&, i] {
      order.push_back(i);
      done.count_down();
    }));
  }
  done.wait();
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kTimers));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(Timer, a_cancelled_or_destroyed_timer_does_not_fire_and_lets_go_of_what_it_held) {
  const auto held = std::make_shared<int>(1);
  std::atomic<int> runs = 0;
  ThreadExecutor executor(1);
  const auto cancelled = executor.post_after(hours(1), [&runs, held] { ++runs; });
  cancelled->cancel();
  executor.post_after(hours(1), [&runs, held] { ++runs; }).reset();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(runs, 0);
}

TEST(Timer, may_be_cancelled_from_its_own_task_after_it_fired_and_after_the_executor_is_gone) {
  std::unique_ptr<Timer> outlives;
  const auto held = std::make_shared<int>(1);
  {
    ThreadExecutor executor(1);
    std::promise<void> ready;
    std::promise<void> fired;
    std::unique_ptr<Timer> self;
    self = executor.post_after(milliseconds(1), [&] {
      ready.get_future().wait();
      self->cancel();
      fired.set_value();
    });
    ready.set_value();
    fired.get_future().wait();
    self->cancel();
    outlives = executor.post_after(hours(1), [held] {});
  }
  EXPECT_EQ(held.use_count(), 1);  // timers that did not fire are dropped
  outlives->cancel();
}

TEST(Timer, many_threads_make_and_cancel_timers) {
  std::atomic<int> fired = 0;
  std::atomic<int> kept = 0;
  {
    ThreadExecutor executor(2);
    std::latch all_fired(4 * 100);
    std::vector<std::thread> makers;
    std::mutex mutex;
    std::vector<std::unique_ptr<Timer>> timers;
    for (int m = 0; m < 4; ++m) {
      makers.emplace_back([&] {
        for (int i = 0; i < 100; ++i) {
          auto keep = executor.post_after(milliseconds(1), [&] {
            ++fired;
            all_fired.count_down();
          });
          executor.post_after(hours(1), [&] { ++fired; })->cancel();
          ++kept;
          const std::lock_guard lock(mutex);
          timers.push_back(std::move(keep));
        }
      });
    }
    for (std::thread& maker : makers) maker.join();
    all_fired.wait();
  }
  EXPECT_EQ(fired, kept);
}

TEST(Parallel, what_a_body_throws_reaches_the_caller_when_all_are_done) {
  ThreadExecutor executor(3);
  std::atomic<int> done = 0;
  const auto body = [&](std::size_t i) {
    ++done;
    if (i % 2 == 0) throw std::bad_alloc();
  };
  EXPECT_THROW(executor.parallel(100, 0, body), std::bad_alloc);
  EXPECT_EQ(done, 100);
}

TEST(Loop, runs_on_a_thread_of_its_own_until_its_handle_goes) {
  ThreadExecutor executor(1);
  std::promise<std::string> name;
  std::atomic<bool> ended = false;
  {
    const auto loop = executor.start_loop("store-writer", [&](std::stop_token stop) {
      std::array<char, 16> buffer{};
      pthread_getname_np(pthread_self(), buffer.data(), buffer.size());
      name.set_value(buffer.data());
      std::mutex mutex;
      std::condition_variable_any wake;
      std::unique_lock lock(mutex);
      wake.wait(lock, stop, [] { return false; });
      ended = true;
    });
    EXPECT_EQ(name.get_future().get(), "store-writer");
    EXPECT_FALSE(ended);
  }
  EXPECT_TRUE(ended);
}

TEST(Loop, cancel_asks_it_to_stop) {
  ThreadExecutor executor(1);
  std::promise<void> stopped;
  const auto loop = executor.start_loop("loop", [&](std::stop_token stop) {
    std::promise<void> asked;
    const std::stop_callback callback(stop, [&] { asked.set_value(); });
    asked.get_future().wait();
    stopped.set_value();
  });
  loop->cancel();
  stopped.get_future().wait();
}

// ---- the double ----------------------------------------------------------------------------------------------------

class ManualExecutorTest : public testing::Test {
 protected:
  FakeClock clock_;
  ManualExecutor executor_{clock_};
  std::vector<std::string> events_;
  Task note(std::string event) {
    return [this, event = std::move(event)] { events_.push_back(event); };
  }
};

TEST_F(ManualExecutorTest, runs_tasks_in_order_and_only_when_told) {
  executor_.post(note("a"));
  executor_.post([this] {
    events_.push_back("b");
    executor_.post(note("d"));
  });
  executor_.post(note("c"));
  EXPECT_THAT(events_, ElementsAre());
  EXPECT_TRUE(executor_.run_one());
  EXPECT_THAT(events_, ElementsAre("a"));
  EXPECT_EQ(executor_.run_ready(), 3u);
  EXPECT_THAT(events_, ElementsAre("a", "b", "c", "d"));
  EXPECT_FALSE(executor_.run_one());
}

TEST_F(ManualExecutorTest, timers_fire_in_the_order_of_their_time_while_the_clock_moves) {
  const Instant start = clock_.monotonic();
  const auto late = executor_.post_after(milliseconds(20), note("late"));
  const auto early = executor_.post_after(milliseconds(10), [this, start] {
    events_.push_back("early at " + std::to_string((clock_.monotonic() - start).count() / 1'000'000));
    executor_.post(note("task of early"));
  });
  const auto never = executor_.post_after(milliseconds(15), note("never"));
  never->cancel();
  executor_.advance(milliseconds(9));
  EXPECT_THAT(events_, ElementsAre());
  executor_.advance(milliseconds(30));
  EXPECT_THAT(events_, ElementsAre("early at 10", "task of early", "late"));
  EXPECT_EQ(clock_.monotonic() - start, milliseconds(39));
  EXPECT_EQ(executor_.timers_waiting(), 0u);
}

TEST_F(ManualExecutorTest, parallel_is_serial_and_loops_run_when_told_with_stop_requested) {
  std::vector<std::size_t> order;
  executor_.parallel(3, 8, [&](std::size_t i) { order.push_back(i); });
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  auto loop = executor_.start_loop(
      "writer", [this](std::stop_token stop) { events_.push_back(stop.stop_requested() ? "drained" : "running"); });
  EXPECT_TRUE(executor_.run_loop("writer"));
  EXPECT_THAT(events_, ElementsAre("drained"));
  EXPECT_FALSE(executor_.run_loop("other"));
  loop.reset();
  EXPECT_FALSE(executor_.run_loop("writer"));
}

}  // namespace
}  // namespace tandem
