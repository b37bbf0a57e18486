#include "tandem/model/job/job_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tandem/model/job/job_event.h"

namespace tandem::job {
namespace {

std::vector<JobState> all_states() {
  std::vector<JobState> out;
  for (std::size_t i = 0; i < kNumJobStates; ++i) out.push_back(static_cast<JobState>(i));
  return out;
}
std::vector<JobEvent> all_events() {
  std::vector<JobEvent> out;
  for (std::size_t i = 0; i < kNumJobEvents; ++i) out.push_back(static_cast<JobEvent>(i));
  return out;
}

TEST(JobState, final_states_have_no_way_out) {
  for (const JobState state : all_states()) {
    if (!is_final(state)) continue;
    for (const JobEvent event : all_events()) {
      EXPECT_FALSE(transition(state, event)) << to_string(state) << " " << to_string(event);
      EXPECT_EQ(require_transition(state, event).error().number, errors::kJobFinal);
    }
  }
}

TEST(JobState, every_state_is_reached_from_queued_and_leads_to_a_final_one) {
  std::set<JobState> reached = {JobState::kQueued};
  for (std::size_t round = 0; round < kNumJobStates; ++round)
    for (const JobState state : std::set<JobState>(reached))
      for (const JobEvent event : all_events())
        if (const auto to = transition(state, event)) reached.insert(*to);
  EXPECT_EQ(reached.size(), kNumJobStates);

  std::set<JobState> ending;
  for (const JobState state : all_states())
    if (is_final(state)) ending.insert(state);
  for (std::size_t round = 0; round < kNumJobStates; ++round)
    for (const JobState state : all_states())
      for (const JobEvent event : all_events())
        if (const auto to = transition(state, event); to && ending.contains(*to)) ending.insert(state);
  EXPECT_EQ(ending.size(), kNumJobStates);
}

TEST(JobState, every_state_that_is_not_final_can_be_cancelled) {
  for (const JobState state : all_states())
    EXPECT_EQ(transition(state, JobEvent::kCancel) == JobState::kCancelled, !is_final(state)) << to_string(state);
}

TEST(JobState, only_a_running_job_can_succeed_and_a_crash_puts_it_back_into_the_queue) {
  for (const JobState state : all_states())
    EXPECT_EQ(transition(state, JobEvent::kSucceed).has_value(), state == JobState::kRunning) << to_string(state);
  EXPECT_EQ(transition(JobState::kRunning, JobEvent::kRequeue), JobState::kQueued);
}

TEST(JobState, names_are_unique_and_found_again) {
  std::set<std::string_view> names;
  for (const JobState state : all_states()) {
    names.insert(to_string(state));
    EXPECT_EQ(find_job_state(to_string(state)), state);
  }
  EXPECT_EQ(names.size(), kNumJobStates);
  EXPECT_EQ(find_job_state("done"), std::nullopt);
}

TEST(JobState, the_events_that_end_a_job_are_those_of_the_four_final_states) {
  std::set<std::string_view> ends;
  for (const EventRecord& event : event_catalogue())
    if (ends_job(event.type)) ends.insert(event.type);
  EXPECT_THAT(ends, testing::ElementsAre("job.cancelled", "job.expired", "job.failed", "job.succeeded"));
  for (const char* const other : {"", "job.", "succeeded", "job.removed", "job.succeeded2", "step.failed"})
    EXPECT_FALSE(ends_job(other)) << other;
}

TEST(JobState, an_illegal_transition_names_both_ends) {
  const auto refused = require_transition(JobState::kQueued, JobEvent::kSucceed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().number, errors::kIllegalTransition);
  EXPECT_THAT(refused.error().message, testing::AllOf(testing::HasSubstr("queued"), testing::HasSubstr("succeed")));
}

}  // namespace
}  // namespace tandem::job
