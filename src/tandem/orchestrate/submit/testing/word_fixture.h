// tandem/orchestrate/submit/testing/word_fixture.h - submissions in the states in which a person may say something of them.
//
// Room: orchestrate, tests only.
#pragma once

#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/orchestrate/submit/testing/submit_fixture.h"

namespace tandem::submit {

inline constexpr PersonsWord kWord{.actor = "user:ann", .reason = "ticket 7"};

class WordFixture : public SubmitFixture {
 protected:
  using SubmitFixture::SubmitFixture;

  Result<SubmissionRecord> release(job::Money billed = {}) { return reconciler_.release(token(), kWord, billed, {}); }
  Result<SubmissionRecord> adopt(std::string_view handle) { return reconciler_.adopt(token(), kWord, handle, {}); }
  /// Sent, never arrived, and given up.
  void lose_request() {
    provider_->plan.on_submit = {OnSubmit::kLoseRequest};
    ASSERT_EQ(run(request())->kind, SubmissionOutcome::Kind::kHeld);
  }
  /// The provider has it and bills it; it was silent until the step's time was over.
  void lose_reply() {
    provider_->plan.on_submit = {OnSubmit::kLoseReply};
    provider_->plan.answers_reads = false;
    ASSERT_EQ(run(request_within(std::chrono::milliseconds(500)))->kind, SubmissionOutcome::Kind::kHeld);
    ASSERT_THAT(record().handle, testing::IsEmpty());
    provider_->plan.answers_reads = true;
  }
  /// Leaves the attempt as a crash after the wire leaves it, and says that it is in doubt.
  void crash_in_doubt() {
    provider_->plan.on_submit = {OnSubmit::kLoseReply};
    provider_->plan.answers_reads = false;
    provider_->plan.during_submit = [&] { store_.fail_commits(1, 1, make_error(errors::kIoError, "crash")); };
    ASSERT_THAT(run(request()), FailsWith(errors::kIoError));
    provider_->plan.during_submit = nullptr;
    ASSERT_EQ(sweep()->failed, 1u);
    ASSERT_EQ(state(), SubmissionState::kAmbiguous);
    provider_->plan.answers_reads = true;
  }
  /// That nothing moved since `before`.
  void expect_unchanged(const SubmissionRecord& before, std::size_t events_before) {
    EXPECT_EQ(record(), before);
    EXPECT_THAT(events(), testing::SizeIs(events_before));
  }

  Reconciler reconciler_{submitter_, backends_};
};

}  // namespace tandem::submit
