// A worker that lost its job: what it decides about an attempt is refused, what the provider told it is kept, and no bill is lost or
// posted twice. Each way is cut at the moment named; whoever has the job by then is not there yet.
#include "tandem/orchestrate/submit/submit.h"
#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using job::Money;
using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::SizeIs;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class SubmitFence : public SubmitFixture {
 protected:
  explicit SubmitFence(SubmitSafety safety = SubmitSafety::kB) : SubmitFixture(safety) {}

  SubmissionRequest mine(Deadline deadline = Deadline::never()) {
    SubmissionRequest out = request(deadline);
    out.owned = [this](store::Batch&) -> Result<void> {
      if (owns_) return {};
      return fail(errors::kStaleFence, "somebody else has the job");
    };
    return out;
  }
  SubmissionRequest mine_within(milliseconds time) { return mine(Deadline::after(clock_, time)); }
  void lose() { owns_ = false; }
  /// What the next worker makes of it.
  Result<SubmissionOutcome> heir() {
    SubmissionRequest next = request();
    next.fence = 2;
    return run(next);
  }
  /// Expects that the worker was turned away with its record as it was before the decision.
  void expect_turned_away(const SubmissionRequest& request, SubmissionState left_as) {
    EXPECT_THAT(run(request), FailsWith(errors::kStaleFence));
    EXPECT_EQ(state(), left_as);
  }

  bool owns_ = true;
};

// Decisions

TEST_F(SubmitFence, it_does_not_take_over_an_attempt) {
  SubmissionRequest first = request();
  first.holds = [] { return false; };
  ASSERT_THAT(run(first), FailsWith(errors::kStaleFence));
  SubmissionRequest next = mine();
  next.fence = 2;
  lose();
  expect_turned_away(next, kIntent);
  EXPECT_EQ(record().fence, 1u);
  EXPECT_THAT(event_types(), ElementsAre("submission.reserved", "submission.intent"));
}

TEST_F(SubmitFence, it_gives_no_reservation_back) {
  SubmissionRequest first = mine();
  first.payable = [&](store::Batch&) -> Result<void> {  // to be opened, not to be sent
    if (submitter_.submissions(job_)->empty()) return {};
    return fail(errors::kStaleFence, "stopped here");
  };
  ASSERT_THAT(run(first), FailsWith(errors::kStaleFence));
  ASSERT_EQ(state(), kReserved);
  lose();
  expect_turned_away(mine_within(milliseconds(0)), kReserved);  // its time is over
  provider_->plan.accepts_work = false;
  expect_turned_away(mine(), kReserved);  // its backend is not ready
  provider_->plan.accepts_work = true;
  SubmissionRequest unapproved = mine();
  unapproved.payable = [](store::Batch&) { return fail(errors::kPriceNotApproved, "the approval is void"); };
  expect_turned_away(unapproved, kReserved);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
  owns_ = true;
  EXPECT_EQ(run(mine_within(milliseconds(0)))->kind, Kind::kCancelled);
  EXPECT_EQ(hold().play_money.free, Money{10'000});
}

TEST_F(SubmitFence, it_does_not_put_an_intent_that_it_finds_in_doubt) {
  SubmissionRequest first = request();
  first.holds = [] { return false; };
  ASSERT_THAT(run(first), FailsWith(errors::kStaleFence));
  lose();
  expect_turned_away(mine(), kIntent);
}

TEST_F(SubmitFence, it_does_not_give_up_what_is_lost) {
  provider_->plan.on_submit = {OnSubmit::kLoseRequest};
  provider_->plan.during_lookup = [&](const std::stop_token&) { lose(); };
  expect_turned_away(mine(), kAmbiguous);
}

TEST_F(SubmitFence, it_does_not_give_up_what_takes_too_long) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill.reset();
  provider_->plan.during_poll = [&] { lose(); };
  expect_turned_away(mine_within(milliseconds(500)), kConfirmed);
}

TEST_F(SubmitFence, it_does_not_hold_what_failed_without_a_bill) {
  provider_->plan.end = backend::WorkState::kFailed;
  provider_->plan.bill.reset();
  provider_->plan.during_poll = [&] { lose(); };
  expect_turned_away(mine(), kConfirmed);
  EXPECT_EQ(heir()->kind, Kind::kHeld);
}

TEST_F(SubmitFence, it_does_not_settle_and_the_next_worker_does_once) {
  provider_->plan.during_decode = [&](const backend::RawResult&) { lose(); };
  expect_turned_away(mine(), kTerminal);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
  EXPECT_EQ(heir()->kind, Kind::kResult);
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_THAT(provider_->book(), SizeIs(1));
  EXPECT_THAT(event_types(), Contains("submission.settled").Times(1));
}

TEST_F(SubmitFence, it_does_not_call_a_result_unreadable) {
  provider_->plan.garbage_fetches = 1'000;
  int decoded = 0;
  provider_->plan.during_decode = [&](const backend::RawResult&) {
    if (++decoded == 3) lose();
  };
  expect_turned_away(mine_within(milliseconds(500)), kTerminal);
  provider_->plan.garbage_fetches = 0;
  EXPECT_EQ(heir()->kind, Kind::kResult);
}

/// Another worker may be waiting for the work.
TEST_F(SubmitFence, it_asks_the_provider_for_no_cancel_once_its_lease_is_over_or_it_was_told_to_stop) {
  provider_->plan.polls_until_done = 1'000'000;
  SubmissionRequest slow = request_within(milliseconds(500));
  slow.holds = [&] { return state() != kConfirmed; };
  expect_turned_away(slow, kConfirmed);
  std::stop_source stop;
  provider_->plan.during_poll = [&] { stop.request_stop(); };
  EXPECT_THAT(submitter_.run(request_within(milliseconds(0)), stop.get_token()), FailsWith(errors::kCancelled));
  EXPECT_EQ(provider_->cancels(), 0);
  provider_->plan.during_poll = nullptr;
  EXPECT_EQ(run(request_within(milliseconds(0)))->kind, Kind::kCancelled);
  EXPECT_EQ(provider_->cancels(), 1);
}

// What the provider told

TEST_F(SubmitFence, that_the_provider_has_the_work_and_its_result_and_bill_are_kept) {
  provider_->plan.during_submit = [&] { lose(); };
  expect_turned_away(mine(), kTerminal);
  EXPECT_EQ(record().billed, Money{700});
  EXPECT_THAT(event_types(),
              ElementsAre("submission.reserved", "submission.intent", "submission.confirmed", "submission.terminal"));
  provider_->lose_book();  // it need not be asked for any of that again
  EXPECT_EQ(heir()->raw.bytes, "result");
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitFence, that_it_was_refused_is_kept_and_frees_the_money) {
  provider_->plan.on_submit = {OnSubmit::kRefuse};
  provider_->plan.during_submit = [&] { lose(); };
  EXPECT_EQ(run(mine())->kind, Kind::kRefused);
  EXPECT_EQ(hold().play_money.free, Money{10'000});
  EXPECT_EQ(heir()->kind, Kind::kRefused);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitFence, that_no_clear_answer_came_is_kept) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  provider_->plan.during_submit = [&] { lose(); };
  provider_->plan.answers_reads = false;
  expect_turned_away(mine_within(milliseconds(500)), kAmbiguous);
  provider_->plan.answers_reads = true;
  EXPECT_EQ(heir()->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(SubmitFence, the_bill_of_failed_work_is_kept) {
  provider_->plan.end = backend::WorkState::kFailed;
  provider_->plan.bill = Money{300};
  provider_->plan.during_poll = [&] { lose(); };
  EXPECT_EQ(run(mine())->kind, Kind::kFailed);
  EXPECT_EQ(hold().play_money.settled, Money{300});
  EXPECT_EQ(heir()->billed, Money{300});
  EXPECT_EQ(hold().play_money.settled, Money{300});
}

/// The next worker was there first: its word stands, and the bill is found where it was given up.
TEST_F(SubmitFence, what_comes_after_the_next_worker_has_the_attempt_is_refused_and_its_bill_is_posted_once) {
  Submitter other_process(services_, options_);
  Result<SubmissionOutcome> taken = fail(errors::kInternal, "not run");
  provider_->plan.during_submit = [&] {
    provider_->plan.during_submit = nullptr;
    lose();
    SubmissionRequest next = request();
    next.fence = 2;
    taken = other_process.run(next, {});
  };
  expect_turned_away(mine(), kHeld);
  ASSERT_THAT(taken, Succeeds());
  EXPECT_EQ(taken->kind, Kind::kHeld);
  EXPECT_THAT(event_types(), Not(Contains("submission.confirmed")));
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
  for (int i = 0; i < 3; ++i) ASSERT_THAT(sweep(), Succeeds());
  EXPECT_EQ(state(), kOrphan);
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_THAT(provider_->book(), SizeIs(1));
}

}  // namespace
}  // namespace tandem::submit
