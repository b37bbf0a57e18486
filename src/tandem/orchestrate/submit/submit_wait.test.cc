// Who is waited for, how long, and what is not sent or left because of that.
#include "tandem/orchestrate/resilience/breaker.h"
#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {
namespace {

using job::Money;
using std::chrono::milliseconds;
using testing::HasSubstr;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class SubmitWait : public SubmitFixture {};

TEST_F(SubmitWait, unfinished_work_is_cancelled_at_the_deadline_and_billed_as_the_provider_says) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill = Money{100};
  const auto outcome = run(request_within(milliseconds(1000)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kCancelled);
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_EQ(hold().play_money.settled, Money{100});
}

TEST_F(SubmitWait, a_provider_that_has_the_work_and_answers_nothing_is_left_when_its_heartbeat_is_overdue) {
  provider_->plan.answers_polls = false;
  SubmissionRequest asked = request_within(std::chrono::minutes(10));
  asked.heartbeat_max = std::chrono::seconds(5);
  const Instant begin = clock_.monotonic();
  const auto outcome = run(asked);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, SubmissionOutcome::Kind::kHeld);
  ASSERT_TRUE(outcome->error.has_value());
  EXPECT_EQ(outcome->error->number, errors::kPeerTimeout);
  EXPECT_EQ(job::cause_of(*outcome->error), job::FallbackCause::kTimeout);
  EXPECT_FALSE(outcome->is_surely_free());
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_GT(hold().play_money.reserved.usd_micros, 0) << "it may be billed";
  const auto waited = clock_.monotonic() - begin;
  EXPECT_GE(waited, std::chrono::seconds(5));
  EXPECT_LE(waited, std::chrono::seconds(5) + options_.lookup_interval);
}

TEST_F(SubmitWait, a_provider_that_answers_now_and_then_is_waited_for_longer_than_a_heartbeat) {
  int polls = 0;
  provider_->plan.polls_until_done = 6;
  provider_->plan.during_poll = [&] { provider_->plan.answers_polls = ++polls % 60 == 0; };  // every three seconds
  SubmissionRequest asked = request_within(std::chrono::minutes(10));
  asked.heartbeat_max = std::chrono::seconds(5);
  const Instant begin = clock_.monotonic();
  const auto outcome = run(asked);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, SubmissionOutcome::Kind::kResult);
  EXPECT_GT(clock_.monotonic() - begin, std::chrono::seconds(10));
}

TEST_F(SubmitWait, a_result_that_is_gone_leaves_the_submission_held_at_the_deadline) {
  provider_->plan.result_missing = true;
  const auto outcome = run(request_within(milliseconds(1000)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(outcome->error->number, errors::kUnknownHandle);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

TEST_F(SubmitWait, work_that_is_done_and_has_no_result_is_not_told_as_queued_when_the_last_question_is_cut_off) {
  provider_->plan.polls_until_done = 2;  // it was seen in the queue
  provider_->plan.result_missing = true;
  const Instant begin = clock_.monotonic();
  provider_->plan.during_fetch = [&] {
    if (clock_.monotonic() - begin >= milliseconds(950)) provider_->plan.answers_reads = false;
  };
  SubmissionRequest done = request_within(milliseconds(1000));
  done.queue_wait_max = milliseconds(5000);
  const auto outcome = run(done);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_FALSE(provider_->plan.answers_reads);
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(outcome->error->number, errors::kUnknownHandle);
}

TEST_F(SubmitWait, queued_work_that_is_predicted_to_wait_too_long_is_cancelled_before_it_has) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.until_done = backend::WorkState::kQueued;
  provider_->plan.starts_in = milliseconds(400);
  provider_->plan.bill = Money{0};
  provider_->plan.during_poll = [&, polls = 0]() mutable {
    if (++polls == 3) provider_->plan.starts_in = milliseconds(1051);  // it was 100 ms in the queue
  };
  SubmissionRequest queued = request();
  queued.queue_wait_max = milliseconds(1050);
  const Instant begin = clock_.monotonic();
  const auto outcome = run(queued);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kCancelled);
  EXPECT_EQ(outcome->error->number, errors::kQueueWaitPredicted);
  EXPECT_THAT(outcome->error->message, HasSubstr("it is predicted to wait for 1051 ms, the plan allows 1050 ms"));
  EXPECT_EQ(job::cause_of(*outcome->error), job::FallbackCause::kQueueWait);
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_LT(clock_.monotonic() - begin, milliseconds(500));
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_EQ(hold().play_money.settled, Money{0});
}

TEST_F(SubmitWait, what_runs_is_left_to_run_whatever_was_predicted_of_its_queue) {
  provider_->plan.polls_until_done = 3;
  provider_->plan.until_done = backend::WorkState::kRunning;
  provider_->plan.starts_in = milliseconds(10'000);
  SubmissionRequest running = request();
  running.queue_wait_max = milliseconds(1000);
  EXPECT_EQ(run(running)->kind, Kind::kResult);
}

TEST_F(SubmitWait, a_queue_that_is_stated_to_be_too_long_is_not_joined) {
  provider_->plan.ready_in_ms = 501;
  SubmissionRequest queued = request();
  queued.queue_wait_max = milliseconds(500);
  EXPECT_THAT(run(queued), FailsWith(errors::kQueueWaitPredicted));
  EXPECT_EQ(provider_->submissions(), 0);
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_TRUE(event_types().empty());
  provider_->plan.ready_in_ms = 500;
  EXPECT_EQ(run(queued)->kind, Kind::kResult);
}

/// A provider behind circuits that open with the first failure.
class SubmitHeldBack : public SubmitFixture {
 protected:
  SubmitHeldBack() {
    auto provider = std::make_unique<FakeProvider>(clock_, backend::SubmitSafety::kB, "fake.guarded");
    inner_ = provider.get();
    guarded_ = resilience::guard(std::move(provider), clock_, log_, meter_, {.failures_max = 1, .pause_min = kPause});
  }
  /// Somebody else's work was refused, and nothing has been sent since.
  void open_circuit() {
    inner_->plan.on_submit = {OnSubmit::kThrottle};
    EXPECT_FALSE(guarded_->submit(work_, "of-somebody-else", {}).has_value());
    sent_ = inner_->submissions();
  }
  SubmissionRequest ask() {
    return {.tenant = "tenant", .job = job_, .step = "refine", .fence = 1, .backend = *guarded_, .work = work_};
  }
  void expect_held_back(const SubmissionOutcome& outcome) {
    EXPECT_EQ(outcome.kind, Kind::kNotReady);
    EXPECT_EQ(outcome.error->number, errors::kCircuitOpen);
    EXPECT_TRUE(outcome.is_surely_free());
    EXPECT_EQ(outcome.billed, Money{0});
    EXPECT_EQ(inner_->submissions(), sent_);
    EXPECT_EQ(hold().play_money.reserved, Money{0});
  }

  static constexpr milliseconds kPause{700};
  FakeProvider* inner_ = nullptr;
  std::unique_ptr<backend::Backend> guarded_;
  int sent_ = 0;
};

TEST_F(SubmitHeldBack, work_is_not_sent_and_leaves_no_record_until_it_may_be_the_probe) {
  open_circuit();
  int asked = 0;
  inner_->plan.during_availability = [&](const std::stop_token&) { ++asked; };
  const auto held = run(ask());
  ASSERT_THAT(held, Succeeds());
  expect_held_back(*held);
  EXPECT_FALSE(held->number_is_used);
  EXPECT_EQ(held->retry_after, kPause);
  EXPECT_THAT(held->error->message, HasSubstr("nothing was sent"));
  EXPECT_EQ(submitter_.not_ready(ask(), {})->value().why.message, held->error->message);
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(event_types().empty());
  clock_.advance(kPause);
  EXPECT_FALSE(submitter_.not_ready(ask(), {})->has_value());
  EXPECT_EQ(run(ask())->kind, Kind::kResult);
}

/// Where its circuit opens: after the backend was asked, or when the intent is on disk as well.
class SubmitHeldBackLate : public SubmitHeldBack, public testing::WithParamInterface<SubmissionState> {};

TEST_P(SubmitHeldBackLate, costs_nothing_but_its_number) {
  SubmissionRequest late = ask();
  if (GetParam() == kCancelled) {
    inner_->plan.during_quote = [&]() -> std::optional<Error> {
      open_circuit();
      return std::nullopt;
    };
  } else {
    late.on_send = [&] { open_circuit(); };
  }
  const auto held = run(late);
  ASSERT_THAT(held, Succeeds());
  expect_held_back(*held);
  EXPECT_TRUE(held->number_is_used);
  EXPECT_EQ(held->retry_after, kPause);
  EXPECT_EQ(state(), GetParam());
  // Found by another start, which is held back by nobody: it has to take another number, and waits for nothing.
  clock_.advance(kPause);
  const auto found = run(ask());
  ASSERT_THAT(found, Succeeds());
  expect_held_back(*found);
  EXPECT_TRUE(found->number_is_used);
  EXPECT_EQ(found->retry_after, milliseconds(0));
  inner_->plan.during_quote = {};
  SubmissionRequest next = ask();
  next.attempt = 1;
  EXPECT_EQ(run(next)->kind, Kind::kResult);
}

INSTANTIATE_TEST_SUITE_P(States, SubmitHeldBackLate, testing::Values(kCancelled, kRefused),
                         [](const auto& state) { return std::string(to_string(state.param)); });

TEST_F(SubmitHeldBack, a_price_that_nobody_is_asked_for_any_more_is_waited_for) {
  bool asks = false;
  inner_->plan.during_quote = [&]() -> std::optional<Error> {
    return make_error(errors::kBackendUnavailable, "no price today");
  };
  inner_->plan.during_availability = [&](const std::stop_token&) {
    if (asks) return;
    asks = true;
    EXPECT_FALSE(guarded_->quote(work_, {}).has_value());
  };
  const auto held = run(ask());
  ASSERT_THAT(held, Succeeds());
  expect_held_back(*held);
  EXPECT_FALSE(held->number_is_used);
  clock_.advance(kPause);
  inner_->plan.during_quote = {};
  EXPECT_EQ(run(ask())->kind, Kind::kResult);
}

TEST_F(SubmitWait, a_backend_that_takes_no_work_now_is_not_sent_to) {
  provider_->plan.accepts_work = false;
  provider_->plan.ready_in_ms = 1234;
  const auto closed = run(request());
  ASSERT_THAT(closed, Succeeds());
  EXPECT_EQ(closed->kind, Kind::kNotReady);
  EXPECT_TRUE(closed->is_surely_free());
  EXPECT_EQ(closed->error->number, errors::kBackendUnavailable);
  EXPECT_THAT(closed->error->message, HasSubstr("its window is closed"));
  EXPECT_EQ(closed->retry_after, milliseconds(1234));
  EXPECT_EQ(submitter_.not_ready(request(), {})->value().why.message, closed->error->message);
  EXPECT_EQ(provider_->submissions(), 0);
  EXPECT_TRUE(event_types().empty());
  provider_->plan.accepts_work = true;
  EXPECT_FALSE(submitter_.not_ready(request(), {})->has_value());
  EXPECT_EQ(run(request())->kind, Kind::kResult);
}

/// What keeps it from answering is told by the price, whose errors say what to do.
TEST_F(SubmitWait, a_backend_that_does_not_say_whether_it_takes_work_is_asked_for_its_price) {
  provider_->plan.answers_availability = false;
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  provider_->plan.during_quote = [] { return make_error(errors::kCredentialRefused, "who are you"); };
  SubmissionRequest next = request();
  next.attempt = 1;
  EXPECT_THAT(run(next), FailsWith(errors::kCredentialRefused));
}

TEST_F(SubmitWait, who_does_not_answer_is_not_ready_where_that_is_waited_for) {
  provider_->plan.during_quote = [] { return make_error(errors::kPeerUnreachable, "nobody there"); };
  EXPECT_THAT(run(request()), FailsWith(errors::kPeerUnreachable));
  SubmissionRequest patient = request();
  patient.awaits_answers = true;
  const auto silent = run(patient);
  ASSERT_THAT(silent, Succeeds());
  EXPECT_EQ(silent->kind, Kind::kNotReady);
  EXPECT_EQ(silent->error->number, errors::kPeerUnreachable);
  EXPECT_FALSE(silent->number_is_used);
  EXPECT_TRUE(event_types().empty());
  // What waiting does not mend is an error all the same.
  provider_->plan.during_quote = [] { return make_error(errors::kCredentialRefused, "who are you"); };
  EXPECT_THAT(run(patient), FailsWith(errors::kCredentialRefused));
  provider_->plan.during_quote = nullptr;
  EXPECT_EQ(run(patient)->kind, Kind::kResult);
}

TEST_F(SubmitWait, a_machine_that_names_no_calibration_has_one_of_unknown_age) {
  SubmissionRequest careful = request();
  careful.calibration_age_max = milliseconds(1000);
  const auto unknown = run(careful);
  ASSERT_THAT(unknown, Succeeds());
  EXPECT_EQ(unknown->kind, Kind::kNotReady);
  EXPECT_EQ(unknown->error->number, errors::kCalibrationStale);
  EXPECT_EQ(provider_->submissions(), 0);
}

TEST_F(SubmitWait, a_calibration_that_is_older_than_the_plan_allows_is_not_sent_to) {
  provider_->plan.calibrated_at = clock_.now();
  clock_.advance(milliseconds(1001));
  SubmissionRequest careful = request();
  careful.calibration_age_max = milliseconds(1000);
  const auto old = run(careful);
  ASSERT_THAT(old, Succeeds());
  EXPECT_EQ(old->kind, Kind::kNotReady);
  EXPECT_EQ(old->error->number, errors::kCalibrationStale);
  EXPECT_THAT(old->error->message, HasSubstr("1001 ms old, the plan allows 1000 ms"));
  EXPECT_EQ(provider_->submissions(), 0);
  EXPECT_TRUE(event_types().empty());
  provider_->plan.calibrated_at = clock_.now();
  EXPECT_EQ(run(careful)->kind, Kind::kResult);
}

/// A process reserves and dies; who goes on asks anew, and gives the money back where the answer is another.
TEST_F(SubmitWait, a_reservation_that_was_found_is_used_only_while_its_backend_price_and_calibration_allow) {
  const auto reserve = [&](std::uint32_t attempt) {
    SubmissionRequest asked = request();
    asked.attempt = attempt;
    asked.calibration_age_max = milliseconds(1000);
    provider_->plan.calibrated_at = clock_.now();
    store_.fail_commits(2, 1, make_error(errors::kIoError, "crash"));  // of the intent
    EXPECT_THAT(run(asked), FailsWith(errors::kIoError));
    return asked;
  };
  const auto refused_with = [&](const SubmissionRequest& asked, ErrorNumber why, Kind kind) {
    const auto outcome = run(asked);
    ASSERT_THAT(outcome, Succeeds());
    EXPECT_EQ(outcome->kind, kind);
    EXPECT_TRUE(outcome->number_is_used);
    EXPECT_EQ(submitter_.submissions(job_)->back().state, SubmissionState::kCancelled);
    EXPECT_EQ(outcome->error->number, why);
    EXPECT_EQ(outcome->sends, 0u);
    EXPECT_TRUE(backend::may_pass(outcome->error_class));  // another attempt may follow
    EXPECT_EQ(hold().play_money.reserved, Money{0});
    EXPECT_EQ(provider_->submissions(), 0);
    // Whoever finds it later is told the same: its end is no failure of the work.
    provider_->plan.accepts_work = true;
    const auto again = run(asked);
    ASSERT_THAT(again, Succeeds());
    EXPECT_EQ(again->kind, kind);
    EXPECT_EQ(again->retry_after, milliseconds(0));  // of then, not of now
  };
  const SubmissionRequest closed = reserve(0);
  provider_->plan.accepts_work = false;
  refused_with(closed, errors::kBackendUnavailable, Kind::kNotReady);

  const SubmissionRequest old = reserve(1);
  clock_.advance(milliseconds(1500));
  refused_with(old, errors::kCalibrationStale, Kind::kNotReady);

  const SubmissionRequest dearer = reserve(2);
  provider_->plan.price = Money{1001};
  refused_with(dearer, errors::kBackendUnavailable, Kind::kNotReady);

  provider_->plan.price = Money{1000};
  EXPECT_EQ(run(reserve(3))->kind, Kind::kResult);
}

TEST_F(SubmitWait, work_that_waits_longer_than_the_plan_allows_is_cancelled_at_the_provider) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill = Money{100};
  SubmissionRequest queued = request_within(milliseconds(60'000));
  queued.queue_wait_max = milliseconds(500);
  const Instant begin = clock_.monotonic();
  const auto outcome = run(queued);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kCancelled);
  EXPECT_EQ(outcome->error->number, errors::kQueueWaitPredicted);
  EXPECT_LT(clock_.monotonic() - begin, milliseconds(1000));
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_EQ(hold().play_money.settled, Money{100});
  EXPECT_EQ(state(), SubmissionState::kCancelled);
}

TEST_F(SubmitWait, a_provider_that_falls_silent_is_unavailable_and_not_late) {
  provider_->plan.during_submit = [&] { provider_->plan.answers_reads = false; };
  SubmissionRequest silent = request_within(milliseconds(1000));
  silent.queue_wait_max = milliseconds(500);
  EXPECT_EQ(run(silent)->error->number, errors::kBackendUnavailable);
}

TEST_F(SubmitWait, work_that_runs_too_long_is_late_and_not_queued) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.until_done = backend::WorkState::kRunning;
  SubmissionRequest slow = request_within(milliseconds(1000));
  slow.queue_wait_max = milliseconds(500);
  EXPECT_EQ(run(slow)->error->number, errors::kPeerTimeout);
}

TEST_F(SubmitWait, when_the_time_is_over_before_sending_nothing_is_sent) {
  const auto outcome = run(request_within(milliseconds(0)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kCancelled);
  EXPECT_EQ(provider_->submissions(), 0);
  EXPECT_EQ(hold().play_money.free, Money{10'000});
}

}  // namespace
}  // namespace tandem::submit
