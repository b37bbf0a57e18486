// What the rules of the house take away from a plan, and what they ask for.
#include "tandem/orchestrate/route/house_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/orchestrate/route/testing/route_test.h"

namespace tandem::route {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class RouteRules : public RouteTest {
 protected:
  RouteRules() {
    add({.id = BackendId("other.device"),
         .tier = job::Tier::kQpu,
         .access = job::Access::kCloud,
         .emulated = true,
         .metered = true,
         .takes_program = true,
         .vendor = "other",
         .region = "us",
         .qubits_max = 16,
         .shots_max = 10'000});
    facts("other.device").quote = backend::Quote{.cost = job::Money{40'000}, .source = "price list"};
  }
  Result<job::Plan> plan_by(std::string_view yaml, const job::JobSpec& spec) {
    auto read = access::Rules::parse(yaml, "policy.yaml");
    EXPECT_THAT(read, Succeeds());
    rules_ = *std::move(read);
    input_.rules = &rules_;
    input_.subject = access::Subject::of("acme", spec);
    return plan(spec);
  }
  access::Rules rules_;
};

TEST_F(RouteRules, a_rule_takes_a_candidate_away_and_the_plan_says_which_rule) {
  const auto planned = plan_by("rules: [{name: pinned, vendors: [other], requires_simulation: false}]\n", ring());
  ASSERT_THAT(planned, Succeeds());
  EXPECT_FALSE(candidate(*planned, "lab.device").feasible);
  EXPECT_THAT(candidate(*planned, "lab.device").reason, HasSubstr("policy rule 'pinned' allows the vendors other"));
  EXPECT_TRUE(candidate(*planned, "other.device").feasible);
  EXPECT_TRUE(candidate(*planned, "simulator.statevector").feasible);
  EXPECT_EQ(step(*planned, job::StepKind::kRefine)->parameters["quantum_backends"],
            Json({"simulator.statevector", "other.device"}));
}

TEST_F(RouteRules, hardware_is_a_candidate_once_a_simulator_has_passed) {
  EXPECT_FALSE(candidate(*plan_by("rules: []\n", ring()), "other.device").feasible);
  input_.simulated = {"lab.device"};
  EXPECT_FALSE(candidate(*plan_by("rules: []\n", ring()), "other.device").feasible);
  input_.simulated = {"other.device"};
  EXPECT_TRUE(candidate(*plan_by("rules: []\n", ring()), "other.device").feasible);
}

TEST_F(RouteRules, the_preferred_vendor_gets_what_money_there_is) {
  job::JobSpec poor = ring();
  poor.limits.cost_max = job::Money{50'000};  // one of the two devices
  const auto arms = [&](const char* rule) {
    const auto planned = plan_by(rule, poor);
    return planned ? step(*planned, job::StepKind::kRefine)->parameters["quantum_backends"] : Json();
  };
  EXPECT_EQ(arms("rules: [{name: r, requires_simulation: false}]\n"), Json({"simulator.statevector", "lab.device"}));
  EXPECT_EQ(arms("rules: [{name: r, requires_simulation: false, preferred_vendor: other}]\n"),
            Json({"simulator.statevector", "other.device"}));
  job::JobSpec circuits = program();
  circuits.policy.avoid = {"simulator.statevector"};
  EXPECT_EQ(plan_by("rules: [{name: r, requires_simulation: false, preferred_vendor: other}]\n", circuits)->primary,
            "other.device");
}

TEST_F(RouteRules, what_people_have_to_approve_is_part_of_the_plan_and_its_digest) {
  const std::string rules =
      "rules: [{name: r, requires_simulation: false}]\n"
      "approvals: [{name: money, when: {cost_above_usd_micros: 79999}, approvers: 2}]\n";
  const auto dear = plan_by(rules, ring());
  ASSERT_EQ(dear->approvals.size(), 1u);
  EXPECT_EQ(dear->approvals[0].rule, "money");
  EXPECT_EQ(dear->approvals[0].reason, "it may cost $0.08 of play money, above $0.079999");
  EXPECT_EQ(job::Plan::parse(dear->document(), "").value(), *dear);
  EXPECT_THAT(dear->reasons, testing::Contains(HasSubstr("'money' wants 2 people of role approver")));
  job::JobSpec cheap = ring();
  cheap.policy.avoid = {"lab.device"};
  EXPECT_THAT(plan_by(rules, cheap)->approvals, testing::IsEmpty());
  // A fallback on hardware asks for hardware, too.
  job::JobSpec fallback = program();
  fallback.policy.backends = {"simulator.statevector"};
  fallback.fallbacks = {"lab.device"};
  EXPECT_EQ(plan_by("rules: [{name: r, requires_simulation: false}]\napprovals: [{name: q, when: {any_qpu: true}}]\n",
                    fallback)
                ->approvals.size(),
            1u);
}

/// A named fallback is bound by the rules of the house as every other backend, whichever of them it is.
TEST_F(RouteRules, a_named_fallback_that_a_rule_takes_away_is_refused_by_that_rule) {
  job::JobSpec spec = program();
  spec.policy.backends = {"simulator.statevector"};
  spec.business.data_class = "restricted";
  struct Case {
    std::string rule;
    std::string reason;
  };
  for (const Case& one : {Case{"regions: [eu]", "policy rule 'r' allows the regions eu"},
                          Case{"vendors: [lab]", "policy rule 'r' allows the vendors lab"},
                          Case{"data: [{vendor: other, classes: [public]}]",
                               "policy rule 'r' lets it have data of the classes public, and this job's is restricted"},
                          Case{"simulators_only: true", "policy rule 'r' allows simulators only"}}) {
    SCOPED_TRACE(one.rule);
    const std::string rules = fmt::format("rules: [{{name: r, requires_simulation: false, {}}}]\n", one.rule);
    spec.fallbacks = {"cached_result", "other.device"};
    const auto refused = plan_by(rules, spec);
    ASSERT_THAT(refused, FailsWith(errors::kNoPlan));
    EXPECT_EQ(refused.error().place, "/fallbacks/1");
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("'other.device'"), HasSubstr(one.reason)));
    facts("other.device").availability = backend::Availability{.operational = false, .accepts_work = false};
    EXPECT_THAT(plan_by(rules, spec), FailsWith(errors::kNoPlan)) << "and not only left out while it is away";
    facts("other.device").availability = backend::Availability{};
    spec.fallbacks = {"cached_result"};
    EXPECT_THAT(plan_by(rules, spec), Succeeds());
  }
  spec.fallbacks = {"other.device"};
  EXPECT_THAT(
      step(*plan_by("rules: [{name: r, requires_simulation: false, regions: [us]}]\n", spec), job::StepKind::kRun)
          ->fallbacks,
      ElementsAre("other.device"));
}

TEST_F(RouteRules, an_earlier_answer_of_a_backend_that_a_rule_takes_away_is_not_used) {
  job::JobSpec spec = program();
  spec.policy.backends = {"simulator.statevector", "other.device"};
  spec.fallbacks = {"cached_result"};
  const auto from = [&](const char* rule) {
    const auto planned = plan_by(rule, spec);
    EXPECT_THAT(planned, Succeeds());
    return planned ? step(*planned, job::StepKind::kRun)->fallbacks.at(0).from : std::vector<std::string>{"no plan"};
  };
  EXPECT_THAT(from("rules: [{name: r, requires_simulation: false}]\n"),
              ElementsAre("simulator.statevector", "other.device"));
  EXPECT_THAT(from("rules: [{name: r, requires_simulation: false, regions: [eu]}]\n"),
              ElementsAre("simulator.statevector"));
  job::Fallback named("cached_result");
  named.from = {"other.device"};
  spec.fallbacks = {named};
  EXPECT_THAT(from("rules: [{name: r, requires_simulation: false, regions: [eu]}]\n"), testing::IsEmpty());
  // The chain of a job that names none.
  job::JobSpec plain = program();
  plain.policy.avoid = {"simulator.statevector"};
  EXPECT_THAT(
      step(*plan_by("rules: [{name: r, requires_simulation: false, vendors: [other]}]\n", plain), job::StepKind::kRun)
          ->fallbacks.at(0)
          .from,
      AllOf(testing::Contains("other.device"), testing::Not(testing::Contains("lab.device"))));
}

TEST_F(RouteRules, without_rules_the_policy_digest_is_that_of_the_job_alone) {
  const std::string before = plan(ring())->policy_digest;
  const access::Rules none;
  input_.rules = &none;
  EXPECT_EQ(plan(ring())->policy_digest, before);
  EXPECT_NE(plan_by("rules: []\n", ring())->policy_digest, before);
}

TEST_F(RouteRules, a_simulation_speaks_for_the_same_circuits_whatever_the_shots_and_for_the_same_encoding) {
  const backend::BackendInfo device{.version = "1", .vendor = "lab"};
  job::JobSpec more = program(2);
  std::get<job::Program>(more.work).pubs[0].shots = 7;
  EXPECT_EQ(simulation_key(program(2), "1", device), simulation_key(more, "1", device));
  EXPECT_NE(simulation_key(program(2), "1", device), simulation_key(program(3), "1", device));
  EXPECT_NE(simulation_key(program(2), "1", device), simulation_key(program(2), "2", device));
  job::JobSpec deeper = ring();
  deeper.refinement.layers += 1;
  EXPECT_NE(simulation_key(ring(), "1", device), simulation_key(deeper, "1", device));
  job::JobSpec scheduled = ring();
  scheduled.refinement.angles = job::RefineAngles::kSchedule;
  EXPECT_NE(simulation_key(ring(), "1", device), simulation_key(scheduled, "1", device));
  job::JobSpec warm = ring();
  warm.refinement.start = job::RefineStart::kWarm;
  EXPECT_NE(simulation_key(ring(), "1", device), simulation_key(warm, "1", device));
  // Of a smaller core, or by other code of the adapter, it says nothing.
  job::JobSpec smaller = ring();
  smaller.refinement.core_max = 4;
  EXPECT_NE(simulation_key(ring(), "1", device), simulation_key(smaller, "1", device));
  job::JobSpec larger = ring();
  larger.refinement.core_max = 1000;  // than the problem has variables
  job::JobSpec large = larger;
  large.refinement.core_max = 999;
  EXPECT_EQ(simulation_key(larger, "1", device), simulation_key(large, "1", device));
  for (const backend::BackendInfo& other :
       {backend::BackendInfo{.version = "2", .vendor = "lab"}, backend::BackendInfo{.version = "1", .vendor = "other"}})
    EXPECT_NE(simulation_key(program(2), "1", device), simulation_key(program(2), "1", other));
}

}  // namespace
}  // namespace tandem::route
