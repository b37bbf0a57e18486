// Steps that are tried again: what is, how often, after how long, and what never is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/orchestrate/engine/step_tries.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using submit::OnSubmit;
using submit::SubmissionState;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class EngineRetry : public testing::Test {
 protected:
  /// One that only the provider may answer, unless `fallbacks` says otherwise.
  job::JobSpec paid(job::RetryPolicy retry, std::vector<job::Fallback> fallbacks = {
                                                {"simulator.statevector", {job::FallbackCause::kTimeout}}}) {
    job::JobSpec out = world_.paid_job();
    out.limits.retry = retry;
    out.fallbacks = std::move(fallbacks);
    return out;
  }
  static constexpr job::RetryPolicy kQuick{.max_attempts = 3, .delay_min_ms = 1, .delay_max_ms = 2};
  /// Nobody waits that long in a test: what is tried again then was woken, or had waited already.
  static constexpr job::RetryPolicy kSlow{.max_attempts = 3, .delay_min_ms = 10'000, .delay_max_ms = 10'000};

  std::vector<Json> retries(const JobId& id) {
    std::vector<Json> out;
    for (const job::Event& event : world_.events(id))
      if (event.type == "step.retrying") out.push_back(event.data.value());
    return out;
  }
  void wait_for_retries(const JobId& id, std::size_t count) {
    while (retries(id).size() < count) std::this_thread::yield();
  }
  std::vector<std::string> submissions(const JobId& id) {
    std::vector<submit::SubmissionRecord> all = world_.submitter->submissions(id).value();
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.attempt < b.attempt; });
    std::vector<std::string> out;
    for (const submit::SubmissionRecord& one : all)
      out.push_back(fmt::format("{} {}", one.attempt, to_string(one.state)));
    return out;
  }

  EngineWorld world_;
};

TEST_F(EngineRetry, a_submission_that_was_throttled_is_made_anew_until_it_is_taken_and_is_billed_once) {
  world_.provider->plan.on_submit = {OnSubmit::kThrottle, OnSubmit::kThrottle};
  world_.open();
  const JobView view = world_.run(paid(kQuick));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(world_.provider->submissions(), 3);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
  EXPECT_THAT(submissions(view.id), ElementsAre("0 refused", "2 refused", "3 settled"));
  EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 700);
  EXPECT_EQ(world_.hold(view.id).play_money.reserved.usd_micros, 0);
  const auto lineage = world_.engine->lineage(view.id);
  ASSERT_THAT(lineage, Succeeds());
  const std::vector<job::FailedTry>& tries = lineage->work.at(0).tries;
  ASSERT_THAT(tries, SizeIs(2));
  EXPECT_THAT(lineage->work.at(0).path, IsEmpty());
  for (std::uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(tries[i].number, i + 1);
    EXPECT_EQ(tries[i].tries_max, 3u);
    EXPECT_EQ(tries[i].next_attempt, i + 2);
    EXPECT_EQ(tries[i].backend, "fake.provider");
    EXPECT_EQ(tries[i].error_class, "throttled");
    EXPECT_EQ(tries[i].reason, "too many requests");
  }
  const std::vector<Json> told = retries(view.id);
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[1]["try"], 2);
  EXPECT_EQ(told[1]["tries_max"], 3);
  EXPECT_EQ(told[1]["error_class"], "throttled");
  EXPECT_EQ(told[1]["delay_ms"], tries[1].delay_ms);
  // A replay knows nothing of the tries, and needs nothing.
  const auto replayed =
      lineage::replay(world_.engine->replay_package(view.id).value(), world_.backends, world_.problems, 1);
  ASSERT_THAT(replayed, Succeeds());
  EXPECT_EQ(replayed->canonical_sha256, lineage->result_sha256);
}

TEST_F(EngineRetry, when_every_try_failed_the_chain_goes_on_by_the_cause_of_the_last_one) {
  world_.provider->plan.on_submit = std::deque<OnSubmit>(9, OnSubmit::kThrottle);
  world_.open();
  const JobView view = world_.run(paid(kQuick, {{"simulator.statevector", {job::FallbackCause::kUnavailable}}}));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(world_.provider->submissions(), 3);
  const Json told = parse_json(world_.engine->result(view.id).value(), "result").value();
  ASSERT_THAT(told["path"], SizeIs(2));
  EXPECT_EQ(told["path"][0]["number"], static_cast<int>(errors::kRetriesExhausted));
  EXPECT_EQ(told["path"][0]["cause"], "unavailable");
  EXPECT_THAT(told["path"][0]["reason"].get<std::string>(), HasSubstr("3 tries of fake.provider failed"));
  EXPECT_THAT(told["path"][0]["reason"].get<std::string>(), HasSubstr("too many requests"));
  EXPECT_THAT(told["path"][0]["reason"].get<std::string>(), HasSubstr("1404"));
  EXPECT_EQ(told["path"][1]["backend"], "simulator.statevector");
  EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 0);
}

TEST_F(EngineRetry, what_a_provider_may_bill_is_never_sent_again) {
  struct Case {
    const char* name;
    OnSubmit on_submit;
    backend::WorkState end;
    std::optional<job::Money> bill;
  };
  for (const Case& one : {Case{"lost", OnSubmit::kLoseRequest, backend::WorkState::kSucceeded, job::Money{700}},
                          Case{"late", OnSubmit::kAcceptLate, backend::WorkState::kSucceeded, job::Money{700}},
                          Case{"failed", OnSubmit::kAccept, backend::WorkState::kFailed, job::Money{700}},
                          Case{"failed free", OnSubmit::kAccept, backend::WorkState::kFailed, job::Money{0}},
                          Case{"no bill", OnSubmit::kAccept, backend::WorkState::kFailed, std::nullopt},
                          Case{"cancelled", OnSubmit::kAccept, backend::WorkState::kCancelled, job::Money{700}}}) {
    EngineWorld world;
    world.provider->plan.on_submit = {one.on_submit};
    world.provider->plan.late = std::chrono::hours(1);
    world.provider->plan.end = one.end;
    world.provider->plan.bill = one.bill;
    world.open();
    job::JobSpec spec = world.paid_job();
    spec.limits.retry = kQuick;
    spec.limits.retry.max_attempts = 10;
    const JobView view = world.run(spec);
    EXPECT_EQ(world.provider->submissions(), 1) << one.name;
    EXPECT_THAT(world.event_types(view.id), Not(Contains("step.retrying"))) << one.name;
  }
}

TEST_F(EngineRetry, a_step_with_tries_of_its_own_has_those_and_the_others_have_those_of_the_job) {
  world_.open();
  const auto fail_always = [](std::stop_token) { return std::optional(make_error(errors::kConnectionLost, "gone")); };
  world_.main().before = fail_always;
  job::JobSpec spec = world_.spec({{"problem", EngineWorld::max_cut()},
                                   {"refinement", {{"mode", "off"}}},
                                   {"limits",
                                    {{"retry",
                                      {{"max_attempts", 2},
                                       {"delay_min", "1ms"},
                                       {"delay_max", "2ms"},
                                       {"steps", {{"solve", {{"max_attempts", 4}}}}}}}}}});
  spec.fallbacks = {{"cpu.annealing", {job::FallbackCause::kUnavailable}}};
  world_.tier("cpu.annealing").before = fail_always;
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  for (const Json& told : retries(view.id)) {
    EXPECT_EQ(told["label"], "solve");
    EXPECT_EQ(told["tries_max"], 4);
  }
  EXPECT_THAT(retries(view.id), SizeIs(6)) << "three of each backend";
  job::JobSpec program = paid(kQuick);
  program.limits.retry.max_attempts = 1;
  program.limits.step_retry["run"] = kQuick;
  program.limits.step_retry["solve"] = {.max_attempts = 9, .delay_min_ms = 1, .delay_max_ms = 1};
  world_.provider->plan.on_submit = std::deque<OnSubmit>(9, OnSubmit::kThrottle);
  EXPECT_THAT(retries(world_.run(program).id), SizeIs(2));
  EXPECT_EQ(world_.provider->submissions(), 3);
  program.limits.step_retry.erase("run");
  EXPECT_THAT(retries(world_.run(program).id), IsEmpty());
  EXPECT_EQ(world_.provider->submissions(), 4);
}

TEST_F(EngineRetry, what_is_refused_for_ever_is_not_tried_again) {
  world_.provider->plan.on_submit = {OnSubmit::kRefuse};
  world_.open();
  const JobView view = world_.run(paid(kQuick));
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kBackendRefused));
  EXPECT_EQ(world_.provider->submissions(), 1);
}

TEST_F(EngineRetry, a_quote_that_cannot_be_had_is_asked_for_again_before_anything_is_sent) {
  int quotes = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    ++quotes;  // the first one is for the plan
    if (quotes == 2 || quotes == 3) return make_error(errors::kBackendUnavailable, "down");
    return std::nullopt;
  };
  world_.open();
  const JobView view = world_.run(paid(kQuick));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(quotes, 4);
  EXPECT_EQ(world_.provider->submissions(), 1);
  EXPECT_THAT(retries(view.id), SizeIs(2));
  EXPECT_EQ(retries(view.id)[0]["error_class"], "device_unavailable");
}

TEST_F(EngineRetry, a_provider_that_is_away_while_it_is_planned_is_waited_for_whatever_is_tried_again) {
  world_.open();
  std::atomic<int> asked = 0;
  const auto away_for = [&](int questions) {
    asked = 0;
    world_.provider->plan.during_quote = [&, questions]() -> std::optional<Error> {
      world_.clock.advance(std::chrono::seconds(3));
      const bool away = ++asked <= questions;  // the first one is for the plan
      return away ? std::optional(make_error(errors::kBackendUnavailable, "down")) : std::nullopt;
    };
  };
  for (const std::uint32_t attempts : {1u, 3u}) {
    job::RetryPolicy policy = kQuick;
    policy.max_attempts = attempts;
    away_for(5);
    const int sent = world_.provider->submissions();
    const JobView view = world_.run(paid(policy));
    ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_EQ(asked, 6);
    EXPECT_EQ(world_.provider->submissions(), sent + 1);
    EXPECT_THAT(retries(view.id), IsEmpty());
    EXPECT_THAT(world_.event_types(view.id), testing::Contains("step.waiting"));
    EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 700);

    away_for(100);
    job::JobSpec brief = paid(policy);
    brief.limits.backend_wait_ms = 9'000;
    const JobView never = world_.run(brief);
    EXPECT_EQ(never.error_number, static_cast<std::uint16_t>(errors::kBackendUnavailable)) << never.error;
    EXPECT_THAT(never.error, testing::HasSubstr("down; nothing was sent; it was waited for 9 s, of 9 s"));
    EXPECT_EQ(asked, 5);  // for the plan, for the attempt, and after 3, 6 and 9 s
    EXPECT_EQ(world_.provider->submissions(), sent + 1);
    EXPECT_EQ(world_.hold(never.id).play_money.reserved.usd_micros, 0);
  }
}

TEST_F(EngineRetry, a_reservation_that_a_crash_left_is_looked_at_again_and_what_replaces_it_is_sent_once) {
  int quotes = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++quotes == 2)  // the first one is for the plan; the reservation is stored, the intent is not
      world_.store->fail_commits(2, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    return std::nullopt;
  };
  world_.open();
  const JobId id = world_.admit(paid(kQuick));
  while (submissions(id).empty()) std::this_thread::yield();
  world_.close();
  EXPECT_EQ(world_.provider->submissions(), 0);
  std::atomic<int> questions = 0;
  world_.provider->plan.during_availability = [&](const std::stop_token&) {
    world_.provider->plan.accepts_work = ++questions > 1;
  };
  world_.open();
  const JobView view = world_.wait(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(submissions(id), ElementsAre("0 cancelled", "2 settled"));
  EXPECT_EQ(questions, 3);  // of the reservation, of the wait that follows, of what replaces it
  EXPECT_EQ(world_.provider->submissions(), 1);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
  EXPECT_THAT(world_.event_types(id), Contains("step.waiting"));
  EXPECT_THAT(retries(id), IsEmpty());
  EXPECT_EQ(world_.hold(id).play_money.settled.usd_micros, 700);
  EXPECT_EQ(world_.hold(id).play_money.reserved.usd_micros, 0);
}

TEST_F(EngineRetry, the_patience_that_a_provider_asks_for_is_kept) {
  world_.provider->plan.on_submit = {OnSubmit::kThrottle};
  world_.provider->plan.retry_after = std::chrono::milliseconds(60);
  world_.open();
  const auto begin = std::chrono::steady_clock::now();
  const JobView view = world_.run(paid(kQuick));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(60));
  EXPECT_EQ(retries(view.id).at(0)["delay_ms"], 60);
}

TEST_F(EngineRetry, nobody_waits_beyond_the_time_of_the_step_or_of_the_run) {
  world_.provider->plan.on_submit = std::deque<OnSubmit>(9, OnSubmit::kThrottle);
  world_.open();
  world_.provider->plan.retry_after = std::chrono::seconds(21);  // a step waits 20 s for a backend
  const JobView step = world_.run(paid(kQuick));
  EXPECT_EQ(step.error_number, static_cast<std::uint16_t>(errors::kBackendRefused));
  EXPECT_EQ(world_.provider->submissions(), 1);
  world_.provider->plan.retry_after = std::chrono::seconds(2);
  job::JobSpec hasty = paid(kQuick);
  hasty.limits.run_time_ms = 1'000;
  EXPECT_EQ(world_.run(hasty).error_number, static_cast<std::uint16_t>(errors::kBackendRefused));
  EXPECT_EQ(world_.provider->submissions(), 2);
}

TEST_F(EngineRetry, the_budget_of_the_job_bounds_number_and_time_of_its_retries) {
  world_.provider->plan.on_submit = std::deque<OnSubmit>(50, OnSubmit::kThrottle);
  world_.open();
  job::RetryPolicy few = kQuick;
  few.max_attempts = 9;
  few.budget_retries = 2;
  world_.run(paid(few));
  EXPECT_EQ(world_.provider->submissions(), 3);
  job::RetryPolicy none = kQuick;
  none.budget_retries = 0;
  world_.run(paid(none));
  EXPECT_EQ(world_.provider->submissions(), 4);
  job::RetryPolicy brief{.max_attempts = 9, .delay_min_ms = 10, .delay_max_ms = 10, .budget_time_ms = 35};
  const JobView view = world_.run(paid(brief));
  EXPECT_EQ(world_.provider->submissions(), 8);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRetriesExhausted));
}

TEST_F(EngineRetry, a_restart_between_two_tries_goes_on_with_the_next_number_and_what_is_left_of_the_wait) {
  world_.provider->plan.on_submit = std::deque<OnSubmit>(9, OnSubmit::kThrottle);
  world_.open();
  const JobId id = world_.admit(paid(kSlow));
  for (std::size_t tries = 1; tries <= 2; ++tries) {
    wait_for_retries(id, tries);
    EXPECT_EQ(world_.provider->submissions(), static_cast<int>(tries));
    world_.close();
    world_.clock.advance(std::chrono::seconds(11));
    world_.open();
  }
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRetriesExhausted));
  EXPECT_EQ(world_.provider->submissions(), 3);
  EXPECT_THAT(submissions(id), ElementsAre("0 refused", "2 refused", "3 refused"));
  EXPECT_THAT(retries(id), SizeIs(2));
}

TEST_F(EngineRetry, a_wait_ends_at_once_when_the_job_is_cancelled_or_put_aside) {
  world_.provider->plan.on_submit = {OnSubmit::kThrottle, OnSubmit::kThrottle};
  world_.open();
  const JobId cancelled = world_.admit(paid(kSlow));
  wait_for_retries(cancelled, 1);
  ASSERT_THAT(world_.engine->cancel(cancelled, "user", ""), Succeeds());
  EXPECT_EQ(world_.wait(cancelled).state, job::JobState::kCancelled);
  const JobId aside = world_.admit(paid(kSlow));
  wait_for_retries(aside, 1);
  ASSERT_THAT(world_.engine->suspend(aside, "user", ""), Succeeds());
  while (world_.engine->job(aside)->state != job::JobState::kSuspended) std::this_thread::yield();
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(world_.engine->resume(aside, "user"), Succeeds());
  EXPECT_EQ(world_.wait(aside).state, job::JobState::kSucceeded);
  EXPECT_THAT(submissions(aside), ElementsAre("0 refused", "2 settled"));
}

TEST_F(EngineRetry, a_server_that_goes_down_waits_for_no_try) {
  world_.provider->plan.on_submit = {OnSubmit::kThrottle};
  world_.open();
  const JobId id = world_.admit(paid(kSlow));
  wait_for_retries(id, 1);
  world_.engine->drain(Deadline::never(), Deadline::never());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.provider->submissions(), 1);  // having waited it would have made the second
}

TEST_F(EngineRetry, local_work_is_tried_again_after_errors_that_are_transient_and_no_others) {
  for (const auto& [number, retries] :
       {std::pair{errors::kTooManyOpenFiles, 1}, std::pair{errors::kBackendJobFailed, 0},
        std::pair{errors::kBackendUnavailable, 0}}) {
    EngineWorld world;
    std::atomic<int> calls = 0;
    world.main().before = [&, failing = number](std::stop_token) -> std::optional<Error> {
      return calls++ == 0 ? std::optional(make_error(failing, "the first time")) : std::nullopt;
    };
    world.open();
    job::JobSpec spec = world.classical_job();
    spec.limits.retry = kQuick;
    const JobView view = world.run(spec);
    EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_EQ(calls, 1 + retries) << static_cast<int>(number);
    const auto lineage = world.engine->lineage(view.id);
    EXPECT_EQ(lineage->work.at(0).tries.size(), static_cast<std::size_t>(retries));
    EXPECT_EQ(lineage->work.at(0).path.empty(), retries == 1);
  }
}

/// Delays as note() draws them for tries of one station, one after the other.
std::vector<std::int64_t> delays(const JobId& id, EngineWorld& world, const job::RetryPolicy& policy) {
  JobLedger ledger(*world.store, world.clock, world.crash_points, [](const job::Event&) {});
  StepTries tries(*world.store, ledger, world.clock);
  const auto running = ledger.update(id, std::nullopt, "engine", [](JobRecord& record, Change&) -> Result<void> {
    record.view.state = job::JobState::kRunning;
    return {};
  });
  EXPECT_THAT(running, Succeeds());
  std::vector<std::int64_t> out;
  for (std::uint32_t number = 1;; ++number) {
    const auto noted =
        tries.note({.job = id, .policy = policy}, {.step = "solve", .backend = "x", .number = number},
                   std::chrono::milliseconds(out.empty() ? 0 : out.back()), std::chrono::milliseconds(0));
    EXPECT_THAT(noted, Succeeds());
    if (!noted || !*noted) return out;
    out.push_back((*noted)->delay_ms);
  }
}

TEST_F(EngineRetry, delays_are_drawn_between_the_shortest_and_three_times_the_last_and_each_job_has_its_own) {
  const job::RetryPolicy policy{.max_attempts = 12, .delay_min_ms = 100, .delay_max_ms = 4'000};
  world_.open(0);
  const JobId one = world_.admit(world_.classical_job("one"));
  const std::vector<std::int64_t> drawn = delays(one, world_, policy);
  ASSERT_THAT(drawn, SizeIs(11));
  std::int64_t previous = policy.delay_min_ms;
  for (const std::int64_t delay : drawn) {
    EXPECT_GE(delay, policy.delay_min_ms);
    EXPECT_LE(delay, std::min(policy.delay_max_ms, 3 * previous));
    previous = delay;
  }
  EXPECT_NE(delays(world_.admit(world_.classical_job("two")), world_, policy), drawn);
  EngineWorld same;  // gives its first job the same id
  same.open(0);
  ASSERT_EQ(same.admit(same.classical_job("one")), one);
  EXPECT_EQ(delays(one, same, policy), drawn);
}

}  // namespace
}  // namespace tandem::engine
