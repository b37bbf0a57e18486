// Runs that were told to stop and do not: their jobs end, their slots are others', and what they still do is nobody's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "tandem/orchestrate/engine/testing/cut_store.h"
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
  /// The first job that is planned hangs there, before anything of its run is stored.
  void hang_while_planned() {
    hangs_ = false;
    world_.main().while_planned = [this, hangs = std::make_shared<std::atomic<bool>>(true)] {
      if (hangs->exchange(false)) gate_.pass({});
    };
  }
  /// Drains with so long for what is told to stop, and lets that time pass. Returns how many runs hang.
  std::size_t drain(std::chrono::milliseconds stop_time) {
    const Instant now = world_.clock.monotonic();
    auto hanging =
        std::async(std::launch::async, [&] { return world_.engine->drain(Deadline(now), Deadline(now + stop_time)); });
    while (hanging.wait_for(std::chrono::milliseconds(0)) != std::future_status::ready) {
      world_.clock.advance(std::chrono::milliseconds(100));
      std::this_thread::yield();
    }
    return hanging.get();
  }
  bool is_marked_at_work() { return world_.store->get(store::Table::kMeta, "at_work")->has_value(); }

  /// The hanging one comes back.
  void let_it_return() {
    gate_.open();
    gate_.wait_for_departures(1);
  }

  // Before the world: what hangs uses them until its worker has ended.
  Gate gate_;
  std::atomic<bool> hangs_ = true;
  EngineWorld world_;
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

TEST_F(EngineHang, before_anything_of_a_run_is_stored_its_slot_is_another_jobs_as_well) {
  hang_while_planned();
  world_.open(1);
  const JobId id = admit_and_hang(job());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kCancelled) << "at once, for it had not begun";
  const JobId next = world_.admit(job());
  EXPECT_EQ(pass_time_until(next, job::JobState::kSucceeded).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.log.count("job.left_running"), 1u);
  let_it_return();
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.event_types(id).back(), "job.cancelled");
  EXPECT_THAT(world_.event_types(id), Not(Contains("job.started")));
}

TEST_F(EngineHang, before_anything_of_a_run_is_stored_its_time_ends_it_as_well) {
  hang_while_planned();
  world_.open(1);
  job::JobSpec spec = job();
  spec.limits.run_time_ms = 1'000;
  const JobId id = admit_and_hang(spec);
  const JobView view = pass_time_until(id, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRunExpired));
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  let_it_return();
  EXPECT_EQ(world_.run(job()).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(id), Contains("job.expired").Times(1));
  EXPECT_EQ(world_.event_types(id).back(), "job.expired");
}

/// It hangs between the decision and the commit. By then the job waits again, and could be started.
TEST_F(EngineHang, a_start_that_comes_late_does_not_begin_the_job_that_was_resumed_meanwhile) {
  Gate busy;
  world_.main().before = [&](const std::stop_token& stop) -> std::optional<Error> {
    busy.pass(stop);
    return std::nullopt;
  };
  world_.open(0);
  const JobId id = world_.admit(job());
  CutStore seen(*world_.store);
  seen.after_job_read([&] { seen.before_commit([&] { gate_.pass({}); }); });
  const auto submitter = world_.make_submitter(seen);
  const auto engine = Engine::start(world_.services(seen, *submitter),
                                    EngineOptions{.workers = 1, .clock_look_interval = std::chrono::milliseconds(2)})
                          .value();
  gate_.wait_for_arrivals(1);
  ASSERT_THAT(engine->suspend(id, "user", ""), Succeeds());
  while (world_.log.count("job.left_running") == 0) {
    world_.clock.advance(std::chrono::milliseconds(100));
    std::this_thread::yield();
  }
  const JobId other = engine->admit(job(), "default", "", "user")->id;
  busy.wait_for_arrivals(1);
  ASSERT_THAT(engine->resume(id, "user"), Succeeds());  // the only worker has another job
  const int reads = seen.job_reads();
  let_it_return();
  while (seen.job_reads() == reads) std::this_thread::yield();  // its commit was refused: it looks why
  busy.open();
  for (const JobId& one : {other, id})
    EXPECT_EQ(engine->wait(one, Deadline::never())->state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(id), Contains("job.started").Times(1));
}

TEST_F(EngineHang, a_drain_ends_without_a_run_that_does_not_stop_and_its_job_goes_on_with_the_next_engine) {
  world_.open(1);
  const JobId id = admit_and_hang(job());
  EXPECT_EQ(drain(std::chrono::milliseconds(2'000)), 1u);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.event_types(id).back(), "job.requeued");
  EXPECT_FALSE(is_marked_at_work()) << "the job would be held to have taken its process down";
  let_it_return();
  world_.close();
  world_.open(1);
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(id), Contains("step.finished").Times(1));
}

TEST_F(EngineHang, a_drain_ends_without_a_run_that_does_not_stop_before_anything_of_it_is_stored) {
  hang_while_planned();
  world_.open(1);
  const JobId id = admit_and_hang(job());
  EXPECT_EQ(drain(std::chrono::milliseconds(2'000)), 1u);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_FALSE(is_marked_at_work());
  let_it_return();
  world_.close();
  EXPECT_THAT(world_.log.count("job.left_running"), 1u);
  world_.open(1);
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(id), Contains("job.started").Times(1)) << "the late one began nothing";
}

TEST_F(EngineHang, a_drain_ends_without_a_run_that_was_left_before_and_without_one_that_cannot_be_put_back) {
  world_.open(2);
  const JobId cancelled = admit_and_hang(job());
  ASSERT_THAT(world_.engine->cancel(cancelled, "user", ""), Succeeds());
  (void)pass_time_until(cancelled, job::JobState::kCancelled);
  hangs_ = true;
  const JobId id = world_.admit(job());
  gate_.wait_for_arrivals(2);
  world_.store->fail_commits(1, 1'000'000, make_error(errors::kDiskFull, "planted"));
  EXPECT_EQ(drain(std::chrono::milliseconds(2'000)), 2u);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  gate_.open();
  gate_.wait_for_departures(2);
  world_.close();
  world_.open(1);
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
}

}  // namespace
}  // namespace tandem::engine
