#include "tandem/orchestrate/submit/reconcile.h"

#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using job::Money;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class ReconcileTest : public SubmitFixture {
 protected:
  using SubmitFixture::SubmitFixture;
  /// Leaves the attempt as a crash after the wire leaves it.
  void crash_after_wire(OnSubmit fate) {
    provider_->plan.on_submit = {fate};
    provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
    ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
    provider_->plan.during_submit = nullptr;
    ASSERT_EQ(state(), kIntent);
  }
  /// Leaves the attempt confirmed, as a drain leaves it.
  void stop_when_confirmed() {
    std::stop_source stop;
    provider_->plan.during_submit = [&] { stop.request_stop(); };
    ASSERT_THAT(submitter_.run(request(), stop.get_token()), FailsWith(errors::kCancelled));
    provider_->plan.during_submit = nullptr;
    ASSERT_EQ(state(), kConfirmed);
  }
};

TEST_F(ReconcileTest, an_empty_ledger_is_swept_in_peace) {
  const auto report = sweep();
  ASSERT_THAT(report, Succeeds());
  EXPECT_EQ(report->open, 0u);
}

TEST_F(ReconcileTest, what_is_settled_is_not_looked_at_again) {
  ASSERT_THAT(run(request()), Succeeds());
  EXPECT_EQ(sweep()->open, 0u);
}

TEST_F(ReconcileTest, an_intent_left_by_a_crash_is_confirmed_and_the_job_goes_on_with_it) {
  crash_after_wire(OnSubmit::kAccept);
  EXPECT_EQ(sweep()->confirmed, 1u);
  EXPECT_EQ(state(), kConfirmed);
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(ReconcileTest, an_intent_that_the_provider_does_not_know_waits_for_the_window_and_is_then_held) {
  crash_after_wire(OnSubmit::kLoseRequest);
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(state(), kAmbiguous);
  clock_.advance(milliseconds(2000));
  EXPECT_EQ(sweep()->held, 1u);
  EXPECT_EQ(state(), kHeld);
  EXPECT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(ReconcileTest, what_was_seen_before_the_window_ended_is_no_proof) {
  crash_after_wire(OnSubmit::kLoseRequest);
  EXPECT_EQ(sweep()->waiting, 1u);
  clock_.advance(milliseconds(1999));
  provider_->plan.not_seen_since = clock_.monotonic();
  clock_.advance(milliseconds(60'000));
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(state(), kAmbiguous);
  provider_->plan.not_seen_since = *provider_->plan.not_seen_since + milliseconds(1);
  EXPECT_EQ(sweep()->held, 1u);
  EXPECT_EQ(state(), kHeld);
}

TEST_F(ReconcileTest, a_machine_that_sleeps_while_it_asks_has_not_seen_the_end_of_the_window) {
  crash_after_wire(OnSubmit::kLoseRequest);
  EXPECT_EQ(sweep()->waiting, 1u);
  provider_->plan.during_lookup = [&](const std::stop_token&) { clock_.advance(milliseconds(60'000)); };
  EXPECT_EQ(sweep()->waiting, 1u);
  provider_->plan.during_lookup = nullptr;
  EXPECT_EQ(sweep()->held, 1u);
}

/// The intent took most of the window to be written, and what was sent then takes most of one to appear.
TEST_F(ReconcileTest, the_settle_window_counts_from_the_doubt_and_not_from_the_intent) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(1900);
  provider_->plan.during_submit = [&] {
    clock_.advance(milliseconds(1500));
    store_.fail_commits(1, 1, make_error(errors::kIoError, "crash"));
  };
  ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
  provider_->plan.during_submit = nullptr;
  EXPECT_EQ(sweep()->waiting, 1u);
  const Timestamp doubt_at = clock_.now();
  EXPECT_EQ(record().doubt_at, doubt_at);
  clock_.advance(milliseconds(1800));
  EXPECT_EQ(sweep()->waiting, 1u);
  clock_.advance(milliseconds(100));
  EXPECT_EQ(sweep()->confirmed, 1u);
  EXPECT_EQ(record().doubt_at, doubt_at);
  EXPECT_THAT(provider_->book(), SizeIs(1));
}

/// As an earlier version wrote it: the window counts once from when it is found, not from each change of the record.
TEST_F(ReconcileTest, a_record_that_does_not_say_when_its_doubt_began_is_put_in_doubt_when_it_is_found) {
  crash_after_wire(OnSubmit::kLoseRequest);
  EXPECT_EQ(sweep()->waiting, 1u);
  Json document = record().document();
  ASSERT_EQ(document.erase("doubt_at"), 1u);
  store::Batch batch;
  batch.put(store::Table::kSubmission, token(), document.dump());
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  clock_.advance(milliseconds(500));
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(record().doubt_at, clock_.now());
  clock_.advance(milliseconds(1000));
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_THAT(submitter_.run(request(), stopped.get_token()), FailsWith(errors::kCancelled));  // takes it over
  clock_.advance(milliseconds(999));
  EXPECT_EQ(sweep()->waiting, 1u);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(sweep()->held, 1u);
}

TEST_F(ReconcileTest, work_found_after_the_step_moved_on_becomes_a_billed_orphan_of_the_job) {
  provider_->plan.on_submit = {OnSubmit::kAcceptLate};
  provider_->plan.late = milliseconds(60'000);
  ASSERT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_EQ(sweep()->waiting, 1u);
  end_job(job_);
  clock_.advance(milliseconds(60'000));
  EXPECT_EQ(sweep()->orphaned, 1u);

  EXPECT_EQ(state(), kOrphan);
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_EQ(hold().play_money.released, Money{9300});
  EXPECT_EQ(store_.get(store::Table::kBlob, record().raw_sha256).value()->value, "result");
  const job::Event last = events().back();
  EXPECT_EQ(last.type, "submission.orphan");
  EXPECT_EQ(last.actor, "reconciler");
  EXPECT_EQ(last.data.value()["billed_usd_micros"], 700);
  EXPECT_EQ(sweep()->open, 0u);
  EXPECT_THAT(provider_->book(), SizeIs(1));
}

TEST_F(ReconcileTest, intents_of_jobs_that_ended_are_resolved_as_well) {
  crash_after_wire(OnSubmit::kAccept);
  end_job(job_);
  EXPECT_EQ(sweep()->orphaned, 1u);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(ReconcileTest, queued_work_of_a_job_that_ended_is_cancelled_at_the_provider) {
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill = Money{50};
  stop_when_confirmed();
  end_job(job_);
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_EQ(sweep()->finished, 1u);
  EXPECT_EQ(state(), kCancelled);
  EXPECT_EQ(hold().play_money.settled, Money{50});
}

TEST_F(ReconcileTest, confirmed_work_of_a_living_job_is_left_to_its_run) {
  stop_when_confirmed();
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(state(), kConfirmed);
}

TEST_F(ReconcileTest, an_attempt_that_is_being_run_is_left_alone) {
  Result<SweepReport> meanwhile = fail(errors::kInternal, "not swept");
  provider_->plan.during_submit = [&] { meanwhile = sweep(); };
  ASSERT_THAT(run(request()), Succeeds());
  ASSERT_THAT(meanwhile, Succeeds());
  EXPECT_EQ(meanwhile->busy, 1u);
}

TEST_F(ReconcileTest, money_reserved_by_a_job_that_ended_before_sending_comes_back) {
  provider_->plan.during_submit = [] { FAIL() << "nothing may be sent"; };
  store_.fail_commits(2, 1, make_error(errors::kIoError, "crash"));  // the reservation commits, the intent does not
  ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
  ASSERT_EQ(state(), kReserved);
  EXPECT_EQ(sweep()->waiting, 1u);
  end_job(job_);
  EXPECT_EQ(sweep()->finished, 1u);
  EXPECT_EQ(state(), kCancelled);
  EXPECT_EQ(hold().play_money.released, Money{10'000});
}

TEST_F(ReconcileTest, a_bill_is_posted_even_when_the_result_is_gone) {
  provider_->plan.result_missing = true;
  ASSERT_EQ(run(request_within(milliseconds(500)))->kind, Kind::kHeld);
  EXPECT_EQ(sweep()->orphaned, 1u);
  EXPECT_THAT(record().raw_sha256, IsEmpty());
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(ReconcileTest, a_provider_that_does_not_answer_is_asked_again_later) {
  crash_after_wire(OnSubmit::kAccept);
  provider_->plan.answers_reads = false;
  clock_.advance(milliseconds(10'000));
  EXPECT_EQ(sweep()->failed, 1u);
  EXPECT_EQ(state(), kAmbiguous);  // no answer is not the answer "not found"
  provider_->plan.answers_reads = true;
  EXPECT_EQ(sweep()->confirmed, 1u);
}

TEST_F(ReconcileTest, a_handle_that_the_provider_gave_to_somebody_else_costs_us_nothing_and_cancels_nothing) {
  stop_when_confirmed();
  provider_->lose_book();
  end_job(job_);
  for (const int polls_until_done : {1'000'000, 1}) {  // the other work runs, then it is done
    SCOPED_TRACE(polls_until_done);
    provider_->plan.polls_until_done = polls_until_done;
    EXPECT_EQ(sweep()->failed, 1u);
    EXPECT_EQ(state(), kHeld);
    EXPECT_EQ(provider_->cancels(), 0);
    EXPECT_EQ(hold().play_money.settled, Money{0});
    EXPECT_THAT(record().raw_sha256, IsEmpty());
  }
}

TEST_F(ReconcileTest, a_submission_of_an_unknown_backend_is_counted_and_kept) {
  crash_after_wire(OnSubmit::kAccept);
  const backend::BackendRegistry none;
  EXPECT_EQ(Reconciler(submitter_, none).sweep({})->failed, 1u);
  EXPECT_EQ(state(), kIntent);
}

TEST_F(ReconcileTest, what_is_wrong_with_one_submission_holds_up_no_other) {
  const JobId other{"job_01900000-0000-7000-8000-000000000002"};
  admit(other, Money{10'000});
  std::stop_source stop;
  provider_->plan.during_submit = [&] { stop.request_stop(); };
  SubmissionRequest second = request();
  second.job = other;
  ASSERT_THAT(submitter_.run(second, stop.get_token()), FailsWith(errors::kCancelled));
  store::Batch batch;
  batch.put(store::Table::kBudget, "hold/" + other.value, "{}");
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  crash_after_wire(OnSubmit::kAccept);
  const auto report = sweep();
  ASSERT_THAT(report, Succeeds());
  EXPECT_EQ(report->failed, 1u);
  EXPECT_EQ(report->confirmed, 1u);
  // Nor does a bill that cannot be: what it is of stays open, and the sweep ends.
  end_job(job_);
  provider_->plan.bill = budget::kAmountMax + Money{1};
  EXPECT_EQ(sweep()->failed, 2u);
  provider_->plan.bill = Money{700};
  EXPECT_EQ(sweep()->orphaned, 1u);
}

TEST_F(ReconcileTest, a_crash_in_the_middle_of_a_sweep_is_repaired_by_the_next) {
  crash_after_wire(OnSubmit::kAccept);
  end_job(job_);
  // doubt, confirm, abandon, discover: let each commit of the sweep be the last one.
  for (std::uint64_t commit = 1; commit <= 4; ++commit) {
    store_.fail_commits(2, 1, make_error(errors::kIoError, "crash"));
    const auto swept = sweep();
    if (swept) break;
    ASSERT_THAT(swept, FailsWith(errors::kIoError));
  }
  store_.fail_commits(1, 0, make_error(errors::kIoError, "no more"));
  ASSERT_THAT(sweep(), Succeeds());
  EXPECT_EQ(state(), kOrphan);
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(ReconcileTest, sweeps_run_on_their_own_until_the_handle_goes) {
  crash_after_wire(OnSubmit::kAccept);
  ThreadExecutor threads(1);
  Reconciler reconciler(submitter_, backends_);
  auto sweeping = reconciler.start(threads, milliseconds(1));
  while (state() != kConfirmed) std::this_thread::yield();
  sweeping.reset();
  EXPECT_GE(provider_->lookups(), 1);
}

class ReconcileClassA : public ReconcileTest {
 protected:
  ReconcileClassA() : ReconcileTest(SubmitSafety::kA) {}
};

TEST_F(ReconcileClassA, the_reconciler_leaves_resending_to_the_run) {
  crash_after_wire(OnSubmit::kLoseRequest);
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_EQ(provider_->submissions(), 2);
  EXPECT_THAT(provider_->book(), SizeIs(1));
}

class ReconcileClassD : public ReconcileTest {
 protected:
  ReconcileClassD() : ReconcileTest(SubmitSafety::kD) {}
};

TEST_F(ReconcileClassD, an_opaque_provider_is_never_asked_and_its_money_stays_reserved) {
  crash_after_wire(OnSubmit::kAccept);
  EXPECT_EQ(sweep()->held, 1u);
  EXPECT_EQ(sweep()->waiting, 1u);
  EXPECT_EQ(provider_->lookups(), 0);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
  EXPECT_THAT(record().reason, HasSubstr("a person"));
}

}  // namespace
}  // namespace tandem::submit
