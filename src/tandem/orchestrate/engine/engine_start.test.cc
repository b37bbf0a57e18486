// What an engine finds when it starts, what it leaves alone, and whose job it runs first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A job as a process leaves it that dies while it runs.
JobId interrupted(EngineWorld& world, const job::JobSpec& spec) {
  const JobId id = world.admit(spec);
  JobLedger ledger(*world.store, world.clock, world.crash_points, [](const job::Event&) {});
  const auto started = ledger.update(id, std::nullopt, "engine", [](JobRecord& record, Change&) -> Result<void> {
    TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kStart));
    return {};
  });
  EXPECT_THAT(started, Succeeds());
  return id;
}

TEST(EngineStart, a_job_whose_process_died_is_cancelled_at_once_where_nothing_runs) {
  EngineWorld world;
  world.open(0);
  const JobId id = interrupted(world, world.paid_job());
  ASSERT_THAT(world.engine->cancel(id, "user", "no longer needed"), Succeeds());
  const JobView view = *world.engine->job(id);
  EXPECT_EQ(view.state, job::JobState::kCancelled);
  EXPECT_THAT(view.error, HasSubstr("had ended"));
  EXPECT_TRUE(world.hold(id).closed);
  EXPECT_THAT(world.event_types(id), ElementsAre("job.queued", "job.cancel_requested", "job.cancelled"));
  world.close();
  world.open();
  EXPECT_EQ(world.run(world.classical_job()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world.engine->job(id)->state, job::JobState::kCancelled);
  EXPECT_EQ(world.provider->submissions(), 0);
}

TEST(EngineStart, a_provider_that_does_not_answer_delays_neither_start_nor_end) {
  EngineWorld world;
  world.open(1);
  // The work was sent, and the process dies before it stores the answer.
  world.provider->plan.during_submit = [&] {
    world.store->fail_commits(1, 1000, make_error(errors::kIoError, "planted crash"));
  };
  const JobId id = world.admit(world.paid_job());
  EXPECT_THAT(world.engine->wait(id, Deadline::never()), FailsWith(errors::kStoreClosed));
  world.close();
  world.provider->plan.during_submit = nullptr;

  Gate gate;
  world.provider->plan.during_lookup = [&](const std::stop_token& stop) { gate.pass(stop); };
  auto life = std::async(std::launch::async, [&] {
    world.open(2);
    gate.wait_for_arrivals(1);  // the reconciler, or the run that came back, asks
    const JobView other = world.run(world.classical_job());
    world.close();
    return other.state;
  });
  const bool in_time = life.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  gate.open();
  EXPECT_TRUE(in_time) << "it waits for the provider";
  life.get();

  world.provider->plan.during_lookup = nullptr;
  world.open(1);
  EXPECT_EQ(world.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(world.provider->submissions(), 1);
}

TEST(EngineStart, an_engine_for_one_job_leaves_the_others_in_the_queue) {
  EngineWorld world;
  world.open(0);
  const JobId paid = world.admit(world.paid_job());
  const JobId dead = interrupted(world, world.classical_job("dead"));
  const JobId earlier = world.admit(world.classical_job("earlier"), "key");
  world.close();
  world.open(2, Runs::kAttended);
  const JobId own = world.admit(world.classical_job("own"));
  EXPECT_EQ(world.engine->attend(own).value(), 3u);
  EXPECT_EQ(world.wait(own).state, job::JobState::kSucceeded);
  // One that was admitted before is run when it is asked for, and only once.
  EXPECT_EQ(world.admit(world.classical_job("earlier"), "key"), earlier);
  EXPECT_EQ(world.engine->attend(earlier).value(), 2u);
  EXPECT_EQ(world.wait(earlier).state, job::JobState::kSucceeded);
  EXPECT_EQ(world.engine->attend(earlier).value(), 2u);
  for (const JobId& other : {paid, dead}) EXPECT_EQ(world.engine->job(other)->state, job::JobState::kQueued);
  EXPECT_EQ(world.main().computed(), 2);
  EXPECT_EQ(world.provider->submissions(), 0);
  EXPECT_THAT(world.engine->attend(JobId("job_00000000000000000000000000")), FailsWith(errors::kJobNotFound));
  world.close();
  world.open();
  for (const JobId& other : {paid, dead}) EXPECT_EQ(world.wait(other).state, job::JobState::kSucceeded);
}

TEST(EngineStart, a_job_that_is_attended_to_goes_before_those_that_wait) {
  EngineWorld world;
  Gate gate;
  world.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world.open(1);
  std::vector<std::string> started;
  const auto listening = world.engine->subscribe(
      [&](const job::Event& event) {
        if (event.type == "job.started") started.push_back(event.job.value);
      },
      nullptr, nullptr);
  const JobId first = world.admit(world.classical_job("first"));
  gate.wait_for_arrivals(1);
  const JobId second = world.admit(world.classical_job("second"));
  const JobId third = world.admit(world.classical_job("third"));
  EXPECT_EQ(world.engine->attend(third).value(), 1u);
  gate.open();
  world.wait(second);
  EXPECT_THAT(started, ElementsAre(first.value, third.value, second.value));
}

TEST(EngineStart, a_retry_of_a_job_that_is_not_there_is_refused) {
  EngineWorld world;
  world.open(0);
  job::JobSpec retry = world.classical_job();
  retry.retry_of = JobId("job_00000000000000000000000000");
  const auto admitted = world.engine->admit(retry, "default", "", "user");
  ASSERT_THAT(admitted, FailsWith(errors::kJobNotFound));
  EXPECT_EQ(admitted.error().place, "/retry_of");
  EXPECT_EQ(world.store->count(store::Table::kJob, "").value(), 0u);
  retry.retry_of = world.admit(world.classical_job());
  EXPECT_THAT(world.engine->admit(retry, "default", "", "user"), Succeeds());
}

TEST(EngineStart, a_job_found_in_the_store_that_is_cancelled_after_it_was_read_leaves_no_trace_of_a_run) {
  EngineWorld world;
  world.open(0);
  const JobId id = world.admit(world.classical_job());
  CutStore seen(*world.store);
  seen.after_job_read([&] { EXPECT_THAT(world.engine->cancel(id, "user", ""), Succeeds()); });
  const auto submitter = world.make_submitter(seen);
  const auto engine = Engine::start(world.services(seen, *submitter), EngineOptions{.workers = 1}).value();
  EXPECT_EQ(world.wait(id).state, job::JobState::kCancelled);
  engine->drain(Deadline::never(), Deadline::never());
  EXPECT_EQ(world.engine->job(id)->state, job::JobState::kCancelled);
  EXPECT_THAT(world.event_types(id), testing::Not(testing::Contains("job.started")));
}

}  // namespace
}  // namespace tandem::engine
