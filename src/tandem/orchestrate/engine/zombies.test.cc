// A process that is stopped for longer than its lease and goes on: what it had sent before arrives, and nothing of it counts.
// TANDEM_ZOMBIES raises the late completions on each store (1,000).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/setting.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/testing/zombie_world.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kRound = 250;  ///< late completions of one stop

class Zombies : public testing::TestWithParam<std::string> {};

/// So that it is seen that the wire delivers.
TEST_P(Zombies, what_was_on_the_wire_counts_where_nobody_took_over) {
  ZombieWorld world(GetParam());
  const job::JobSpec noop =
      job::JobSpec::parse({{"problem", {{"type", "noop"}, {"steps", 1}}}}, world.problems).value();
  ZombieNode stopped(world, "stopped");
  stopped.store.keep_each({"job.succeeded"});
  constexpr std::size_t kJobs = 20;
  for (std::size_t i = 0; i < kJobs; ++i) ASSERT_THAT(stopped.engine->admit(noop, "default", "", "user"), Succeeds());
  stopped.store.wait_for_kept(kJobs);
  stopped.store.freeze();
  EXPECT_EQ(stopped.store.thaw().size(), kJobs);
}

TEST_P(Zombies, no_late_completion_of_a_process_that_was_stopped_is_taken) {
  const auto asked = parse_int64(SystemEnvironment().get("TANDEM_ZOMBIES"));
  const auto total = static_cast<std::size_t>(asked.value_or(1'000));
  ZombieWorld world(GetParam());
  const job::JobSpec noop =
      job::JobSpec::parse({{"problem", {{"type", "noop"}, {"steps", 1}}}}, world.problems).value();
  std::size_t late = 0;
  std::size_t taken = 0;
  for (int round = 0; late < total; ++round) {
    ZombieNode stopped(world, fmt::format("stopped-{}", round));
    stopped.store.keep_each({"job.succeeded"});
    std::vector<JobId> jobs;
    for (std::size_t i = 0; i < kRound; ++i)
      jobs.push_back(stopped.engine->admit(noop, "default", "", "user:test").value().id);
    stopped.store.wait_for_kept(kRound);
    stopped.store.freeze();
    ZombieNode heir(world, fmt::format("heir-{}", round));
    std::map<std::string, Bytes> results;
    for (const JobId& id : jobs) {
      ASSERT_EQ(heir.engine->wait(id, Deadline::never()).value().state, job::JobState::kSucceeded);
      results[id.value] = heir.engine->result(id).value();
    }
    const std::uint64_t before = world.store->last_sequence().value();
    taken += stopped.store.thaw().size();
    late += kRound;
    stopped.engine->drain(Deadline::never(), Deadline::never());
    EXPECT_EQ(world.store->last_sequence().value(), before) << "the log grew";
    for (const JobId& id : jobs) {
      const auto view = heir.engine->job(id).value();
      EXPECT_GE(view.fence, 3u) << "started, taken over, started; more where the heir was slow";
      EXPECT_EQ(heir.engine->result(id).value(), results[id.value]);
      std::vector<std::string> types;
      const auto events = heir.engine->events(id, 0, 1000).value();
      for (const job::Event& event : events) types.push_back(event.type);
      EXPECT_THAT(types, testing::Contains("job.succeeded").Times(1));
      EXPECT_THAT(types, testing::Contains("job.started").Times(testing::Ge(2)));
      EXPECT_THAT(types, testing::Contains("job.requeued"));
    }
  }
  EXPECT_EQ(taken, 0u);
  fmt::print("{}: {} of {} late completions taken\n", GetParam(), taken, late);
}

INSTANTIATE_TEST_SUITE_P(Stores, Zombies, testing::Values("memory", "sqlite", "postgres"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace tandem::engine
