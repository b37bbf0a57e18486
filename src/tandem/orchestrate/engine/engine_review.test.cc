// A result that is not trusted enough waits for a person.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::HasSubstr;

class EngineReview : public testing::Test {
 protected:
  /// On a provider that does not say how old its calibration is: confidence 0.
  job::JobSpec doubtful() {
    job::JobSpec out = world_.paid_job();
    out.review.confidence_min = 0.5;
    return out;
  }
  Json result(const JobId& id) { return parse_json(world_.engine->result(id).value(), "result").value(); }
  std::vector<std::string> last_events(const JobId& id, std::size_t count) {
    const std::vector<std::string> all = world_.event_types(id);
    return {all.end() - static_cast<std::ptrdiff_t>(count), all.end()};
  }

  EngineWorld world_;
};

TEST_F(EngineReview, low_confidence_waits_with_a_result_that_can_be_read_and_survives_a_restart) {
  world_.open();
  const JobId id = world_.run(doubtful()).id;
  world_.close();
  world_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kAwaitingReview);
  EXPECT_EQ(result(id)["status"], "awaiting_review");
  EXPECT_EQ(result(id)["confidence"]["value"], 0);
  EXPECT_EQ(result(id)["confidence"]["unknown"], Json({"agreement", "calibration"}));
  EXPECT_THAT(last_events(id, 1), testing::ElementsAre("job.awaiting_review"));
  EXPECT_EQ(world_.events(id).back().data.value()["number"], 5021);
  EXPECT_TRUE(world_.hold(id).closed);  // what was not spent is free while a person thinks
}

TEST_F(EngineReview, an_accepted_result_has_succeeded_and_says_who_said_so) {
  world_.open();
  const JobId id = world_.run(doubtful()).id;
  const std::string canonical = world_.engine->lineage(id)->result_sha256;
  ASSERT_THAT(world_.engine->review(id, Verdict::kAccept, "user:ann", "looked at it"), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  const Json note = result(id)["review"];
  EXPECT_EQ(result(id)["status"], "succeeded");
  EXPECT_EQ(note["decision"], "accepted");
  EXPECT_EQ(note["reason"], "looked at it");
  EXPECT_EQ(note["actor"], "user:ann");
  EXPECT_EQ(world_.engine->lineage(id)->review->document(), note);
  EXPECT_EQ(world_.engine->lineage(id)->result_sha256, canonical);
  EXPECT_THAT(last_events(id, 2), testing::ElementsAre("job.accepted", "job.succeeded"));
  EXPECT_EQ(world_.events(id).back().actor, "user:ann");
  EXPECT_THAT(world_.engine->review(id, Verdict::kReject, "user:ann", ""), FailsWith(errors::kJobFinal));
  // What a person accepted may answer a later job.
  world_.provider->plan.polls_until_done = 1'000'000'000;
  world_.provider->plan.until_done = backend::WorkState::kRunning;
  job::JobSpec later = world_.paid_job();
  const JobView view = world_.run(later);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(result(view.id)["cached"][0]["job_id"], id.value);
}

TEST_F(EngineReview, a_rejected_result_has_failed_with_the_reason_and_answers_nobody) {
  world_.open();
  const JobId id = world_.run(doubtful()).id;
  ASSERT_THAT(world_.engine->review(id, Verdict::kReject, "user:ann", "too noisy"), Succeeds());
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kReviewRejected));
  EXPECT_THAT(view.error, HasSubstr("too noisy"));
  EXPECT_EQ(result(id)["review"]["decision"], "rejected");
  EXPECT_THAT(last_events(id, 2), testing::ElementsAre("job.rejected", "job.failed"));
  world_.provider->plan.polls_until_done = 1'000'000'000;
  world_.provider->plan.until_done = backend::WorkState::kRunning;
  EXPECT_EQ(world_.run(world_.paid_job()).state, job::JobState::kFailed);
}

TEST_F(EngineReview, a_job_that_awaits_review_can_be_cancelled_and_no_other_can_be_reviewed) {
  world_.open();
  const JobId id = world_.run(doubtful()).id;
  ASSERT_THAT(world_.engine->cancel(id, "user:test", "changed my mind"), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  EXPECT_THAT(world_.engine->review(id, Verdict::kAccept, "user:ann", ""), FailsWith(errors::kJobFinal));
  world_.close();
  world_.open(0);
  const JobId queued = world_.admit(world_.classical_job());
  EXPECT_THAT(world_.engine->review(queued, Verdict::kAccept, "user:ann", ""), FailsWith(errors::kIllegalTransition));
  EXPECT_THAT(world_.engine->review(queued, Verdict::kAccept, "user:ann", std::string(5000, 'x')),
              FailsWith(errors::kValueOutOfRange));
}

TEST_F(EngineReview, without_a_person_in_the_chain_low_confidence_fails_and_the_result_can_be_read) {
  world_.open();
  job::JobSpec spec = doubtful();
  spec.fallbacks = {"cached_result"};
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kLowConfidence));
  EXPECT_EQ(result(view.id)["status"], "failed");
}

TEST_F(EngineReview, enough_confidence_is_not_reviewed_and_a_part_is_where_the_chain_says_so) {
  world_.provider->plan.calibrated_at = world_.clock.now();
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.review.confidence_min = 0.3;  // 0.1 of 0.3 for a fresh calibration, the shadow unknown
  EXPECT_EQ(world_.run(spec).state, job::JobState::kSucceeded);
  world_.provider->plan.shots_given = 9;
  spec.review.confidence_min = 0;
  spec.fallbacks = {{"manual_review", {job::FallbackCause::kPartial}}};
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kAwaitingReview);
  EXPECT_EQ(world_.events(view.id).back().data.value()["number"], 5026);
}

}  // namespace
}  // namespace tandem::engine
