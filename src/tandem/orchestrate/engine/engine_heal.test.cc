// What the clock ends is ended when it is due, by somebody who sleeps until then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

/// Nobody looks from time to time: what is not due, or not noted as due, would wait for an hour.
class EngineHeal : public testing::Test {
 protected:
  EngineHeal() {
    world_.clock_look_interval = std::chrono::hours(1);
    world_.store_retry_interval = std::chrono::hours(1);
    world_.main().before = [this](std::stop_token stop) -> std::optional<Error> {
      gate_.pass(stop);
      return std::nullopt;
    };
  }
  job::JobSpec limited(Json limits) {
    limits["time"] = "1ms";
    return world_.spec({{"problem", EngineWorld::max_cut()}, {"refinement", {{"mode", "off"}}}, {"limits", limits}});
  }
  void expect_expired(const JobId& id, ErrorNumber number) {
    const JobView view = world_.wait(id);
    EXPECT_EQ(view.state, job::JobState::kExpired);
    EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(number));
  }
  Gate gate_;
  EngineWorld world_;
};

TEST_F(EngineHeal, the_end_of_a_wait_in_the_queue_wakes_whoever_ends_it) {
  world_.open(1);
  const JobId running = world_.admit(limited(Json::object()));
  gate_.wait_for_arrivals(1);
  const JobId later = world_.admit(limited({{"queue_wait", "1h"}}));
  const JobId sooner = world_.admit(limited({{"queue_wait", "20ms"}}));  // before what is slept for
  world_.clock.advance(std::chrono::seconds(1));
  expect_expired(sooner, errors::kQueueWaitExpired);
  EXPECT_EQ(world_.engine->job(later)->state, job::JobState::kQueued);
  gate_.open();
  world_.wait(running);
  EXPECT_EQ(world_.wait(later).state, job::JobState::kSucceeded);
}

TEST_F(EngineHeal, the_end_of_the_total_time_of_a_job_that_is_put_aside_does_too_and_after_a_restart) {
  for (const bool restart : {false, true}) {
    world_.open(1);
    const JobId running = world_.admit(limited(Json::object()));
    gate_.wait_for_arrivals(restart ? 2 : 1);
    const JobId id = world_.admit(limited({{"total_time", "50ms"}}));
    ASSERT_THAT(world_.engine->suspend(id, "user:test", ""), Succeeds());
    if (restart) {
      world_.close();
      world_.clock.advance(std::chrono::seconds(1));
      world_.open(1);
    }
    world_.clock.advance(std::chrono::seconds(1));
    expect_expired(id, errors::kExpired);
    ASSERT_THAT(world_.engine->cancel(running, "user:test", ""), Succeeds());
    world_.wait(running);
    world_.close();
  }
}

}  // namespace
}  // namespace tandem::engine
