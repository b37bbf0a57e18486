#include "tandem/hybrid/baseline/baseline.h"

#include <gtest/gtest.h>

namespace tandem::baseline {
namespace {

std::optional<job::ScoredCandidate> candidate(double objective, bool feasible = true) {
  return job::ScoredCandidate{.objective = objective, .feasible = feasible};
}

TEST(Compare, follows_the_sense_of_the_problem) {
  EXPECT_EQ(compare(problem::Sense::kMax, candidate(11), candidate(10), false).verdict, "better");
  EXPECT_EQ(compare(problem::Sense::kMin, candidate(11), candidate(10), false).verdict, "worse");
  EXPECT_DOUBLE_EQ(*compare(problem::Sense::kMax, candidate(11), candidate(10), false).improvement, 0.1);
  EXPECT_DOUBLE_EQ(*compare(problem::Sense::kMin, candidate(-11), candidate(-10), false).improvement, 0.1);
  EXPECT_DOUBLE_EQ(*compare(problem::Sense::kMin, candidate(11), candidate(10), false).improvement, -0.1);
}

TEST(Compare, equal_within_rounding_is_equal) {
  const auto comparison = compare(problem::Sense::kMax, candidate(0.1 + 0.2), candidate(0.3), false);
  EXPECT_EQ(comparison.verdict, "equal");
  EXPECT_EQ(comparison.improvement, 0);
}

TEST(Compare, claims_nothing_without_two_feasible_runs) {
  EXPECT_EQ(compare(problem::Sense::kMax, candidate(2, false), candidate(1), false).verdict, "no_claim");
  EXPECT_EQ(compare(problem::Sense::kMax, candidate(2), candidate(1, false), false).verdict, "no_claim");
  EXPECT_EQ(compare(problem::Sense::kMax, candidate(2), std::nullopt, false).verdict, "no_claim");
  EXPECT_EQ(compare(problem::Sense::kMax, candidate(2), candidate(1), true).verdict, "no_claim");
  EXPECT_FALSE(compare(problem::Sense::kMax, candidate(2), candidate(1), true).improvement);
}

}  // namespace
}  // namespace tandem::baseline
