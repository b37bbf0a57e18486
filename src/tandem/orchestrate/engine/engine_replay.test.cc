// A job computed again from its record.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class EngineReplay : public testing::Test {
 protected:
  EngineWorld world_;
};

TEST_F(EngineReplay, a_finished_job_replays_to_the_identical_canonical_result) {
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  // Through its document, as another process gets it.
  const auto package = lineage::ReplayPackage::parse(world_.engine->replay_package(view.id)->document());
  ASSERT_THAT(package, Succeeds());
  const auto replayed = lineage::replay(*package, world_.backends, world_.problems, 1);
  ASSERT_THAT(replayed, Succeeds());
  EXPECT_THAT(replayed->differences, IsEmpty());
  EXPECT_EQ(replayed->canonical_sha256, world_.engine->lineage(view.id)->result_sha256);
  EXPECT_EQ(replayed->canonical, world_.canonical_result(view.id));
}

TEST_F(EngineReplay, replay_shows_that_a_local_result_is_not_the_recorded_one) {
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  auto package = world_.engine->replay_package(view.id).value();
  package.work.at(0).raw_sha256 = std::string(64, '0');
  const auto replayed = lineage::replay(package, world_.backends, world_.problems, 1);
  ASSERT_THAT(replayed, Succeeds());
  ASSERT_THAT(replayed->differences, SizeIs(1));
  EXPECT_THAT(replayed->differences[0], HasSubstr("'solve'"));
}

TEST_F(EngineReplay, replay_finds_an_altered_remote_result) {
  world_.open();
  const JobView view = world_.run(world_.paid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  auto package = world_.engine->replay_package(view.id).value();
  ASSERT_THAT(package.raw, SizeIs(1));
  const auto same = lineage::replay(package, world_.backends, world_.problems, 1);
  ASSERT_THAT(same, Succeeds());
  EXPECT_THAT(same->differences, IsEmpty());
  EXPECT_EQ(same->canonical_sha256, world_.engine->lineage(view.id)->result_sha256);
  package.raw.begin()->second = "resulT";
  EXPECT_THAT(lineage::replay(package, world_.backends, world_.problems, 1), FailsWith(errors::kBackendGarbage));
}

TEST_F(EngineReplay, replay_by_another_version_of_a_backend_is_not_comparable) {
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  auto package = world_.engine->replay_package(view.id).value();
  package.work.at(0).backend_version = "0";
  EXPECT_THAT(lineage::replay(package, world_.backends, world_.problems, 1), FailsWith(errors::kReplayNotComparable));
}

}  // namespace
}  // namespace tandem::engine
