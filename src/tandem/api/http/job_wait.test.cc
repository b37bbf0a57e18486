#include "tandem/api/http/job_wait.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::http {
namespace {

TEST(JobWaits, who_waits_is_answered_once_when_the_waits_are_wound_up_and_who_comes_later_at_once) {
  engine::EngineWorld world;
  const JobId job = world.open(0).admit(world.classical_job(), "default", "", "user").value().id;
  const auto engine = std::make_shared<ServedEngine>(*world.engine);
  const auto waits = std::make_shared<JobWaits>(engine, world.executor);
  std::promise<void> before;  // set twice it would throw
  std::promise<void> after;
  waits->add(job, std::chrono::hours(1), [&] { before.set_value(); });
  waits->wind_up();
  before.get_future().wait();
  waits->add(job, std::chrono::hours(1), [&] { after.set_value(); });
  after.get_future().wait();
  waits->wind_up();
  engine->end();
}

}  // namespace
}  // namespace tandem::http
