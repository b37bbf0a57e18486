#include "tandem/orchestrate/engine/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using store::Table;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kDay = std::chrono::hours(24);

class Retained : public testing::Test {
 protected:
  Retained() { world_.open(); }

  /// One look, as the engine's own thread does it.
  void look(RetentionLimits limits) {
    const EngineServices services = world_.services();
    JobLedger ledger(services.store, services.clock, services.crash_points, [](const job::Event&) {});
    Retention retention(services, ledger, limits, housekeeping_);
    world_.clock.advance(between_);
    ASSERT_THAT(retention.look(), Succeeds());
  }
  /// Jobs that ended a day apart from each other.
  std::vector<JobId> one_a_day(int days) {
    std::vector<JobId> out;
    for (int i = 0; i < days; ++i) {
      out.push_back(world_.run(world_.classical_job(fmt::format("day {}", i))).id);
      world_.clock.advance(kDay);
    }
    return out;
  }
  std::vector<JobId> left() {
    std::vector<JobId> out;
    const JobPage page = world_.engine->jobs({.limit = 1000}).value();
    for (const JobView& view : page.jobs) out.insert(out.begin(), view.id);
    return out;
  }
  JobId held_job() {
    world_.provider->plan.on_submit = {submit::OnSubmit::kLoseRequest};
    world_.provider->plan.answers_reads = false;
    return world_.run(world_.paid_job()).id;
  }
  std::vector<store::Row> all(Table table) {
    return world_.store->scan({.table = table, .from = "", .until = "", .limit = 100'000}).value();
  }

  EngineWorld world_;
  Housekeeping housekeeping_{.fence = [](store::Batch&) { return true; }, .rest = [] { return true; }};
  std::chrono::milliseconds between_{0};  ///< from the start of a process to its look
};

TEST_F(Retained, by_age_goes_what_ended_longer_ago_and_by_number_the_oldest) {
  const std::vector<JobId> jobs = one_a_day(6);
  look({});
  EXPECT_EQ(left(), jobs);
  look({.age = std::chrono::hours(24 * 4 + 12)});
  EXPECT_EQ(left(), std::vector<JobId>(jobs.begin() + 2, jobs.end()));
  look({.jobs = 3});
  EXPECT_EQ(left(), std::vector<JobId>(jobs.begin() + 3, jobs.end()));
  EXPECT_EQ(world_.meter.total("tandem_jobs_removed_total"), 3);
  // Of the blobs that the others named, those that the last three need are left.
  const std::vector<JobId> rest = left();
  for (const JobId& id : rest) EXPECT_THAT(world_.engine->replay_package(id), Succeeds());
  EXPECT_EQ(world_.meter.total("tandem_blobs_erased_total"), 3);  // documents; the answers are all the same
}

TEST_F(Retained, an_old_job_that_ended_lately_stays_and_does_not_keep_the_others) {
  world_.close();
  world_.open(0);
  const JobId waits = world_.admit(world_.classical_job("waits"));
  world_.clock.advance(kDay);
  const JobId ended = world_.admit(world_.classical_job("ended"));
  ASSERT_THAT(world_.engine->cancel(ended, "user", ""), Succeeds());
  world_.clock.advance(10 * kDay);
  ASSERT_THAT(world_.engine->cancel(waits, "user", ""), Succeeds());
  look({.age = 5 * kDay});
  EXPECT_THAT(left(), ElementsAre(waits));
}

TEST_F(Retained, what_has_not_ended_or_has_an_open_submission_stays_and_is_no_reason_to_stop) {
  const JobId held = held_job();
  world_.clock.advance(kDay);
  world_.close();
  world_.open(0);
  const JobId queued = world_.admit(world_.classical_job());
  std::vector<JobId> ended;
  for (int i = 0; i < 3; ++i) {
    world_.clock.advance(kDay);
    ended.push_back(world_.admit(world_.classical_job()));
    ASSERT_THAT(world_.engine->cancel(ended.back(), "user", ""), Succeeds());
  }
  look({.jobs = 2});
  EXPECT_THAT(left(), ElementsAre(held, queued, ended[1], ended[2]));
  world_.clock.advance(100 * kDay);
  look({.age = kDay});
  EXPECT_THAT(left(), ElementsAre(held, queued));
}

TEST_F(Retained, a_job_that_must_stay_is_asked_again_once_an_hour_and_goes_when_it_may) {
  const JobId held = held_job();
  const EngineServices services = world_.services();
  JobLedger ledger(services.store, services.clock, services.crash_points, [](const job::Event&) {});
  Retention retention(services, ledger, {.age = kDay}, housekeeping_);
  world_.clock.advance(2 * kDay);
  ASSERT_THAT(retention.look(), Succeeds());  // the hour begins
  ASSERT_THAT(retention.look(), Succeeds());
  // A person found out that nothing was billed.
  const submit::SubmissionRecord record = world_.submitter->submissions(held)->at(0);
  Json row = record.document();
  row["state"] = "refused";
  const auto hold = world_.store->get(Table::kBudget, "hold/" + held.value).value();
  Json money = parse_json(hold->value, "hold").value();
  Json& play = money["emulated"];  // as the provider is
  play["released_usd_micros"] = play["limit_usd_micros"];
  play["reserved_usd_micros"] = 0;
  ASSERT_THAT(world_.store->commit_and_wait(store::Batch()
                                                .put(Table::kSubmission, record.token, row.dump())
                                                .put(Table::kBudget, hold->key, money.dump())),
              Succeeds());
  world_.clock.advance(std::chrono::minutes(50));
  ASSERT_THAT(retention.look(), Succeeds());
  EXPECT_THAT(left(), ElementsAre(held));
  world_.clock.advance(std::chrono::minutes(11));
  ASSERT_THAT(retention.look(), Succeeds());
  ASSERT_THAT(retention.look(), Succeeds());
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(Retained, many_jobs_go_in_small_commits_and_a_process_that_does_not_lead_removes_none) {
  world_.close();
  world_.open(0);
  for (std::size_t i = 0; i < 5 * Retention::kJobsAtOnce + 3; ++i) {
    const JobId id = world_.admit(world_.classical_job());
    ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  }
  const std::size_t all_jobs = left().size();
  housekeeping_.fence = [](store::Batch&) { return false; };
  look({.jobs = 1});
  EXPECT_EQ(left().size(), all_jobs);
  housekeeping_.fence = [](store::Batch&) { return true; };
  housekeeping_.rest = [] { return false; };  // stopped after the first step
  look({.jobs = 1});
  EXPECT_EQ(left().size(), all_jobs - Retention::kJobsAtOnce);
  housekeeping_.rest = [] { return true; };
  look({.jobs = 1});
  EXPECT_EQ(left().size(), 1u);
  EXPECT_EQ(all(Table::kBudget).size(), 1u);
  EXPECT_EQ(all(Table::kJobIndex).size(), 2u);  // by state, and by error
}

TEST_F(Retained, jobs_of_many_rows_go_in_more_commits) {
  const std::vector<JobId> jobs = one_a_day(Retention::kJobsAtOnce + 1);
  for (const JobId& id : jobs) {  // of any two one commit could take the rows, of all it could not
    store::Batch steps;
    for (std::size_t i = 0; i < store::Batch::kOperationsMax / Retention::kJobsAtOnce; ++i)
      steps.put(Table::kStep, fmt::format("{}/{:05}/planted", id.value, i), "{}");
    ASSERT_THAT(world_.store->commit_and_wait(std::move(steps)), Succeeds());
  }
  look({.jobs = 1});
  EXPECT_THAT(left(), ElementsAre(jobs.back()));
}

TEST_F(Retained, idempotency_keys_expire_and_are_not_taken_from_who_uses_them_again) {
  world_.close();
  world_.idempotency_age = 3 * kDay;
  world_.open();
  const JobId first = world_.admit(world_.classical_job(), "old");
  world_.wait(first);
  world_.clock.advance(2 * kDay);
  EXPECT_EQ(world_.admit(world_.classical_job(), "old"), first);
  world_.wait(world_.admit(world_.classical_job("another"), "young"));
  world_.clock.advance(std::chrono::hours(36));
  // Too old for a replay, and still there: the next use writes over it.
  const JobId second = world_.admit(world_.classical_job(), "old");
  EXPECT_NE(second, first);
  world_.wait(second);
  EXPECT_EQ(world_.admit(world_.classical_job(), "old"), second);
  EXPECT_THAT(left(), testing::Contains(first));

  between_ = std::chrono::hours(2);  // keys are looked at once an hour
  look({.idempotency_age = 3 * kDay});
  EXPECT_EQ(all(Table::kIdempotency).size(), 2u);
  world_.clock.advance(2 * kDay);
  look({.idempotency_age = 3 * kDay});
  ASSERT_EQ(all(Table::kIdempotency).size(), 1u);
  EXPECT_EQ(all(Table::kIdempotency)[0].key, "default/old");
  EXPECT_EQ(world_.meter.total("tandem_idempotency_keys_expired_total"), 1);
  // The job of an expired key is removed without the key of another.
  ASSERT_THAT(world_.engine->remove(first, "user", ""), Succeeds());
  EXPECT_EQ(world_.admit(world_.classical_job(), "old"), second);
}

TEST_F(Retained, the_engine_looks_by_itself) {
  const std::vector<JobId> jobs = one_a_day(3);
  world_.close();
  world_.retention_jobs = 1;
  world_.open();
  while (left().size() > 1) std::this_thread::yield();
  EXPECT_THAT(left(), ElementsAre(jobs[2]));
}

}  // namespace
}  // namespace tandem::engine
