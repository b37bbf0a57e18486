// What a person says of work at a provider that cannot be asked for it, and whose handle it is.
#include <atomic>
#include <latch>
#include <thread>

#include "tandem/orchestrate/submit/testing/word_fixture.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using job::Money;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Kind = SubmissionOutcome::Kind;
using enum SubmissionState;

class WordOnOpaque : public WordFixture {
 protected:
  WordOnOpaque() : WordFixture(SubmitSafety::kD) {}
};

TEST_F(WordOnOpaque, a_handle_that_nobody_can_check_is_taken_and_rests_on_the_person) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  ASSERT_EQ(run(request())->kind, Kind::kHeld);
  EXPECT_THAT(adopt("work-9"), FailsWith(errors::kUnknownHandle));  // so much it can say
  const auto adopted = adopt("work-1");
  ASSERT_THAT(adopted, Succeeds());
  EXPECT_EQ(adopted->state, kOrphan);
  EXPECT_THAT(adopted->said, HasSubstr("which the provider cannot bear out"));
  EXPECT_EQ(adopted->said_by, "user:ann");
  EXPECT_THAT(adopted->reason, HasSubstr("cannot bear out"));
  EXPECT_EQ(provider_->lookups(), 0);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

TEST_F(WordOnOpaque, the_work_of_another_submission_is_not_adopted) {
  ASSERT_EQ(run(request())->kind, Kind::kResult);
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  SubmissionRequest other = request();
  other.attempt = 1;
  const auto held = run(other);
  ASSERT_EQ(held->kind, Kind::kHeld);
  EXPECT_THAT(reconciler_.adopt(held->token, kWord, "work-1", {}), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(provider_->cancels(), 0);
  EXPECT_EQ(hold().play_money.settled, Money{700});
  ASSERT_THAT(reconciler_.adopt(held->token, kWord, "work-2", {}), Succeeds());
  EXPECT_EQ(hold().play_money.settled, Money{1400});
}

TEST_F(WordOnOpaque, of_two_who_adopt_one_handle_at_once_one_wins) {
  for (std::uint32_t round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const JobId job{fmt::format("job_01900000-0000-7000-8000-{:012}", round + 100)};
    admit(job, Money{10'000});
    std::vector<std::string> tokens;
    for (const std::string step : {"a", "b"}) {
      provider_->plan.on_submit = {step == "a" ? OnSubmit::kLoseReply : OnSubmit::kLoseRequest};
      SubmissionRequest one = request();
      one.job = job;
      one.step = step;
      const auto held = run(one);
      ASSERT_EQ(held->kind, Kind::kHeld);
      tokens.push_back(held->token);
    }
    // Both have asked for the work before either says whose it is.
    std::latch both(2);
    std::atomic<int> polls = 0;
    provider_->plan.during_poll = [&] {
      if (++polls <= 2) both.arrive_and_wait();
    };
    const std::string handle = fmt::format("work-{}", round + 1);
    std::vector<Result<SubmissionRecord>> words(2, Result<SubmissionRecord>());
    {
      std::jthread other([&] { words[1] = Reconciler(submitter_, backends_).adopt(tokens[1], kWord, handle, {}); });
      words[0] = reconciler_.adopt(tokens[0], kWord, handle, {});
    }
    provider_->plan.during_poll = nullptr;
    ASSERT_EQ(words[0].has_value() + words[1].has_value(), 1);
    EXPECT_THAT(words[words[0].has_value() ? 1 : 0], FailsWith(errors::kSubmissionNotHeld));
    EXPECT_EQ(budget::Budget(store_).load(job)->play_money.settled, Money{700});
  }
}

/// A provider's answer that is late meets a person who took the work for another submission's.
class LateAnswer : public WordOnOpaque {
 protected:
  /// One that is held, whose handle nobody knows: "work-1" is its own.
  std::string held() {
    provider_->plan.on_submit = {OnSubmit::kLoseReply};
    SubmissionRequest lost = request();
    lost.step = "lost";
    return run(lost)->token;
  }
  std::vector<std::string> owners(const std::string& handle) {
    std::vector<std::string> out;
    const auto all = submitter_.submissions(job_).value();
    for (const SubmissionRecord& one : all)
      if (one.handle == handle) out.push_back(one.token);
    return out;
  }
};

TEST_F(LateAnswer, what_was_adopted_before_the_answer_came_stays_and_the_other_is_held_for_a_person) {
  const std::string other = held();
  provider_->plan.after_submit = [&] { EXPECT_THAT(reconciler_.adopt(other, kWord, "work-2", {}), Succeeds()); };
  const auto outcome = run(request());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->kind, Kind::kHeld);
  EXPECT_THAT(owners("work-2"), testing::ElementsAre(other));
  const SubmissionRecord late = submitter_.find(token()).value();
  EXPECT_EQ(late.handle, "");
  EXPECT_EQ(late.state, SubmissionState::kHeld);
  EXPECT_THAT(late.reason, HasSubstr("'work-2' is the work of another submission"));
  EXPECT_EQ(hold().play_money.reserved, Money{1000});  // until somebody says what it cost
  EXPECT_EQ(hold().play_money.settled, Money{700});
  provider_->plan.after_submit = nullptr;
  EXPECT_THAT(reconciler_.adopt(token(), kWord, "work-2", {}), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_THAT(reconciler_.adopt(token(), kWord, "work-1", {}), Succeeds());
  EXPECT_EQ(hold().play_money.settled, Money{1400});
  EXPECT_EQ(hold().play_money.reserved, Money{0});
}

TEST_F(LateAnswer, what_the_answer_confirmed_is_not_adopted_any_more) {
  const std::string other = held();
  int polls = 0;
  provider_->plan.during_poll = [&] {
    if (++polls > 1) return;
    EXPECT_THAT(reconciler_.adopt(other, kWord, "work-2", {}), FailsWith(errors::kSubmissionNotHeld));
  };
  EXPECT_EQ(run(request())->kind, Kind::kResult);
  EXPECT_THAT(owners("work-2"), testing::ElementsAre(token()));
  EXPECT_EQ(submitter_.find(other)->state, SubmissionState::kHeld);
}

/// Whoever reads that the handle is free before the other has stored that it is not.
TEST_F(LateAnswer, an_answer_and_an_adoption_at_once_leave_the_handle_to_one_of_them) {
  int confirmed = 0;
  for (std::uint32_t round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    const JobId job{fmt::format("job_01900000-0000-7000-8000-{:012}", round + 100)};
    admit(job, Money{10'000});
    SubmissionRequest lost = request();
    lost.job = job;
    lost.step = "lost";
    provider_->plan.on_submit = {OnSubmit::kLoseReply};
    const std::string other = run(lost)->token;
    const std::string handle = fmt::format("work-{}", 2 * round + 2);
    SubmissionRequest late = request();
    late.job = job;
    std::latch both(2);
    provider_->plan.after_submit = [&] { both.arrive_and_wait(); };
    Result<SubmissionRecord> word = SubmissionRecord();
    {
      std::jthread person([&] {
        both.arrive_and_wait();
        word = Reconciler(submitter_, backends_).adopt(other, kWord, handle, {});
      });
      ASSERT_THAT(run(late), Succeeds());
    }
    provider_->plan.after_submit = nullptr;
    std::size_t owners = 0;
    const auto all = submitter_.submissions(job).value();
    for (const SubmissionRecord& one : all) owners += one.handle == handle ? 1 : 0;
    ASSERT_EQ(owners, 1u);
    ASSERT_TRUE(word.has_value() || word.error().number == errors::kSubmissionNotHeld);
    confirmed += word.has_value() ? 0 : 1;
  }
  RecordProperty("confirmed", confirmed);
}

TEST_F(WordOnOpaque, a_damaged_row_is_in_the_way_of_its_own_handle_only) {
  ASSERT_EQ(run(request())->kind, Kind::kResult);
  const std::string damaged = store_.get(store::Table::kSubmission, token()).value()->value.substr(2);
  store::Batch batch;
  batch.put(store::Table::kSubmission, token(), damaged);
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  SubmissionRequest other = request();
  other.step = "another";
  const std::string held = run(other)->token;
  EXPECT_THAT(reconciler_.adopt(held, kWord, "work-1", {}), FailsWith(errors::kStoreDamaged));
  EXPECT_THAT(reconciler_.adopt(held, kWord, "work-2", {}), Succeeds());
}

TEST_F(WordOnOpaque, work_whose_name_is_known_is_asked_for_before_it_is_released) {
  provider_->plan.answers_polls = false;
  ASSERT_EQ(run(request_within(milliseconds(500)))->kind, Kind::kHeld);
  ASSERT_THAT(record().handle, Not(IsEmpty()));
  EXPECT_THAT(release(), FailsWith(errors::kSubmissionNotHeld));
  EXPECT_EQ(state(), kHeld);
}

TEST_F(WordOnOpaque, it_is_released_without_a_question) {
  provider_->plan.on_submit = {OnSubmit::kLoseReply};
  ASSERT_EQ(run(request())->kind, Kind::kHeld);
  ASSERT_THAT(release(Money{700}), Succeeds());
  EXPECT_EQ(provider_->lookups(), 0);
  EXPECT_EQ(hold().play_money.settled, Money{700});
}

}  // namespace
}  // namespace tandem::submit
