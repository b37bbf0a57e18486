// What a person says of work that no answer of a provider resolves.
#include <algorithm>
#include <map>

#include "tandem/base/rng.h"
#include "tandem/orchestrate/submit/testing/word_fixture.h"

namespace tandem::submit {
namespace {

using job::Money;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class WordTest : public WordFixture {};

TEST_F(WordTest, held_work_that_was_not_billed_gives_its_money_back_and_names_the_person) {
  lose_request();
  const auto released = release();
  ASSERT_THAT(released, Succeeds());
  EXPECT_EQ(released->state, kReleased);
  EXPECT_EQ(released->billed, Money{0});
  EXPECT_TRUE(released->has_bill);
  EXPECT_EQ(*released, record());
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_EQ(hold().play_money.settled, Money{0});
  EXPECT_EQ(hold().play_money.free, Money{10'000});
  const job::Event last = events().back();
  EXPECT_EQ(last.type, "submission.released");
  EXPECT_EQ(last.actor, "user:ann");
  EXPECT_EQ(last.data.value()["reason"], "released as not billed: ticket 7");
  EXPECT_EQ(record().said_by, "user:ann");
  EXPECT_EQ(record().said, "not billed: ticket 7");
  EXPECT_EQ(sweep()->open, 0u);
}

TEST_F(WordTest, what_was_billed_is_posted_and_charged_and_a_bill_above_the_reservation_stops_the_job) {
  lose_request();
  ASSERT_THAT(release(Money{11'500}), Succeeds());
  EXPECT_EQ(record().billed, Money{11'500});
  EXPECT_EQ(hold().play_money.settled, Money{11'500});
  EXPECT_EQ(hold().play_money.overrun, Money{1'500});
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_TRUE(hold().stopped);
  const auto charges = store_.scan(store::Scan::prefix(store::Table::kBudget, "usage/")).value();
  ASSERT_THAT(charges, SizeIs(1));
  EXPECT_THAT(charges[0].value, HasSubstr("11500"));
}

TEST_F(WordTest, a_second_word_is_refused_and_changes_nothing) {
  lose_request();
  ASSERT_THAT(release(Money{400}), Succeeds());
  const SubmissionRecord before = record();
  const std::size_t count = events().size();
  const auto again = release();
  ASSERT_THAT(again, FailsWith(errors::kSubmissionNotHeld));
  EXPECT_THAT(again.error().message, HasSubstr("is released, billed $0.0004: billed $0.0004: ticket 7 (user:ann)"));
  EXPECT_THAT(adopt("work-1"), FailsWith(errors::kSubmissionNotHeld));
  expect_unchanged(before, count);
  EXPECT_EQ(hold().play_money.settled, Money{400});
}

TEST_F(WordTest, a_word_is_not_taken_where_the_provider_was_not_asked_for_it) {
  lose_request();
  provider_->plan.not_seen_since = clock_.monotonic();
  clock_.advance(std::chrono::seconds(10));
  const auto refused = release();
  ASSERT_THAT(refused, FailsWith(errors::kSubmissionNotHeld));
  EXPECT_THAT(refused.error().message, HasSubstr("is from before you asked; say it again"));
  EXPECT_EQ(state(), kHeld);
  provider_->plan.not_seen_since = clock_.monotonic();
  EXPECT_THAT(release(), Succeeds());
}

TEST_F(WordTest, a_word_is_not_taken_where_the_question_is_stopped) {
  lose_request();
  std::stop_source stop;
  provider_->plan.during_lookup = [&](const std::stop_token&) { stop.request_stop(); };
  EXPECT_THAT(reconciler_.release(token(), kWord, Money{0}, stop.get_token()), FailsWith(errors::kCancelled));
  EXPECT_EQ(state(), kHeld);
}

TEST_F(WordTest, what_is_settled_or_in_doubt_is_not_released) {
  ASSERT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_THAT(release(), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_THAT(adopt("work-1"), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordTest, doubt_that_the_provider_can_still_end_is_not_released) {
  crash_in_doubt();
  EXPECT_THAT(release(), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(state(), kAmbiguous);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
}

TEST_F(WordTest, the_provider_is_asked_first_and_what_it_says_counts_before_the_word) {
  lose_reply();
  const auto released = release();
  ASSERT_THAT(released, FailsWith(errors::kSubmissionNotHeld));
  EXPECT_THAT(released.error().message, HasSubstr("is orphan, billed $0.0007"));
  EXPECT_EQ(state(), kOrphan);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordTest, work_that_runs_at_the_provider_is_cancelled_there_and_not_released) {
  lose_reply();
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill = Money{50};
  EXPECT_THAT(release(), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(state(), kHeld);
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_EQ(sweep()->finished, 1u);
  EXPECT_EQ(hold().play_money.settled, Money{50});
}

TEST_F(WordTest, failed_work_whose_bill_never_comes_is_released_with_the_figure_of_the_invoice) {
  provider_->plan.end = backend::WorkState::kFailed;
  provider_->plan.bill = std::nullopt;
  ASSERT_EQ(run(request())->kind, Kind::kHeld);
  ASSERT_THAT(release(Money{300}), Succeeds());
  EXPECT_EQ(state(), kReleased);
  EXPECT_EQ(hold().play_money.settled, Money{300});
}

TEST_F(WordTest, work_that_is_done_is_not_released_while_its_result_cannot_be_had_for_a_moment) {
  lose_reply();
  provider_->plan.answers_fetches = false;
  EXPECT_THAT(release(), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(state(), kHeld);
  provider_->plan.answers_fetches = true;
  EXPECT_EQ(sweep()->orphaned, 1u);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordTest, work_that_was_found_just_now_is_not_released) {
  lose_reply();
  provider_->plan.answers_polls = false;
  for (int times = 0; times < 2; ++times) EXPECT_THAT(release(), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_THAT(record().handle, Not(IsEmpty()));
  provider_->plan.answers_polls = true;
  EXPECT_EQ(sweep()->orphaned, 1u);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordTest, work_whose_result_is_gone_and_that_names_no_bill_is_released_with_the_figure_of_the_invoice) {
  lose_reply();
  provider_->plan.bill = std::nullopt;
  provider_->plan.result_missing = true;
  ASSERT_THAT(release(Money{650}), Succeeds());
  EXPECT_EQ(hold().play_money.settled, Money{650});
}

TEST_F(WordTest, a_provider_that_is_silent_or_not_configured_any_more_leaves_the_word_to_the_person) {
  lose_request();
  provider_->plan.answers_reads = false;
  const backend::BackendRegistry none;
  EXPECT_THAT(Reconciler(submitter_, none).adopt(token(), kWord, "work-1", {}), FailsWith(errors::kUnknownBackend));
  ASSERT_THAT(release(), Succeeds());
  EXPECT_EQ(state(), kReleased);
}

TEST_F(WordTest, a_run_that_comes_back_to_released_work_goes_on_without_it) {
  lose_request();
  ASSERT_THAT(release(), Succeeds());
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_EQ(provider_->submissions(), 1);
}

TEST_F(WordTest, amounts_that_no_bill_can_have_are_refused) {
  lose_request();
  EXPECT_THAT(release(Money{-1}), FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(release(budget::kAmountMax + Money{1}), FailsWith(errors::kValueOutOfRange));
  EXPECT_EQ(state(), kHeld);
}

TEST_F(WordTest, adopted_work_that_is_done_is_billed_and_its_bytes_are_kept_as_an_orphan) {
  lose_reply();
  end_job(job_);
  const auto adopted = adopt("work-1");
  ASSERT_THAT(adopted, Succeeds());
  EXPECT_EQ(adopted->state, kOrphan);
  EXPECT_EQ(adopted->handle, "work-1");
  EXPECT_EQ(adopted->said, "handle work-1: ticket 7");
  EXPECT_THAT(adopted->reason, HasSubstr("handle work-1: ticket 7 by the word of user:ann"));
  EXPECT_EQ(hold().play_money.settled, Money{700});
  EXPECT_EQ(hold().play_money.reserved, Money{0});
  EXPECT_EQ(store_.get(store::Table::kBlob, record().raw_sha256).value()->value, "result");
  const auto all = events();
  ASSERT_GE(all.size(), 2u);
  EXPECT_EQ(all[all.size() - 2].type, "submission.held");
  EXPECT_EQ(all[all.size() - 2].actor, "user:ann");
  EXPECT_EQ(all.back().type, "submission.orphan");
  EXPECT_THAT(provider_->book(), SizeIs(1));
  EXPECT_THAT(adopt("work-1"), FailsWith(errors::kSubmissionNotHeld));
}

TEST_F(WordTest, work_with_another_token_is_not_adopted) {
  lose_request();
  provider_->lose_book();  // work-1 is somebody else's
  const SubmissionRecord before = record();
  const std::size_t count = events().size();
  EXPECT_THAT(adopt("work-1"), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(adopt("work-2"), FailsWith(errors::kUnknownHandle));
  expect_unchanged(before, count);
  provider_->plan.answers_reads = false;
  EXPECT_THAT(adopt("work-1"), FailsWith(errors::kBackendUnavailable));
  expect_unchanged(before, count);
}

TEST_F(WordTest, adopted_work_that_is_not_done_is_cancelled_and_followed_to_its_bill) {
  lose_reply();
  provider_->plan.polls_until_done = 1'000'000;
  provider_->plan.bill = Money{50};
  const auto adopted = adopt("work-1");
  ASSERT_THAT(adopted, Succeeds());
  EXPECT_EQ(adopted->state, kHeld);
  EXPECT_EQ(adopted->handle, "work-1");
  EXPECT_EQ(provider_->cancels(), 1);
  EXPECT_THAT(adopt("work-2"), FailsWith(errors::kSubmissionNotHeld));  // it has a handle
  EXPECT_EQ(sweep()->finished, 1u);
  EXPECT_EQ(state(), kCancelled);
  EXPECT_EQ(hold().play_money.settled, Money{50});
}

TEST_F(WordTest, doubt_of_a_living_job_is_ended_by_the_handle_and_the_job_uses_the_work) {
  crash_in_doubt();
  const auto adopted = adopt("work-1");
  ASSERT_THAT(adopted, Succeeds());
  EXPECT_EQ(adopted->state, kConfirmed);
  EXPECT_EQ(events().back().actor, "user:ann");
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_EQ(state(), kSettled);
  EXPECT_EQ(provider_->submissions(), 1);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordTest, what_another_process_works_on_is_not_adopted) {
  crash_in_doubt();
  Reconciler beside(submitter_, backends_, [](const JobId&, std::uint64_t) -> Result<bool> { return true; });
  EXPECT_THAT(beside.adopt(token(), kWord, "work-1", {}), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(state(), kAmbiguous);
}

TEST_F(WordTest, a_handle_that_would_lead_elsewhere_at_the_provider_is_refused) {
  lose_request();
  for (const std::string& handle : {std::string(), std::string("../backends"), std::string("a/b"), std::string("a?b"),
                                    std::string("."), std::string(kHandleBytesMax + 1, 'a')})
    EXPECT_THAT(adopt(handle), FailsWith(errors::kValueOutOfRange)) << handle;
}

TEST_F(WordTest, a_token_that_was_never_used_is_not_there) {
  EXPECT_THAT(reconciler_.release("none", kWord, {}, {}), FailsWith(errors::kSubmissionNotFound));
  EXPECT_THAT(reconciler_.adopt("none", kWord, "work-1", {}), FailsWith(errors::kSubmissionNotFound));
  EXPECT_THAT(submitter_.find("none"), FailsWith(errors::kSubmissionNotFound));
  lose_request();
  EXPECT_THAT(submitter_.find(open_key(token())), FailsWith(errors::kSubmissionNotFound));
}

TEST_F(WordTest, what_a_run_has_at_this_moment_is_left_to_it) {
  Result<SubmissionRecord> meanwhile = fail(errors::kInternal, "not asked");
  provider_->plan.during_submit = [&] { meanwhile = adopt("work-1"); };
  ASSERT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_THAT(meanwhile, FailsWith(errors::kSubmissionNotHeld));
}

TEST_F(WordTest, a_reconciler_of_another_process_that_is_faster_wins_and_the_word_is_refused) {
  lose_request();
  Submitter other(services_, options_);
  bool once = false;
  provider_->plan.during_lookup = [&](const std::stop_token&) {
    if (std::exchange(once, true)) return;
    EXPECT_THAT(Reconciler(other, backends_).release(token(), kWord, Money{100}, {}), Succeeds());
  };
  EXPECT_THAT(release(Money{900}), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(record().billed, Money{100});
  EXPECT_EQ(hold().play_money.settled, Money{100});
}

TEST_F(WordTest, a_word_whose_commit_is_lost_was_not_said_and_can_be_said_again) {
  lose_request();
  store_.fail_commits(1, 1, make_error(errors::kIoError, "crash"));
  ASSERT_THAT(release(Money{100}), FailsWith(errors::kIoError));
  EXPECT_EQ(state(), kHeld);
  EXPECT_EQ(hold().play_money.reserved, Money{1000});
  ASSERT_THAT(release(Money{200}), Succeeds());
  EXPECT_EQ(hold().play_money.settled, Money{200});
}

TEST_F(WordTest, a_crash_between_the_handle_and_the_bill_is_repaired_by_the_next_sweep) {
  lose_reply();
  store_.fail_commits(2, 1, make_error(errors::kIoError, "crash"));
  ASSERT_THAT(adopt("work-1"), FailsWith(errors::kIoError));
  EXPECT_EQ(state(), kHeld);
  EXPECT_EQ(record().handle, "work-1");
  EXPECT_EQ(sweep()->orphaned, 1u);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordTest, lists_have_what_is_not_resolved_or_what_is_asked_for) {
  lose_request();
  const auto tokens = [&](const SubmissionQuery& query) {
    std::vector<std::string> out;
    const SubmissionPage page = submitter_.list(query).value();
    for (const SubmissionRecord& one : page.submissions) out.push_back(one.token);
    return out;
  };
  EXPECT_THAT(tokens({}), ElementsAre(token()));
  EXPECT_THAT(tokens({.state = kHeld, .job = job_, .backend = "fake.provider", .tenant = "tenant"}),
              ElementsAre(token()));
  EXPECT_THAT(tokens({.state = kAmbiguous}), IsEmpty());
  EXPECT_THAT(tokens({.backend = "other"}), IsEmpty());
  EXPECT_THAT(tokens({.tenant = "other"}), IsEmpty());
  EXPECT_THAT(tokens({.job = JobId("job_01900000-0000-7000-8000-000000000009")}), IsEmpty());
  ASSERT_THAT(release(), Succeeds());
  EXPECT_THAT(tokens({}), IsEmpty());
  EXPECT_THAT(tokens({.state = kReleased}), ElementsAre(token()));
  EXPECT_THAT(tokens({.state = kReleased, .job = job_}), ElementsAre(token()));
}

TEST_F(WordTest, pages_have_each_submission_once) {
  std::vector<std::string> all;
  for (std::uint32_t i = 0; i < 7; ++i) {
    const std::string step = fmt::format("step{}", i);
    SubmissionRequest one = request();
    one.step = step;
    provider_->plan.on_submit = {OnSubmit::kLoseRequest};
    ASSERT_EQ(run(one)->kind, Kind::kHeld);
    all.push_back(attempt_token("tenant", job_.value, step, 0));
  }
  std::ranges::sort(all);
  for (const bool of_job : {false, true}) {
    SubmissionQuery query{.job = of_job ? std::optional(job_) : std::nullopt, .limit = 3};
    std::vector<std::string> seen;
    do {
      const auto page = submitter_.list(query);
      ASSERT_THAT(page, Succeeds());
      for (const SubmissionRecord& one : page->submissions) seen.push_back(one.token);
      query.page_token = page->next_page_token;
    } while (!query.page_token.empty());
    EXPECT_EQ(seen, all);
  }
}

/// Whatever is said, swept, run and lost in whatever order: no money is lost or made, and each submission is resolved once.
TEST_F(WordTest, money_is_conserved_over_any_interleaving_of_words_sweeps_and_runs) {
  constexpr std::uint64_t kSeeds = 200;
  std::map<SubmissionState, int> ends;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Xoshiro256 rng(seed);
    const JobId job{fmt::format("job_01900000-0000-7000-8000-{:012}", seed + 100)};
    admit(job, Money{100'000});
    std::map<std::string, int> resolved;
    const std::vector<std::string> steps = {"a", "b", "c", "d"};
    const auto token_of = [&](std::size_t i) { return attempt_token("tenant", job.value, steps[i], 0); };
    for (int action = 0; action < 30; ++action) {
      const auto i = static_cast<std::size_t>(rng.below(steps.size()));
      provider_->plan.answers_reads = rng.below(3) != 0;
      provider_->plan.polls_until_done = rng.below(3) == 0 ? 1'000'000 : 1;
      provider_->plan.bill = rng.below(4) == 0 ? std::nullopt : std::optional(Money{700});
      if (rng.below(6) == 0) store_.fail_commits(1 + rng.below(2), 1, make_error(errors::kIoError, "crash"));
      switch (rng.below(5)) {
        case 0:
        case 1: {
          constexpr OnSubmit kFates[] = {OnSubmit::kAccept, OnSubmit::kLoseRequest, OnSubmit::kLoseReply,
                                         OnSubmit::kRefuse};
          provider_->plan.on_submit = {kFates[rng.below(std::size(kFates))]};
          SubmissionRequest one = request_within(milliseconds(300));
          one.job = job;
          one.step = steps[i];
          (void)run(one);
          break;
        }
        case 2:
          (void)sweep();
          break;
        case 3: {
          const auto done =
              reconciler_.release(token_of(i), kWord, Money{static_cast<std::int64_t>(rng.below(2000))}, {});
          if (done) ++resolved[done->token];
          break;
        }
        default:
          (void)reconciler_.adopt(token_of(i), kWord,
                                  fmt::format("work-{}", 1 + rng.below(provider_->book().size() + 1)), {});
      }
      store_.fail_commits(1, 0, make_error(errors::kIoError, "no more"));
      clock_.advance(milliseconds(static_cast<std::int64_t>(rng.below(3000))));
    }
    provider_->plan.answers_reads = true;
    provider_->plan.polls_until_done = 1;
    provider_->plan.bill = Money{700};
    end_job(job);
    ASSERT_THAT(sweep(), Succeeds());  // puts in doubt what nobody looked at since it was sent
    clock_.advance(milliseconds(10'000));
    ASSERT_THAT(sweep(), Succeeds());
    ASSERT_THAT(sweep(), Succeeds());
    std::vector<SubmissionRecord> records = submitter_.submissions(job).value();
    for (SubmissionRecord& record : records) {
      if (is_final(record.state)) continue;
      ASSERT_EQ(record.state, kHeld);  // never found: what the provider knows is resolved by now
      EXPECT_THAT(record.handle, IsEmpty());
      record = reconciler_.release(record.token, kWord, {}, {}).value();
      ++resolved[record.token];
    }
    const std::vector<std::string> book = provider_->book();
    Money billed;
    for (const SubmissionRecord& record : records) {
      billed = billed + record.billed;
      // The provider has it once or not at all, and nothing is paid for what it has not, but by a person's word.
      const auto booked = std::ranges::count(book, record.token);
      EXPECT_LE(booked, 1);
      const bool must_have_it = record.state == kSettled || record.state == kOrphan;
      const bool must_not = record.state == kRefused || record.sends == 0;
      EXPECT_FALSE((must_have_it && booked == 0) || (must_not && booked == 1)) << to_string(record.state);
      EXPECT_FALSE(booked == 0 && record.state != kReleased && record.billed != Money{0}) << to_string(record.state);
      ++ends[record.state];
      EXPECT_EQ(resolved[record.token], record.state == kReleased ? 1 : 0);
      EXPECT_THAT(reconciler_.release(record.token, kWord, {}, {}), FailsWith(errors::kSubmissionNotHeld));
    }
    const budget::Hold after = budget::Budget(store_).load(job).value();
    EXPECT_EQ(after.play_money.reserved, Money{0});
    EXPECT_EQ(after.play_money.settled, billed);
    EXPECT_EQ(after.play_money.limit + after.play_money.overrun, after.play_money.settled + after.play_money.released);
    EXPECT_EQ(after.money.settled, Money{0});
  }
  for (const SubmissionState end : {kSettled, kRefused, kOrphan, kReleased}) EXPECT_GT(ends[end], 10) << to_string(end);
}

}  // namespace
}  // namespace tandem::submit
