#include "tandem/trust/approval/approval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"

namespace tandem::approval {
namespace {

using identity::Principal;
using identity::Role;
using testing::HasSubstr;

const JobId kJob("job_0190a1b2-0000-7000-8000-000000000001");
constexpr Timestamp kNow{1'000'000'000'000'000};

job::ApprovalNeed need(std::uint32_t approvers, std::vector<std::string> of = {}, std::string role = "approver") {
  return {.rule = "money",
          .reason = "it costs",
          .approvers = approvers,
          .role = std::move(role),
          .of = std::move(of),
          .expires_ms = 60'000};
}
job::Plan plan(std::vector<job::ApprovalNeed> needs = {need(1)}) {
  job::Plan out;
  out.primary = "lab.device";
  out.steps.push_back({.kind = job::StepKind::kRun,
                       .backend = "lab.device",
                       .fallbacks = {"cpu.tabu"},
                       .parameters = {{"shots", 100}}});
  out.candidates.push_back({.backend = "lab.device", .method = "run", .tier = job::Tier::kQpu});
  out.reasons = {"it fits"};
  out.cost_max_needed = {5000};
  out.policy_digest = std::string(64, 'a');
  out.approvals = std::move(needs);
  return out;
}
Approval asked(const job::Plan& of) {
  return request({.id = {kJob, 1}, .tenant = "acme", .project = "fleet", .submitted_by = "user:sue"}, of, of.digest(),
                 kNow);
}
Principal person(std::string user, identity::Roles roles = {Role::kApprover}) {
  return {.tenant = "acme", .user = std::move(user), .roles = roles, .projects = {}};
}
constexpr Word kYes{.verdict = Verdict::kApprove, .reason = "it is worth it", .external_ref = ""};
constexpr Word kNo{.verdict = Verdict::kReject, .reason = "too dear", .external_ref = ""};

bool covers(const Approval& approval, const job::Plan& of) {
  return approval.covers(subject_of(of, of.digest()), of.approvals);
}

TEST(Approval, one_person_who_did_not_submit_is_enough_where_one_is_asked) {
  Approval one = asked(plan());
  EXPECT_FALSE(covers(one, plan()));
  ASSERT_THAT(one.decide(person("ann"), kYes, kNow), Succeeds());
  EXPECT_EQ(one.state, State::kApproved);
  EXPECT_TRUE(covers(one, plan()));
  EXPECT_THAT(one.approved_by(), testing::ElementsAre("user:ann"));
}

TEST(Approval, nobody_approves_what_he_submitted_whatever_he_is) {
  Approval one = asked(plan());
  EXPECT_THAT(one.decide(person("sue", {Role::kApprover, Role::kAdmin, Role::kSubmitter}), kYes, kNow),
              FailsWith(errors::kSelfApproval));
  EXPECT_THAT(one.decide(person("sue", {Role::kTicket}),
                         {.verdict = Verdict::kApprove, .reason = "r", .external_ref = "T-1"}, kNow),
              FailsWith(errors::kSelfApproval));
  EXPECT_TRUE(one.decisions.empty());
}

TEST(Approval, a_person_counts_once_and_needs_the_role_and_the_name) {
  Approval one = asked(plan({need(2, {"ann", "bob"})}));
  EXPECT_THAT(one.decide(person("cem"), kYes, kNow), FailsWith(errors::kNotPermitted));
  EXPECT_THAT(one.decide(person("ann", {Role::kAdmin, Role::kOperator}), kYes, kNow), FailsWith(errors::kNotPermitted));
  ASSERT_THAT(one.decide(person("ann"), kYes, kNow), Succeeds());
  EXPECT_EQ(one.state, State::kPending);
  EXPECT_THAT(one.decide(person("ann"), kYes, kNow), FailsWith(errors::kDecidedAlready));
  ASSERT_THAT(one.decide(person("bob"), kYes, kNow), Succeeds());
  EXPECT_EQ(one.state, State::kApproved);
}

TEST(Approval, every_need_has_to_have_its_people_and_one_person_may_serve_several) {
  Approval one = asked(plan({need(1), need(1, {}, "operator")}));
  ASSERT_THAT(one.decide(person("ann"), kYes, kNow), Succeeds());
  EXPECT_EQ(one.state, State::kPending);
  ASSERT_THAT(one.decide(person("bob", {Role::kOperator}), kYes, kNow), Succeeds());
  EXPECT_EQ(one.state, State::kApproved);
  Approval both = asked(plan({need(1), need(1, {}, "operator")}));
  ASSERT_THAT(both.decide(person("ann", {Role::kApprover, Role::kOperator}), kYes, kNow), Succeeds());
  EXPECT_EQ(both.state, State::kApproved);
}

TEST(Approval, one_rejection_ends_it) {
  Approval one = asked(plan({need(3)}));
  ASSERT_THAT(one.decide(person("ann"), kYes, kNow), Succeeds());
  ASSERT_THAT(one.decide(person("bob"), kNo, kNow), Succeeds());
  EXPECT_EQ(one.state, State::kRejected);
  EXPECT_THAT(one.decide(person("cem"), kYes, kNow), FailsWith(errors::kApprovalClosed));
  EXPECT_FALSE(covers(one, plan({need(3)})));
}

TEST(Approval, it_is_open_for_the_shortest_time_that_a_need_names) {
  job::ApprovalNeed longer = need(1);
  longer.expires_ms = 120'000;
  Approval one = asked(plan({longer, need(1)}));
  EXPECT_EQ(one.expires_at.micros, kNow.micros + 60'000'000);
  EXPECT_THAT(one.decide(person("ann"), kYes, Timestamp{kNow.micros + 60'000'000}), FailsWith(errors::kApprovalClosed));
  EXPECT_THAT(one.decide(person("ann"), kYes, Timestamp{kNow.micros + 59'999'999}), Succeeds());
}

TEST(Approval, a_word_has_its_reason_and_a_ticket_system_its_ticket) {
  Approval one = asked(plan());
  const Principal tickets = person("tickets", {Role::kTicket});
  EXPECT_THAT(one.decide(person("ann"), {.verdict = Verdict::kApprove, .reason = "", .external_ref = ""}, kNow),
              FailsWith(errors::kMissingKey));
  EXPECT_THAT(
      one.decide(person("ann"),
                 {.verdict = Verdict::kApprove, .reason = std::string(kReasonMax + 1, 'x'), .external_ref = ""}, kNow),
      FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(one.decide(person("ann"), {.verdict = Verdict::kApprove, .reason = "\xff", .external_ref = ""}, kNow),
              FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(one.decide(tickets, kYes, kNow), FailsWith(errors::kMissingKey));
  ASSERT_THAT(one.decide(tickets, {.verdict = Verdict::kApprove, .reason = "r", .external_ref = "CHG-7"}, kNow),
              Succeeds());
  EXPECT_EQ(one.document()["decisions"][0]["external_ref"], "CHG-7");
}

TEST(Approval, nobody_decides_on_a_retry_of_a_job_of_his_own) {
  const job::Plan of = plan();
  Approval one = request({.id = {kJob, 1},
                          .tenant = "acme",
                          .project = "fleet",
                          .submitted_by = "user:sue",
                          .submitted_before = {"user:ann", "user:bob"}},
                         of, of.digest(), kNow);
  for (const char* name : {"sue", "ann", "bob"})
    EXPECT_THAT(one.decide(person(name), kYes, kNow), FailsWith(errors::kSelfApproval)) << name;
  ASSERT_THAT(one.decide(person("cem"), kYes, kNow), Succeeds());
  EXPECT_TRUE(covers(one, of));
  const Approval read = Approval::parse({.key = row_key(one.id), .version = 1, .value = one.value()}).value();
  EXPECT_EQ(read.submitted_before, one.submitted_before);
  // Nor does a word count that stands in its row all the same.
  Approval forged = one;
  forged.decisions[0].actor = "user:ann";
  EXPECT_FALSE(covers(forged, of));
}

TEST(Approval, what_is_stored_is_read_back_and_what_is_damaged_is_said) {
  Approval one = asked(plan({need(2, {"ann", "bob"})}));
  ASSERT_THAT(one.decide(person("ann"), kYes, kNow), Succeeds());
  one.version = 3;
  EXPECT_EQ(Approval::parse({.key = row_key(one.id), .version = 3, .value = one.value()}).value(), one);
  for (const char* bytes : {"", "{}", "[1]", R"({"approval_id": "apr_1"})"})
    EXPECT_THAT(Approval::parse({.key = "k", .version = 1, .value = bytes}), FailsWith(errors::kStoreDamaged));
}

TEST(ApprovalId, its_text_is_read_back_and_no_other_text_is_one) {
  const ApprovalId id{kJob, 12};
  EXPECT_EQ(id.text(), "apr_0190a1b2-0000-7000-8000-000000000001_12");
  EXPECT_EQ(ApprovalId::parse(id.text()).value(), id);
  for (const char* text : {"", "apr_", "apr__1", "apr_x_1", "job_0190a1b2-0000-7000-8000-000000000001",
                           "apr_0190a1b2-0000-7000-8000-000000000001", "apr_0190a1b2-0000-7000-8000-000000000001_0",
                           "apr_0190a1b2-0000-7000-8000-000000000001_-1", "apr_0190a1b2-0000-7000-8000-000000000001_1x",
                           "apr_0190a1b2-0000-7000-8000-000000000001_1000000"})
    EXPECT_THAT(ApprovalId::parse(text), FailsWith(errors::kApprovalNotFound)) << text;
}

/// Another plan by one member, drawn at random.
job::Plan mutated(job::Plan out, Xoshiro256& rng) {
  const auto number = static_cast<std::int64_t>(rng.below(1'000'000));
  switch (rng.below(10)) {
    case 0:
      out.primary += fmt::format("{}", number);
      break;
    case 1:
      out.cost_max_needed.usd_micros += 1 + number;
      break;
    case 2:
      out.policy_digest[rng.below(64)] = 'b';
      break;
    case 3:
      out.steps[0].parameters["shots"] = 101 + number;
      break;
    case 4:
      out.steps[0].backend = fmt::format("other.{}", number);
      break;
    case 5:
      out.steps[0].fallbacks.emplace_back(fmt::format("other.{}", number));
      break;
    case 6:
      out.candidates[0].reason += "x";
      break;
    case 7:
      out.cost_max_needed_emulated.usd_micros += 1 + number;
      break;
    case 8:
      out.approvals[0].approvers += 1;
      break;
    default:
      out.reasons.push_back(fmt::format("{}", number));
      break;
  }
  return out;
}

TEST(Approval, a_thousand_other_plans_are_covered_by_none_of_what_was_approved) {
  Xoshiro256 rng(42);
  const job::Plan approved = plan({need(2)});
  Approval one = asked(approved);
  ASSERT_THAT(one.decide(person("ann"), kYes, kNow), Succeeds());
  ASSERT_THAT(one.decide(person("bob"), kYes, kNow), Succeeds());
  ASSERT_TRUE(covers(one, approved));
  for (int i = 0; i < 1000; ++i) {
    const job::Plan other = mutated(approved, rng);
    ASSERT_NE(other, approved);
    EXPECT_FALSE(covers(one, other)) << other.document();
    // And with the digest of the approved one beside another price or other rules.
    EXPECT_EQ(one.covers(subject_of(other, approved.digest()), other.approvals),
              other.cost_max_needed == approved.cost_max_needed &&
                  other.cost_max_needed_emulated == approved.cost_max_needed_emulated &&
                  other.policy_digest == approved.policy_digest && other.approvals == approved.approvals);
  }
}

/// An oracle that only counts: whatever is said by whom and when, covers() is true exactly when enough different people, none of them
/// the submitter, approved in time with the role and the name, and nobody rejected first.
TEST(Approval, no_sequence_of_words_covers_a_plan_without_enough_other_people) {
  Xoshiro256 rng(7);
  const std::vector<std::string> users = {"sue", "ann", "bob", "cem", "dan", "tickets"};
  int approved = 0;
  for (int history = 0; history < 3000; ++history) {
    std::vector<job::ApprovalNeed> needs;
    for (std::uint64_t i = 0, n = 1 + rng.below(2); i < n; ++i) {
      std::vector<std::string> of;
      if (rng.below(3) == 0) of = {"ann", "bob", "sue", "tickets"};
      needs.push_back(
          need(static_cast<std::uint32_t>(1 + rng.below(3)), of, rng.below(3) == 0 ? "operator" : "approver"));
    }
    const job::Plan wanted = plan(needs);
    Approval one = asked(wanted);
    std::vector<std::set<std::string>> people(needs.size());
    std::set<std::string> spoke;
    bool over = false;
    std::int64_t now = kNow.micros;
    for (int step = 0; step < 12; ++step) {
      now += static_cast<std::int64_t>(rng.below(8'000'000));
      const std::string& user = users[rng.below(users.size())];
      identity::Roles roles;
      if (user == "tickets")
        roles.add(Role::kTicket);
      else
        for (const Role role : {Role::kApprover, Role::kOperator, Role::kAdmin})
          if (rng.below(2) == 0) roles.add(role);
      const bool yes = rng.below(8) != 0;
      const auto said = one.decide(person(user, roles),
                                   {.verdict = yes ? Verdict::kApprove : Verdict::kReject,
                                    .reason = "because",
                                    .external_ref = rng.below(4) == 0 ? "" : "T-1"},
                                   Timestamp{now});
      if (said) {
        ASSERT_FALSE(over);
        ASSERT_NE(user, "sue");
        ASSERT_TRUE(spoke.insert(user).second) << "twice";
        ASSERT_LT(now, kNow.micros + 60'000'000);
        if (!yes) over = true;
        for (std::size_t i = 0; yes && i < needs.size(); ++i) {
          const bool named = needs[i].of.empty() || std::ranges::find(needs[i].of, user) != needs[i].of.end();
          const Role role = needs[i].role == "operator" ? Role::kOperator : Role::kApprover;
          if (named && (roles.has(role) || roles.has(Role::kTicket))) people[i].insert(user);
        }
      }
      bool enough = true;
      for (std::size_t i = 0; i < needs.size(); ++i) enough = enough && people[i].size() >= needs[i].approvers;
      const bool rejected = over && one.state == State::kRejected;
      ASSERT_EQ(covers(one, wanted), enough && !rejected);
      if (enough && !rejected) {
        ++approved;
        over = true;
      }
    }
  }
  EXPECT_GT(approved, 300) << "the histories say little";
}

}  // namespace
}  // namespace tandem::approval
