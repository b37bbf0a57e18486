// Whose attempt it is, and what a send rests on.
#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using job::Money;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class SubmitOwner : public SubmitFixture {};

TEST_F(SubmitOwner, a_worker_with_an_older_fence_is_turned_away_without_touching_the_wire) {
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

TEST_F(SubmitOwner, an_older_worker_starts_no_new_attempt_once_a_newer_one_has_spent) {
  SubmissionRequest newer = request();
  newer.fence = 2;
  ASSERT_THAT(run(newer), Succeeds());
  SubmissionRequest older = request();
  older.step = "another step";
  EXPECT_THAT(run(older), FailsWith(errors::kStaleFence));
  EXPECT_EQ(provider_->submissions(), 1);
}

// What commits rest on by which a worker decides about an attempt; of each of them: submit_fence.test.cc.

TEST_F(SubmitOwner, without_its_premise_an_attempt_is_not_opened) {
  SubmissionRequest mine = request();
  mine.owned = [](store::Batch&) { return fail(errors::kStaleFence, "somebody else has the job"); };
  EXPECT_THAT(run(mine), FailsWith(errors::kStaleFence));
  EXPECT_THAT(submitter_.submissions(job_).value(), IsEmpty());
  EXPECT_THAT(event_types(), IsEmpty());
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_EQ(provider_->submissions(), 0);
}

TEST_F(SubmitOwner, without_its_premise_an_attempt_that_is_open_is_not_sent) {
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

TEST_F(SubmitOwner, without_its_premise_nothing_is_sent_again) {
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

TEST_F(SubmitOwner, a_process_that_lost_its_lease_since_the_commit_sends_nothing) {
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
TEST_F(SubmitOwner, a_premise_is_checked_in_the_commit_and_made_anew_when_it_was_not_so) {
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
TEST_F(SubmitOwner, a_worker_that_lost_the_attempt_while_on_the_wire_writes_nothing) {
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

TEST_F(SubmitOwner, two_runs_of_one_attempt_send_it_once) {
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

TEST_F(SubmitOwner, another_attempt_of_the_step_waits_until_the_first_has_ended) {
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

TEST_F(SubmitOwner, a_token_never_stands_for_other_work) {
  ASSERT_THAT(run(request()), Succeeds());
  std::get<backend::ProgramWork>(work_).pubs[0].shots = 11;
  EXPECT_THAT(run(request()), FailsWith(errors::kValueOutOfRange));
}

}  // namespace
}  // namespace tandem::submit
