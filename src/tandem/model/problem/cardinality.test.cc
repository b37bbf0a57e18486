#include "tandem/model/problem/cardinality.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::problem {
namespace {

using testing::ElementsAre;

TEST(Cardinality, an_equality_of_unit_coefficients_with_a_bound_it_can_reach_is_one_and_nothing_else) {
  const LinearConstraint choose{.terms = {{0, 1}, {2, 1}, {3, 1}}, .comparison = Comparison::kEqual, .bound = 2};
  EXPECT_TRUE(is_cardinality(choose));
  for (const double bound : {-1.0, 1.5, 4.0}) {
    LinearConstraint changed = choose;
    changed.bound = bound;
    EXPECT_FALSE(is_cardinality(changed)) << bound;
  }
  LinearConstraint changed = choose;
  changed.comparison = Comparison::kLessEqual;
  EXPECT_FALSE(is_cardinality(changed));
  changed = choose;
  changed.terms[1].coefficient = 2;
  EXPECT_FALSE(is_cardinality(changed));
  EXPECT_FALSE(is_cardinality({.comparison = Comparison::kEqual, .bound = 0}));
}

TEST(Cardinality, of_rows_that_share_a_variable_the_first_is_taken) {
  const std::vector<LinearConstraint> rows = {
      {.terms = {{0, 1}, {1, 1}}, .comparison = Comparison::kEqual, .bound = 1},
      {.terms = {{1, 1}, {2, 1}}, .comparison = Comparison::kEqual, .bound = 1},
      {.terms = {{0, 3}, {4, 1}}, .comparison = Comparison::kLessEqual, .bound = 3},
      {.terms = {{2, 1}, {3, 1}, {4, 1}}, .comparison = Comparison::kEqual, .bound = 2}};
  EXPECT_THAT(disjoint_cardinalities(rows, 5),
              ElementsAre(Cardinality{.variables = {0, 1}, .ones = 1}, Cardinality{.variables = {2, 3, 4}, .ones = 2}));
}

}  // namespace
}  // namespace tandem::problem
