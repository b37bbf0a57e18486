// A plan that needs the word of people waits for it, and nothing of it is begun before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using approval::State;
using approval::Verdict;
using identity::Principal;
using identity::Role;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kTwoForHardware =
    "rules:\n- {name: no-rehearsal, requires_simulation: false}\n"
    "approvals:\n- {name: hardware, when: {any_qpu: true}, approvers: 2, expires: 1h}\n";
constexpr std::string_view kOneForHardware =
    "rules:\n- {name: no-rehearsal, requires_simulation: false}\n"
    "approvals:\n- {name: hardware, when: {any_qpu: true}, expires: 1h}\n";

Principal person(std::string user, identity::Roles roles = {Role::kApprover}) {
  return {.tenant = "default", .user = std::move(user), .roles = roles, .projects = {}};
}
constexpr approval::Word kYes{.verdict = Verdict::kApprove, .reason = "worth it", .external_ref = "CHG-1"};
constexpr approval::Word kNo{.verdict = Verdict::kReject, .reason = "too dear", .external_ref = ""};

class EngineApproval : public testing::Test {
 protected:
  approval::ApprovalId last(const JobId& id) {
    return approval::ApprovalId::parse(world_.engine->job(id)->approval_id).value();
  }
  approval::Approval asked(const JobId& id) { return world_.engine->approval(last(id)).value(); }
  /// A paid job that waits.
  JobId waiting() {
    const JobId id = world_.admit(world_.paid_job());
    EXPECT_EQ(world_.wait(id).state, job::JobState::kAwaitingApproval);
    return id;
  }
  /// One that may spend nothing and asks a provider that asks nothing for it.
  job::JobSpec free_job() {
    job::JobSpec spec = world_.paid_job();
    spec.policy.backends = {"fake.free"};
    spec.limits.cost_max = {};
    return spec;
  }
  void add_free_provider() {
    auto free = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, "fake.free", 0, false);
    free->plan.price = {};
    free->plan.bill = job::Money{};
    world_.backends.add(std::move(free));
  }
  /// The end, after the word that let it go on.
  JobView ended(const JobId& id) {
    while (!job::is_final(world_.engine->job(id)->state)) std::this_thread::yield();
    return world_.engine->job(id).value();
  }
  /// The last request of the job, once and for a reason, with the event that says so.
  void expect_void(const JobId& id) {
    EXPECT_EQ(asked(id).state, State::kVoid);
    EXPECT_THAT(asked(id).reason, HasSubstr("are approved"));
    std::vector<Json> closed;
    for (const job::Event& event : world_.events(id))
      if (event.type == "approval.closed") closed.push_back(event.data.value());
    ASSERT_THAT(closed, SizeIs(1));
    EXPECT_EQ(closed[0]["approval_id"], last(id).text());
    EXPECT_EQ(closed[0]["state"], "void");
    EXPECT_EQ(closed[0]["reason"], asked(id).reason);
    EXPECT_THAT(world_.engine->approvals({.job = id})->approvals, SizeIs(1));
  }
  JobView waits_again(const JobId& id, const std::string& before) {
    while (true) {
      const JobView view = world_.engine->job(id).value();
      if (view.state == job::JobState::kAwaitingApproval && view.approval_id != before) return view;
      std::this_thread::yield();
    }
  }

  EngineWorld world_;
};

TEST_F(EngineApproval, nothing_is_ordered_or_reserved_before_enough_people_approved_and_then_the_same_plan_runs) {
  world_.set_rules(kTwoForHardware);
  world_.open();
  const JobId id = waiting();
  const std::string digest = world_.engine->job(id)->plan_digest;
  EXPECT_EQ(asked(id).subject.plan_digest, digest);
  EXPECT_EQ(asked(id).subject.cost_max.usd_micros, 0);
  EXPECT_EQ(asked(id).subject.cost_max_emulated.usd_micros, 1000);
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_EQ(world_.hold(id).play_money.reserved.usd_micros, 0);
  EXPECT_THAT(world_.event_types(id),
              ElementsAre("job.queued", "job.started", "job.planned", "approval.requested", "job.awaiting_approval"));
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kAwaitingApproval);
  EXPECT_EQ(world_.provider->submissions(), 0);
  ASSERT_THAT(world_.engine->decide(last(id), person("bob"), kYes), Succeeds());
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
  EXPECT_EQ(world_.engine->job(id)->plan_digest, digest);
  EXPECT_EQ(world_.engine->lineage(id)->approval, asked(id).document());
  std::vector<std::string> actors;
  for (const job::Event& event : world_.events(id)) {
    if (event.type == "approval.requested") {
      EXPECT_EQ(event.data.value().value("external_ref", "not there"), "");
    }
    if (event.type == "approval.decided") {
      actors.push_back(event.actor);
      EXPECT_EQ(event.data.value()["external_ref"], "CHG-1");
    }
  }
  EXPECT_THAT(actors, ElementsAre("user:ann", "user:bob"));
}

TEST_F(EngineApproval, the_submitter_and_strangers_decide_nothing) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId id = waiting();
  // EngineWorld::admit submits as user:test.
  EXPECT_THAT(world_.engine->decide(last(id), person("test"), kYes), FailsWith(errors::kSelfApproval));
  EXPECT_THAT(world_.engine->decide(last(id), person("ann", {Role::kAdmin}), kYes), FailsWith(errors::kNotPermitted));
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kAwaitingApproval);
  EXPECT_THAT(world_.engine->decide({JobId("job_0190a1b2-0000-7000-8000-000000000001"), 1}, person("ann"), kYes),
              FailsWith(errors::kApprovalNotFound));
  EXPECT_THAT(world_.engine->decide({id, 2}, person("ann"), kYes), FailsWith(errors::kApprovalNotFound));
}

TEST_F(EngineApproval, a_job_waits_and_is_decided_on_across_restarts) {
  world_.set_rules(kTwoForHardware);
  world_.open();
  const JobId id = waiting();
  world_.close();
  world_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kAwaitingApproval);
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  world_.close();
  world_.open(0);  // it takes words, and runs nothing
  EXPECT_THAT(world_.engine->decide(last(id), person("ann"), kYes), FailsWith(errors::kDecidedAlready));
  ASSERT_THAT(world_.engine->decide(last(id), person("bob"), kYes), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.provider->submissions(), 0);
  world_.close();
  world_.open();
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
}

TEST_F(EngineApproval, a_rejected_job_is_cancelled_with_the_reason_and_gives_its_money_back) {
  world_.set_rules(kTwoForHardware);
  world_.open();
  const JobId id = waiting();
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kNo), Succeeds());
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kCancelled);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kApprovalRejected));
  EXPECT_THAT(view.error, HasSubstr("too dear"));
  EXPECT_TRUE(world_.hold(id).closed);
  EXPECT_EQ(asked(id).state, State::kRejected);
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_THAT(world_.engine->decide(last(id), person("bob"), kYes), FailsWith(errors::kApprovalClosed));
}

TEST_F(EngineApproval, a_job_that_waits_can_be_cancelled_and_its_request_is_void) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId id = waiting();
  ASSERT_THAT(world_.engine->cancel(id, "user:test", "not after all"), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  EXPECT_EQ(asked(id).state, State::kVoid);
  EXPECT_THAT(world_.event_types(id), Contains("approval.closed"));
  EXPECT_THAT(world_.engine->decide(last(id), person("ann"), kYes), FailsWith(errors::kApprovalClosed));
  EXPECT_THAT(world_.engine->approvals({})->approvals, IsEmpty());
  ASSERT_THAT(world_.engine->remove(id, "user:test", ""), Succeeds());
  EXPECT_THAT(world_.engine->approval({id, 1}), FailsWith(errors::kApprovalNotFound));
}

TEST_F(EngineApproval, a_request_that_nobody_decides_ends_its_job_in_time_also_after_a_restart) {
  world_.set_rules(kOneForHardware);
  world_.store_retry_interval = std::chrono::milliseconds(1);
  world_.open();
  const JobId id = waiting();
  world_.close();
  world_.clock.advance(std::chrono::minutes(61));
  world_.open();
  const JobView view = ended(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kApprovalExpired));
  EXPECT_EQ(asked(id).state, State::kExpired);
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_TRUE(world_.hold(id).closed);
}

TEST_F(EngineApproval, the_total_time_of_a_job_goes_on_while_people_think) {
  world_.set_rules(kOneForHardware);
  world_.store_retry_interval = std::chrono::milliseconds(1);
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.limits.total_time_ms = 60'000;
  const JobId id = world_.admit(spec);
  ASSERT_EQ(world_.wait(id).state, job::JobState::kAwaitingApproval);
  world_.clock.advance(std::chrono::minutes(2));
  const JobView view = ended(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kExpired));
  EXPECT_EQ(asked(id).state, State::kExpired);
}

TEST_F(EngineApproval, a_higher_price_voids_what_was_approved_and_people_are_asked_anew) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId id = waiting();
  const std::string first = world_.engine->job(id)->approval_id;
  world_.provider->plan.price = {2000};
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  const JobView again = waits_again(id, first);
  EXPECT_EQ(world_.provider->submissions(), 0);
  const approval::Approval before = world_.engine->approval(approval::ApprovalId::parse(first).value()).value();
  EXPECT_EQ(before.state, State::kVoid);
  EXPECT_THAT(before.reason, HasSubstr("$0.002 now"));
  EXPECT_EQ(asked(id).subject.cost_max_emulated.usd_micros, 2000);
  EXPECT_NE(asked(id).subject.plan_digest, before.subject.plan_digest);
  EXPECT_THAT(asked(id).decisions, IsEmpty());
  EXPECT_THAT(world_.engine->approvals({.job = id})->approvals, SizeIs(2));
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
}

TEST_F(EngineApproval, a_lower_price_or_another_backend_that_came_does_not) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId id = waiting();
  world_.provider->plan.price = {800};
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.engine->approvals({.job = id})->approvals, SizeIs(1));
}

TEST_F(EngineApproval, other_rules_void_what_was_approved) {
  world_.set_rules(kTwoForHardware);
  world_.open();
  const JobId id = waiting();
  const std::string first = world_.engine->job(id)->approval_id;
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  ASSERT_THAT(world_.engine->decide(last(id), person("bob"), kYes), Succeeds());
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
  // The same on a server that was started with others in between.
  const JobId other = waiting();
  world_.close();
  world_.open(0);
  ASSERT_THAT(world_.engine->decide(last(other), person("ann"), kYes), Succeeds());
  ASSERT_THAT(world_.engine->decide(last(other), person("bob"), kYes), Succeeds());
  const std::string approved = world_.engine->job(other)->approval_id;
  world_.close();
  world_.set_rules(std::string(kTwoForHardware) + "- {name: money, when: {cost_above_usd_micros: 1}}\n");
  world_.open();
  waits_again(other, approved);
  EXPECT_THAT(asked(other).needs, SizeIs(2));
  EXPECT_EQ(world_.provider->submissions(), 1);
}

TEST_F(EngineApproval, who_may_spend_nothing_and_asks_somebody_else_is_asked_for_anew_and_goes_on) {
  add_free_provider();
  for (const bool anew : {true, false}) {
    world_.set_rules(kOneForHardware);
    world_.open();
    const JobId id = world_.admit(free_job());
    ASSERT_EQ(world_.wait(id).state, job::JobState::kAwaitingApproval);
    const std::string first = world_.engine->job(id)->approval_id;
    world_.close();
    world_.set_rules(anew ? kTwoForHardware : "rules:\n- {name: no-rehearsal, requires_simulation: false}\n");
    world_.open();
    ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
    if (anew) {
      waits_again(id, first);
      for (const char* name : {"ann", "bob"})
        ASSERT_THAT(world_.engine->decide(last(id), person(name), kYes), Succeeds());
    }
    EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
    EXPECT_TRUE(world_.hold(id).closed);
    world_.close();
  }
}

TEST_F(EngineApproval, a_request_that_can_never_be_stored_fails_its_job_and_holds_up_nobody) {
  add_free_provider();
  world_.set_rules(kOneForHardware);
  world_.open(0);
  const JobId id = world_.admit(free_job());
  store::Batch batch;  // the row that the plan is to be written with is there already
  budget::hold(batch, id, {.tenant = "default", .project = "", .user = "test"}, {});
  ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  world_.close();
  world_.open();
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kPreconditionFailed));
  EXPECT_EQ(world_.run(world_.classical_job()).state, job::JobState::kSucceeded);
}

TEST_F(EngineApproval, who_does_not_say_his_price_now_voids_nothing) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId id = waiting();
  int asked_for = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++asked_for == 1) return make_error(errors::kBackendUnavailable, "no answer");
    return std::nullopt;
  };
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
  EXPECT_GT(asked_for, 1);
  EXPECT_EQ(asked(id).state, State::kApproved);
  EXPECT_THAT(world_.engine->approvals({.job = id})->approvals, SizeIs(1));
}

TEST_F(EngineApproval, without_their_word_nothing_is_spent_above_what_people_want_to_be_asked_for) {
  world_.set_rules(
      "rules:\n- {name: no-rehearsal, requires_simulation: false}\n"
      "approvals:\n- {name: money, when: {cost_above_usd_micros: 1000}}\n");
  world_.open();
  EXPECT_EQ(world_.run(world_.paid_job()).state, job::JobState::kSucceeded);  // its price is not above
  // It rises between the plan and the order.
  int asked_for = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++asked_for == 2) world_.provider->plan.price = {1001};
    return std::nullopt;
  };
  const JobView view = world_.run(world_.paid_job());
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_THAT(view.error, HasSubstr("no more than $0.001 are approved"));
  EXPECT_EQ(world_.provider->submissions(), 1);
}

TEST_F(EngineApproval, who_submitted_a_job_does_not_decide_on_its_retries) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const auto retried = [&](const JobId& of, const char* actor) {
    EXPECT_THAT(world_.engine->cancel(of, "user:test", ""), Succeeds());
    const auto admission = world_.engine->retry(of, "", actor);
    EXPECT_THAT(admission, Succeeds());
    EXPECT_EQ(world_.wait(admission->id).state, job::JobState::kAwaitingApproval);
    return admission->id;
  };
  const JobId third = retried(retried(waiting(), "user:ann"), "user:bob");
  EXPECT_THAT(asked(third).submitted_before, ElementsAre("user:test", "user:ann"));
  for (const char* name : {"test", "ann", "bob"})
    EXPECT_THAT(world_.engine->decide(last(third), person(name), kYes), FailsWith(errors::kSelfApproval)) << name;
  ASSERT_THAT(world_.engine->decide(last(third), person("cem"), kYes), Succeeds());
  EXPECT_EQ(ended(third).state, job::JobState::kSucceeded);
}

TEST_F(EngineApproval, a_page_of_one_job_begins_with_no_other) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId first = waiting();
  const JobId second = waiting();
  EXPECT_THAT(world_.engine->approvals({.job = second, .page_token = last(first).text()}),
              FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(world_.engine->approvals({.job = first, .page_token = last(first).text()})->approvals, IsEmpty());
}

TEST_F(EngineApproval, a_price_that_rises_after_the_start_is_not_paid_beyond_what_was_approved) {
  world_.set_rules(kOneForHardware);
  world_.open();
  const JobId id = waiting();
  // The first question is that of the start; the next one that of the order.
  int asked_for = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++asked_for == 2) world_.provider->plan.price = {1001};
    return std::nullopt;
  };
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  const JobView view = ended(id);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_THAT(view.error, HasSubstr("no more than $0.001 are approved"));
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_EQ(world_.hold(id).play_money.settled.usd_micros, 0);
  expect_void(id);
}

TEST_F(EngineApproval, an_approval_that_a_price_has_outgrown_is_void_and_pays_for_nobody_else_in_the_chain) {
  auto owned = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, "fake.second");
  submit::FakeProvider& second = *owned;
  world_.backends.add(std::move(owned));
  world_.set_rules(kOneForHardware);
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.fallbacks = {"fake.second", "simulator.statevector"};
  const JobId id = world_.admit(spec);
  ASSERT_EQ(world_.wait(id).state, job::JobState::kAwaitingApproval);
  EXPECT_EQ(asked(id).subject.cost_max_emulated.usd_micros, 2000);
  int asked_for = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++asked_for == 2) world_.provider->plan.price = {2001};
    return std::nullopt;
  };
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  const JobView view = ended(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_EQ(second.submissions(), 0);  // though its price is what it was
  EXPECT_EQ(world_.hold(id).play_money.reserved.usd_micros, 0);
  expect_void(id);
  const auto lineage = world_.engine->lineage(id);
  EXPECT_EQ(lineage->approval, asked(id).document());
  ASSERT_THAT(lineage->work.at(0).path, SizeIs(3));
  EXPECT_EQ(lineage->work[0].path[0].number, static_cast<int>(errors::kPriceNotApproved));
  EXPECT_THAT(lineage->work[0].path[1].reason, HasSubstr("is void"));
  EXPECT_EQ(lineage->work[0].path[2].backend, "simulator.statevector");
}

TEST_F(EngineApproval, a_restart_of_what_was_begun_under_a_void_approval_asks_nobody_again_and_pays_nothing) {
  world_.set_rules(kOneForHardware);
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.fallbacks = {"simulator.statevector"};
  const JobId id = world_.admit(spec);
  ASSERT_EQ(world_.wait(id).state, job::JobState::kAwaitingApproval);
  int asked_for = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++asked_for == 2) {
      world_.provider->plan.price = {1001};
      // The refusal is of no commit; the one that makes the approval void is stored, and the end of the step is not.
      world_.store->fail_commits(2, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    }
    return std::nullopt;
  };
  ASSERT_THAT(world_.engine->decide(last(id), person("ann"), kYes), Succeeds());
  while (asked(id).state != State::kVoid) std::this_thread::yield();
  world_.close();
  world_.provider->plan.price = {1000};  // and low enough again
  world_.open();
  EXPECT_EQ(ended(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.provider->submissions(), 0);
  expect_void(id);
}

TEST_F(EngineApproval, what_asks_no_hardware_waits_for_nobody_and_no_rule_no_approval) {
  world_.set_rules(kOneForHardware);
  world_.open();
  EXPECT_EQ(world_.run(world_.classical_job()).state, job::JobState::kSucceeded);
  world_.close();
  world_.set_rules("rules:\n- {name: free, requires_simulation: false}\n");
  world_.open();
  const JobView view = world_.run(world_.paid_job());
  EXPECT_EQ(view.state, job::JobState::kSucceeded);
  EXPECT_EQ(view.approval_id, "");
  EXPECT_TRUE(world_.engine->lineage(view.id)->approval.is_null());
}

TEST_F(EngineApproval, the_inbox_has_what_waits_by_tenant_and_project_and_in_pages) {
  world_.set_rules(kOneForHardware);
  world_.open();
  std::set<std::string> ids;
  for (int i = 0; i < 3; ++i) ids.insert(waiting().value);
  const ApprovalPage first = world_.engine->approvals({.limit = 2}).value();
  ASSERT_THAT(first.approvals, SizeIs(2));
  const ApprovalPage rest = world_.engine->approvals({.limit = 2, .page_token = first.next_page_token}).value();
  ASSERT_THAT(rest.approvals, SizeIs(1));
  EXPECT_EQ(rest.next_page_token, "");
  std::set<std::string> listed = {rest.approvals[0].id.job.value};
  for (const approval::Approval& one : first.approvals) listed.insert(one.id.job.value);
  EXPECT_EQ(listed, ids);
  EXPECT_THAT(world_.engine->approvals({.tenant = "other"})->approvals, IsEmpty());
  EXPECT_THAT(world_.engine->approvals({.tenant = "default", .projects = {"x"}})->approvals, IsEmpty());
}

TEST_F(EngineApproval, hardware_is_left_out_until_a_simulator_has_passed_with_the_same_program) {
  world_.set_rules("rules: []\n");
  world_.open();
  const auto program = [&](std::vector<std::string> backends) {
    job::JobSpec spec = world_.paid_job();
    spec.policy.backends = std::move(backends);
    return spec;
  };
  const JobView refused = world_.run(program({"fake.provider"}));
  EXPECT_EQ(refused.state, job::JobState::kFailed);
  EXPECT_THAT(refused.error, HasSubstr("requires_simulation"));
  ASSERT_EQ(world_.run(program({"simulator.statevector"})).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.run(program({"fake.provider"})).state, job::JobState::kSucceeded);
  // Another program is another one, whoever else's simulation says nothing, and production is not rehearsed by this rule.
  job::JobSpec other = program({"fake.provider"});
  std::get<job::Program>(other.work).pubs[0].circuit = circuit::Circuit::create(2, 2).value();
  std::get<job::Program>(other.work).pubs[0].circuit.measure_all();
  EXPECT_EQ(world_.run(other).state, job::JobState::kFailed);
  auto foreign = world_.engine->admit(program({"fake.provider"}), "other-tenant", "", "user:eve");
  EXPECT_EQ(world_.wait(foreign->id).state, job::JobState::kFailed);
  other.business.stage = "production";
  EXPECT_EQ(world_.run(other).state, job::JobState::kSucceeded);
  // What passed was code that is not there any more.
  world_.close();
  world_.provider->set_version("2");
  world_.open();
  EXPECT_THAT(world_.run(program({"fake.provider"})).error, HasSubstr("requires_simulation"));
  ASSERT_EQ(world_.run(program({"simulator.statevector"})).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.run(program({"fake.provider"})).state, job::JobState::kSucceeded);
}

/// Whatever is said by whom, however often the process ends and prices move: what the provider was sent rests on a plan that enough
/// other people approved, at no more than its price.
TEST_F(EngineApproval, no_history_lets_metered_work_start_without_enough_other_people) {
  Xoshiro256 rng(11);
  world_.set_rules(kTwoForHardware);
  world_.open();
  const std::vector<std::string> users = {"test", "ann", "bob", "cem"};
  int ran = 0;
  for (int history = 0; history < 60; ++history) {
    const int before = world_.provider->submissions();
    world_.provider->plan.price = {1000};
    const JobId id = waiting();
    std::set<std::string> said_yes;
    std::uint32_t number = last(id).number;
    bool over = false;
    for (int step = 0; step < 8 && !over; ++step) {
      const std::string& user = users[rng.below(users.size())];
      switch (rng.below(8)) {
        case 0:
          world_.close();
          world_.open(rng.below(2) * 2);
          break;
        case 1:
          world_.provider->plan.price.usd_micros += static_cast<std::int64_t>(rng.below(2)) * 500;
          break;
        case 2:
          over = world_.engine->decide(last(id), person(user), kNo).has_value();
          break;
        default:
          if (world_.engine->decide(last(id), person(user), kYes)) said_yes.insert(user);
      }
      if (said_yes.size() == 2 && !over) {
        world_.close();
        world_.open();
        while (world_.engine->job(id)->state != job::JobState::kSucceeded) {
          if (world_.engine->job(id)->state == job::JobState::kAwaitingApproval && last(id).number != number) break;
          std::this_thread::yield();
        }
        if (last(id).number != number) {  // asked anew, for a higher price
          number = last(id).number;
          said_yes.clear();
        } else {
          over = true;
          ++ran;
        }
      }
      const bool may_run = said_yes.size() >= 2 && over;
      ASSERT_EQ(world_.provider->submissions() - before, may_run ? 1 : 0) << "history " << history;
      ASSERT_FALSE(said_yes.contains("test"));
    }
    if (world_.engine->job(id)->state == job::JobState::kAwaitingApproval) {
      ASSERT_THAT(world_.engine->cancel(id, "user:test", ""), Succeeds());
    }
    world_.close();
    world_.open();
  }
  EXPECT_GT(ran, 5) << "the histories say little";
}

}  // namespace
}  // namespace tandem::engine
