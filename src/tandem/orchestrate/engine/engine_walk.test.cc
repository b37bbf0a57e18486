// A job on its way: its orders, its events, what happens when work fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <map>

#include "tandem/base/crash_point.h"
#include "tandem/base/hash.h"
#include "tandem/base/testing/map_environment.h"
#include "tandem/evidence/benchmark/benchmark.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class EngineWalk : public testing::Test {
 protected:
  EngineWorld world_;
};

TEST_F(EngineWalk, a_classical_job_walks_to_succeeded_with_its_events_in_order) {
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

TEST_F(EngineWalk, a_job_has_taken_its_time_from_admission_waiting_and_restarts_included) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  world_.clock.advance(std::chrono::seconds(7));
  world_.close();
  world_.open();
  ASSERT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(parse_json(world_.engine->result(id).value(), "result").value()["elapsed_ms"], 7000);
}

TEST_F(EngineWalk, an_arm_is_judged_by_the_core_of_its_own_round) {
  world_.open();
  const JobView view = world_.run(world_.hybrid_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  std::map<std::string, double> said;  // by label
  for (const Json& arm : result["refinement"]["arms"]) {
    said.emplace(fmt::format("refine/{}/{}@{}", arm["round"].get<int>(), arm["arm"].get<std::string>(),
                             arm["backend"].get<std::string>()),
                 arm["best_energy"].get<double>());
  }
  std::map<std::string, double> recorded;
  const auto rows = world_.store->scan(store::Scan::prefix(store::Table::kEvidence, "", 100));
  ASSERT_THAT(rows, Succeeds());
  for (const store::Row& row : *rows) {
    if (row.key.starts_with("simulated/")) continue;  // says that it was, and nothing of an arm
    const auto record = benchmark::EvidenceRecord::parse(row);
    ASSERT_THAT(record, Succeeds());
    if (record->role == benchmark::Role::kCore) recorded.emplace(record->label, record->objective);
  }
  EXPECT_THAT(said, SizeIs(8));
  EXPECT_EQ(recorded, said);
}

TEST_F(EngineWalk, every_event_carries_the_leaf_hash_of_its_bytes_and_sequences_have_no_gap) {
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

TEST_F(EngineWalk, a_hybrid_job_carries_out_each_order_once_and_reports_every_arm) {
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

/// A job whose solve proves its answer before the baseline has one.
JobView run_with_proof(EngineWorld& world) {
  Gate baseline;
  std::atomic<int> begun = 0;
  world.main().proves = true;
  // Whichever begins second waits to be stopped when it is the baseline; the solve passes by its own proof.
  world.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    if (begun++ == 1) baseline.pass(stop);
    return std::nullopt;
  };
  world.open();
  job::JobSpec spec = world.hybrid_job();
  spec.threads = 1;  // one after the other, the solve first
  return world.run(spec);
}

TEST(EngineWalkDeathTest, the_crash_points_around_a_stopped_step_are_reached) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const char* point : {"step.before_stopped", "step.after_stopped"}) {
    const auto die = [&] {
      EngineWorld world;
      world.crash_points = CrashPoints::arm(MapEnvironment({{"TANDEM_CRASH_POINT", point}})).value();
      run_with_proof(world);
    };
    EXPECT_EXIT(die(), testing::KilledBySignal(SIGKILL), "") << point;
  }
}

TEST_F(EngineWalk, a_proof_stops_the_baseline_beside_it) {
  const JobView view = run_with_proof(world_);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const Json result = parse_json(world_.engine->result(view.id).value(), "result").value();
  EXPECT_EQ(result["best"]["proved"], true);
  EXPECT_EQ(result["refinement"]["status"], "skipped: proved");
  // Stopped is not failed: nobody else tried, and the record says why it has no result.
  const lineage::WorkRecord stopped = world_.engine->lineage(view.id)->work.at(1);
  EXPECT_EQ(stopped.backend, "cpu.tabu");
  EXPECT_THAT(stopped.path, IsEmpty());
  EXPECT_EQ(stopped.error_number, static_cast<std::uint16_t>(errors::kCancelled));
  EXPECT_THAT(world_.event_types(view.id), testing::Contains("step.stopped").Times(1));
  EXPECT_THAT(world_.event_types(view.id), Not(testing::Contains("step.failed")));
  EXPECT_THAT(stopped.error, HasSubstr("proved"));
  EXPECT_EQ(world_.computed(), 2);
  EXPECT_EQ(result["baseline"]["same_run"], true);
}

TEST_F(EngineWalk, a_failing_backend_is_left_for_the_next_and_the_record_says_why) {
  world_.main().before = [](std::stop_token) { return make_error(errors::kSolverRefused, "planted refusal"); };
  world_.open();
  const JobView view = world_.run(world_.classical_job());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  const lineage::WorkRecord record = world_.engine->lineage(view.id)->work.at(0);
  EXPECT_EQ(record.backend, "cpu.annealing");
  ASSERT_THAT(record.path, SizeIs(2));
  EXPECT_EQ(record.path[0].backend, "cpu.tabu");
  EXPECT_THAT(record.path[0].reason, HasSubstr("planted refusal"));
  EXPECT_EQ(record.path[1].words(), "cpu.annealing answered (unavailable)");
  EXPECT_EQ(world_.main().computed(), 1);
}

TEST_F(EngineWalk, a_job_whose_needed_work_fails_everywhere_fails_with_that_error) {
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

TEST_F(EngineWalk, an_arm_that_fails_does_not_fail_the_job) {
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

TEST_F(EngineWalk, work_that_no_backend_takes_fails_with_the_reasons) {
  world_.open();
  job::JobSpec spec = world_.classical_job();
  spec.policy.backends = {"fake.provider"};
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kNoPlan));
  EXPECT_THAT(view.error, HasSubstr("policy.backends"));
}

}  // namespace
}  // namespace tandem::engine
