#include "tandem/hybrid/baseline/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::baseline {
namespace {

std::optional<job::ScoredCandidate> candidate(double objective, bool feasible = true) {
  return job::ScoredCandidate{.objective = objective, .feasible = feasible};
}

TEST(Compare, follows_the_sense_of_the_problem) {
  EXPECT_EQ(compare(problem::Sense::kMax, {.hybrid = candidate(11), .baseline = candidate(10)}, false).verdict,
            "better");
  EXPECT_EQ(compare(problem::Sense::kMin, {.hybrid = candidate(11), .baseline = candidate(10)}, false).verdict,
            "worse");
  EXPECT_DOUBLE_EQ(
      *compare(problem::Sense::kMax, {.hybrid = candidate(11), .baseline = candidate(10)}, false).improvement, 0.1);
  EXPECT_DOUBLE_EQ(
      *compare(problem::Sense::kMin, {.hybrid = candidate(-11), .baseline = candidate(-10)}, false).improvement, 0.1);
  EXPECT_DOUBLE_EQ(
      *compare(problem::Sense::kMin, {.hybrid = candidate(11), .baseline = candidate(10)}, false).improvement, -0.1);
}

TEST(Compare, equal_within_rounding_is_equal) {
  const auto comparison =
      compare(problem::Sense::kMax, {.hybrid = candidate(0.1 + 0.2), .baseline = candidate(0.3)}, false);
  EXPECT_EQ(comparison.verdict, "equal");
  EXPECT_EQ(comparison.improvement, 0);
}

TEST(Compare, claims_nothing_without_two_feasible_runs) {
  EXPECT_EQ(compare(problem::Sense::kMax, {.hybrid = candidate(2, false), .baseline = candidate(1)}, false).verdict,
            "no_claim");
  EXPECT_EQ(compare(problem::Sense::kMax, {.hybrid = candidate(2), .baseline = candidate(1, false)}, false).verdict,
            "no_claim");
  EXPECT_EQ(compare(problem::Sense::kMax, {.hybrid = candidate(2), .baseline = std::nullopt}, false).verdict,
            "no_claim");
  EXPECT_EQ(compare(problem::Sense::kMax, {.hybrid = candidate(2), .baseline = candidate(1)}, true).verdict,
            "no_claim");
  EXPECT_FALSE(compare(problem::Sense::kMax, {.hybrid = candidate(2), .baseline = candidate(1)}, true).improvement);
}

TEST(Compare, a_control_counts_for_neither_side_but_is_named_where_it_takes_the_credit_away) {
  const auto with_control = [](double hybrid, double control) {
    Sides sides{.hybrid = candidate(hybrid), .baseline = candidate(10), .control = candidate(control)};
    sides.control->source = "refine:exact_shadow@x";
    return compare(problem::Sense::kMax, sides, false);
  };
  EXPECT_EQ(with_control(10, 20).verdict, "equal");
  EXPECT_EQ(with_control(10, 20).improvement, 0);
  EXPECT_THAT(with_control(10, 20).text,
              testing::HasSubstr("refine:exact_shadow@x) reached 20, which counts for neither"));
  EXPECT_EQ(with_control(11, 11).verdict, "better");
  EXPECT_THAT(with_control(11, 11).text, testing::HasSubstr("refine:exact_shadow@x) reached it too"));
  EXPECT_THAT(with_control(11, 10.5).text, testing::Not(testing::HasSubstr("control")));
  EXPECT_THAT(with_control(10, 10).text, testing::Not(testing::HasSubstr("control")));
}

}  // namespace
}  // namespace tandem::baseline
