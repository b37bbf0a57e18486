#include "tandem/orchestrate/submit/submit.h"

#include <set>

#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using job::Money;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class SubmitTest : public SubmitFixture {};

TEST_F(SubmitTest, good_work_is_sent_once_and_paid_by_the_providers_figure) {
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(outcome->raw.bytes, "result");
  EXPECT_EQ(outcome->raw.calibration_id, "cal_1");
  EXPECT_EQ(outcome->raw_sha256, sha256("result").hex());
  EXPECT_EQ(outcome->billed, Money{700});
  EXPECT_EQ(outcome->error, std::nullopt);
  EXPECT_THAT(provider_->book(), ElementsAre(token()));
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_EQ(hold().play_money.free, Money{9300});
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_THAT(event_types(), ElementsAre("submission.reserved", "submission.intent", "submission.confirmed",
                                         "submission.terminal", "submission.settled"));
}

TEST_F(SubmitTest, events_and_warnings_say_that_the_provider_is_emulated) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  ASSERT_THAT(run(request()), Succeeds());
  for (const job::Event& event : events()) EXPECT_EQ(event.data.value()["emulated"], true) << event.type;
  const auto entries = log_.entries();
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].event, "submission.ambiguous");
  EXPECT_EQ(entries[0].fields.at("emulated"), "true");
  EXPECT_EQ(entries[0].fields.at("backend"), "fake.provider");
}

TEST_F(SubmitTest, the_intent_and_its_money_are_on_disk_before_the_wire_is_touched) {
  int looked = 0;
  provider_->plan.during_submit = [&] {
    ++looked;
    EXPECT_EQ(state(), kIntent);
    EXPECT_EQ(hold().play_money.reserved, Money{1000});
  };
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_EQ(looked, 1);
}

TEST_F(SubmitTest, raw_bytes_are_on_disk_before_they_are_decoded) {
  int looked = 0;
  provider_->plan.during_decode = [&](const backend::RawResult& raw) {
    ++looked;
    EXPECT_EQ(state(), kTerminal);
    EXPECT_EQ(store_.get(store::Table::kBlob, sha256(raw.bytes).hex()).value()->value, raw.bytes);
  };
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_EQ(looked, 1);
}

TEST_F(SubmitTest, a_second_run_of_a_settled_attempt_returns_the_stored_bytes_without_asking_anybody) {
  ASSERT_THAT(run(request()), Succeeds());
  provider_->plan.answers_reads = false;
  const auto again = run(request());
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->kind, Kind::kResult);
  EXPECT_EQ(again->raw.bytes, "result");
  EXPECT_EQ(again->billed, Money{700});
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitTest, a_lost_reply_is_found_by_its_token_and_not_sent_again) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_THAT(provider_->book(), SizeIs(1));
  EXPECT_THAT(event_types(), ElementsAre("submission.reserved", "submission.intent", "submission.ambiguous",
                                         "submission.confirmed", "submission.terminal", "submission.settled"));
}

TEST_F(SubmitTest, work_that_appears_within_the_settle_window_is_adopted) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1500);
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitTest, a_lost_request_is_held_with_its_money_and_never_sent_again) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  ASSERT_TRUE(outcome->error);
  EXPECT_EQ(outcome->error->number, errors::kSubmissionAmbiguous);
  EXPECT_TRUE(outcome->error->cost_incurred);
  EXPECT_THAT(outcome->error->message, HasSubstr("does not know it 2000 ms after it came into doubt, of 2000 in"));
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
  // And so it stays, whoever asks again.
  EXPECT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitTest, the_settle_window_is_waited_for_in_full) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  const Instant before = clock_.monotonic();
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_GE(clock_.monotonic() - before, options_.settle_window);
  EXPECT_LE(clock_.monotonic() - before, options_.settle_window + 2 * options_.lookup_interval);
  EXPECT_GE(provider_->lookups(), 40);
}

TEST_F(SubmitTest, the_steps_deadline_ends_the_search_but_not_the_doubt) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1500);
  const auto outcome = run(request_within(milliseconds(500)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

TEST_F(SubmitTest, an_unreachable_provider_leaves_the_submission_held_with_that_reason) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  provider_->plan.answers_reads = false;
  const auto outcome = run(request_within(milliseconds(5000)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_THAT(record().reason, HasSubstr("could not be asked"));
}

TEST_F(SubmitTest, a_refusal_costs_nothing) {
  provider_->plan.on_submit = {OnSubmit::kRefuse};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kRefused);
  EXPECT_EQ(outcome->error->number, errors::kBackendRefused);
  EXPECT_FALSE(outcome->error->cost_incurred);
  EXPECT_EQ(hold().play_money.free, Money{10'000});
  EXPECT_EQ(state(), kRefused);
}

TEST_F(SubmitTest, without_the_money_nothing_is_recorded_and_nothing_is_sent) {
  provider_->plan.price = Money{10'001};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, FailsWith(errors::kBudgetExceeded));
  EXPECT_THAT(outcome.error().message, HasSubstr("$0.010001 are needed and $0.01 are free"));
  EXPECT_EQ(provider_->submissions(), 0);
  EXPECT_THAT(submitter_.submissions(job_).value(), IsEmpty());
}

TEST_F(SubmitTest, work_that_the_backend_cannot_run_reserves_nothing) {
  const backend::Work solve = backend::SolveWork{.model = std::make_shared<const solve::Model>()};
  const SubmissionRequest bad{
      .tenant = "tenant", .job = job_, .step = "refine", .fence = 1, .backend = *provider_, .work = solve};
  EXPECT_THAT(run(bad), FailsWith(errors::kBackendCannot));
  EXPECT_EQ(hold().play_money.free, Money{10'000});
}

TEST_F(SubmitTest, a_bill_above_the_quote_is_posted_and_stops_the_next_attempt) {
  provider_->plan.bill = Money{1200};
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_EQ(hold().play_money.settled, Money{1200});
  EXPECT_TRUE(hold().stopped);
  SubmissionRequest next = request();
  next.step = "refine again";
  EXPECT_THAT(run(next), FailsWith(errors::kBudgetExceeded));
}

TEST_F(SubmitTest, failed_work_is_billed_as_the_provider_says) {
  provider_->plan.end = backend::WorkState::kFailed;
  provider_->plan.bill = Money{300};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kFailed);
  EXPECT_EQ(outcome->error->number, errors::kBackendJobFailed);
  EXPECT_TRUE(outcome->error->cost_incurred);
  EXPECT_EQ(outcome->billed, Money{300});
  EXPECT_EQ(hold().play_money.settled, Money{300});
}

TEST_F(SubmitTest, failed_work_without_a_bill_is_not_assumed_to_be_free) {
  provider_->plan.end = backend::WorkState::kFailed;
  provider_->plan.bill.reset();
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

TEST_F(SubmitTest, a_result_that_arrived_damaged_is_fetched_again) {
  provider_->plan.garbage_fetches = 3;
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(outcome->raw.bytes, "result");
  EXPECT_EQ(outcome->raw_sha256, sha256("result").hex());
}

TEST_F(SubmitTest, a_result_that_stays_unreadable_is_a_failure_that_was_paid) {
  provider_->plan.garbage_fetches = 1'000'000;
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kFailed);
  EXPECT_EQ(outcome->error->number, errors::kBackendGarbage);
  EXPECT_EQ(outcome->billed, Money{700});
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_THAT(outcome->raw_sha256, SizeIs(64));  // what came is kept
}

TEST_F(SubmitTest, unfinished_work_is_cancelled_at_the_deadline_and_billed_as_the_provider_says) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill = Money{100};
  const auto outcome = run(request_within(milliseconds(1000)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kCancelled);
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_EQ(hold().play_money.settled, Money{100});
}

TEST_F(SubmitTest, a_provider_that_has_the_work_and_answers_nothing_is_left_when_its_heartbeat_is_overdue) {
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

TEST_F(SubmitTest, a_provider_that_answers_now_and_then_is_waited_for_longer_than_a_heartbeat) {
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

TEST_F(SubmitTest, a_result_that_is_gone_leaves_the_submission_held_at_the_deadline) {
  provider_->plan.result_missing = true;
  const auto outcome = run(request_within(milliseconds(1000)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(outcome->error->number, errors::kUnknownHandle);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

TEST_F(SubmitTest, work_that_is_done_and_has_no_result_is_not_told_as_queued_when_the_last_question_is_cut_off) {
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

TEST_F(SubmitTest, a_queue_that_is_stated_to_be_too_long_is_not_joined) {
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

TEST_F(SubmitTest, a_backend_that_takes_no_work_now_is_not_sent_to) {
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
TEST_F(SubmitTest, a_backend_that_does_not_say_whether_it_takes_work_is_asked_for_its_price) {
  provider_->plan.answers_availability = false;
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  provider_->plan.during_quote = [] { return make_error(errors::kCredentialRefused, "who are you"); };
  SubmissionRequest next = request();
  next.attempt = 1;
  EXPECT_THAT(run(next), FailsWith(errors::kCredentialRefused));
}

TEST_F(SubmitTest, who_does_not_answer_is_not_ready_where_that_is_waited_for) {
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

TEST_F(SubmitTest, a_machine_that_names_no_calibration_has_one_of_unknown_age) {
  SubmissionRequest careful = request();
  careful.calibration_age_max = milliseconds(1000);
  const auto unknown = run(careful);
  ASSERT_THAT(unknown, Succeeds());
  EXPECT_EQ(unknown->kind, Kind::kNotReady);
  EXPECT_EQ(unknown->error->number, errors::kCalibrationStale);
  EXPECT_EQ(provider_->submissions(), 0);
}

TEST_F(SubmitTest, a_calibration_that_is_older_than_the_plan_allows_is_not_sent_to) {
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
TEST_F(SubmitTest, a_reservation_that_was_found_is_used_only_while_its_backend_price_and_calibration_allow) {
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

TEST_F(SubmitTest, work_that_waits_longer_than_the_plan_allows_is_cancelled_at_the_provider) {
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

TEST_F(SubmitTest, a_provider_that_falls_silent_is_unavailable_and_not_late) {
  provider_->plan.during_submit = [&] { provider_->plan.answers_reads = false; };
  SubmissionRequest silent = request_within(milliseconds(1000));
  silent.queue_wait_max = milliseconds(500);
  EXPECT_EQ(run(silent)->error->number, errors::kBackendUnavailable);
}

TEST_F(SubmitTest, work_that_runs_too_long_is_late_and_not_queued) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.until_done = backend::WorkState::kRunning;
  SubmissionRequest slow = request_within(milliseconds(1000));
  slow.queue_wait_max = milliseconds(500);
  EXPECT_EQ(run(slow)->error->number, errors::kPeerTimeout);
}

TEST_F(SubmitTest, when_the_time_is_over_before_sending_nothing_is_sent) {
  const auto outcome = run(request_within(milliseconds(0)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kCancelled);
  EXPECT_EQ(provider_->submissions(), 0);
  EXPECT_EQ(hold().play_money.free, Money{10'000});
}

TEST_F(SubmitTest, a_stop_leaves_the_record_open_and_the_next_run_finishes_it) {
  std::stop_source stop;
  provider_->plan.during_submit = [&] { stop.request_stop(); };
  EXPECT_THAT(submitter_.run(request(), stop.get_token()), FailsWith(errors::kCancelled));
  EXPECT_EQ(state(), kConfirmed);
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitTest, what_a_refusal_means_is_kept_and_told_to_whoever_comes_back) {
  provider_->plan.on_submit = {OnSubmit::kThrottle};
  provider_->plan.retry_after = std::chrono::seconds(7);
  for (int i = 0; i < 2; ++i) {  // the second one finds the record
    const auto outcome = run(request());
    ASSERT_THAT(outcome, Succeeds());
    EXPECT_EQ(outcome->kind, SubmissionOutcome::Kind::kRefused);
    EXPECT_EQ(outcome->error_class, backend::ErrorClass::kThrottled);
    EXPECT_EQ(outcome->retry_after, std::chrono::seconds(7));
  }
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_EQ(record().document()["error_class"], "throttled");
  EXPECT_EQ(record().document()["retry_after_ms"], 7000);
}

/// A commit that is refused after the wire was used leaves what a crash leaves: an intent, and a provider that has the work.
TEST_F(SubmitTest, after_a_crash_between_wire_and_commit_the_token_finds_the_work) {
  provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
  EXPECT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  EXPECT_EQ(state(), kIntent);
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_THAT(provider_->book(), SizeIs(1));
}

/// The same crash, but the request never left: nothing tells that from the other, so it is held, not sent.
TEST_F(SubmitTest, after_a_crash_before_the_wire_the_work_is_held_not_sent) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
  EXPECT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  EXPECT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitTest, a_worker_with_an_older_fence_is_turned_away_without_touching_the_wire) {
  std::stop_source stop;
  provider_->plan.during_submit = [&] { stop.request_stop(); };
  SubmissionRequest newer = request();
  newer.fence = 2;
  EXPECT_THAT(submitter_.run(newer, stop.get_token()), FailsWith(errors::kCancelled));
  const int submissions = provider_->submissions();
  EXPECT_THAT(run(request()), FailsWith(errors::kStaleFence));
  EXPECT_EQ(provider_->submissions(), submissions);
  EXPECT_EQ(state(), kConfirmed);
}

TEST_F(SubmitTest, an_older_worker_starts_no_new_attempt_once_a_newer_one_has_spent) {
  SubmissionRequest newer = request();
  newer.fence = 2;
  ASSERT_THAT(run(newer), Succeeds());
  SubmissionRequest older = request();
  older.step = "another step";
  EXPECT_THAT(run(older), FailsWith(errors::kStaleFence));
  EXPECT_EQ(provider_->submissions(), 1);
}

// What commits rest on by which a worker decides about an attempt; of each of them: submit_fence.test.cc.

TEST_F(SubmitTest, without_its_premise_an_attempt_is_not_opened) {
  SubmissionRequest mine = request();
  mine.owned = [](store::Batch&) { return fail(errors::kStaleFence, "somebody else has the job"); };
  EXPECT_THAT(run(mine), FailsWith(errors::kStaleFence));
  EXPECT_THAT(submitter_.submissions(job_).value(), IsEmpty());
  EXPECT_THAT(event_types(), IsEmpty());
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_EQ(provider_->submissions(), 0);
}

TEST_F(SubmitTest, without_its_premise_an_attempt_that_is_open_is_not_sent) {
  SubmissionRequest mine = request();
  int asked = 0;
  mine.owned = [&](store::Batch&) -> Result<void> {
    if (++asked > 1) return fail(errors::kStaleFence, "somebody else has the job");
    return {};
  };
  EXPECT_THAT(run(mine), FailsWith(errors::kStaleFence));
  EXPECT_EQ(state(), kReserved);
  EXPECT_EQ(provider_->submissions(), 0);
}

TEST_F(SubmitTest, without_its_premise_nothing_is_sent_again) {
  FakeProvider idempotent(clock_, SubmitSafety::kA);
  idempotent.plan.on_submit = {OnSubmit::kLoseRequest};
  const SubmissionRequest first = request();
  SubmissionRequest mine{.tenant = first.tenant,
                         .job = first.job,
                         .step = first.step,
                         .fence = first.fence,
                         .backend = idempotent,
                         .work = work_};
  int asked = 0;
  mine.owned = [&](store::Batch&) -> Result<void> {
    if (++asked > 2) return fail(errors::kStaleFence, "somebody else has the job");
    return {};
  };
  EXPECT_THAT(run(mine), FailsWith(errors::kStaleFence));
  EXPECT_EQ(state(), kAmbiguous);
  EXPECT_EQ(idempotent.submissions(), 1);
}

TEST_F(SubmitTest, a_process_that_lost_its_lease_since_the_commit_sends_nothing) {
  SubmissionRequest mine = request();
  mine.holds = [&] { return state() != kIntent; };
  EXPECT_THAT(run(mine), FailsWith(errors::kStaleFence));
  EXPECT_EQ(state(), kIntent);
  EXPECT_EQ(provider_->submissions(), 0);
  mine.holds = {};
  EXPECT_EQ(run(mine)->kind, SubmissionOutcome::Kind::kHeld);  // whoever finds it cannot know that
  EXPECT_EQ(provider_->submissions(), 0);
}

/// The row that it rests on changes between the look at it and the commit, four times in all: two changes are none of its business,
/// and are looked at anew; the others take the premise away.
TEST_F(SubmitTest, a_premise_is_checked_in_the_commit_and_made_anew_when_it_was_not_so) {
  const auto change = [&](const Bytes& value) {
    ASSERT_THAT(store_.commit_and_wait(store::Batch().put(store::Table::kMeta, "owner", value)), Succeeds());
  };
  change("mine");
  SubmissionRequest mine = request();
  int asked = 0;
  mine.owned = [&](store::Batch& batch) -> Result<void> {
    const auto row = store_.get(store::Table::kMeta, "owner").value();
    if (row->value != "mine") return fail(errors::kStaleFence, "somebody else has the job");
    batch.check(store::Table::kMeta, "owner", store::Expect::at(row->version));
    if (++asked == 1) change("mine");  // the opening
    if (asked == 3) change("mine");  // the intent
    if (asked == 4) change("another's");
    return {};
  };
  EXPECT_THAT(run(mine), FailsWith(errors::kStaleFence));
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(state(), kReserved);
  EXPECT_EQ(provider_->submissions(), 0);
}

/// Worker 1 hangs on the wire; worker 2, in another process, takes the job over meanwhile and finishes it. Worker 1 then
/// comes back with an answer that nobody may use any more.
TEST_F(SubmitTest, a_worker_that_lost_the_attempt_while_on_the_wire_writes_nothing) {
  Submitter other_process(services_, options_);
  Result<SubmissionOutcome> taken = fail(errors::kInternal, "not run");
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  provider_->plan.during_submit = [&] {
    provider_->plan.during_submit = nullptr;
    SubmissionRequest newer = request();
    newer.fence = 2;
    taken = other_process.run(newer, {});
  };
  EXPECT_THAT(run(request()), FailsWith(errors::kStaleFence));
  ASSERT_THAT(taken, Succeeds());
  EXPECT_EQ(taken->kind, Kind::kHeld);  // it looked, found nothing in the window, and let go
  EXPECT_EQ(record().fence, 2u);
  EXPECT_EQ(state(), kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_THAT(provider_->book(), SizeIs(1));  // found by the reconciler later: an orphan, not a second bill
}

TEST_F(SubmitTest, two_runs_of_one_attempt_send_it_once) {
  Result<SubmissionOutcome> second = fail(errors::kInternal, "not run");
  ThreadExecutor threads(1);
  std::unique_ptr<Timer> loop;
  provider_->plan.during_submit = [&] {
    loop = threads.start_loop("second", [&](std::stop_token) { second = run(request()); });
  };
  const auto first = run(request());
  loop.reset();  // joins
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(second, Succeeds());
  EXPECT_EQ(first->raw.bytes, second->raw.bytes);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitTest, another_attempt_of_the_step_waits_until_the_first_has_ended) {
  std::stop_source stop;
  provider_->plan.during_submit = [&] { stop.request_stop(); };
  EXPECT_THAT(submitter_.run(request(), stop.get_token()), FailsWith(errors::kCancelled));
  SubmissionRequest second = request();
  second.attempt = 1;
  EXPECT_THAT(run(second), FailsWith(errors::kIllegalTransition));
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_EQ(run(second)->kind, Kind::kResult);
  EXPECT_THAT(provider_->book(), SizeIs(2));
}

TEST_F(SubmitTest, a_token_never_stands_for_other_work) {
  ASSERT_THAT(run(request()), Succeeds());
  std::get<backend::ProgramWork>(work_).pubs[0].shots = 11;
  EXPECT_THAT(run(request()), FailsWith(errors::kValueOutOfRange));
}

TEST_F(SubmitTest, stored_bytes_that_were_altered_are_reported_as_damage) {
  ASSERT_THAT(run(request()), Succeeds());
  store::Batch batch;
  batch.put(store::Table::kBlob, sha256("result").hex(), "resulT");
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  EXPECT_THAT(run(request()), FailsWith(errors::kStoreDamaged));
}

TEST_F(SubmitTest, every_state_has_its_event_in_the_catalogue) {
  std::set<std::string> types;
  for (const job::EventRecord& entry : job::event_catalogue()) types.emplace(entry.type);
  for (std::size_t s = 0; s < kNumSubmissionStates; ++s)
    EXPECT_TRUE(types.contains(fmt::format("submission.{}", to_string(static_cast<SubmissionState>(s)))));
  ASSERT_THAT(run(request()), Succeeds());
  ASSERT_THAT(events(), SizeIs(5));
}

TEST_F(SubmitTest, what_the_ledger_writes_is_published_with_its_place_in_the_log) {
  std::vector<std::pair<std::uint64_t, Bytes>> heard;
  submitter_.publish_to([&](const job::Event& event) { heard.emplace_back(event.sequence, event.stored()); });
  ASSERT_THAT(run(request()), Succeeds());
  std::vector<std::pair<std::uint64_t, Bytes>> logged;
  const auto log = store_.read_log(0, 1000, job_.value);
  for (const store::LogEntry& entry : log.value()) logged.emplace_back(entry.sequence, entry.value);
  EXPECT_EQ(heard, logged);
  submitter_.publish_to(nullptr);
  auto second = request();
  second.attempt = 1;
  ASSERT_THAT(run(second), Succeeds());
  EXPECT_EQ(heard.size(), logged.size());
}

class SubmitClassA : public SubmitFixture {
 protected:
  SubmitClassA() : SubmitFixture(SubmitSafety::kA) {}
};

TEST_F(SubmitClassA, a_lost_request_is_sent_again_with_the_same_token_and_billed_once) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest, OnSubmit::kLoseRequest};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 3);
  EXPECT_EQ(record().sends, 3u);
  EXPECT_THAT(provider_->book(), ElementsAre(token()));
  const auto log = store_.read_log(0, 1000, job_.value).value();
  for (const store::LogEntry& entry : log) {
    const Json event = Json::parse(entry.value);
    if (event["type"] == "submission.ambiguous") {
      EXPECT_NE(event["data"]["reason"], "") << "in doubt for a reason";
    }
  }
}

/// What is sent again late in the window has a whole one to appear.
TEST_F(SubmitClassA, what_was_sent_last_is_looked_for_through_a_whole_window) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest, OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1900);
  provider_->plan.during_submit = [&] {
    if (provider_->submissions() == 1) clock_.advance(options_.settle_window);  // nothing more is sent after it
  };
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 2);
  EXPECT_THAT(provider_->book(), ElementsAre(token()));
}

/// Its process ends before it has an answer to what it sent again.
TEST_F(SubmitClassA, what_was_sent_again_before_a_crash_is_looked_for_through_a_window_from_when_it_is_found) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest, OnSubmit::kLoseRequest};
  provider_->plan.during_submit = [&] {
    if (provider_->submissions() == 0) return;
    clock_.advance(options_.settle_window);
    store_.fail_commits(1, 1, make_error(errors::kIoError, "crash"));
  };
  ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  EXPECT_EQ(record().doubt_at, std::nullopt);
  clock_.advance(options_.settle_window);
  const Instant begin = clock_.monotonic();
  EXPECT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_GE(clock_.monotonic() - begin, options_.settle_window);
  EXPECT_EQ(provider_->submissions(), 2);
}

/// Nobody knows how long a provider recognises a token, so what was meant to go out long ago is only looked for.
TEST_F(SubmitClassA, an_intent_that_is_found_late_is_not_sent_again_and_looked_for_through_a_whole_window) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
  ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  clock_.advance(options_.settle_window);
  const Instant begin = clock_.monotonic();
  EXPECT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_GE(clock_.monotonic() - begin, options_.settle_window);
  EXPECT_EQ(provider_->submissions(), 1);
}

/// Its approval is void since: nothing more is sent, and what may still appear is looked for as long as of any other class.
TEST_F(SubmitClassA, work_whose_approval_is_void_by_then_is_not_sent_again_and_found_when_it_appears) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1500);
  SubmissionRequest paid = request();
  paid.payable = [&](store::Batch&) -> Result<void> {
    if (provider_->submissions() == 0) return {};
    return fail(errors::kPriceNotApproved, "the approval is void");
  };
  const auto outcome = run(paid);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_GT(provider_->lookups(), 10);
}

TEST_F(SubmitClassA, work_whose_approval_is_void_by_then_and_that_never_appears_is_held) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  SubmissionRequest paid = request();
  paid.payable = [&](store::Batch&) -> Result<void> {
    if (provider_->submissions() == 0) return {};
    return fail(errors::kPriceNotApproved, "the approval is void");
  };
  const Instant begin = clock_.monotonic();
  const auto outcome = run(paid);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_GE(clock_.monotonic() - begin, options_.settle_window);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

class SubmitClassD : public SubmitFixture {
 protected:
  SubmitClassD() : SubmitFixture(SubmitSafety::kD) {}
};

TEST_F(SubmitClassD, doubt_goes_straight_to_a_person) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_EQ(provider_->lookups(), 0);
  EXPECT_THAT(record().reason, HasSubstr("a person has to look there"));
}

/// The vendor billed it: a handle is not given to other work because our record of it went.
TEST_F(SubmitClassD, a_handle_stays_taken_when_its_submission_is_forgotten) {
  ASSERT_EQ(run(request())->kind, Kind::kResult);  // "work-1"
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  const JobId later("job_01900000-0000-7000-8000-000000000002");
  admit(later, Money{10'000});
  SubmissionRequest lost = request();
  lost.job = later;
  const auto held = run(lost);
  ASSERT_EQ(held->kind, Kind::kHeld);
  store::Batch batch;
  std::vector<std::string> blobs;
  ASSERT_THAT(submitter_.forget(batch, job_, blobs), Succeeds());
  EXPECT_EQ(batch.operations.size(), kRowsOfSubmission);
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  EXPECT_THAT(submitter_.submissions(job_).value(), IsEmpty());
  Reconciler reconciler(submitter_, backends_);
  EXPECT_THAT(reconciler.adopt(held->token, {.actor = "user:ann", .reason = "seen there"}, "work-1", {}),
              FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(submitter_.find(held->token)->handle, "");
}

}  // namespace
}  // namespace tandem::submit
