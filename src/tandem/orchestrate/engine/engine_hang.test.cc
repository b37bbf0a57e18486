// Runs that were told to stop and do not: their jobs end, their slots are others', and what they still do is nobody's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class EngineHang : public testing::Test {
 protected:
  EngineHang() {
    world_.store_retry_interval =
        std::chrono::milliseconds(2);  // between looks at a clock that passes no time by itself
    // The first work to come hangs; all that comes later is well.
    world_.main().before = [this](const std::stop_token&) -> std::optional<Error> {
      if (!hangs_.exchange(false)) return std::nullopt;
      gate_.pass({});
      return std::nullopt;
    };
  }
  ~EngineHang() override { gate_.open(); }

  job::JobSpec job(std::int64_t heartbeat_ms = 3'000) {
    job::JobSpec out = world_.classical_job();
    out.limits.heartbeat_ms = heartbeat_ms;
    return out;
  }
  JobId admit_and_hang(const job::JobSpec& spec) {
    const JobId id = world_.admit(spec);
    gate_.wait_for_arrivals(1);
    return id;
  }
  /// Lets time pass until the job is in that state.
  JobView pass_time_until(const JobId& id, job::JobState state) {
    while (world_.engine->job(id)->state != state) {
      world_.clock.advance(std::chrono::milliseconds(100));
      std::this_thread::yield();
    }
    return world_.engine->job(id).value();
  }
  /// The hanging one comes back.
  void let_it_return() {
    gate_.open();
    gate_.wait_for_departures(1);
  }

  EngineWorld world_;
  Gate gate_;
  std::atomic<bool> hangs_ = true;
};

TEST_F(EngineHang, a_cancelled_job_ends_without_its_work_after_a_heartbeat_and_its_worker_is_another_jobs) {
  world_.open(1);
  const JobId id = admit_and_hang(job());
  const Instant begin = world_.clock.monotonic();
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  const JobView view = pass_time_until(id, job::JobState::kCancelled);
  EXPECT_GE(world_.clock.monotonic() - begin, std::chrono::milliseconds(3'000));
  EXPECT_TRUE(world_.hold(id).closed);
  // The only worker still hangs in it. Its slot is another's once that is in the log.
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.log.count("job.left_running"), 1u);
  let_it_return();
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  world_.close();  // nobody is left in it
  world_.open(1);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kCancelled);
  EXPECT_THAT(world_.event_types(id), Not(Contains("step.finished")));
  EXPECT_EQ(world_.event_types(id).back(), "job.cancelled");
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kCancelled));
}

TEST_F(EngineHang, the_time_of_a_run_ends_it_also_when_its_work_does_not_look_at_it) {
  world_.open(1);
  job::JobSpec spec = job();
  spec.limits.run_time_ms = 1'000;  // by the timers of the machine, long after its work has begun
  const JobId id = admit_and_hang(spec);
  const JobView view = pass_time_until(id, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRunExpired));
  EXPECT_THAT(view.error, HasSubstr("did not stop when it was told to"));
}

TEST_F(EngineHang, a_suspended_job_is_put_aside_and_resumed_beside_the_run_that_hangs) {
  world_.open(1);
  const JobId id = admit_and_hang(job());
  ASSERT_THAT(world_.engine->suspend(id, "user", ""), Succeeds());
  (void)pass_time_until(id, job::JobState::kSuspended);
  ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  const auto result = world_.engine->result(id);
  let_it_return();
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.engine->result(id), result) << "the late answer changes nothing";
  EXPECT_THAT(world_.event_types(id), Contains("step.finished").Times(1));
  EXPECT_THAT(world_.event_types(id), Contains("job.succeeded").Times(1));
}

TEST_F(EngineHang,
       without_a_heartbeat_it_is_waited_for_as_long_as_a_lease_and_one_that_stops_meanwhile_ends_by_itself) {
  world_.open(1);
  const JobId id = admit_and_hang(job(0));
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  world_.clock.advance(EngineOptions{}.lease_ttl - std::chrono::milliseconds(1));
  let_it_return();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  world_.clock.advance(std::chrono::milliseconds(2));
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  world_.close();
  EXPECT_EQ(world_.log.count("job.left_running"), 0u);
}

}  // namespace
}  // namespace tandem::engine
