// Who may write, and whose money it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <utility>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class EngineFence : public testing::Test {
 protected:
  EngineWorld world_;
};

// Fences

TEST_F(EngineFence, a_worker_with_an_old_fence_writes_nothing) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  std::vector<std::string> published;
  JobLedger ledger(*world_.store, world_.clock, world_.crash_points,
                   [&](const job::Event& event) { published.push_back(event.type); });
  const auto start = [&] {
    return ledger.update(id, std::nullopt, "engine", [](JobRecord& record, Change& change) -> Result<void> {
      record.view.state = job::JobState::kRunning;
      ++record.view.fence;
      change.events.push_back({job::EventData("job.started").member("fence", record.view.fence).member("start", 1)});
      return {};
    });
  };
  const std::uint64_t old_fence = start()->view.fence;
  const std::uint64_t new_fence = start()->view.fence;
  const auto write = [&](std::uint64_t fence) {
    return ledger.update(id, fence, "engine", [](JobRecord&, Change& change) -> Result<void> {
      change.keeps_row = true;
      change.batch.put(store::Table::kStep, "checkpoint", "bytes");
      change.events.push_back(
          {job::EventData("round.started").member("orders", std::vector<std::string>()).member("round", 0)});
      return {};
    });
  };
  EXPECT_THAT(write(old_fence), FailsWith(errors::kStaleFence));
  EXPECT_FALSE(world_.store->get(store::Table::kStep, "checkpoint").value());
  EXPECT_THAT(write(new_fence), Succeeds());
  EXPECT_THAT(published, ElementsAre("job.started", "job.started", "round.started"));
}

TEST_F(EngineFence, a_worker_whose_job_went_back_to_the_queue_writes_nothing) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  JobLedger ledger(*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {});
  const auto move = [&](job::JobEvent event) {
    return ledger.update(id, std::nullopt, "engine", [&](JobRecord& record, Change&) -> Result<void> {
      TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, event));
      if (event == job::JobEvent::kStart) ++record.view.fence;
      return {};
    });
  };
  const std::uint64_t fence = move(job::JobEvent::kStart)->view.fence;
  ASSERT_EQ(move(job::JobEvent::kRequeue)->view.fence, fence);  // only the next start raises it
  const Decide checkpoint = [](JobRecord&, Change& change) -> Result<void> {
    change.keeps_row = true;
    change.batch.put(store::Table::kStep, "checkpoint", "bytes");
    return {};
  };
  EXPECT_THAT(ledger.update(id, fence, "engine", checkpoint), FailsWith(errors::kStaleFence));
  EXPECT_FALSE(world_.store->get(store::Table::kStep, "checkpoint").value());
  // A start that is stored with what follows it is no such thing.
  EXPECT_THAT(ledger.update(id, fence, "engine",
                            [](JobRecord& record, Change& change) -> Result<void> {
                              ++record.view.fence;
                              TANDEM_TRY_ASSIGN(record.view.state,
                                                job::require_transition(record.view.state, job::JobEvent::kStart));
                              change.batch.put(store::Table::kStep, "checkpoint", "bytes");
                              return {};
                            }),
              Succeeds());
}

TEST_F(EngineFence, a_change_that_rests_on_another_row_which_is_not_so_ends_with_that) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  ASSERT_THAT(world_.store->commit_and_wait(store::Batch().put(store::Table::kMeta, "taken", "by another")),
              Succeeds());
  JobLedger ledger(*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {});
  int decided = 0;
  const Decide rests_on = [&](JobRecord&, Change& change) -> Result<void> {
    if (++decided > 10) return fail(errors::kIllegalTransition, "it is tried for ever");
    change.batch.put(store::Table::kMeta, "taken", "by this one", store::Expect::absent());
    return {};
  };
  const auto done = ledger.update(id, std::nullopt, "engine", rests_on);
  ASSERT_THAT(done, FailsWith(errors::kPreconditionFailed));
  EXPECT_THAT(done.error().message, HasSubstr("taken"));
  ASSERT_THAT(ledger.update(id, std::nullopt, "engine",
                            [](JobRecord& record, Change&) -> Result<void> {
                              record.view.state = job::JobState::kRunning;
                              return {};
                            }),
              Succeeds());
  decided = 0;
  EXPECT_THAT(ledger.advance(*load_job(*world_.store, id), "engine", rests_on), FailsWith(errors::kPreconditionFailed));
  // One that another writer changes in between is read anew, although the job's own row stays as it is.
  decided = 0;
  EXPECT_THAT(ledger.update(
                  id, std::nullopt, "engine",
                  [&](JobRecord&, Change& change) -> Result<void> {
                    const auto row = world_.store->get(store::Table::kMeta, "taken").value();
                    if (++decided <= 3) {
                      EXPECT_THAT(
                          world_.store->commit_and_wait(store::Batch().put(store::Table::kMeta, "taken", "once more")),
                          Succeeds());
                    }
                    change.keeps_row = true;
                    change.batch.put(store::Table::kMeta, "taken", "by this one", store::Expect::at(row->version));
                    return {};
                  }),
              Succeeds());
  EXPECT_EQ(decided, 4);
}

TEST_F(EngineFence, a_worker_that_lost_its_job_lets_go_and_leaves_the_new_owner_alone) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open(1);
  const JobId id = world_.admit(world_.classical_job());
  gate.wait_for_arrivals(1);
  JobLedger ledger(*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {});
  ASSERT_THAT(
      ledger.update(id, std::nullopt, "another node",
                    [](JobRecord& record, Change& change) -> Result<void> {
                      ++record.view.fence;
                      change.events.push_back(
                          {job::EventData("job.started").member("fence", record.view.fence).member("start", 1)});
                      return {};
                    }),
      Succeeds());
  gate.open();
  world_.engine->drain(Deadline::never(), Deadline::never());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  EXPECT_EQ(world_.event_types(id).back(), "job.started");
  EXPECT_EQ(world_.log.count("job.let_go"), 1u);
}

// Money

class EngineFencePaid : public EngineFence {
 protected:
  /// Runs a paid job that another process takes over after its first event of this type, and then does nothing with.
  void lose_after(std::string_view event_type) {
    world_.open(1);
    JobLedger ledger(*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {});
    bool taken = false;
    const auto subscription = world_.engine->subscribe(
        [&](const job::Event& event) {
          if (event.type != event_type || std::exchange(taken, true)) return;
          EXPECT_THAT(ledger.update(event.job, std::nullopt, "another node",
                                    [](JobRecord& record, Change&) -> Result<void> {
                                      ++record.view.fence;
                                      return {};
                                    }),
                      Succeeds());
        },
        nullptr, nullptr);
    id_ = world_.admit(world_.paid_job());
    while (world_.log.count("job.let_go") == 0) std::this_thread::yield();
    EXPECT_TRUE(taken);
  }
  std::vector<std::string> states() {
    std::vector<std::string> out;
    const std::vector<submit::SubmissionRecord> all = world_.submitter->submissions(id_).value();
    for (const submit::SubmissionRecord& one : all) out.emplace_back(to_string(one.state));
    return out;
  }
  JobId id_;
};

TEST_F(EngineFencePaid, a_worker_that_lost_its_job_opens_no_submission_although_the_heir_has_spent_nothing) {
  lose_after("round.started");
  EXPECT_THAT(states(), IsEmpty());
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_EQ(world_.hold(id_).play_money.reserved.usd_micros, 0);
}

TEST_F(EngineFencePaid, a_worker_that_lost_its_job_after_it_opened_a_submission_does_not_send_it) {
  lose_after("submission.reserved");
  EXPECT_THAT(states(), ElementsAre("reserved"));
  EXPECT_EQ(world_.provider->submissions(), 0);
}

TEST_F(EngineFence, paid_work_is_settled_by_the_bill_and_the_rest_of_the_hold_is_given_back) {
  world_.open();
  const JobView view = world_.run(world_.paid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const budget::Hold hold = world_.hold(view.id);
  EXPECT_EQ(hold.play_money.settled.usd_micros, 700);
  EXPECT_EQ(hold.play_money.released.usd_micros, 4300);
  EXPECT_TRUE(hold.closed);
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  EXPECT_EQ(result["billed_usd_micros"], 700);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
}

TEST_F(EngineFence, a_metered_backend_without_money_is_no_plan) {
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.limits.cost_max = {};
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_THAT(view.error, HasSubstr("cost_max_usd_micros"));
  EXPECT_EQ(world_.provider->submissions(), 0);
}

TEST_F(EngineFence, paid_work_that_is_refused_falls_back_to_the_simulator_for_nothing) {
  world_.provider->plan.on_submit = {submit::OnSubmit::kRefuse};
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.fallbacks = {"simulator.statevector"};
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const lineage::WorkRecord record = world_.engine->lineage(view.id)->work.at(0);
  EXPECT_EQ(record.backend, "simulator.statevector");
  ASSERT_THAT(record.path, SizeIs(2));
  EXPECT_EQ(record.path[0].backend, "fake.provider");
  EXPECT_EQ(record.path[1].backend, "simulator.statevector");
  EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 0);
  EXPECT_EQ(world_.hold(view.id).play_money.released.usd_micros, 5000);
}

}  // namespace
}  // namespace tandem::engine
