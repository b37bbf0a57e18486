// The leases of processes, who leads, and what becomes of the jobs of those that are lost: without engines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/take_over.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class TakeOver : public testing::Test {
 protected:
  TakeOver() {
    world_.store->share(world_.clock);
    world_.open(0);
  }
  /// A job that a process of that name has started and not ended.
  void start(const JobId& id, const std::string& node) {
    Membership membership(*world_.store, world_.clock, world_.crash_points, node, std::chrono::seconds(10),
                          Json::object());
    ASSERT_THAT(membership.join(), Succeeds());
    ASSERT_THAT(ledger_.update(id, std::nullopt, "engine",
                               [&](JobRecord& record, Change&) -> Result<void> {
                                 TANDEM_TRY_ASSIGN(record.view.state,
                                                   job::require_transition(record.view.state, job::JobEvent::kStart));
                                 ++record.view.fence;
                                 record.owner = node;
                                 return {};
                               }),
                Succeeds());
  }
  Result<void> take_over() {
    EXPECT_THAT(survivor_.join(), Succeeds());
    return engine::take_over(survivor_, *world_.store, ledger_, world_.log);
  }

  EngineWorld world_;
  JobLedger ledger_{*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {}};
  Membership survivor_{*world_.store, world_.clock, world_.crash_points, "survivor", std::chrono::seconds(10),
                       Json::object()};
};

TEST_F(TakeOver, who_looks_knows_when_the_next_lease_ends_so_that_a_lost_process_is_lost_for_no_longer) {
  const std::chrono::seconds ttl(10);
  Membership other(*world_.store, world_.clock, world_.crash_points, "other", ttl, Json::object());
  ASSERT_THAT(survivor_.join(), Succeeds());
  EXPECT_EQ(survivor_.next_lapse(), ttl);
  ASSERT_THAT(other.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(7));
  ASSERT_THAT(survivor_.beat(), Succeeds());
  ASSERT_TRUE(survivor_.lead().value());
  ASSERT_THAT(survivor_.lapsed(), Succeeds());
  EXPECT_EQ(survivor_.next_lapse(), std::chrono::seconds(3));
  // It beats again, and the one that does not lead looks at the leader.
  ASSERT_THAT(other.beat(), Succeeds());
  world_.clock.advance(std::chrono::seconds(1));
  ASSERT_FALSE(other.lead().value());
  EXPECT_EQ(other.next_lapse(), std::chrono::seconds(9));
  // Whose lease has ended is buried now, and does not call for a look any more.
  world_.clock.advance(std::chrono::seconds(10));
  ASSERT_THAT(survivor_.beat(), Succeeds());
  ASSERT_TRUE(survivor_.lead().value());
  ASSERT_THAT(survivor_.lapsed(), Succeeds());
  EXPECT_EQ(survivor_.next_lapse(), ttl);
}

TEST_F(TakeOver, a_lease_is_kept_until_it_runs_out_and_then_whoever_had_it_cannot_beat) {
  Membership membership(*world_.store, world_.clock, world_.crash_points, "one", std::chrono::seconds(10),
                        Json::object());
  ASSERT_THAT(membership.join(), Succeeds());
  EXPECT_TRUE(membership.holds());
  const JobId id = world_.admit(world_.classical_job());
  ASSERT_THAT(ledger_.update(id, std::nullopt, "engine",
                             [&](JobRecord& record, Change&) -> Result<void> {
                               record.view.state = job::JobState::kRunning;
                               record.owner = "one";
                               return {};
                             }),
              Succeeds());
  world_.clock.advance(std::chrono::milliseconds(8001));
  EXPECT_FALSE(membership.holds());  // for itself it is over before it is for others
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  ASSERT_THAT(membership.beat(), Succeeds());
  EXPECT_TRUE(membership.holds());
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(id)->fence, 1u);
  EXPECT_THAT(membership.beat(), FailsWith(errors::kLeaseLost));
  EXPECT_FALSE(membership.holds());
  EXPECT_THAT(membership.join(), Succeeds());
  EXPECT_TRUE(membership.holds());
}

TEST_F(TakeOver, a_job_that_takes_five_processes_down_is_given_to_no_other) {
  const JobId id = world_.admit(world_.classical_job());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
    start(id, fmt::format("victim {}", i));
    world_.clock.advance(std::chrono::seconds(11));
    ASSERT_THAT(take_over(), Succeeds());
  }
  const JobView view = *world_.engine->job(id);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kPoisonJob));
  EXPECT_THAT(jobs_of_owner(*world_.store, "victim 4").value(), IsEmpty());
  EXPECT_TRUE(world_.hold(id).closed);
  const auto poison = world_.engine->jobs({.error_number = static_cast<std::uint16_t>(errors::kPoisonJob)});
  ASSERT_THAT(poison->jobs, SizeIs(1));
  EXPECT_EQ(poison->jobs[0].id, id);
}

TEST_F(TakeOver, processes_that_are_lost_while_a_job_gets_on_are_not_held_against_it) {
  const JobId id = world_.admit(world_.classical_job());
  const auto lose = [&](const std::string& node, bool gets_on) {
    EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued) << node;
    start(id, node);
    if (gets_on) {
      ASSERT_THAT(ledger_.update(id, std::nullopt, "engine",
                                 [&](JobRecord&, Change& change) -> Result<void> {
                                   change.events.push_back({job::EventData("step.retrying")
                                                                .member("backend", "cpu.tabu")
                                                                .member("delay_ms", 0)
                                                                .member("error", "")
                                                                .member("error_class", "transient")
                                                                .member("label", node)
                                                                .member("number", 0)
                                                                .member("round", 0)
                                                                .member("tries_max", 3)
                                                                .member("try", 1)});
                                   return {};
                                 }),
                  Succeeds());
    }
    world_.clock.advance(std::chrono::seconds(11));
    ASSERT_THAT(take_over(), Succeeds());
  };
  for (int i = 0; i < 12; ++i) lose(fmt::format("victim {}", i), i % 4 == 0);  // the last three in vain
  lose("victim 12", false);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  lose("victim 13", false);
  EXPECT_EQ(world_.engine->job(id)->error_number, static_cast<std::uint16_t>(errors::kPoisonJob));
}

TEST_F(TakeOver, what_the_living_run_is_not_read) {
  for (int i = 0; i < 50; ++i) start(world_.admit(world_.classical_job()), "alive");
  const JobId lost = world_.admit(world_.classical_job());
  start(lost, "lost");
  world_.clock.advance(std::chrono::seconds(11));
  Membership alive(*world_.store, world_.clock, world_.crash_points, "alive", std::chrono::seconds(10), Json::object());
  ASSERT_THAT(alive.join(), Succeeds());
  CutStore counted(*world_.store);
  Membership counting(counted, world_.clock, world_.crash_points, "counting", std::chrono::seconds(10), Json::object());
  ASSERT_THAT(counting.join(), Succeeds());
  JobLedger ledger(counted, world_.clock, world_.crash_points, [](const job::Event&) {});
  ASSERT_THAT(engine::take_over(counting, counted, ledger, world_.log), Succeeds());
  EXPECT_EQ(world_.engine->job(lost)->state, job::JobState::kQueued);
  EXPECT_EQ(counted.job_reads(), 1);
  EXPECT_LE(counted.rows_scanned(), 6u);  // two owners, three processes, one job
}

TEST_F(TakeOver, a_running_job_of_no_process_as_a_backup_of_one_machine_has_it_goes_back) {
  const JobId id = world_.admit(world_.classical_job());
  start(id, "");
  ASSERT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  ASSERT_THAT(take_over_ownerless(*world_.store, ledger_), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(id)->fence, 2u);
}

TEST_F(TakeOver, a_job_that_ended_and_was_removed_after_the_list_was_read_does_not_keep_the_others) {
  std::vector<JobId> ids;
  for (const char* const node : {"", "", "victim", "victim"}) {
    ids.push_back(world_.admit(world_.classical_job()));
    start(ids.back(), node);
  }
  // What the lists still name.
  ASSERT_THAT(world_.store->commit_and_wait(
                  store::Batch().erase(store::Table::kJob, ids[0].value).erase(store::Table::kJob, ids[2].value)),
              Succeeds());
  ASSERT_THAT(take_over_ownerless(*world_.store, ledger_), Succeeds());
  EXPECT_EQ(world_.engine->job(ids[1])->state, job::JobState::kQueued);
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(ids[3])->state, job::JobState::kQueued);
}

TEST_F(TakeOver, a_job_that_its_client_cancelled_ends_there) {
  const JobId id = world_.admit(world_.classical_job());
  start(id, "victim");
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);  // its process is asked first
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kCancelled);
}

TEST_F(TakeOver, what_one_that_died_half_way_left_is_done_by_the_next) {
  const JobId first = world_.admit(world_.classical_job("first"));
  const JobId second = world_.admit(world_.classical_job("second"));
  start(first, "victim");
  start(second, "victim");
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(survivor_.join(), Succeeds());
  EXPECT_TRUE(survivor_.bury("victim").value().has_value());  // and dies before it moved a job
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(first)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(second)->state, job::JobState::kQueued);
}

TEST_F(TakeOver, one_leads_until_its_lease_is_over_and_the_next_has_a_higher_term) {
  Membership second(*world_.store, world_.clock, world_.crash_points, "second", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(survivor_.join(), Succeeds());
  ASSERT_THAT(second.join(), Succeeds());
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(true)));
  world_.clock.advance(std::chrono::seconds(6));
  ASSERT_THAT(second.beat(), Succeeds());
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(false)));
  world_.clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(false)));
  const auto row = world_.store->get(store::Table::kMeta, "leader").value();
  EXPECT_EQ(parse_json(row->value, "row").value(), Json({{"node", "second"}, {"term", 2}}));
}

TEST_F(TakeOver, what_only_a_leader_may_do_is_refused_once_another_has_led) {
  const auto try_it = [&](const Membership& member) -> Result<bool> {
    store::Batch batch;
    if (!member.require_lead(batch)) return false;
    TANDEM_TRY(world_.store->commit_and_wait(batch.put(store::Table::kMeta, "work of a leader", "done")));
    return true;
  };
  Membership second(*world_.store, world_.clock, world_.crash_points, "second", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(survivor_.join(), Succeeds());
  ASSERT_THAT(second.join(), Succeeds());
  EXPECT_THAT(try_it(survivor_), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(try_it(survivor_), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(try_it(second), testing::Eq(Result<bool>(false)));
  world_.clock.advance(std::chrono::seconds(11));
  EXPECT_THAT(try_it(survivor_), testing::Eq(Result<bool>(false)));  // without a lease
  ASSERT_THAT(second.beat(), Succeeds());
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(true)));
  ASSERT_THAT(survivor_.beat(), Succeeds());  // it was away, and does not know that another leads by now
  EXPECT_THAT(try_it(survivor_), FailsWith(errors::kPreconditionFailed));
  EXPECT_THAT(try_it(second), testing::Eq(Result<bool>(true)));
}

TEST_F(TakeOver, who_was_buried_cannot_become_the_leader) {
  ASSERT_THAT(survivor_.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(11));
  Membership second(*world_.store, world_.clock, world_.crash_points, "second", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(second.join(), Succeeds());
  EXPECT_TRUE(second.bury("survivor").value().has_value());
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(true)));
}

TEST_F(TakeOver, who_looked_before_a_process_came_back_cannot_bury_it_again) {
  CutStore slow(*world_.store);
  Membership late(slow, world_.clock, world_.crash_points, "late", std::chrono::seconds(10), Json::object());
  Membership victim(*world_.store, world_.clock, world_.crash_points, "victim", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(late.join(), Succeeds());
  ASSERT_THAT(victim.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(11));
  slow.before_commit([&] {  // between its look and its burial
    EXPECT_TRUE(survivor_.bury("victim").value().has_value());
    EXPECT_THAT(victim.beat(), FailsWith(errors::kLeaseLost));
    EXPECT_THAT(victim.join(), Succeeds());
  });
  EXPECT_FALSE(late.bury("victim").value().has_value());
  EXPECT_THAT(victim.beat(), Succeeds());
}

/// Whoever buries it is stopped for a while before he takes its jobs.
TEST_F(TakeOver, what_a_process_that_has_come_back_runs_is_left_to_it) {
  const JobId id = world_.admit(world_.classical_job("first"));
  start(id, "victim");
  world_.clock.advance(std::chrono::seconds(11));
  CutStore slow(*world_.store);
  JobLedger late{slow, world_.clock, world_.crash_points, [](const job::Event&) {}};
  ASSERT_THAT(survivor_.join(), Succeeds());
  std::uint64_t fence = 0;
  slow.before_commit([&] {
    ASSERT_THAT(ledger_.update(id, std::nullopt, "engine",
                               [&](JobRecord& record, Change&) -> Result<void> {
                                 TANDEM_TRY_ASSIGN(record.view.state,
                                                   job::require_transition(record.view.state, job::JobEvent::kRequeue));
                                 record.owner.clear();
                                 return {};
                               }),
                Succeeds());  // it gives back what it had
    start(id, "victim");  // and takes it again
    fence = world_.engine->job(id)->fence;
  });
  ASSERT_THAT(engine::take_over(survivor_, *world_.store, late, world_.log), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  EXPECT_EQ(world_.engine->job(id)->fence, fence);
  // It is lost in earnest.
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
}

TEST_F(TakeOver, the_row_of_a_process_that_never_comes_back_is_dropped_in_the_end) {
  Membership victim(*world_.store, world_.clock, world_.crash_points, "victim", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(victim.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_TRUE(survivor_.bury("victim").value().has_value());
  EXPECT_EQ(world_.store->count(store::Table::kMeta, "node/victim").value(), 1u);
  world_.clock.advance(std::chrono::seconds(600));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.store->count(store::Table::kMeta, "node/victim").value(), 0u);
}

}  // namespace
}  // namespace tandem::engine
