// How jobs end before they are done: cancelled, expired, drained, crashed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class EngineEnd : public testing::Test {
 protected:
  EngineWorld world_;
};

// Ends

TEST_F(EngineEnd, cancelling_a_queued_job_ends_it_at_once_and_it_never_runs) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open(1);
  const JobId running = world_.admit(world_.classical_job("first"));
  gate.wait_for_arrivals(1);
  const JobId queued = world_.admit(world_.classical_job("second"));
  ASSERT_THAT(world_.engine->cancel(queued, "user", "not needed"), Succeeds());
  EXPECT_EQ(world_.engine->job(queued)->state, job::JobState::kCancelled);
  EXPECT_TRUE(world_.hold(queued).closed);
  EXPECT_THAT(world_.event_types(queued), ElementsAre("job.queued", "job.cancel_requested", "job.cancelled"));
  EXPECT_THAT(world_.engine->result(queued), FailsWith(errors::kCancelled));
  gate.open();
  EXPECT_EQ(world_.wait(running).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineEnd, cancelling_a_running_job_stops_its_work_and_gives_the_money_back) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open();
  job::JobSpec spec = world_.classical_job();
  spec.limits.cost_max.usd_micros = 300;
  const JobId id = world_.admit(spec);
  gate.wait_for_arrivals(1);
  ASSERT_THAT(world_.engine->cancel(id, "user", "changed my mind"), Succeeds());
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kCancelled);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kCancelled));
  EXPECT_EQ(world_.hold(id).play_money.released.usd_micros, 300);
  EXPECT_EQ(world_.event_types(id).back(), "job.cancelled");
}

TEST_F(EngineEnd, a_final_state_stays_final) {
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  EXPECT_THAT(world_.engine->cancel(view.id, "user", ""), FailsWith(errors::kJobFinal));
  EXPECT_EQ(world_.engine->job(view.id)->state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.event_types(view.id).back(), "job.succeeded");
  const auto bytes = world_.engine->result(view.id);
  world_.close();
  world_.open();
  EXPECT_EQ(world_.engine->job(view.id)->state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.engine->result(view.id), bytes);
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineEnd, a_cancellation_that_was_acknowledged_survives_a_crash) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open();
  const JobId id = world_.admit(world_.classical_job());
  gate.wait_for_arrivals(1);
  // The request is stored; the process dies before the worker stores the end.
  world_.store->fail_commits(2, 1000, make_error(errors::kStoreClosed, "planted crash"));
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  world_.close();
  world_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  EXPECT_TRUE(world_.hold(id).closed);
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineEnd, a_job_expires_when_its_total_time_is_over_while_it_waits) {
  world_.open(0);
  job::JobSpec spec = world_.classical_job();
  spec.limits.total_time_ms = 10'000;
  const JobId id = world_.admit(spec);
  world_.close();
  world_.clock.advance(std::chrono::seconds(10));
  world_.open();
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kExpired));
  EXPECT_TRUE(world_.hold(id).closed);
  EXPECT_EQ(world_.computed(), 0);
}

TEST_F(EngineEnd, a_job_expires_when_its_total_time_is_over_while_it_runs) {
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    Gate never;
    world_.clock.advance(std::chrono::milliseconds(30));
    never.pass(stop);  // until the engine's timer says stop
    return std::nullopt;
  };
  world_.open();
  job::JobSpec spec = world_.classical_job();
  spec.limits.time_ms = spec.limits.total_time_ms = 30;
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(world_.event_types(view.id).back(), "job.expired");
}

// Drains and crashes

TEST_F(EngineEnd, a_drain_requeues_what_runs_and_the_next_engine_goes_on_from_the_checkpoints) {
  Gate gate;
  world_.tier("cpu.branch_and_bound").before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open();
  const JobId id = world_.admit(world_.hybrid_job());
  gate.wait_for_arrivals(1);  // solve and baseline are checkpointed
  world_.engine->drain(Deadline::after(world_.clock, std::chrono::nanoseconds(0)), Deadline::never());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.event_types(id).back(), "job.requeued");
  EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", "", "user"), FailsWith(errors::kDraining));
  EXPECT_EQ(world_.main().computed(), 2);
  world_.close();

  gate.open();
  world_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.main().computed(), 2);
  EXPECT_EQ(world_.engine->job(id)->fence, 2u);
  // The same answer as of a run that nobody disturbed.
  const JobView undisturbed = world_.run(world_.hybrid_job());
  EXPECT_EQ(world_.canonical_result(id), world_.canonical_result(undisturbed.id));
}

/// Order -> how often its end is in the event log.
std::map<std::string, int> ended_orders(EngineWorld& world, const JobId& id) {
  std::map<std::string, int> out;
  for (const job::Event& event : world.events(id)) {
    if (!event.type.starts_with("step.")) continue;
    ++out[fmt::format("{}/{}", event.data.value()["round"].dump(), event.data.value()["label"].dump())];
  }
  return out;
}

/// Commits that a job needs from admission to its end.
std::uint64_t commits_of(const std::function<job::JobSpec(EngineWorld&)>& make, Json& result) {
  EngineWorld world;
  world.open(1);
  const JobView view = world.run(make(world));
  EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  result = world.canonical_result(view.id);
  return world.store->last_sequence().value();  // each commit has an event, or more
}

/// Returns when the worker has ended the job, or met the crash and is idle.
void run_into_crash(EngineWorld& world, const JobId& id) {
  const auto met = [&] {
    return world.log.count("job.not_started") + world.log.count("job.let_go") + world.log.count("job.end_not_stored") >
           0;
  };
  while (!met() && !job::is_final(world.engine->job(id)->state)) std::this_thread::yield();
  world.engine->drain(Deadline::never(), Deadline::never());
}

TEST(EngineCrash, a_crash_between_any_two_commits_changes_nothing_and_repeats_no_checkpointed_order) {
  const auto make = [](EngineWorld& world) { return world.hybrid_job(); };
  Json expected;
  const std::uint64_t commits = commits_of(make, expected);
  bool finished_before_the_crash = false;
  for (std::uint64_t n = 2; n <= commits + 1; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.open(1);
    world.store->fail_commits(n, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    const JobId id = world.admit(make(world));
    run_into_crash(world, id);
    const job::JobState at_crash = world.engine->job(id)->state;
    finished_before_the_crash = finished_before_the_crash || at_crash == job::JobState::kSucceeded;
    const auto rows = world.store->scan(store::Scan::prefix(store::Table::kStep, ""));
    std::uint64_t checkpoints = rows->size();
    for (const store::Row& row : *rows)
      for (const char* other : {"/state", "@simulator.statevector", "/result"})
        checkpoints -= row.key.ends_with(other) ? 1 : 0;
    const int computed = world.computed();
    world.close();

    world.open(1);
    const JobView view = world.wait(id);
    EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_EQ(world.canonical_result(id), expected);
    EXPECT_EQ(static_cast<std::uint64_t>(world.computed() - computed) + checkpoints, 8u);
    for (const auto& [order, times] : ended_orders(world, id)) EXPECT_EQ(times, 1) << order;
    EXPECT_THAT(ended_orders(world, id), SizeIs(10));
    EXPECT_TRUE(world.hold(id).closed);
  }
  EXPECT_TRUE(finished_before_the_crash) << "the last of the crashes must come after the end";
}

TEST(EngineCrash, a_crash_between_any_two_commits_of_paid_work_bills_once) {
  const auto make = [](EngineWorld& world) { return world.paid_job(); };
  Json expected;
  const std::uint64_t commits = commits_of(make, expected);
  for (std::uint64_t n = 2; n <= commits + 1; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.open(1);
    world.store->fail_commits(n, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    const JobId id = world.admit(make(world));
    run_into_crash(world, id);
    world.close();

    world.open(1);
    const JobView view = world.wait(id);
    EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_THAT(world.provider->book(), SizeIs(1));
    EXPECT_EQ(world.canonical_result(id), expected);
    const budget::Hold hold = world.hold(id);
    EXPECT_EQ(hold.play_money.settled.usd_micros, 700);
    EXPECT_EQ(hold.play_money.released.usd_micros, 4300);
    EXPECT_EQ(hold.play_money.reserved.usd_micros, 0);
  }
}

}  // namespace
}  // namespace tandem::engine
