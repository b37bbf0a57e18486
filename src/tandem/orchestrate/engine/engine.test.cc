#include "tandem/orchestrate/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "tandem/base/hash.h"
#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/orchestrate/submit/reconcile.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class EngineTest : public testing::Test {
 protected:
  EngineWorld world_;
};

std::uint64_t num_jobs(EngineWorld& world) { return world.store->count(store::Table::kJob, "").value(); }

// Admission

TEST_F(EngineTest, admission_writes_job_document_hold_and_event_in_one_commit) {
  world_.open(0);
  const job::JobSpec spec = world_.paid_job();
  const JobId id = world_.admit(spec);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->spec_document(id).value(), spec.document());
  EXPECT_EQ(world_.hold(id).free.usd_micros, 5000);
  EXPECT_THAT(world_.event_types(id), ElementsAre("job.queued"));
  // A fresh process on the same disk sees the same.
  world_.close();
  world_.open(0);
  EXPECT_EQ(world_.engine->job(id)->name, "paid");
  EXPECT_EQ(world_.hold(id).free.usd_micros, 5000);
}

TEST_F(EngineTest, a_failed_admission_leaves_nothing) {
  world_.open(0);
  world_.store->fail_commits(1, 1, make_error(errors::kDiskFull, "planted"));
  EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", "key", "user"), FailsWith(errors::kDiskFull));
  EXPECT_EQ(num_jobs(world_), 0u);
  EXPECT_EQ(world_.store->count(store::Table::kIdempotency, "").value(), 0u);
  EXPECT_EQ(world_.store->last_sequence().value(), 0u);
}

TEST_F(EngineTest, the_same_key_and_document_give_the_same_job_also_after_a_restart) {
  world_.open(0);
  const auto first = world_.engine->admit(world_.classical_job(), "default", "key", "user");
  const auto again = world_.engine->admit(world_.classical_job(), "default", "key", "user");
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(again, Succeeds());
  EXPECT_FALSE(first->replayed);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->id, first->id);
  world_.close();
  world_.open(0);
  EXPECT_EQ(world_.engine->admit(world_.classical_job(), "default", "key", "user")->id, first->id);
  EXPECT_EQ(num_jobs(world_), 1u);
}

TEST_F(EngineTest, a_key_belongs_to_one_document_and_one_tenant) {
  world_.open(0);
  world_.admit(world_.classical_job("one"), "key");
  EXPECT_THAT(world_.engine->admit(world_.classical_job("two"), "default", "key", "user"),
              FailsWith(errors::kIdempotencyConflict));
  EXPECT_THAT(world_.engine->admit(world_.classical_job("two"), "other", "key", "user"), Succeeds());
  EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", std::string(256, 'k'), "user"),
              FailsWith(errors::kValueOutOfRange));
  EXPECT_EQ(num_jobs(world_), 2u);
}

TEST_F(EngineTest, one_key_at_the_same_time_on_many_threads_makes_one_job) {
  world_.open(0);
  const job::JobSpec spec = world_.classical_job();
  std::vector<Result<Admission>> answers(16, Admission{});
  world_.executor.parallel(answers.size(), 4,
                           [&](std::size_t i) { answers[i] = world_.engine->admit(spec, "default", "key", "user"); });
  std::set<std::string> ids;
  int fresh = 0;
  for (const auto& answer : answers) {
    ASSERT_THAT(answer, Succeeds());
    ids.insert(answer->id.value);
    fresh += answer->replayed ? 0 : 1;
  }
  EXPECT_THAT(ids, SizeIs(1));
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(num_jobs(world_), 1u);
}

// The walk

TEST_F(EngineTest, a_classical_job_walks_to_succeeded_with_its_events_in_order) {
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  EXPECT_EQ(view.state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(view.id), ElementsAre("job.queued", "job.started", "job.planned", "round.started",
                                                       "step.finished", "job.succeeded"));
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  EXPECT_EQ(result["job_id"], view.id.value);
  EXPECT_EQ(result["best"]["objective"], *view.objective);
  EXPECT_EQ(result["baseline"]["same_run"], true);
  EXPECT_EQ(result["plan"]["digest"], view.plan_digest);
  EXPECT_EQ(world_.engine->lineage(view.id)->work.size(), 1u);
}

TEST_F(EngineTest, every_event_carries_the_leaf_hash_of_its_bytes_and_sequences_have_no_gap) {
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  const auto log = world_.store->read_log(0, 1000).value();
  for (std::size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i].sequence, i + 1);
    Json document = parse_json(log[i].value, "event").value();
    const std::string stated = document["leaf_hash"];
    document.erase("leaf_hash");
    // RFC 6962, 2.1: the hash of a leaf is SHA-256 of a zero byte and the leaf.
    EXPECT_EQ(stated, sha256(std::string(1, '\0') + canonical_json(document)).hex());
  }
  const auto events = world_.events(view.id);
  for (std::size_t i = 1; i < events.size(); ++i) EXPECT_LT(events[i - 1].sequence, events[i].sequence);
  EXPECT_EQ(events.back().type, "job.succeeded");
}

TEST_F(EngineTest, a_hybrid_job_carries_out_each_order_once_and_reports_every_arm) {
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const auto lineage = world_.engine->lineage(view.id);
  std::vector<std::string> labels;
  for (const lineage::WorkRecord& record : lineage->work) labels.push_back(record.label);
  EXPECT_THAT(labels, ElementsAre("solve", "baseline", "refine/0/exact_shadow@cpu.branch_and_bound",
                                  "refine/0/annealing_control@cpu.annealing", "refine/0/random_control@cpu.random",
                                  "refine/0/qaoa@simulator.statevector", "refine/1/exact_shadow@cpu.branch_and_bound",
                                  "refine/1/annealing_control@cpu.annealing", "refine/1/random_control@cpu.random",
                                  "refine/1/qaoa@simulator.statevector"));
  EXPECT_EQ(world_.computed(), 8);  // all but the two on the simulator
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  EXPECT_EQ(result["refinement"]["status"], "done");
  EXPECT_THAT(result["refinement"]["arms"], SizeIs(8));
}

TEST_F(EngineTest, a_proof_stops_the_baseline_beside_it) {
  Gate baseline;
  std::atomic<int> begun = 0;
  world_.main().proves = true;
  // Whichever begins second waits to be stopped when it is the baseline; the solve passes by its own proof.
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    if (begun++ == 1) baseline.pass(stop);
    return std::nullopt;
  };
  world_.open();
  job::JobSpec spec = world_.hybrid_job();
  spec.threads = 1;  // one after the other, the solve first
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  EXPECT_EQ(result["best"]["proved"], true);
  EXPECT_EQ(result["refinement"]["status"], "skipped: proved");
  // Stopped is not failed: nobody else tried, and the record says why it has no result.
  const lineage::WorkRecord stopped = world_.engine->lineage(view.id)->work.at(1);
  EXPECT_EQ(stopped.backend, "cpu.tabu");
  EXPECT_THAT(stopped.path, IsEmpty());
  EXPECT_EQ(stopped.error_number, static_cast<std::uint16_t>(errors::kCancelled));
  EXPECT_THAT(stopped.error, HasSubstr("proved"));
  EXPECT_EQ(world_.computed(), 2);
  EXPECT_EQ(result["baseline"]["same_run"], true);
}

TEST_F(EngineTest, a_failing_backend_is_left_for_the_next_and_the_record_says_why) {
  world_.main().before = [](std::stop_token) { return make_error(errors::kSolverRefused, "planted refusal"); };
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const lineage::WorkRecord record = world_.engine->lineage(view.id)->work.at(0);
  EXPECT_EQ(record.backend, "cpu.annealing");
  ASSERT_THAT(record.path, SizeIs(1));
  EXPECT_THAT(record.path[0], testing::AllOf(HasSubstr("cpu.tabu: "), HasSubstr("planted refusal")));
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineTest, a_job_whose_needed_work_fails_everywhere_fails_with_that_error) {
  for (const char* id : {"cpu.tabu", "cpu.annealing", "cpu.branch_and_bound"})
    world_.tier(id).before = [](std::stop_token) { return make_error(errors::kSolverRefused, "planted refusal"); };
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kSolverRefused));
  EXPECT_THAT(view.error, HasSubstr("planted refusal"));
  EXPECT_THAT(world_.engine->result(view.id), FailsWith(errors::kSolverRefused));
  EXPECT_TRUE(world_.hold(view.id).closed);
  EXPECT_EQ(world_.event_types(view.id).back(), "job.failed");
}

TEST_F(EngineTest, an_arm_that_fails_does_not_fail_the_job) {
  world_.tier("cpu.random").before = [](std::stop_token) { return make_error(errors::kInternal, "planted"); };
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  int failed = 0;
  for (const Json& arm : result["refinement"]["arms"]) failed += arm["status"] == "failed" ? 1 : 0;
  EXPECT_EQ(failed, 2);
  EXPECT_THAT(world_.event_types(view.id), testing::Contains("step.failed").Times(2));
}

TEST_F(EngineTest, work_that_no_backend_takes_fails_with_the_reasons) {
  world_.open();
  job::JobSpec spec = world_.classical_job();
  spec.policy.backends = {"fake.provider"};
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kNoPlan));
  EXPECT_THAT(view.error, HasSubstr("policy.backends"));
}

// Ends

TEST_F(EngineTest, cancelling_a_queued_job_ends_it_at_once_and_it_never_runs) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open(1);
  const JobId running = world_.admit(world_.classical_job("first"));
  gate.wait_for_arrivals(1);
  const JobId queued = world_.admit(world_.classical_job("second"));
  ASSERT_THAT(world_.engine->cancel(queued, "user", "not needed"), Succeeds());
  EXPECT_EQ(world_.engine->job(queued)->state, job::JobState::kCancelled);
  EXPECT_TRUE(world_.hold(queued).closed);
  EXPECT_THAT(world_.event_types(queued), ElementsAre("job.queued", "job.cancel_requested", "job.cancelled"));
  EXPECT_THAT(world_.engine->result(queued), FailsWith(errors::kCancelled));
  gate.open();
  EXPECT_EQ(world_.wait(running).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineTest, cancelling_a_running_job_stops_its_work_and_gives_the_money_back) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open();
  job::JobSpec spec = world_.classical_job();
  spec.limits.cost_max.usd_micros = 300;
  const JobId id = world_.admit(spec);
  gate.wait_for_arrivals(1);
  ASSERT_THAT(world_.engine->cancel(id, "user", "changed my mind"), Succeeds());
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kCancelled);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kCancelled));
  EXPECT_EQ(world_.hold(id).released.usd_micros, 300);
  EXPECT_EQ(world_.event_types(id).back(), "job.cancelled");
}

TEST_F(EngineTest, a_final_state_stays_final) {
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  EXPECT_THAT(world_.engine->cancel(view.id, "user", ""), FailsWith(errors::kJobFinal));
  EXPECT_EQ(world_.engine->job(view.id)->state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.event_types(view.id).back(), "job.succeeded");
  const auto bytes = world_.engine->result(view.id);
  world_.close();
  world_.open();
  EXPECT_EQ(world_.engine->job(view.id)->state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.engine->result(view.id), bytes);
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineTest, a_cancellation_that_was_acknowledged_survives_a_crash) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open();
  const JobId id = world_.admit(world_.classical_job());
  gate.wait_for_arrivals(1);
  // The request is stored; the process dies before the worker stores the end.
  world_.store->fail_commits(2, 1000, make_error(errors::kStoreClosed, "planted crash"));
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  world_.close();
  world_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  EXPECT_TRUE(world_.hold(id).closed);
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineTest, a_job_expires_when_its_total_time_is_over_while_it_waits) {
  world_.open(0);
  job::JobSpec spec = world_.classical_job();
  spec.limits.total_time_ms = 10'000;
  const JobId id = world_.admit(spec);
  world_.close();
  world_.clock.advance(std::chrono::seconds(10));
  world_.open();
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kExpired));
  EXPECT_TRUE(world_.hold(id).closed);
  EXPECT_EQ(world_.computed(), 0);
}

TEST_F(EngineTest, a_job_expires_when_its_total_time_is_over_while_it_runs) {
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    Gate never;
    world_.clock.advance(std::chrono::milliseconds(30));
    never.pass(stop);  // until the engine's timer says stop
    return std::nullopt;
  };
  world_.open();
  job::JobSpec spec = world_.classical_job();
  spec.limits.time_ms = spec.limits.total_time_ms = 30;
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(world_.event_types(view.id).back(), "job.expired");
}

// Drains and crashes

TEST_F(EngineTest, a_drain_requeues_what_runs_and_the_next_engine_goes_on_from_the_checkpoints) {
  Gate gate;
  world_.tier("cpu.branch_and_bound").before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open();
  const JobId id = world_.admit(world_.hybrid_job());
  gate.wait_for_arrivals(1);  // solve and baseline are checkpointed
  world_.engine->drain(Deadline::after(world_.clock, std::chrono::nanoseconds(0)));
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.event_types(id).back(), "job.requeued");
  EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", "", "user"), FailsWith(errors::kDraining));
  EXPECT_EQ(world_.main().computed(), 2);
  world_.close();

  gate.open();
  world_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.main().computed(), 2);
  EXPECT_EQ(world_.engine->job(id)->fence, 2u);
  // The same answer as of a run that nobody disturbed.
  const JobView undisturbed = world_.run(world_.hybrid_job());
  EXPECT_EQ(world_.canonical_result(id), world_.canonical_result(undisturbed.id));
}

/// Order -> how often its end is in the event log.
std::map<std::string, int> ended_orders(EngineWorld& world, const JobId& id) {
  std::map<std::string, int> out;
  for (const job::Event& event : world.events(id)) {
    if (!event.type.starts_with("step.")) continue;
    ++out[fmt::format("{}/{}", event.data["round"].dump(), event.data["label"].dump())];
  }
  return out;
}

/// Commits that a job needs from admission to its end.
std::uint64_t commits_of(const std::function<job::JobSpec(EngineWorld&)>& make, Json& result) {
  EngineWorld world;
  world.open(1);
  const JobView view = world.run(make(world));
  EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  result = world.canonical_result(view.id);
  return world.store->last_sequence().value();  // each commit has an event, or more
}

/// Returns when the worker has ended the job, or met the crash and is idle.
void run_into_crash(EngineWorld& world, const JobId& id) {
  const auto met = [&] {
    return world.log.count("job.not_started") + world.log.count("job.let_go") + world.log.count("job.end_not_stored") >
           0;
  };
  while (!met() && !job::is_final(world.engine->job(id)->state)) std::this_thread::yield();
  world.engine->drain(Deadline::never());
}

TEST(EngineCrash, a_crash_between_any_two_commits_changes_nothing_and_repeats_no_checkpointed_order) {
  const auto make = [](EngineWorld& world) { return world.hybrid_job(); };
  Json expected;
  const std::uint64_t commits = commits_of(make, expected);
  bool finished_before_the_crash = false;
  for (std::uint64_t n = 2; n <= commits + 1; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.open(1);
    world.store->fail_commits(n, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    const JobId id = world.admit(make(world));
    run_into_crash(world, id);
    const job::JobState at_crash = world.engine->job(id)->state;
    finished_before_the_crash = finished_before_the_crash || at_crash == job::JobState::kSucceeded;
    std::uint64_t checkpoints = 0;
    const auto rows = world.store->scan(store::Scan::prefix(store::Table::kStep, ""));
    for (const store::Row& row : rows.value())
      checkpoints += row.key.ends_with("/state") || row.key.ends_with("@simulator.statevector") ? 0 : 1;
    const int computed = world.computed();
    world.close();

    world.open(1);
    const JobView view = world.wait(id);
    EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_EQ(world.canonical_result(id), expected);
    EXPECT_EQ(static_cast<std::uint64_t>(world.computed() - computed) + checkpoints, 8u);
    for (const auto& [order, times] : ended_orders(world, id)) EXPECT_EQ(times, 1) << order;
    EXPECT_THAT(ended_orders(world, id), SizeIs(10));
    EXPECT_TRUE(world.hold(id).closed);
  }
  EXPECT_TRUE(finished_before_the_crash) << "the last of the crashes must come after the end";
}

TEST(EngineCrash, a_crash_between_any_two_commits_of_paid_work_bills_once) {
  const auto make = [](EngineWorld& world) { return world.paid_job(); };
  Json expected;
  const std::uint64_t commits = commits_of(make, expected);
  for (std::uint64_t n = 2; n <= commits + 1; ++n) {
    SCOPED_TRACE(n);
    EngineWorld world;
    world.open(1);
    world.store->fail_commits(n, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    const JobId id = world.admit(make(world));
    run_into_crash(world, id);
    world.close();

    world.open(1);
    const JobView view = world.wait(id);
    EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_THAT(world.provider->book(), SizeIs(1));
    EXPECT_EQ(world.canonical_result(id), expected);
    const budget::Hold hold = world.hold(id);
    EXPECT_EQ(hold.settled.usd_micros, 700);
    EXPECT_EQ(hold.released.usd_micros, 4300);
    EXPECT_EQ(hold.reserved.usd_micros, 0);
  }
}

// Fences

TEST_F(EngineTest, a_worker_with_an_old_fence_writes_nothing) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  std::vector<std::string> published;
  JobLedger ledger(*world_.store, world_.clock, [&](const job::Event& event) { published.push_back(event.type); });
  const auto start = [&] {
    return ledger.update(id, std::nullopt, "engine", [](JobRecord& record, Change& change) -> Result<void> {
      ++record.view.fence;
      change.events.push_back({"job.started", {{"fence", record.view.fence}, {"start", 1}}});
      return {};
    });
  };
  const std::uint64_t old_fence = start()->view.fence;
  const std::uint64_t new_fence = start()->view.fence;
  const auto write = [&](std::uint64_t fence) {
    return ledger.update(id, fence, "engine", [](JobRecord&, Change& change) -> Result<void> {
      change.keeps_row = true;
      change.batch.put(store::Table::kStep, "checkpoint", "bytes");
      change.events.push_back({"round.started", {{"round", 0}, {"orders", Json::array()}}});
      return {};
    });
  };
  EXPECT_THAT(write(old_fence), FailsWith(errors::kStaleFence));
  EXPECT_FALSE(world_.store->get(store::Table::kStep, "checkpoint").value());
  EXPECT_THAT(write(new_fence), Succeeds());
  EXPECT_THAT(published, ElementsAre("job.started", "job.started", "round.started"));
}

TEST_F(EngineTest, a_worker_that_lost_its_job_lets_go_and_leaves_the_new_owner_alone) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  world_.open(1);
  const JobId id = world_.admit(world_.classical_job());
  gate.wait_for_arrivals(1);
  JobLedger ledger(*world_.store, world_.clock, [](const job::Event&) {});
  ASSERT_THAT(ledger.update(id, std::nullopt, "another node",
                            [](JobRecord& record, Change& change) -> Result<void> {
                              ++record.view.fence;
                              change.events.push_back({"job.started", {{"fence", record.view.fence}, {"start", 1}}});
                              return {};
                            }),
              Succeeds());
  gate.open();
  world_.engine->drain(Deadline::never());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  EXPECT_EQ(world_.event_types(id).back(), "job.started");
  EXPECT_EQ(world_.log.count("job.let_go"), 1u);
}

// Money

TEST_F(EngineTest, paid_work_is_settled_by_the_bill_and_the_rest_of_the_hold_is_given_back) {
  world_.open();
  const JobView view = world_.run(world_.paid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const budget::Hold hold = world_.hold(view.id);
  EXPECT_EQ(hold.settled.usd_micros, 700);
  EXPECT_EQ(hold.released.usd_micros, 4300);
  EXPECT_TRUE(hold.closed);
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  EXPECT_EQ(result["billed_usd_micros"], 700);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
}

TEST_F(EngineTest, a_metered_backend_without_money_is_no_plan) {
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.limits.cost_max = {};
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_THAT(view.error, HasSubstr("cost_max_usd_micros"));
  EXPECT_EQ(world_.provider->submissions(), 0);
}

TEST_F(EngineTest, paid_work_that_is_refused_falls_back_to_the_simulator_for_nothing) {
  world_.provider->plan.on_submit = {submit::OnSubmit::kRefuse};
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.fallbacks = {"simulator.statevector"};
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const lineage::WorkRecord record = world_.engine->lineage(view.id)->work.at(0);
  EXPECT_EQ(record.backend, "simulator.statevector");
  ASSERT_THAT(record.path, SizeIs(1));
  EXPECT_THAT(record.path[0], HasSubstr("fake.provider"));
  EXPECT_EQ(world_.hold(view.id).settled.usd_micros, 0);
  EXPECT_EQ(world_.hold(view.id).released.usd_micros, 5000);
}

// Reading

TEST_F(EngineTest, jobs_are_listed_newest_first_by_pages_and_by_state) {
  world_.open(0);
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(world_.admit(world_.classical_job(fmt::format("job {}", i))).value);
    world_.clock.advance(std::chrono::milliseconds(2));
  }
  ASSERT_THAT(world_.engine->cancel(JobId(ids[3]), "user", ""), Succeeds());
  std::vector<std::string> listed;
  std::string token;
  do {
    const auto page = world_.engine->jobs(std::nullopt, 2, token);
    ASSERT_THAT(page, Succeeds());
    for (const JobView& view : page->jobs) listed.push_back(view.id.value);
    token = page->next_page_token;
  } while (!token.empty());
  EXPECT_THAT(listed, ElementsAre(ids[4], ids[3], ids[2], ids[1], ids[0]));
  const auto queued = world_.engine->jobs(job::JobState::kQueued, 3, "");
  ASSERT_THAT(queued->jobs, SizeIs(3));
  EXPECT_EQ(queued->jobs[0].id.value, ids[4]);
  EXPECT_EQ(queued->jobs[1].id.value, ids[2]);
  const auto rest = world_.engine->jobs(job::JobState::kQueued, 3, queued->next_page_token);
  ASSERT_THAT(rest->jobs, SizeIs(1));
  EXPECT_EQ(rest->jobs[0].id.value, ids[0]);
}

TEST_F(EngineTest, what_is_not_there_is_said) {
  world_.open(0);
  const JobId unknown("job_01900000-0000-7000-8000-00000000dead");
  EXPECT_THAT(world_.engine->job(unknown), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->events(unknown, 0, 10), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->cancel(unknown, "user", ""), FailsWith(errors::kJobNotFound));
  const JobId id = world_.admit(world_.classical_job());
  EXPECT_THAT(world_.engine->result(id), FailsWith(errors::kResultNotReady));
  EXPECT_THAT(world_.engine->plan_document(id), FailsWith(errors::kResultNotReady));
  EXPECT_THAT(world_.engine->lineage(id), FailsWith(errors::kResultNotReady));
  EXPECT_THAT(world_.engine->wait(id, Deadline::after(world_.clock, std::chrono::nanoseconds(0))),
              FailsWith(errors::kResultNotReady));
}

TEST_F(EngineTest, listeners_hear_every_event_once_and_nothing_after_they_unsubscribe) {
  world_.open(1);
  std::mutex mutex;
  std::vector<std::uint64_t> heard;
  std::vector<std::string> steps;
  auto subscription = world_.engine->subscribe(
      [&](const job::Event& event) {
        const std::lock_guard lock(mutex);
        heard.push_back(event.sequence);
      },
      [&](const Progress& progress) {
        const std::lock_guard lock(mutex);
        steps.push_back(progress.step);
      },
      nullptr);
  const JobView view = world_.run(world_.classical_job());
  world_.engine->drain(Deadline::never());
  subscription.reset();
  EXPECT_THAT(heard, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(steps, testing::Each("solve"));
  EXPECT_THAT(steps, Not(IsEmpty()));
}

TEST_F(EngineTest, listeners_hear_of_submissions_too) {
  world_.open(1);
  std::mutex mutex;
  std::map<std::uint64_t, std::string> heard;
  auto subscription = world_.engine->subscribe(
      [&](const job::Event& event) {
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(heard.emplace(event.sequence, event.type).second);
      },
      nullptr, nullptr);
  const JobView view = world_.run(world_.paid_job());
  world_.engine->drain(Deadline::never());
  subscription.reset();
  std::map<std::uint64_t, std::string> logged;
  for (const job::Event& event : world_.events(view.id)) logged.emplace(event.sequence, event.type);
  EXPECT_EQ(heard, logged);
  EXPECT_THAT(world_.event_types(view.id), testing::Contains("submission.settled"));
}

// Lineage

TEST_F(EngineTest, a_submission_that_is_found_after_the_job_went_on_is_an_orphan_of_its_lineage) {
  world_.provider->plan.on_submit = {submit::OnSubmit::kAcceptLate};
  world_.provider->plan.late = std::chrono::hours(1);  // long after the settle window
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.fallbacks = {"simulator.statevector"};
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(world_.engine->lineage(view.id)->orphans, IsEmpty());
  const Json before = world_.engine->lineage(view.id)->document();

  world_.clock.advance(std::chrono::hours(2));
  submit::Reconciler reconciler(*world_.submitter, world_.backends);
  // The engine's own sweep may have the submission at this moment; then it is left alone and looked at again.
  for (int i = 0; i < 1000 && world_.engine->lineage(view.id)->orphans.empty(); ++i)
    ASSERT_THAT(reconciler.sweep({}), Succeeds());
  const lineage::LineageRecord after = *world_.engine->lineage(view.id);
  ASSERT_THAT(after.orphans, SizeIs(1));
  const lineage::OrphanRecord& orphan = after.orphans[0];
  EXPECT_EQ(orphan.token, world_.provider->book().at(0));
  EXPECT_EQ(orphan.step, "0/run");
  EXPECT_EQ(orphan.backend, "fake.provider");
  EXPECT_EQ(orphan.handle, "work-1");
  EXPECT_EQ(orphan.billed.usd_micros, 700);
  EXPECT_EQ(orphan.raw_sha256, sha256("result").hex());
  EXPECT_EQ(orphan.calibration_id, "cal_1");
  EXPECT_LT(orphan.intent_at, orphan.found_at);
  // Its bytes are kept, its bill is posted, and what was recorded of the job itself stays as it was.
  EXPECT_TRUE(world_.store->get(store::Table::kBlob, orphan.raw_sha256).value());
  EXPECT_EQ(world_.hold(view.id).settled.usd_micros, 700);
  Json without = after.document();
  without["orphans"] = Json::array();
  EXPECT_EQ(without, before);
  EXPECT_EQ(parse_json(world_.engine->result(view.id).value(), "result").value()["billed_usd_micros"], 0);
  EXPECT_EQ(world_.event_types(view.id).back(), "submission.orphan");
}

// Replay

TEST_F(EngineTest, a_finished_job_replays_to_the_identical_canonical_result) {
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

TEST_F(EngineTest, replay_shows_that_a_local_result_is_not_the_recorded_one) {
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  auto package = world_.engine->replay_package(view.id).value();
  package.work.at(0).raw_sha256 = std::string(64, '0');
  const auto replayed = lineage::replay(package, world_.backends, world_.problems, 1);
  ASSERT_THAT(replayed, Succeeds());
  ASSERT_THAT(replayed->differences, SizeIs(1));
  EXPECT_THAT(replayed->differences[0], HasSubstr("'solve'"));
}

TEST_F(EngineTest, replay_finds_an_altered_remote_result) {
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

TEST_F(EngineTest, replay_by_another_version_of_a_backend_is_not_comparable) {
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  auto package = world_.engine->replay_package(view.id).value();
  package.work.at(0).backend_version = "0";
  EXPECT_THAT(lineage::replay(package, world_.backends, world_.problems, 1), FailsWith(errors::kReplayNotComparable));
}

}  // namespace
}  // namespace tandem::engine
