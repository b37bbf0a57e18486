#include "tandem/model/problem/cqm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::problem {
namespace {

LinearConstraint constraint(Comparison comparison, double bound) {
  return {.name = "test", .terms = {{0, 2}, {1, 3}, {2, -1}}, .comparison = comparison, .bound = bound};
}

TEST(LinearConstraint, violation_is_the_distance_to_the_bound) {
  const Assignment all{1, 1, 1};  // activity 4
  EXPECT_EQ(constraint(Comparison::kEqual, 4).violation(all), 0);
  EXPECT_EQ(constraint(Comparison::kEqual, 1).violation(all), 3);
  EXPECT_EQ(constraint(Comparison::kEqual, 6).violation(all), 2);
  EXPECT_EQ(constraint(Comparison::kLessEqual, 3).violation(all), 1);
  EXPECT_EQ(constraint(Comparison::kLessEqual, 5).violation(all), 0);
  EXPECT_EQ(constraint(Comparison::kGreaterEqual, 5).violation(all), 1);
  EXPECT_EQ(constraint(Comparison::kGreaterEqual, 3).violation(all), 0);
}

TEST(LinearConstraint, rounding_of_sums_is_no_violation) {
  // 0.1 + 0.2 is above 0.3 in doubles.
  const LinearConstraint sum{
      .name = "sum", .terms = {{0, 0.1}, {1, 0.2}}, .comparison = Comparison::kLessEqual, .bound = 0.3};
  EXPECT_EQ(sum.violation(Assignment{1, 1}), 0);
  const LinearConstraint large{
      .name = "large", .terms = {{0, 1e12}}, .comparison = Comparison::kEqual, .bound = 1e12 + 500};
  EXPECT_EQ(large.violation(Assignment{1}), 0);
  EXPECT_EQ(large.violation(Assignment{0}), 1e12 + 500);
}

TEST(Cqm, feasible_means_no_violation_at_all) {
  const Cqm cqm = Cqm::create(random_bqm(Vartype::kBinary, 3, 1, 1),
                              {constraint(Comparison::kGreaterEqual, 1), constraint(Comparison::kLessEqual, 3)})
                      .value();
  int feasible = 0;
  for_each_assignment(Vartype::kBinary, 3, [&](const Assignment& values) {
    const int activity = 2 * values[0] + 3 * values[1] - values[2];
    EXPECT_EQ(cqm.feasible(values), activity >= 1 && activity <= 3);
    feasible += cqm.feasible(values) ? 1 : 0;
  });
  EXPECT_EQ(feasible, 4);  // 100, 010, 110 is 5, 101, 011
}

TEST(Cqm, terms_are_sorted_and_summed_by_variable) {
  const Cqm cqm =
      Cqm::create(random_bqm(Vartype::kBinary, 3, 1, 1),
                  {{.name = "c", .terms = {{2, 1}, {0, 4}, {2, 2}, {1, 0}}, .comparison = Comparison::kEqual}})
          .value();
  EXPECT_THAT(cqm.constraints()[0].terms, testing::ElementsAre(LinearTerm{0, 4}, LinearTerm{2, 3}));
}

TEST(Cqm, bad_constraints_are_refused_with_their_number) {
  const Bqm objective = random_bqm(Vartype::kBinary, 3, 1, 1);
  EXPECT_THAT(Cqm::create(objective, {{.name = "c", .terms = {{3, 1}}}}), FailsWith(errors::kIndexOutOfRange));
  EXPECT_THAT(Cqm::create(objective, {{.name = "c", .terms = {{0, std::numeric_limits<double>::quiet_NaN()}}}}),
              FailsWith(errors::kNotFinite));
  EXPECT_THAT(Cqm::create(objective, {{.name = "c", .terms = {}, .bound = std::numeric_limits<double>::infinity()}}),
              FailsWith(errors::kNotFinite));
  const Bqm spins = random_bqm(Vartype::kSpin, 3, 1, 1);
  EXPECT_THAT(Cqm::create(spins, {{.name = "c", .terms = {{0, 1}}}}), FailsWith(errors::kBadVartype));
  EXPECT_THAT(Cqm::create(spins, {}), Succeeds());
}

}  // namespace
}  // namespace tandem::problem
