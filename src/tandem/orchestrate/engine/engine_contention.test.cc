// Many jobs of one payer at once: each takes from the same accounts, and none is lost or told of a conflict.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::engine {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr int kClients = 16;
constexpr int kJobsOfEach = 8;
constexpr std::int64_t kJobs = kClients * kJobsOfEach;
constexpr std::string_view kLimits = R"(limits:
  - {tenant: default, period: total, jobs: {hard: 1000}, cost: {hard: $100}}
  - {tenant: default, user: test, period: day, jobs: {hard: 1000}}
  - {backend: fake.provider, emulated: true, period: total, cost: {hard: $100}})";

class Contention : public testing::TestWithParam<const char*> {
 protected:
  Contention() {
    world_.limit(kLimits);
    if (std::string_view(GetParam()) == "sqlite")
      file_ =
          sqlite::SqliteStore::open(folder_ / "store.db", {}, world_.store_threads, world_.clock, world_.meter).value();
    submitter_ = world_.make_submitter(store());
  }
  store::Store& store() { return file_ != nullptr ? *file_ : *world_.store; }
  void open(std::size_t workers) {
    engine_ = Engine::start(world_.services(store(), *submitter_), {.workers = workers}).value();
  }
  /// All at once. The errors, by number.
  std::set<int> admit_all() {
    std::mutex mutex;
    std::set<int> errors;
    std::vector<std::jthread> clients;
    for (int client = 0; client < kClients; ++client)
      clients.emplace_back([&, client] {
        for (int i = 0; i < kJobsOfEach; ++i) {
          const auto admission =
              engine_->admit(world_.paid_job(), "default", fmt::format("{}-{}", client, i), "user:test");
          const std::lock_guard lock(mutex);
          if (admission)
            ids_.insert(admission->id);
          else
            errors.insert(static_cast<int>(admission.error().number));
        }
      });
    clients.clear();
    return errors;
  }
  /// Of each limit.
  std::vector<std::pair<std::int64_t, std::int64_t>> held_and_settled() {
    std::vector<std::pair<std::int64_t, std::int64_t>> out;
    const auto standings = engine_->standings("default").value();
    for (const budget::Standing& one : standings) out.emplace_back(one.entry.held, one.entry.settled);
    return out;
  }

  EngineWorld world_;
  store::TempFolder folder_;
  std::unique_ptr<store::Store> file_;
  std::unique_ptr<submit::Submitter> submitter_;
  std::unique_ptr<Engine> engine_;
  std::set<JobId> ids_;
};

INSTANTIATE_TEST_SUITE_P(Engine, Contention, testing::Values("memory", "sqlite"),
                         [](const auto& store) { return store.param; });

TEST_P(Contention, of_many_admissions_of_one_tenant_none_is_lost_and_none_hears_of_a_conflict) {
  open(0);
  EXPECT_THAT(admit_all(), IsEmpty());
  EXPECT_EQ(ids_.size(), static_cast<std::size_t>(kJobs));
  EXPECT_EQ(store().count(store::Table::kJob, "").value(), static_cast<std::uint64_t>(kJobs));
  EXPECT_THAT(held_and_settled(), UnorderedElementsAre(std::pair(5000 * kJobs, 0), std::pair(0, kJobs),
                                                       std::pair(0, kJobs), std::pair(0, 0)));
}

TEST_P(Contention, of_many_jobs_that_spend_at_once_each_is_billed_once_and_the_accounts_add_up) {
  open(8);
  EXPECT_THAT(admit_all(), IsEmpty());
  for (const JobId& id : ids_) {
    const JobView view = engine_->wait(id, Deadline::never()).value();
    EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  }
  EXPECT_EQ(world_.provider->book().size(), static_cast<std::size_t>(kJobs));
  EXPECT_THAT(held_and_settled(), UnorderedElementsAre(std::pair(0, 0), std::pair(0, kJobs), std::pair(0, kJobs),
                                                       std::pair(0, 700 * kJobs)));
}

/// Another process takes from the same accounts between each of our readings and the commit that rests on it.
class Contended : public testing::Test {
 protected:
  Contended() : cut_(*world_.store) {
    world_.limit("limits: [{tenant: default, period: total, cost: {hard: $1}}]");
    submitter_ = world_.make_submitter(cut_);
    engine_ = Engine::start(world_.services(cut_, *submitter_), {.workers = 0}).value();
    EXPECT_THAT(engine_->admit(world_.paid_job(), "default", "", "user:test"), Succeeds());  // the account is there
  }
  void others_take(int times) {
    cut_.before_commit([this, times] {
      world_.clock.advance(std::chrono::milliseconds(500));
      const auto rows = world_.store->scan(store::Scan::prefix(store::Table::kBudget, "")).value();
      store::Batch batch;
      for (const store::Row& row : rows) batch.put(store::Table::kBudget, row.key, row.value);
      EXPECT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
      if (times > 1) others_take(times - 1);
    });
  }
  std::uint64_t jobs() { return world_.store->count(store::Table::kJob, "").value(); }

  EngineWorld world_;
  CutStore cut_;
  std::unique_ptr<submit::Submitter> submitter_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(Contended, an_admission_is_made_anew_on_what_the_accounts_are_by_then) {
  others_take(5);
  EXPECT_THAT(engine_->admit(world_.paid_job(), "default", "key", "user:test"), Succeeds());
  EXPECT_EQ(jobs(), 2u);
}

TEST_F(Contended, an_admission_whose_accounts_never_rest_ends_with_an_error_that_says_what_to_do) {
  others_take(1000);
  const auto refused = engine_->admit(world_.paid_job(), "default", "key", "user:test");
  ASSERT_THAT(refused, FailsWith(errors::kAccountsContended));
  EXPECT_TRUE(refused.error().retryable());
  EXPECT_THAT(refused.error().message, HasSubstr("the accounts of tenant 'default' were changed by others for 10 s"));
  EXPECT_EQ(jobs(), 1u);
  cut_.before_commit(nullptr);
  EXPECT_THAT(engine_->admit(world_.paid_job(), "default", "key", "user:test"), Succeeds());  // and it took nothing
  EXPECT_EQ(engine_->standings("default").value().front().entry.held, 10'000);
}

}  // namespace
}  // namespace tandem::engine
