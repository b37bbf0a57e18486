// What several processes run of one store is fair in sum.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/orchestrate/engine/testing/zombie_world.h"

namespace tandem::engine {
namespace {

constexpr int kJobsEach = 60;
constexpr auto kService = std::chrono::milliseconds(10);  ///< of a job, much more than what is around it

class Sharing : public testing::TestWithParam<std::string> {
 protected:
  Sharing() : world_(GetParam()) {
    if (GetParam() == "memory") static_cast<memory::MemoryStore&>(*world_.store).share(world_.clock);
    for (const char* id : {"cpu.tabu", "cpu.annealing", "cpu.branch_and_bound", "cpu.random"}) {
      auto tier = std::make_unique<FakeTier>(id, world_.clock);
      tier->before = [this](const std::stop_token& stop) -> std::optional<Error> {
        (void)pause(world_.executor, kService, stop);
        return std::nullopt;
      };
      world_.backends.add(std::move(tier));
    }
  }
  std::unique_ptr<ZombieNode> node(const std::string& name, std::size_t workers) {
    return std::make_unique<ZombieNode>(
        world_, name,
        EngineOptions{.workers = workers, .weights = {{"heavy", 3.0}, {"light", 1.0}}, .schedules = workers != 0});
  }
  JobId admit(Engine& at, const std::string& tenant) {
    const Json document = {{"problem", EngineWorld::max_cut()}, {"refinement", {{"mode", "off"}}}};
    return at.admit(job::JobSpec::parse(document, world_.problems).value(), tenant, "", "user").value().id;
  }

  ZombieWorld world_;
};
INSTANTIATE_TEST_SUITE_P(Stores, Sharing, testing::Values("memory", "postgres"),
                         [](const auto& param) { return param.param; });

TEST_P(Sharing, two_processes_with_a_worker_each_serve_tenants_by_their_weights_in_sum) {
  std::map<std::string, std::string> tenant_of;
  std::vector<JobId> jobs;
  const auto front = node("front", 0);
  for (int i = 0; i < kJobsEach; ++i) {
    for (const char* tenant : {"heavy", "light"}) {
      jobs.push_back(admit(*front->engine, tenant));
      tenant_of[jobs.back().value] = tenant;
    }
  }
  {
    const auto one = node("one", 1);
    const auto two = node("two", 1);
    for (const JobId& id : jobs)
      ASSERT_EQ(front->engine->wait(id, Deadline::never())->state, job::JobState::kSucceeded);
  }
  // In the order in which they were started, by whomever, as long as both tenants had work.
  std::vector<std::string> started;
  for (const JobId& id : jobs) {
    const auto events = front->engine->events(id, 0, 100).value();
    for (const job::Event& event : events)
      if (event.type == "job.started") started.push_back(fmt::format("{:012} {}", event.sequence, id.value));
  }
  std::sort(started.begin(), started.end());
  ASSERT_EQ(started.size(), 2u * kJobsEach);
  constexpr std::size_t kContended = kJobsEach * 4 / 3 - 8;
  int heavy = 0;
  for (std::size_t i = 0; i < kContended; ++i) heavy += tenant_of.at(started[i].substr(13)) == "heavy" ? 1 : 0;
  EXPECT_NEAR(heavy, 3 * static_cast<int>(kContended) / 4, 6) << "of " << kContended;
}

}  // namespace
}  // namespace tandem::engine
