// Limits of payers and backends, from the admission to the charge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class EngineBudget : public testing::Test {
 protected:
  EngineWorld world_;

  std::size_t budget_rows(std::string_view prefix = "") {
    return world_.store->count(store::Table::kBudget, prefix).value();
  }
  /// In the order of standings().
  std::vector<std::pair<std::int64_t, std::int64_t>> held_and_settled() {
    std::vector<std::pair<std::int64_t, std::int64_t>> out;
    const std::vector<budget::Standing> standings = world_.engine->standings("default").value();
    for (const budget::Standing& one : standings) out.emplace_back(one.entry.held, one.entry.settled);
    return out;
  }
  budget::UsageQuery all() { return {.tenant = "default", .from = {}, .to = {INT64_MAX}}; }
};

TEST_F(EngineBudget, without_limits_a_free_job_has_no_rows_of_money) {
  world_.open();
  const job::JobSpec free = world_.spec({{"problem", EngineWorld::max_cut()}, {"refinement", {{"mode", "off"}}}});
  ASSERT_EQ(world_.run(free).state, job::JobState::kSucceeded);
  EXPECT_EQ(budget_rows(), 0u);
  EXPECT_THAT(world_.engine->standings("default").value(), IsEmpty());
}

TEST_F(EngineBudget, a_job_beyond_a_limit_is_not_admitted_and_one_within_it_gives_back_what_it_did_not_spend) {
  world_.limit("limits: [{tenant: default, period: total, cost: {hard: $0.009}, jobs: {hard: 3}}]");
  world_.open(0);
  const JobId first = world_.admit(world_.paid_job(), "key");  // may spend $0.005
  const auto refused = world_.engine->admit(world_.paid_job(), "default", "other", "user:test");
  ASSERT_THAT(refused, FailsWith(errors::kLimitExceeded));
  EXPECT_THAT(refused.error().message, HasSubstr("$0.005 are needed and $0.004 are free"));
  EXPECT_EQ(world_.store->count(store::Table::kJob, "").value(), 1u);
  EXPECT_EQ(world_.admit(world_.paid_job(), "key"), first);  // the same request is answered and takes nothing
  EXPECT_THAT(held_and_settled(), ElementsAre(std::pair(5000, 0), std::pair(0, 1)));
  ASSERT_THAT(world_.engine->cancel(first, "user:test", ""), Succeeds());
  EXPECT_THAT(held_and_settled(), ElementsAre(std::pair(0, 0), std::pair(0, 1)));
  EXPECT_THAT(world_.engine->admit(world_.paid_job(), "default", "other", "user:test"), Succeeds());
}

TEST_F(EngineBudget, a_submission_becomes_a_charge_that_outlives_its_job) {
  world_.limit(R"(limits:
  - {tenant: default, period: total, cost: {hard: $1}}
  - {backend: fake.provider, emulated: true, period: total, cost: {hard: $1}, jobs: {hard: 9}})");
  world_.open();
  const JobView view = world_.run(world_.paid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  // Of the backend, which is emulated and bills 700, and of the tenant, whose real money nobody took.
  EXPECT_THAT(held_and_settled(), testing::UnorderedElementsAre(std::pair(0, 0), std::pair(0, 700), std::pair(0, 1)));
  const auto groups = world_.engine->usage(all(), budget::UsageBy::kUser).value();
  ASSERT_THAT(groups, SizeIs(1));
  EXPECT_EQ(groups[0].name, "test");
  EXPECT_TRUE(groups[0].emulated);
  EXPECT_EQ(groups[0].cost.usd_micros, 700);
  ASSERT_THAT(world_.engine->remove(view.id, "user:test", ""), Succeeds());
  EXPECT_EQ(budget_rows(budget::kHoldPrefix), 0u);
  EXPECT_EQ(world_.engine->usage(all(), budget::UsageBy::kUser).value(), groups);
  EXPECT_THAT(world_.engine->charges(all(), 10, "")->charges, SizeIs(1));
}

TEST_F(EngineBudget, an_attempt_beyond_a_limit_of_the_backend_leaves_the_step_to_the_next_one) {
  world_.limit("limits: [{backend: fake.provider, emulated: true, period: total, jobs: {hard: 1}}]");
  world_.open();
  ASSERT_EQ(world_.run(world_.paid_job()).state, job::JobState::kSucceeded);
  const JobView second = world_.run(world_.paid_job());
  EXPECT_EQ(second.state, job::JobState::kFailed);
  EXPECT_THAT(second.error, HasSubstr("backend fake.provider (emulated): 1 jobs are needed and 0 jobs are free"));
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
}

TEST_F(EngineBudget, a_crossing_is_an_event_of_the_job_that_crossed_in_its_commit) {
  world_.limit("limits: [{tenant: default, period: total, jobs: {hard: 2}}]");
  world_.open(0);
  const JobId first = world_.admit(world_.paid_job());
  EXPECT_THAT(world_.event_types(first), ElementsAre("job.queued", "budget.alert"));
  const job::Event alert = world_.events(first).back();
  EXPECT_EQ(alert.data.value()["crossed"], "50");
  EXPECT_EQ(alert.data.value()["unit"], "jobs");
  const JobId second = world_.admit(world_.paid_job());
  EXPECT_THAT(world_.event_types(second), ElementsAre("job.queued", "budget.alert", "budget.alert", "budget.alert"));
}

TEST_F(EngineBudget, of_many_that_ask_at_once_as_many_are_admitted_as_fit) {
  world_.limit("limits: [{tenant: default, period: total, cost: {hard: $0.05}}]");
  world_.open(0);
  std::atomic<int> admitted = 0;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i)
      threads.emplace_back([&] {
        const auto admission = world_.engine->admit(world_.paid_job(), "default", "", "user:test");
        if (admission)
          ++admitted;
        else if (admission.error().number == errors::kLimitExceeded)
          ++refused;
      });
  }
  EXPECT_EQ(admitted, 10);
  EXPECT_EQ(refused, 54);
  EXPECT_EQ(world_.store->count(store::Table::kJob, "").value(), 10u);
  EXPECT_THAT(held_and_settled(), ElementsAre(std::pair(50'000, 0)));
}

}  // namespace
}  // namespace tandem::engine
