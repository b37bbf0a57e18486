#include "tandem/orchestrate/submit/submission_state.h"

#include <gtest/gtest.h>

#include <set>

#include "tandem/base/testing/matchers.h"

namespace tandem::submit {
namespace {

using enum SubmissionState;
using enum SubmissionEvent;

template <typename Visit>
void for_each_transition(Visit visit) {
  for (std::size_t s = 0; s < kNumSubmissionStates; ++s)
    for (std::size_t e = 0; e < kNumSubmissionEvents; ++e) {
      const auto from = static_cast<SubmissionState>(s);
      const auto event = static_cast<SubmissionEvent>(e);
      visit(from, event, transition(from, event));
    }
}

TEST(SubmissionState, every_state_is_reached_from_reserved_and_every_event_is_used) {
  std::set<SubmissionState> reached = {kReserved};
  std::set<SubmissionEvent> used;
  for (std::size_t round = 0; round < kNumSubmissionStates; ++round) {
    for_each_transition([&](SubmissionState from, SubmissionEvent event, std::optional<SubmissionState> to) {
      if (!to || !reached.contains(from)) return;
      reached.insert(*to);
      used.insert(event);
    });
  }
  EXPECT_EQ(reached.size(), kNumSubmissionStates);
  EXPECT_EQ(used.size(), kNumSubmissionEvents);
}

TEST(SubmissionState, final_states_stay_final_and_all_others_have_a_way_out) {
  std::set<SubmissionState> with_exit;
  for_each_transition([&](SubmissionState from, SubmissionEvent, std::optional<SubmissionState> to) {
    if (to && *to != from) with_exit.insert(from);
  });
  for (std::size_t s = 0; s < kNumSubmissionStates; ++s) {
    const auto state = static_cast<SubmissionState>(s);
    EXPECT_NE(is_final(state), with_exit.contains(state)) << to_string(state);
  }
}

TEST(SubmissionState, the_wire_is_reached_from_reserved_by_an_intent_and_else_by_a_resend_in_doubt_only) {
  for_each_transition([](SubmissionState from, SubmissionEvent event, std::optional<SubmissionState> to) {
    EXPECT_EQ(to == kIntent, from == kReserved && event == kIntend);
    EXPECT_EQ(event == kResend && to.has_value(), event == kResend && from == kAmbiguous);
  });
}

TEST(SubmissionState, doubt_never_turns_into_a_refusal_or_a_second_intent) {
  std::set<SubmissionState> reached = {kAmbiguous};
  for (std::size_t round = 0; round < kNumSubmissionStates; ++round) {
    for_each_transition([&](SubmissionState from, SubmissionEvent, std::optional<SubmissionState> to) {
      if (to && reached.contains(from)) reached.insert(*to);
    });
  }
  EXPECT_FALSE(reached.contains(kRefused));
  EXPECT_FALSE(reached.contains(kIntent));
  EXPECT_FALSE(reached.contains(kReserved));
}

TEST(SubmissionState, once_the_step_has_moved_on_a_result_is_an_orphan_and_never_settled_as_used) {
  std::set<SubmissionState> reached = {kHeld};
  for (std::size_t round = 0; round < kNumSubmissionStates; ++round) {
    for_each_transition([&](SubmissionState from, SubmissionEvent, std::optional<SubmissionState> to) {
      if (to && reached.contains(from)) reached.insert(*to);
    });
  }
  EXPECT_EQ(reached, (std::set<SubmissionState>{kHeld, kOrphan, kFailed, kCancelled, kReleased}));
}

TEST(SubmissionState, a_persons_word_ends_what_is_held_and_nothing_else) {
  for_each_transition([](SubmissionState from, SubmissionEvent event, std::optional<SubmissionState> to) {
    EXPECT_EQ(is_of_people(event) && to.has_value(), event == kRelease && from == kHeld);
    if (to) {
      EXPECT_EQ(to == kReleased, event == kRelease);
    }
  });
}

TEST(SubmissionState, an_illegal_transition_is_an_error_that_names_both) {
  const auto refused = require_transition(kSettled, kResend);
  ASSERT_THAT(refused, FailsWith(errors::kIllegalTransition));
  EXPECT_EQ(refused.error().message, "a submission that is settled cannot 'resend'");
}

TEST(SubmissionState, names_are_found_again) {
  for (std::size_t s = 0; s < kNumSubmissionStates; ++s) {
    const auto state = static_cast<SubmissionState>(s);
    EXPECT_EQ(find_submission_state(to_string(state)), state);
  }
  EXPECT_EQ(find_submission_state("sent"), std::nullopt);
}

}  // namespace
}  // namespace tandem::submit
