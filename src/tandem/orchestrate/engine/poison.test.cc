// Jobs that take their process down, in a store that it has alone: they are given up, and those beside them are not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/engine/take_over.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

constexpr int kLivesMax = 20;

class Poison : public testing::Test {
 protected:
  /// Nothing of this process is stored from now on.
  void kill() { world_.store->fail_commits(1, 1'000'000, make_error(errors::kIoError, "planted crash")); }
  job::JobSpec noop() { return world_.spec({{"problem", {{"type", "noop"}}}}); }
  /// Starts processes until one is not taken down by that job. Returns how many were.
  int lives_until_the_end_of(const JobId& id) {
    for (int lives = 1; lives < kLivesMax; ++lives) {
      const auto view = world_.engine->wait(id, Deadline::never());
      if (view) return lives - 1;
      EXPECT_THAT(view, FailsWith(errors::kStoreClosed));
      world_.close();
      world_.open(workers_);
    }
    return kLivesMax;
  }
  std::size_t workers_ = 1;
  EngineWorld world_;
};

TEST_F(Poison, a_job_that_kills_five_processes_at_work_is_given_up_and_its_neighbour_is_not) {
  world_.main().before = [&](std::stop_token) -> std::optional<Error> {
    kill();
    return std::nullopt;
  };
  world_.open(0);
  const JobId poison = world_.admit(world_.classical_job());
  const JobId healthy = world_.admit(noop());
  world_.close();
  world_.open(workers_);
  EXPECT_EQ(lives_until_the_end_of(poison), 5);  // what it began was stored before it killed the first
  EXPECT_EQ(world_.engine->job(poison)->state, job::JobState::kFailed);
  EXPECT_EQ(world_.engine->job(poison)->error_number, static_cast<std::uint16_t>(errors::kPoisonJob));
  EXPECT_TRUE(world_.hold(poison).closed);
  EXPECT_EQ(world_.wait(healthy).state, job::JobState::kSucceeded);
}

TEST_F(Poison, a_job_that_kills_its_process_before_anything_of_it_is_stored_is_given_up_too) {
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {  // while the plan is made
    kill();
    return std::nullopt;
  };
  world_.open(0);
  const JobId poison = world_.admit(world_.paid_job());
  const JobId healthy = world_.admit(noop());
  world_.close();
  world_.open(workers_);
  EXPECT_EQ(lives_until_the_end_of(poison), 6);  // nobody was lost before the first one
  EXPECT_EQ(world_.engine->job(poison)->error_number, static_cast<std::uint16_t>(errors::kPoisonJob));
  EXPECT_EQ(world_.wait(healthy).state, job::JobState::kSucceeded);
}

TEST_F(Poison, a_process_that_runs_one_job_only_and_ends_well_does_not_hide_that_the_one_before_was_lost) {
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    kill();
    return std::nullopt;
  };
  world_.open(workers_);
  const JobId poison = world_.admit(world_.paid_job());
  EXPECT_THAT(world_.engine->wait(poison, Deadline::never()), FailsWith(errors::kStoreClosed));
  world_.close();
  world_.open(workers_, Runs::kAttended);
  world_.close();
  world_.open(workers_);
  EXPECT_EQ(lives_until_the_end_of(poison), 5);
}

TEST_F(Poison, who_stopped_in_good_order_left_nothing_to_be_counted) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open(workers_);
  const JobId id = world_.admit(world_.classical_job());
  for (int life = 1; life <= 7; ++life) {
    gate.wait_for_arrivals(life);
    world_.close();
    world_.open(workers_);
  }
  gate.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
}

TEST_F(Poison, what_a_shared_store_had_running_when_it_was_copied_to_one_machine_goes_on) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  JobLedger ledger(*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {});
  ASSERT_THAT(ledger.update(id, std::nullopt, "engine",
                            [](JobRecord& record, Change&) -> Result<void> {
                              TANDEM_TRY_ASSIGN(record.view.state,
                                                job::require_transition(record.view.state, job::JobEvent::kStart));
                              record.owner = "node of another place";
                              return {};
                            }),
              Succeeds());
  world_.close();
  world_.open(workers_);
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
}

TEST_F(Poison, a_process_that_cannot_leave_its_mark_on_a_full_disk_starts_all_the_same) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  world_.close();
  world_.store = std::make_unique<memory::MemoryStore>(world_.store_threads, world_.contents);
  world_.store->fail_commits(1, 2, make_error(errors::kDiskFull, "planted"));
  world_.store_retry_interval = std::chrono::milliseconds(2);
  world_.open(workers_);
  EXPECT_EQ(world_.engine->job(id)->id, id);
  Result<JobView> end;
  do end = world_.engine->wait(id, Deadline::never());
  while (!end && is_store_trouble(end.error()));
  ASSERT_THAT(end, Succeeds());
  EXPECT_EQ(end->state, job::JobState::kSucceeded);
}

TEST_F(Poison, what_its_user_ended_is_not_held_against_it_also_after_a_process_that_was_lost) {
  world_.open(1);
  kill();
  world_.close();
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  world_.close();
  bool killed = true;
  world_.main().before = [&](std::stop_token) -> std::optional<Error> {
    if (killed) kill();
    return std::nullopt;
  };
  for (int run = 0; run < 7; ++run) {
    world_.open(1, Runs::kAttended);
    ASSERT_THAT(world_.engine->attend(id), Succeeds());
    EXPECT_THAT(world_.engine->wait(id, Deadline::never()), FailsWith(errors::kStoreClosed));
    world_.close();
  }
  killed = false;
  world_.open(1);
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
}

}  // namespace
}  // namespace tandem::engine
