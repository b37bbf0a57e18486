#include "tandem/orchestrate/submit/submit.h"

#include <set>

#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {
namespace {

using job::Money;
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

}  // namespace
}  // namespace tandem::submit
