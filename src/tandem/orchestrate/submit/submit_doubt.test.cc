// What becomes of work when nobody knows whether the provider has it.
#include "tandem/orchestrate/submit/reconcile.h"
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

class SubmitDoubt : public SubmitFixture {};

TEST_F(SubmitDoubt, a_lost_reply_is_found_by_its_token_and_not_sent_again) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_THAT(provider_->book(), SizeIs(1));
  EXPECT_THAT(event_types(), ElementsAre("submission.reserved", "submission.intent", "submission.ambiguous",
                                         "submission.confirmed", "submission.terminal", "submission.settled"));
}

TEST_F(SubmitDoubt, work_that_appears_within_the_settle_window_is_adopted) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1500);
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitDoubt, a_lost_request_is_held_with_its_money_and_never_sent_again) {
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

TEST_F(SubmitDoubt, the_settle_window_is_waited_for_in_full) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  const Instant before = clock_.monotonic();
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_GE(clock_.monotonic() - before, options_.settle_window);
  EXPECT_LE(clock_.monotonic() - before, options_.settle_window + 2 * options_.lookup_interval);
  EXPECT_GE(provider_->lookups(), 40);
}

TEST_F(SubmitDoubt, the_steps_deadline_ends_the_search_but_not_the_doubt) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1500);
  const auto outcome = run(request_within(milliseconds(500)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

TEST_F(SubmitDoubt, an_unreachable_provider_leaves_the_submission_held_with_that_reason) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  provider_->plan.answers_reads = false;
  const auto outcome = run(request_within(milliseconds(5000)));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_THAT(record().reason, HasSubstr("could not be asked"));
}

/// A commit that is refused after the wire was used leaves what a crash leaves: an intent, and a provider that has the work.
TEST_F(SubmitDoubt, after_a_crash_between_wire_and_commit_the_token_finds_the_work) {
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
TEST_F(SubmitDoubt, after_a_crash_before_the_wire_the_work_is_held_not_sent) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
  EXPECT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  EXPECT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
}

class SubmitClassA : public SubmitFixture {
 protected:
  SubmitClassA() : SubmitFixture(SubmitSafety::kA) {}

  void expect_held_after_a_whole_window_that_begins_late() {
    clock_.advance(options_.settle_window);
    const Instant begin = clock_.monotonic();
    EXPECT_EQ(run(request())->kind, Kind::kHeld);
    EXPECT_GE(clock_.monotonic() - begin, options_.settle_window);
  }
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
  expect_held_after_a_whole_window_that_begins_late();
  EXPECT_EQ(provider_->submissions(), 2);
}

/// Nobody knows how long a provider recognises a token, so what was meant to go out long ago is only looked for.
TEST_F(SubmitClassA, an_intent_that_is_found_late_is_not_sent_again_and_looked_for_through_a_whole_window) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
  ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  expect_held_after_a_whole_window_that_begins_late();
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
