// A store that takes nothing, for a while or for good: what clients hear, what is kept, and how the jobs go on.
#include "tandem/orchestrate/engine/store_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::uint64_t kAlways = 1'000'000;

Error full() { return make_error(errors::kDiskFull, "planted full disk"); }
Error broken() { return make_error(errors::kIoError, "planted broken disk"); }

/// Commits until a job has ended, seen from its admission; `result` is what it then is.
std::uint64_t commits_of_job(Json& result) {
  EngineWorld world;
  world.open(1);
  const JobView view = world.run(world.hybrid_job());
  EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  result = world.canonical_result(view.id);
  return world.store->last_sequence().value() -
         1;  // each commit has an event, or more; the first has the start as well
}

void wait_until_ready(Engine& engine) {
  while (!engine.ready()) std::this_thread::yield();
}

TEST(StoreWatch, a_disk_that_is_full_at_any_commit_is_said_at_once_and_the_job_goes_on_from_its_checkpoints) {
  Json expected;
  const std::uint64_t commits = commits_of_job(expected);
  ASSERT_GT(commits, 10u);
  for (std::uint64_t n = 2; n < commits; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.store_retry_interval = std::chrono::hours(1);  // nothing heals while we look
    world.open(1);
    world.store->fail_commits(n, kAlways, full());
    const JobId id = world.admit(world.hybrid_job());
    const auto heard = world.engine->wait(id, Deadline::never());
    ASSERT_THAT(heard, FailsWith(errors::kDiskFull));
    EXPECT_THAT(heard.error().message,
                AllOf(HasSubstr(id.value), HasSubstr("when the store takes it again"), HasSubstr("planted full disk")));
    EXPECT_THAT(world.engine->ready(), FailsWith(errors::kDiskFull));
    // Nothing is acknowledged that is not stored.
    EXPECT_THAT(world.engine->admit(world.classical_job(), "default", "", "user"), FailsWith(errors::kDiskFull));
    EXPECT_FALSE(job::is_final(world.engine->job(id)->state));
    const int computed = world.computed();
    world.close();

    // A restart with room.
    world.open(1);
    EXPECT_THAT(world.engine->ready(), Succeeds());
    EXPECT_EQ(world.wait(id).state, job::JobState::kSucceeded);
    EXPECT_EQ(world.canonical_result(id), expected);
    EXPECT_LE(world.computed() - computed, 8);
  }
}

TEST(StoreWatch, when_there_is_room_again_the_same_process_goes_on) {
  Json expected;
  const std::uint64_t commits = commits_of_job(expected);
  for (std::uint64_t n = 2; n < commits; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.store_retry_interval = std::chrono::milliseconds(1);
    world.open(1);
    // The job's end and a few probes are refused; then there is room.
    world.store->fail_commits(n, 4, full());
    const JobId id = world.admit(world.hybrid_job());
    auto view = world.engine->wait(id, Deadline::never());
    while (!view) {
      ASSERT_THAT(view, FailsWith(errors::kDiskFull));
      wait_until_ready(*world.engine);
      view = world.engine->wait(id, Deadline::never());
    }
    EXPECT_EQ(view->state, job::JobState::kSucceeded) << view->error;
    EXPECT_EQ(world.canonical_result(id), expected);
    EXPECT_TRUE(world.hold(id).closed);
    EXPECT_EQ(world.store->count(store::Table::kMeta, "space_probe").value(), 0u);
    EXPECT_EQ(world.run(world.classical_job()).state, job::JobState::kSucceeded);
  }
}

TEST(StoreWatch, an_engine_without_workers_is_ready_again_when_there_is_room) {
  EngineWorld world;
  world.store_retry_interval = std::chrono::milliseconds(1);
  world.schedules = true;
  world.open(0);
  world.store->fail_commits(1, 1, full());
  EXPECT_THAT(world.engine->admit(world.classical_job(), "default", "", "user"), FailsWith(errors::kDiskFull));
  wait_until_ready(*world.engine);
  EXPECT_THAT(world.engine->admit(world.classical_job(), "default", "", "user"), Succeeds());
}

class StoreTroubleThatPasses : public testing::TestWithParam<ErrorNumber> {};

INSTANTIATE_TEST_SUITE_P(StoreWatch, StoreTroubleThatPasses,
                         testing::Values(errors::kDiskFull, errors::kStoreOutOfMemory, errors::kLockHeld));

TEST_P(StoreTroubleThatPasses, paid_work_that_could_not_be_stored_is_billed_once_and_its_job_does_not_fail) {
  for (std::uint64_t n = 2; n < 14; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.store_retry_interval = std::chrono::milliseconds(1);
    world.open(1);
    world.store->fail_commits(n, 3, make_error(GetParam(), "planted trouble"));
    const JobId id = world.admit(world.paid_job());
    auto view = world.engine->wait(id, Deadline::never());
    while (!view) {
      wait_until_ready(*world.engine);
      view = world.engine->wait(id, Deadline::never());
    }
    EXPECT_EQ(view->state, job::JobState::kSucceeded) << view->error;
    EXPECT_THAT(world.provider->book(), testing::SizeIs(1));
    EXPECT_EQ(world.hold(id).play_money.settled.usd_micros, 700);
    EXPECT_EQ(world.hold(id).play_money.reserved.usd_micros, 0);
  }
}

TEST(StoreWatch, memory_that_a_job_does_not_get_is_its_own_trouble) {
  EngineWorld world;
  world.open(1);
  for (const char* id : {"cpu.tabu", "cpu.annealing", "cpu.branch_and_bound", "cpu.random"})
    world.tier(id).before = [](std::stop_token) { return make_error(errors::kOutOfMemory, "planted large work"); };
  const JobView view = world.run(world.classical_job());
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_THAT(view.error, HasSubstr("planted large work"));
  EXPECT_THAT(world.engine->ready(), Succeeds());
}

TEST(StoreWatch, a_store_that_stopped_is_said_at_once_and_a_restart_goes_on) {
  EngineWorld world;
  world.store_retry_interval = std::chrono::milliseconds(1);
  world.open(1);
  world.store->fail_commits(5, 1000, broken());
  const JobId id = world.admit(world.hybrid_job());
  const auto heard = world.engine->wait(id, Deadline::never());
  ASSERT_THAT(heard, FailsWith(errors::kStoreClosed));
  EXPECT_THAT(heard.error().message, AllOf(HasSubstr("after a restart"), HasSubstr("planted broken disk")));
  EXPECT_THAT(world.engine->ready(), FailsWith(errors::kStoreClosed));
  EXPECT_THAT(world.engine->admit(world.classical_job(), "default", "", "user"), FailsWith(errors::kStoreClosed));
  EXPECT_EQ(world.log.count("store.cannot_write"), 1u);
  EXPECT_EQ(world.log.count("store.writes_again"), 0u);
  world.close();
  world.open(1);
  EXPECT_EQ(world.wait(id).state, job::JobState::kSucceeded);
}

TEST(StoreWatch, a_job_that_waits_for_room_can_be_cancelled_when_there_is_some) {
  EngineWorld world;
  Gate gate;
  world.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world.store_retry_interval = std::chrono::milliseconds(1);
  world.open(1);
  const JobId id = world.admit(world.classical_job());
  gate.wait_for_arrivals(1);
  world.store->fail_commits(1, 1, full());
  EXPECT_THAT(world.engine->cancel(id, "user", ""), FailsWith(errors::kDiskFull));
  EXPECT_FALSE(world.engine->job(id)->cancel_requested);
  wait_until_ready(*world.engine);
  EXPECT_THAT(world.engine->cancel(id, "user", ""), Succeeds());
  EXPECT_EQ(world.wait(id).state, job::JobState::kCancelled);
}

TEST(StoreWatch, who_waits_by_listening_is_told) {
  EngineWorld world;
  world.store_retry_interval = std::chrono::hours(1);
  world.open(1);
  std::atomic<int> told = 0;
  const auto subscription = world.engine->subscribe(nullptr, nullptr, [&] { ++told; });
  world.store->fail_commits(2, kAlways, full());
  const JobId id = world.admit(world.classical_job());
  while (told == 0) std::this_thread::yield();
  EXPECT_THAT(world.engine->wait(id, Deadline(Instant{0})), FailsWith(errors::kDiskFull));
}

TEST(StoreWatch, an_earlier_admission_is_still_answered_by_its_key) {
  EngineWorld world;
  world.store_retry_interval = std::chrono::hours(1);
  world.open(1);
  const JobId first = world.admit(world.classical_job(), "key");
  world.wait(first);
  world.store->fail_commits(1, kAlways, full());
  EXPECT_THAT(world.engine->admit(world.classical_job(), "default", "", "user"), FailsWith(errors::kDiskFull));
  const auto again = world.engine->admit(world.classical_job(), "default", "key", "user");
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->id, first);
}

}  // namespace
}  // namespace tandem::engine
