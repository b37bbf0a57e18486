#include "tandem/trust/access/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::access {
namespace {

using backend::BackendInfo;
using job::Tier;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Subject kPilot{.tenant = "acme", .project = "fleet", .stage = "pilot", .data_class = "internal"};

BackendInfo cloud(std::string vendor, std::string region, Tier tier = Tier::kQpu) {
  return {.id = BackendId(vendor + ".one"),
          .name = "",
          .version = "",
          .tier = tier,
          .access = job::Access::kCloud,
          .conformance = "",
          .vendor = std::move(vendor),
          .region = std::move(region),
          .best_for = ""};
}
BackendInfo here(Tier tier) {
  return {.id = BackendId("cpu.one"),
          .name = "",
          .version = "",
          .tier = tier,
          .access = job::Access::kLocal,
          .conformance = "",
          .best_for = ""};
}
Rules rules(const std::string& text) {
  auto out = Rules::parse(text, "policy.yaml");
  EXPECT_THAT(out, Succeeds()) << text;
  return out ? *std::move(out) : Rules();
}

TEST(Rules, without_a_file_nobody_is_asked_and_only_pilots_on_real_hardware_wait_for_a_simulator) {
  const Rules none;
  EXPECT_TRUE(none.empty());
  EXPECT_THAT(none.needs(kPilot, {.cost_max = {1'000'000'000}, .any_qpu = true}), IsEmpty());
  const BackendInfo real = cloud("northern", "us");
  EXPECT_TRUE(none.asks_for_simulation(kPilot, real));
  EXPECT_THAT(none.refusal(kPilot, real, false), HasSubstr("the policy rule 'built in' wants a simulator"));
  EXPECT_EQ(none.refusal(kPilot, real, true), "");
  BackendInfo emulated = real;
  emulated.emulated = true;
  Subject production = kPilot;
  production.stage = job::kProduction;
  struct Case {
    const char* what;
    Subject subject;
    BackendInfo backend;
  };
  for (const Case& one : {Case{"emulated hardware", kPilot, emulated}, Case{"production", production, real},
                          Case{"a simulator", kPilot, cloud("northern", "us", Tier::kSimulator)},
                          Case{"what runs here", kPilot, here(Tier::kCpu)}}) {
    EXPECT_FALSE(none.asks_for_simulation(one.subject, one.backend)) << one.what;
    EXPECT_EQ(none.refusal(one.subject, one.backend, false), "") << one.what;
  }
}

/// Each rule alone: what it refuses, what it lets through, and that it says its name.
TEST(Rules, each_kind_of_rule_refuses_what_it_says_and_names_itself) {
  struct Case {
    std::string body;
    BackendInfo refused;
    BackendInfo allowed;
    std::string words;
  };
  const std::vector<Case> cases = {
      {"vendors: [lab]", cloud("northern", "us"), cloud("lab", "us"), "the vendors lab, this one is northern"},
      {"vendors: []", cloud("lab", "us", Tier::kSimulator), here(Tier::kSimulator), "the vendors none"},
      {"regions: [eu, uk]", cloud("northern", "us"), cloud("northern", "uk"), "the regions eu, uk, this one is us"},
      {"regions: [eu]", cloud("northern", ""), cloud("northern", "eu"), "this one is not named"},
      {"simulators_only: true", cloud("northern", "us"), cloud("northern", "us", Tier::kSimulator), "simulators only"},
      {"data: [{tier: qpu, classes: [public]}]", cloud("northern", "us"), cloud("northern", "us", Tier::kSimulator),
       "data of the classes public, and this job's is internal"},
      {"data: [{vendor: northern, classes: []}]", cloud("northern", "us", Tier::kSimulator), cloud("lab", "us"),
       "classes none"},
  };
  for (const Case& one : cases) {
    const Rules read = rules("rules:\n- {name: the-rule, " + one.body + "}\n");
    const std::string why = read.refusal(kPilot, one.refused, true);
    EXPECT_THAT(why, HasSubstr("'the-rule'")) << one.body;
    EXPECT_THAT(why, HasSubstr(one.words)) << one.body;
    EXPECT_EQ(read.refusal(kPilot, one.allowed, true), "") << one.body;
    EXPECT_EQ(read.refusal(kPilot, here(Tier::kCpu), false), "") << "what runs here is bound by no rule";
  }
}

TEST(Rules, a_rule_applies_to_its_tenant_and_project_and_every_one_that_applies_counts) {
  const Rules read = rules(
      "rules:\n"
      "- {name: acme, tenant: acme, vendors: [lab, northern], requires_simulation: false}\n"
      "- {name: fleet, tenant: acme, project: fleet, vendors: [northern]}\n");
  Subject subject = kPilot;
  EXPECT_THAT(read.refusal(subject, cloud("lab", ""), true), HasSubstr("'fleet'"));
  EXPECT_EQ(read.refusal(subject, cloud("northern", ""), true), "");
  subject.project = "other";
  EXPECT_EQ(read.refusal(subject, cloud("lab", ""), true), "");
  EXPECT_THAT(read.refusal(subject, cloud("southern", ""), true), HasSubstr("'acme'"));
  subject.tenant = "beta";
  EXPECT_EQ(read.refusal(subject, cloud("southern", ""), true), "");
}

TEST(Rules, hardware_waits_for_a_simulator_where_a_rule_says_so_and_for_pilots_by_default) {
  struct Case {
    std::string rule;
    std::string stage;
    bool asked;
  };
  const std::vector<Case> cases = {
      {"rules: []\n", "pilot", true},
      {"rules: []\n", "canary", false},
      {"rules: []\n", "production", false},
      {"rules:\n- {name: r, requires_simulation: false}\n", "pilot", false},
      {"rules:\n- {name: r, requires_simulation: true}\n", "production", true},
      {"rules:\n- {name: r, requires_simulation: false}\n- {name: s, requires_simulation: true}\n", "production", true},
      {"rules:\n- {name: r, tenant: beta, requires_simulation: false}\n", "pilot", true},
  };
  for (const Case& one : cases) {
    const Rules read = rules(one.rule);
    Subject subject = kPilot;
    subject.stage = one.stage;
    EXPECT_EQ(read.asks_for_simulation(subject, cloud("lab", "")), one.asked) << one.rule << one.stage;
    EXPECT_EQ(read.refusal(subject, cloud("lab", ""), false).empty(), !one.asked) << one.rule << one.stage;
    EXPECT_EQ(read.refusal(subject, cloud("lab", ""), true), "");
    EXPECT_EQ(read.refusal(subject, cloud("lab", "", Tier::kSimulator), false), "");
  }
  EXPECT_THAT(rules("rules: []\n").refusal(kPilot, cloud("lab", ""), false), HasSubstr("'built in'"));
}

TEST(Rules, people_are_asked_for_what_the_rule_names_and_told_why) {
  const Rules read = rules(
      "approvals:\n"
      "- {name: money, when: {cost_above_usd_micros: 1000}, approvers: 2, of: [ann, bob, cem], expires: 90m}\n"
      "- {name: hardware, tenant: acme, when: {any_qpu: true}}\n"
      "- {name: secrets, when: {data_classes: [restricted]}, role: operator}\n"
      "- {name: live, when: {production: true}}\n");
  EXPECT_TRUE(read.asks_people());
  EXPECT_THAT(read.needs(kPilot, {.cost_max = {1000}, .any_qpu = false}), IsEmpty());
  const auto money = read.needs(kPilot, {.cost_max = {1001}, .any_qpu = false});
  ASSERT_THAT(money, SizeIs(1));
  EXPECT_EQ(money[0], (job::ApprovalNeed{.rule = "money",
                                         .reason = "it may cost $0.001001, above $0.001",
                                         .approvers = 2,
                                         .role = "approver",
                                         .of = {"ann", "bob", "cem"},
                                         .expires_ms = 90 * 60 * 1000}));
  // Play money is held against the same figure, by itself.
  EXPECT_THAT(read.needs(kPilot, {.cost_max = {1000}, .cost_max_emulated = {1000}}), IsEmpty());
  const auto play_money = read.needs(kPilot, {.cost_max_emulated = {1001}});
  ASSERT_THAT(play_money, SizeIs(1));
  EXPECT_EQ(play_money[0].reason, "it may cost $0.001001 of play money, above $0.001");
  Subject subject = kPilot;
  subject.data_class = "restricted";
  subject.stage = "production";
  std::vector<std::string> names;
  for (const job::ApprovalNeed& need : read.needs(subject, {.cost_max = {5000}, .any_qpu = true}))
    names.push_back(need.rule + "/" + need.role);
  EXPECT_THAT(names, testing::ElementsAre("money/approver", "hardware/approver", "secrets/operator", "live/approver"));
  subject.tenant = "beta";
  EXPECT_THAT(read.needs(subject, {.cost_max = {5000}, .any_qpu = true}), SizeIs(3));
}

TEST(Rules, what_may_be_spent_unasked_is_the_lowest_threshold_of_the_rules_that_apply) {
  const Rules read = rules(
      "approvals:\n"
      "- {name: a, when: {cost_above_usd_micros: 5000}}\n"
      "- {name: b, tenant: acme, when: {cost_above_usd_micros: 2000, any_qpu: true}}\n"
      "- {name: c, tenant: beta, when: {cost_above_usd_micros: 1}}\n"
      "- {name: d, when: {any_qpu: true}}\n");
  EXPECT_EQ(read.unasked_cost_max(kPilot), job::Money{2000});
  Subject other = kPilot;
  other.tenant = "gamma";
  EXPECT_EQ(read.unasked_cost_max(other), job::Money{5000});
  EXPECT_EQ(rules("approvals:\n- {name: d, when: {any_qpu: true}}\n").unasked_cost_max(kPilot), std::nullopt);
  EXPECT_EQ(Rules().unasked_cost_max(kPilot), std::nullopt);
}

TEST(Rules, the_digest_changes_with_the_rules_that_apply_and_with_no_others) {
  const std::string mine = "- {name: a, tenant: acme, vendors: [lab]}\n";
  const Json before = rules("rules:\n" + mine).applying(kPilot);
  EXPECT_EQ(rules("rules:\n" + mine + "- {name: b, tenant: beta, vendors: [northern]}\n").applying(kPilot), before);
  EXPECT_NE(rules("rules:\n" + mine + "- {name: b, vendors: [lab]}\n").applying(kPilot), before);
  EXPECT_NE(rules("rules:\n- {name: a, tenant: acme, vendors: [lab, northern]}\n").applying(kPilot), before);
  EXPECT_TRUE(Rules().applying(kPilot).is_null());
}

TEST(Rules, what_is_wrong_with_a_file_is_said_with_its_line) {
  struct Case {
    std::string text;
    ErrorNumber number;
    std::string place;
  };
  const std::vector<Case> cases = {
      {"rule: []\n", errors::kUnknownKey, "p.yaml:1"},
      {"rules:\n- {vendors: [lab]}\n", errors::kMissingKey, "p.yaml:2"},
      {"rules:\n- name: a\n  vendor: [lab]\n", errors::kUnknownKey, "p.yaml:3"},
      {"rules:\n- name: a\n- name: a\n", errors::kValueOutOfRange, "p.yaml:3"},
      {"rules:\n- name: a\napprovals:\n- name: a\n  when: {any_qpu: true}\n", errors::kValueOutOfRange, "p.yaml:4"},
      {"rules:\n- name: a\n  data:\n  - {tier: gate, classes: []}\n", errors::kValueOutOfRange, "p.yaml:4"},
      {"rules:\n- name: a\n  data:\n  - {tier: qpu}\n", errors::kMissingKey, "p.yaml:4"},
      {"rules:\n- name: a\n  data:\n  - {tier: qpu, classes: [secret]}\n", errors::kValueOutOfRange, "p.yaml:4"},
      {"approvals:\n- name: a\n  when: {}\n", errors::kMissingKey, "p.yaml:3"},
      {"approvals:\n- name: a\n", errors::kMissingKey, "p.yaml:2"},
      {"approvals:\n- name: a\n  when: {any_qpu: true}\n  approvers: 0\n", errors::kValueOutOfRange, "p.yaml:4"},
      {"approvals:\n- name: a\n  when: {any_qpu: true}\n  approvers: 11\n", errors::kValueOutOfRange, "p.yaml:4"},
      {"approvals:\n- name: a\n  when: {any_qpu: true}\n  role: ticket\n", errors::kValueOutOfRange, "p.yaml:4"},
      {"approvals:\n- name: a\n  when: {any_qpu: true}\n  approvers: 2\n  of: [ann, ann]\n", errors::kValueOutOfRange,
       "p.yaml:5"},
      {"approvals:\n- name: a\n  when: {any_qpu: true}\n  expires: soon\n", errors::kBadDuration, "p.yaml:4"},
      {"approvals:\n- name: a\n  when: {any_qpu: true}\n  expires: 9000h\n", errors::kValueOutOfRange, "p.yaml:4"},
  };
  for (const Case& one : cases) {
    const auto read = Rules::parse(one.text, "p.yaml");
    EXPECT_THAT(read, FailsWith(one.number)) << one.text;
    EXPECT_THAT(read ? "" : read.error().place, HasSubstr(one.place)) << one.text;
  }
}

}  // namespace
}  // namespace tandem::access
