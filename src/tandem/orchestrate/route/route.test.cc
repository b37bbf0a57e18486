#include "tandem/orchestrate/route/route.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tandem/middleware/ansatz/qaoa.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/orchestrate/route/testing/route_test.h"

namespace tandem::route {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(RouteTest, a_backend_without_a_qubit_refines_nothing_and_takes_no_qubits_from_the_others) {
  add({.id = BackendId("simulator.tiny"), .tier = job::Tier::kSimulator, .takes_program = true, .qubits_max = 0});
  const auto planned = plan(ring());
  ASSERT_THAT(planned, Succeeds());
  EXPECT_FALSE(candidate(*planned, "simulator.tiny").feasible);
  EXPECT_THAT(candidate(*planned, "simulator.tiny").reason, HasSubstr("no qubits"));
  const Json& refine = step(*planned, job::StepKind::kRefine)->parameters;
  EXPECT_EQ(refine["quantum_backends"], Json({"simulator.statevector", "lab.device"}));
  EXPECT_EQ(refine["angles"], "trained");
  EXPECT_EQ(refine["start"], "uniform");
  EXPECT_EQ(refine["qubits_max"], 16);
  job::JobSpec only = ring();
  only.policy.backends = {"cpu.tabu", "simulator.tiny"};
  EXPECT_EQ(step(*plan(only), job::StepKind::kRefine), nullptr);
  only.refinement.mode = job::RefineMode::kRequired;
  const auto refused = plan(only);
  ASSERT_THAT(refused, FailsWith(errors::kNoPlan));
  EXPECT_THAT(refused.error().message, HasSubstr("no qubits"));
}

TEST_F(RouteTest, every_backend_of_every_tier_is_a_candidate_with_a_reason) {
  const job::JobSpec spec = ring();
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_EQ(plan->candidates.size(), input_.backends.size());
  std::set<job::Tier> tiers;
  for (const job::Candidate& one : plan->candidates) {
    tiers.insert(one.tier);
    EXPECT_FALSE(one.reason.empty()) << one.backend;
  }
  EXPECT_EQ(tiers.size(), 4u);
  EXPECT_FALSE(candidate(*plan, "gpu.cuda").feasible);
  EXPECT_EQ(candidate(*plan, "gpu.cuda").reason, "no driver is here");
  EXPECT_TRUE(candidate(*plan, "lab.device").emulated);
}

TEST_F(RouteTest, a_problem_is_solved_beside_a_baseline_and_refined_on_every_quantum_backend) {
  const job::JobSpec spec = ring();
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_EQ(plan->primary, "cpu.tabu");
  EXPECT_EQ(plan->baseline, plan->primary);
  EXPECT_THAT(step(*plan, job::StepKind::kSolve)->fallbacks, ElementsAre("cpu.annealing"));
  const Json& solve = step(*plan, job::StepKind::kSolve)->parameters;
  const Json& baseline = step(*plan, job::StepKind::kBaseline)->parameters;
  // The same business budget, another stream of the seed.
  EXPECT_EQ(solve["time_ms"], baseline["time_ms"]);
  EXPECT_NE(solve["stream"], baseline["stream"]);
  const Json& refine = step(*plan, job::StepKind::kRefine)->parameters;
  EXPECT_EQ(refine["quantum_backends"], Json({"simulator.statevector", "lab.device"}));
  EXPECT_EQ(refine["qubits_max"], 16);  // the least of 20 and 16, and of core_max 20
  EXPECT_EQ(plan->cost_max_needed_emulated.usd_micros, 40'000);
}

TEST_F(RouteTest, without_anything_quantum_the_run_is_its_own_baseline) {
  job::JobSpec spec = ring();
  spec.refinement.mode = job::RefineMode::kOff;
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_EQ(step(*plan, job::StepKind::kBaseline), nullptr);
  EXPECT_EQ(step(*plan, job::StepKind::kRefine), nullptr);
  EXPECT_EQ(plan->cost_max_needed.usd_micros, 0);
}

TEST_F(RouteTest, metered_work_needs_a_quote_and_a_cost_limit_that_covers_all_rounds) {
  struct Case {
    std::int64_t cost_max;
    std::uint32_t rounds;
    bool quoted;
    bool feasible;
  };
  for (const Case& one : {Case{0, 1, true, false}, Case{39'999, 1, true, false}, Case{40'000, 1, true, true},
                          Case{79'999, 2, true, false}, Case{80'000, 2, true, true}, Case{80'000, 1, false, false}}) {
    SCOPED_TRACE(fmt::format("{} for {} rounds", one.cost_max, one.rounds));
    job::JobSpec spec = ring();
    spec.limits.cost_max.usd_micros = one.cost_max;
    spec.refinement.rounds = one.rounds;
    facts("lab.device").quote.reset();
    if (one.quoted)
      facts("lab.device").quote = backend::Quote{.cost = job::Money{40'000}, .source = "price list of 2026-11-28"};
    const auto plan = this->plan(spec);
    ASSERT_THAT(plan, Succeeds());
    EXPECT_EQ(candidate(*plan, "lab.device").feasible, one.feasible);
    EXPECT_EQ(candidate(*plan, "lab.device").estimate.cost_source, one.quoted ? "price list of 2026-11-28" : "");
    EXPECT_EQ(plan->cost_max_needed_emulated.usd_micros, one.feasible ? 40'000 * one.rounds : 0);
    if (one.quoted && !one.feasible) {
      EXPECT_THAT(candidate(*plan, "lab.device").reason, HasSubstr("limits.cost_max_usd_micros"));
    }
  }
}

TEST_F(RouteTest, two_metered_arms_share_one_cost_limit) {
  add({.id = BackendId("other.device"),
       .tier = job::Tier::kQpu,
       .emulated = true,
       .metered = true,
       .takes_program = true,
       .qubits_max = 5});
  facts("other.device").quote = backend::Quote{.cost = job::Money{70'000}};
  const job::JobSpec spec = ring();  // 100'000: either alone, not both
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_TRUE(candidate(*plan, "lab.device").feasible);
  EXPECT_FALSE(candidate(*plan, "other.device").feasible);
  EXPECT_EQ(step(*plan, job::StepKind::kRefine)->parameters["qubits_max"], 16);  // that of a left arm does not count
  EXPECT_EQ(plan->cost_max_needed_emulated.usd_micros, 40'000);
}

TEST_F(RouteTest, policy_decides_before_fitness) {
  struct Case {
    const char* rule;
    std::function<void(job::JobSpec&)> set;
    const char* backend;
  };
  for (const Case& one :
       {Case{"policy.avoid", [](job::JobSpec& s) { s.policy.avoid = {"cpu.tabu"}; }, "cpu.tabu"},
        Case{"policy.backends", [](job::JobSpec& s) { s.policy.backends = {"cpu.annealing"}; }, "cpu.tabu"},
        Case{"policy.allow_emulated", [](job::JobSpec& s) { s.policy.allow_emulated = false; }, "lab.device"},
        Case{"policy.allow_qpu", [](job::JobSpec& s) { s.policy.allow_qpu = false; }, "lab.device"}}) {
    SCOPED_TRACE(one.rule);
    job::JobSpec spec = ring();
    one.set(spec);
    const auto plan = this->plan(spec);
    ASSERT_THAT(plan, Succeeds());
    EXPECT_FALSE(candidate(*plan, one.backend).feasible);
    EXPECT_THAT(candidate(*plan, one.backend).reason, HasSubstr(one.rule));
    EXPECT_NE(plan->primary, one.backend);
  }
}

TEST_F(RouteTest, the_job_may_name_its_solver_and_its_fallbacks) {
  job::JobSpec spec = ring();
  spec.solver = "annealing";
  spec.fallbacks = {"cpu.tabu"};
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_EQ(plan->primary, "cpu.annealing");
  EXPECT_THAT(step(*plan, job::StepKind::kSolve)->fallbacks, ElementsAre("cpu.tabu"));
  EXPECT_THAT(candidate(*plan, "cpu.tabu").reason, HasSubstr("names another solver"));
}

TEST_F(RouteTest, a_named_fallback_keeps_every_rule_of_a_candidate) {
  struct Case {
    const char* name;
    job::JobSpec spec;
    std::function<void(job::JobSpec&)> set;
    const char* fallback;
    const char* why;
  };
  const auto nothing = [](job::JobSpec&) {};
  for (Case one :
       {Case{"avoid", program(), [](auto& s) { s.policy.avoid = {"lab.device"}; }, "lab.device", "policy.avoid"},
        Case{"qpu", program(), [](auto& s) { s.policy.allow_qpu = false; }, "lab.device", "allow_qpu"},
        Case{"emulated", program(), [](auto& s) { s.policy.allow_emulated = false; }, "lab.device", "allow_emulated"},
        Case{"money", program(), [](auto& s) { s.limits.cost_max.usd_micros = 39'999; }, "lab.device",
             "limits.cost_max_usd_micros"},
        Case{"no circuits", program(), nothing, "cpu.tabu", "runs no circuits"},
        Case{"no problems", ring(), nothing, "lab.device", "solves no optimisation problems"},
        Case{"avoided solver", ring(), [](auto& s) { s.policy.avoid = {"cpu.annealing"}; }, "cpu.annealing",
             "policy.avoid"}}) {
    SCOPED_TRACE(one.name);
    one.set(one.spec);
    one.spec.fallbacks = {one.fallback};
    const auto refused = plan(one.spec);
    ASSERT_THAT(refused, FailsAt("/fallbacks/0", errors::kNoPlan));
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr(one.fallback), HasSubstr(one.why)));
  }
}

TEST_F(RouteTest, a_named_fallback_stands_beside_the_list_of_backends_and_is_never_the_first_choice) {
  job::JobSpec spec = program();
  spec.policy.backends = {"lab.device"};
  spec.fallbacks = {"simulator.statevector"};
  const auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->primary, "lab.device");
  EXPECT_THAT(step(*planned, job::StepKind::kRun)->fallbacks, ElementsAre("simulator.statevector"));
}

TEST_F(RouteTest, a_named_fallback_that_is_out_of_service_is_left_out_and_the_plan_says_so) {
  job::JobSpec spec = program();
  spec.fallbacks = {"lab.device", "simulator.statevector"};  // the second is the primary already
  facts("lab.device").availability->operational = false;
  facts("lab.device").availability->detail = "switched off";
  const auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_TRUE(step(*planned, job::StepKind::kRun)->fallbacks.empty());
  EXPECT_EQ(planned->cost_max_needed.usd_micros, 0);
  EXPECT_THAT(planned->reasons,
              testing::Contains(AllOf(HasSubstr("lab.device (emulated)"), HasSubstr("switched off"))));
}

TEST_F(RouteTest, a_name_that_nothing_answers_to_is_refused_with_the_nearest_one) {
  struct Case {
    const char* place;
    std::function<void(job::JobSpec&)> set;
    ErrorNumber number;
    const char* meant;
  };
  for (const Case& one :
       {Case{"/policy/backends/0", [](auto& s) { s.policy.backends = {"cpu.tabo"}; }, errors::kUnknownBackend,
             "cpu.tabu"},
        Case{"/policy/avoid/1", [](auto& s) { s.policy.avoid = {"cpu.tabu", "lab.devise"}; }, errors::kUnknownBackend,
             "lab.device"},
        Case{"/fallbacks/0/from/0",
             [](auto& s) {
               s.fallbacks = {"cached_result"};
               s.fallbacks[0].from = {"cpu.tabbu"};
             },
             errors::kUnknownBackend, "cpu.tabu"},
        Case{"/fallbacks/0", [](auto& s) { s.fallbacks = {"cpu.anealing"}; }, errors::kUnknownBackend, "cpu.annealing"},
        Case{"/solver", [](auto& s) { s.solver = "tabo"; }, errors::kValueOutOfRange, "tabu"}}) {
    SCOPED_TRACE(one.place);
    job::JobSpec spec = ring();
    one.set(spec);
    const auto refused = plan(spec);
    ASSERT_THAT(refused, FailsAt(one.place, one.number));
    EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("did you mean '{}'", one.meant)));
  }
}

TEST_F(RouteTest, the_plan_says_emulated_wherever_it_names_an_emulation) {
  for (const job::JobSpec& spec : {ring(), program()}) {
    const auto planned = plan(spec);
    ASSERT_THAT(planned, Succeeds());
    for (const std::string& reason : planned->reasons) {
      for (std::size_t at = reason.find("lab.device"); at != std::string::npos; at = reason.find("lab.device", at + 1))
        EXPECT_EQ(reason.substr(at, 21), "lab.device (emulated)") << reason;
    }
  }
}

TEST_F(RouteTest, controls_run_outside_the_list_of_backends_but_never_where_policy_avoids_them_and_the_plan_says_both) {
  job::JobSpec spec = ring();
  spec.policy.backends = {"cpu.tabu", "simulator.statevector"};
  auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(step(*planned, job::StepKind::kRefine)->parameters["controls_left_out"], Json::array());
  EXPECT_THAT(candidate(*planned, "cpu.annealing").reason,
              AllOf(HasSubstr("policy.backends"), HasSubstr("the annealing control")));
  EXPECT_THAT(planned->reasons, testing::Contains(AllOf(HasSubstr("the exact shadow (cpu.branch_and_bound)"),
                                                        HasSubstr("whatever policy.backends says"))));
  spec.policy.avoid = {"cpu.annealing"};
  planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(step(*planned, job::StepKind::kRefine)->parameters["controls_left_out"], Json({"cpu.annealing"}));
  EXPECT_THAT(planned->reasons, testing::Contains(HasSubstr("policy.avoid takes away cpu.annealing")));
}

TEST_F(RouteTest, evidence_shifts_the_choice_once_there_is_enough_of_it) {
  const job::JobSpec spec = ring();
  input_.experience["cpu.annealing"] = {.runs = 4, .share_best = 1, .latency_ms_median = 12};
  input_.experience["cpu.tabu"] = {.runs = 4, .share_best = 0, .latency_ms_median = 900};
  EXPECT_EQ(plan(spec)->primary, "cpu.tabu");  // four runs say nothing yet
  EXPECT_EQ(candidate(*plan(spec), "cpu.tabu").reason, "solves the whole problem: best fit to its structure");
  input_.experience["cpu.annealing"].runs = 5;
  input_.experience["cpu.annealing"].engines = {{"replicas", 2}, {"tabu", 4}};
  input_.experience["cpu.tabu"].runs = 5;
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_EQ(plan->primary, "cpu.annealing");
  const job::Estimate& estimate = candidate(*plan, "cpu.annealing").estimate;
  EXPECT_EQ(estimate.latency_ms, 12);
  EXPECT_EQ(estimate.latency_basis, job::Basis::kHistorical);
  EXPECT_EQ(estimate.quality, 1);
  EXPECT_EQ(
      candidate(*plan, "cpu.annealing").reason,
      "solves the whole problem: best fit to its structure; in 5 earlier runs on this class the best was found by "
      "tabu (4), replicas (2)");
}

TEST_F(RouteTest, refiners_are_judged_by_cores_and_solvers_by_whole_problems) {
  const job::JobSpec spec = ring();
  const benchmark::Experience best{.runs = 5, .share_best = 1, .latency_ms_median = 3};
  input_.core_experience["cpu.annealing"] = best;
  input_.experience["lab.device"] = best;
  auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->primary, "cpu.tabu");
  EXPECT_FALSE(candidate(*planned, "cpu.annealing").estimate.quality);
  EXPECT_FALSE(candidate(*planned, "lab.device").estimate.latency_ms);
  std::swap(input_.core_experience, input_.experience);
  planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->primary, "cpu.annealing");
  EXPECT_EQ(candidate(*planned, "lab.device").estimate.latency_ms, 3);
}

TEST_F(RouteTest, what_a_step_may_plan_for_stands_in_the_plan) {
  input_.memory_bytes_max = 12'345;
  const auto planned = plan(ring());
  ASSERT_THAT(planned, Succeeds());
  for (const job::StepKind kind : {job::StepKind::kReduce, job::StepKind::kSolve, job::StepKind::kBaseline})
    EXPECT_EQ(step(*planned, kind)->parameters["memory_bytes_max"], 12'345);
}

TEST_F(RouteTest, an_estimate_says_what_it_rests_on) {
  const job::JobSpec spec = ring();
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  const job::Estimate& solver = candidate(*plan, "cpu.tabu").estimate;
  EXPECT_EQ(solver.latency_basis, job::Basis::kComputed);
  EXPECT_EQ(solver.latency_ms, static_cast<double>(spec.limits.time_ms));
  EXPECT_EQ(solver.quality_basis, job::Basis::kUnavailable);
  EXPECT_FALSE(solver.quality);
  EXPECT_EQ(candidate(*plan, "simulator.statevector").estimate.latency_basis, job::Basis::kAssumed);
  EXPECT_EQ(candidate(*plan, "lab.device").estimate.cost, job::Money{40'000});
}

TEST_F(RouteTest, the_digest_is_stable_survives_the_document_and_follows_the_decision) {
  const job::JobSpec spec = ring();
  const auto first = plan(spec);
  const auto again = plan(spec);
  ASSERT_THAT(first, Succeeds());
  EXPECT_EQ(first->digest(), again->digest());
  const auto read = job::Plan::parse(parse_json(first->document().dump(), "plan").value(), "/plan");
  ASSERT_THAT(read, Succeeds());
  EXPECT_EQ(*read, *first);
  EXPECT_EQ(read->digest(), first->digest());
  job::JobSpec other = ring();
  other.policy.avoid = {"cpu.tabu"};
  EXPECT_NE(plan(other)->digest(), first->digest());
}

TEST_F(RouteTest, without_a_plan_every_reason_is_given) {
  job::JobSpec spec = ring();
  spec.policy.avoid = {"cpu.tabu"};
  facts("cpu.annealing").availability->operational = false;
  facts("cpu.annealing").availability->detail = "switched off";
  const auto refused = plan(spec);
  ASSERT_THAT(refused, FailsWith(errors::kNoPlan));
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("cpu.tabu: policy.avoid"), HasSubstr("cpu.annealing: switched"),
                                             HasSubstr("gpu.cuda: no driver")));
}

TEST_F(RouteTest, a_proof_that_no_backend_can_give_is_refused) {
  job::JobSpec spec = ring();
  spec.proof = true;
  spec.policy.backends = {"cpu.annealing"};
  const auto refused = plan(spec);
  ASSERT_THAT(refused, FailsWith(errors::kNoProof));
  EXPECT_THAT(refused.error().message, HasSubstr("cannot prove"));
}

TEST_F(RouteTest, a_device_gets_as_many_gates_as_err_once_on_average_and_the_plan_says_so) {
  const job::JobSpec spec = ring();
  facts("lab.device").calibration = device::Calibration{.error_2q = 0.004};
  auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  // 250 gates that err with 0.004 each: one expected error. The simulator is not limited.
  EXPECT_EQ(step(*planned, job::StepKind::kRefine)->parameters["gates_2q_max"], Json({{"lab.device", 250}}));
  EXPECT_THAT(planned->reasons,
              testing::Contains(AllOf(HasSubstr("lab.device (emulated) errs with 0.004"), HasSubstr("250"))));
  facts("lab.device").calibration.reset();
  planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(step(*planned, job::StepKind::kRefine)->parameters["gates_2q_max"], Json({{"lab.device", 100}}));
  EXPECT_THAT(planned->reasons, testing::Contains(HasSubstr("lab.device (emulated) is assumed to err with 0.01")));
}

TEST_F(RouteTest, required_refinement_without_a_quantum_backend_is_no_plan) {
  job::JobSpec spec = ring();
  spec.refinement.mode = job::RefineMode::kRequired;
  spec.policy.avoid = {"simulator.statevector", "lab.device"};
  const auto refused = plan(spec);
  ASSERT_THAT(refused, FailsWith(errors::kNoPlan));
  // Solvers refine nothing: why they are not used says nothing here.
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("lab.device"), testing::Not(HasSubstr("cpu."))));
}

TEST_F(RouteTest, a_program_runs_where_it_is_free_and_falls_back_to_what_it_may_pay_for) {
  const job::JobSpec spec = program();
  const auto plan = this->plan(spec);
  ASSERT_THAT(plan, Succeeds());
  EXPECT_EQ(plan->primary, "simulator.statevector");
  EXPECT_THAT(step(*plan, job::StepKind::kRun)->fallbacks, ElementsAre("lab.device"));
  EXPECT_EQ(plan->cost_max_needed_emulated.usd_micros, 40'000);
  EXPECT_FALSE(candidate(*plan, "cpu.tabu").feasible);
  EXPECT_EQ(candidate(*plan, "cpu.tabu").reason, "it runs no circuits");
}

TEST_F(RouteTest, a_program_on_a_device_falls_back_by_cause_within_its_policy) {
  job::JobSpec spec = program();
  spec.policy.avoid = {"simulator.statevector"};
  const auto alone = plan(spec);
  ASSERT_THAT(alone, Succeeds());
  EXPECT_EQ(alone->primary, "lab.device");
  job::Fallback cached("cached_result", {job::FallbackCause::kTimeout});
  cached.from = {"cpu.annealing", "cpu.tabu", "gpu.cuda",
                 "lab.device"};  // whatever policy allows, and nothing that it avoids
  EXPECT_THAT(step(*alone, job::StepKind::kRun)->fallbacks, ElementsAre(cached));
  EXPECT_EQ(step(*alone, job::StepKind::kRun)->parameters["backend_wait_ms_max"], 20'000);
  spec.limits.backend_wait_ms = 700;
  EXPECT_EQ(step(*plan(spec), job::StepKind::kRun)->parameters["backend_wait_ms_max"], 700);
  EXPECT_EQ(step(*alone, job::StepKind::kScore), nullptr);
}

TEST_F(RouteTest, a_device_that_is_down_stays_the_first_choice_where_the_job_names_who_comes_next) {
  job::JobSpec spec = program();
  spec.policy.backends = {"lab.device"};
  facts("lab.device").availability =
      backend::Availability{.operational = false, .accepts_work = false, .detail = "switched off"};
  facts("lab.device").quote.reset();
  EXPECT_THAT(plan(spec), FailsWith(errors::kNoPlan));
  spec.fallbacks = {{"simulator.statevector", {job::FallbackCause::kTimeout}}};
  EXPECT_THAT(plan(spec), FailsWith(errors::kNoPlan));
  spec.fallbacks = {"simulator.statevector"};
  const auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->primary, "lab.device");
  EXPECT_FALSE(candidate(*planned, "lab.device").feasible);
  // It names no price now, and may come back: it may take all that the job may spend.
  EXPECT_EQ(planned->cost_max_needed.usd_micros, 0);
  EXPECT_EQ(planned->cost_max_needed_emulated, spec.limits.cost_max);
  EXPECT_THAT(step(*planned, job::StepKind::kRun)->fallbacks, ElementsAre("simulator.statevector"));
  EXPECT_THAT(planned->reasons, testing::Contains(HasSubstr("lab.device (emulated) is not there now")));
}

TEST_F(RouteTest, a_device_that_may_be_back_is_waited_for_whatever_is_tried_again) {
  job::JobSpec spec = program();
  spec.policy.backends = {"lab.device"};
  BackendFacts& device = facts("lab.device");
  device.quote.reset();
  const auto expect_waited_for = [&] {
    const auto planned = plan(spec);
    ASSERT_THAT(planned, Succeeds());
    EXPECT_EQ(planned->primary, "lab.device");
    EXPECT_EQ(planned->cost_max_needed_emulated, spec.limits.cost_max);
    EXPECT_THAT(
        planned->reasons,
        testing::Contains("lab.device (emulated) is not there now; it is waited for when the work gets to it."));
    EXPECT_EQ(step(*planned, job::StepKind::kRun)->parameters["backend_awaited"], true);
  };
  device.quote_error = "the line broke";
  EXPECT_THAT(plan(spec), FailsWith(errors::kNoPlan));  // as it will be when the work gets to it
  device.may_be_back = true;
  expect_waited_for();
  device.availability = backend::Availability{.operational = false, .accepts_work = false, .detail = "did not answer"};
  expect_waited_for();
  device.may_be_back = false;
  EXPECT_THAT(plan(spec), FailsWith(errors::kNoPlan));
  device.may_be_back = true;
  spec.limits.retry.max_attempts = 1;
  expect_waited_for();
  spec.limits.retry.budget_retries = 0;
  expect_waited_for();
  // Somebody comes next: it gets its try, and nobody waits.
  job::JobSpec answered = spec;
  answered.fallbacks = {"simulator.statevector"};
  device.availability = backend::Availability();
  const auto planned = plan(answered);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->primary, "lab.device");
  EXPECT_FALSE(step(*planned, job::StepKind::kRun)->parameters.contains("backend_awaited"));
  spec.policy.avoid = {"lab.device"};
  EXPECT_THAT(plan(spec), FailsWith(errors::kNoPlan));
}

TEST_F(RouteTest, a_device_that_nobody_has_configured_is_not_waited_for) {
  backends_.push_back(backend::make_absent_backend(
      {.id = BackendId("lab.other"), .tier = job::Tier::kSimulator, .takes_program = true}, "it is not set", clock_));
  input_.backends.push_back({.backend = backends_.back().get(),
                             .availability = backend::Availability{.operational = false, .accepts_work = false},
                             .may_be_back = true});
  job::JobSpec spec = program();
  spec.policy.backends = {"lab.other"};
  EXPECT_THAT(plan(spec), FailsWith(errors::kNoPlan));
}

TEST_F(RouteTest, a_cached_result_that_a_job_names_is_held_to_its_policy) {
  job::JobSpec spec = program();
  spec.policy.backends = {"lab.device"};
  spec.fallbacks = {"cached_result", "simulator.statevector"};
  const auto planned = plan(spec);
  ASSERT_THAT(planned, Succeeds());
  const std::vector<job::Fallback> chain = step(*planned, job::StepKind::kRun)->fallbacks;
  ASSERT_EQ(chain.size(), 2u);
  // The simulator is named as a fallback, so its answers are allowed, too; the solvers are not.
  EXPECT_THAT(chain[0].from, ElementsAre("simulator.statevector", "lab.device"));
  spec.policy.allow_emulated = false;
  spec.policy.backends = {"simulator.statevector"};
  spec.fallbacks = {"cached_result"};
  EXPECT_THAT(step(*plan(spec), job::StepKind::kRun)->fallbacks.at(0).from, ElementsAre("simulator.statevector"));
  job::Fallback narrow("cached_result");
  narrow.from = {"lab.device"};
  spec.fallbacks = {narrow};
  EXPECT_THAT(step(*plan(spec), job::StepKind::kRun)->fallbacks.at(0).from, testing::IsEmpty());
}

TEST_F(RouteTest, an_arm_on_a_device_has_stand_ins_and_a_classical_refinement_has_none) {
  const auto planned = plan(ring());
  ASSERT_THAT(planned, Succeeds());
  EXPECT_THAT(
      step(*planned, job::StepKind::kRefine)->fallbacks,
      ElementsAre(job::Fallback("simulator.statevector", {job::FallbackCause::kQueueWait}), job::Fallback("cpu.tabu")));
  job::JobSpec local = ring();
  local.policy.avoid = {"lab.device"};
  EXPECT_THAT(step(*plan(local), job::StepKind::kRefine)->fallbacks, testing::IsEmpty());
}

TEST_F(RouteTest, a_person_answers_low_confidence_where_the_job_asks_for_one) {
  const job::Fallback person("manual_review", {job::FallbackCause::kLowConfidence});
  job::JobSpec spec = ring();
  EXPECT_THAT(step(*plan(spec), job::StepKind::kScore)->fallbacks, testing::IsEmpty());
  spec.review.confidence_min = 0.5;
  EXPECT_THAT(step(*plan(spec), job::StepKind::kScore)->fallbacks, ElementsAre(person));
  spec.fallbacks = {"cpu.annealing"};  // its own chain, in which nobody is asked
  EXPECT_THAT(step(*plan(spec), job::StepKind::kScore)->fallbacks, testing::IsEmpty());
  spec.fallbacks = {"cpu.annealing", "manual_review"};
  EXPECT_THAT(step(*plan(spec), job::StepKind::kScore)->fallbacks, ElementsAre(job::Fallback("manual_review")));
  EXPECT_THAT(step(*plan(spec), job::StepKind::kSolve)->fallbacks, ElementsAre("cpu.annealing"));
}

TEST_F(RouteTest, the_probe_sees_the_structure) {
  const Probe seen = probe(ring());
  EXPECT_EQ(seen.num_variables, 5u);
  EXPECT_EQ(seen.num_terms, 5u);
  EXPECT_EQ(seen.components, 1u);
  EXPECT_EQ(seen.degree_max, 2u);
  EXPECT_DOUBLE_EQ(seen.degree_mean, 2);
  EXPECT_DOUBLE_EQ(seen.density, 0.5);  // 5 of 10 pairs
  EXPECT_EQ(seen.instance_class, "max_cut/dense/10");
  const Probe circuits = probe(program(3));
  EXPECT_EQ(circuits.program_qubits, 3u);
  EXPECT_EQ(circuits.program_shots, 100u);
  EXPECT_EQ(circuits.instance_class, "program/3");
}

TEST_F(RouteTest, a_polynomial_goes_to_the_solver_of_polynomials_and_is_not_refined) {
  add({.id = BackendId("cpu.pubo"), .tier = job::Tier::kCpu, .takes_solve = true});
  const auto of_order = [](const Json& variables) {
    return spec_of({{"problem", {{"type", "pubo"}, {"num_variables", 3}, {"terms", {{variables, 1}}}}}});
  };
  const job::JobSpec cubic = of_order({0, 1, 2});
  const auto planned = plan(cubic);
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->primary, "cpu.pubo");
  EXPECT_THAT(step(*planned, job::StepKind::kSolve)->fallbacks, ElementsAre("cpu.annealing"));
  EXPECT_EQ(step(*planned, job::StepKind::kRefine), nullptr);
  const job::JobSpec quadratic = of_order({0, 1});
  EXPECT_EQ(plan(quadratic)->primary, "cpu.tabu");
}

TEST_F(RouteTest, a_proof_of_a_polynomial_is_refused_by_its_order) {
  add({.id = BackendId("cpu.portfolio"), .tier = job::Tier::kCpu, .takes_solve = true});
  job::JobSpec spec =
      spec_of({{"problem", {{"type", "pubo"}, {"num_variables", 3}, {"terms", {{Json({0, 1, 2}), 1}}}}}});
  spec.proof = true;
  spec.policy.backends = {"cpu.portfolio"};
  const auto refused = plan(spec);
  ASSERT_THAT(refused, FailsWith(errors::kNoProof));
  EXPECT_THAT(refused.error().message, HasSubstr("proves up to order 2; this one has order 3"));
}

TEST_F(RouteTest, quotes_are_asked_for_the_largest_work_that_the_plan_could_submit) {
  const job::JobSpec spec = ring();
  const auto work = representative_work(spec, probe(spec), facts("lab.device").backend->info(), std::nullopt);
  ASSERT_TRUE(work.has_value());
  const circuit::Pub& pub = std::get<backend::ProgramWork>(*work).pubs.at(0);
  EXPECT_EQ(pub.circuit.num_qubits(), 5u);  // of 5 variables, core_max 20 and 16 qubits
  EXPECT_EQ(pub.shots, spec.refinement.shots);
  EXPECT_FALSE(representative_work(spec, probe(spec), facts("cpu.tabu").backend->info(), std::nullopt));
}

TEST_F(RouteTest, the_price_that_is_asked_for_covers_the_circuit_that_the_core_becomes) {
  const auto gates_2q = [](const circuit::Circuit& circuit) { return circuit.count_of(2) + circuit.count_of(3); };
  std::vector<problem::QuadraticTerm> terms;
  Json edges = Json::array();
  for (std::uint32_t u = 0; u < 12; ++u)
    for (std::uint32_t v = u + 1; v < 12; ++v) {
      terms.push_back({u, v, 1.0 + v % 3});
      edges.push_back({u, v, 1 + v % 3});
    }
  const problem::Bqm core =
      problem::Bqm::create(problem::Vartype::kSpin, std::vector<double>(12, 0.5), std::move(terms), 0).value();
  const job::JobSpec spec = spec_of({{"problem", {{"type", "max_cut"}, {"num_nodes", 12}, {"edges", std::move(edges)}}},
                                     {"refinement", {{"layers", 6}}}});
  struct Case {
    std::string backend;
    double error;
    std::uint32_t layers;  ///< that fit into 1/error gates, of 66 each
  };
  for (const Case& one : {Case{"simulator.statevector", 0, 6}, Case{"lab.device", 0, 1}, Case{"lab.device", 0.1, 1},
                          Case{"lab.device", 0.004, 3}, Case{"lab.device", 0.0001, 6}}) {
    SCOPED_TRACE(fmt::format("{} {}", one.backend, one.error));
    BackendFacts asked = facts(one.backend);
    if (one.error != 0) asked.calibration = device::Calibration{.error_2q = one.error};
    const auto work = representative_work(spec, probe(spec), asked.backend->info(), gates_2q_max(asked));
    ASSERT_TRUE(work.has_value());
    const circuit::Circuit& priced = std::get<backend::ProgramWork>(*work).pubs.at(0).circuit;
    const auto real = ansatz::qaoa_circuit(core, ansatz::linear_ramp(one.layers));
    ASSERT_THAT(real, Succeeds());
    EXPECT_GE(priced.count_of(1), real->count_of(1));
    EXPECT_GE(gates_2q(priced), gates_2q(*real));
    EXPECT_LE(gates_2q(priced), 2 * gates_2q(*real)) << "far above what it will be";
  }
}

TEST_F(RouteTest, a_plan_keeps_the_depth_that_its_price_was_asked_for) {
  facts("lab.device").calibration = device::Calibration{.error_2q = 0.004};
  const auto planned = plan(ring());
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(gates_2q_max(*planned, "lab.device"), 250u);
  EXPECT_EQ(gates_2q_max(*planned, "simulator.statevector"), std::nullopt);
}

TEST_F(RouteTest, money_and_play_money_are_two_figures_with_a_limit_each) {
  add({.id = BackendId("real.device"),
       .tier = job::Tier::kQpu,
       .access = job::Access::kCloud,
       .metered = true,
       .takes_program = true,
       .qubits_max = 16,
       .shots_max = 10'000});
  facts("real.device").quote = backend::Quote{.cost = job::Money{70'000}, .source = "price list"};
  const auto planned = plan(ring());
  ASSERT_THAT(planned, Succeeds());
  EXPECT_EQ(planned->cost_max_needed.usd_micros, 70'000);
  EXPECT_EQ(planned->cost_max_needed_emulated.usd_micros, 40'000);
  const job::Plan read = job::Plan::parse(planned->document(), "").value();
  EXPECT_EQ(read.cost_max_needed.usd_micros, 70'000);
  EXPECT_EQ(read.cost_max_needed_emulated.usd_micros, 40'000);
}

}  // namespace
}  // namespace tandem::route
