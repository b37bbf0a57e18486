#include "tandem/middleware/encode/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"
#include "tandem/middleware/encode/encode.h"

namespace tandem::encode {
namespace {

using problem::Bqm;
using problem::Comparison;
using problem::Cqm;
using problem::Vartype;

Bqm binary(std::vector<double> linear, std::vector<problem::QuadraticTerm> terms = {}, double offset = 0) {
  return *Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), offset);
}

TEST(SweepWeights, the_least_weight_by_hand_is_doubled) {
  // min -3 x0 - x1 with x0 + x1 == 1: the optimum is 10 with -3; 11 has -4 and is violated by 1, so the penalty
  // (x0 + x1 - 1)^2 needs a weight above 1; 00 needs none.
  const Cqm cqm = *Cqm::create(
      binary({-3, -1}), {{.name = "one", .terms = {{0, 1}, {1, 1}}, .comparison = Comparison::kEqual, .bound = 1}});
  const auto swept = sweep_weights(cqm, binary({-1, -1}, {{0, 1, 2}}, 1), binary({0, 0}));
  ASSERT_TRUE(swept);
  EXPECT_NEAR(swept->kept, 2, 1e-5);
  EXPECT_EQ(swept->other, 0);
  EXPECT_EQ(swept->optimum, -3);
}

TEST(SweepWeights, a_constant_objective_gets_weights_that_can_be_told_from_zero) {
  const Cqm cqm = *Cqm::create(binary({0}, {}, 5),
                               {{.name = "none", .terms = {{0, 1}}, .comparison = Comparison::kLessEqual, .bound = 0}});
  const auto as_other = sweep_weights(cqm, binary({0}), binary({1}));
  ASSERT_TRUE(as_other);
  EXPECT_EQ(as_other->other, 2);
  const auto as_kept = sweep_weights(cqm, binary({1}), binary({0}));
  ASSERT_TRUE(as_kept);
  EXPECT_EQ(as_kept->kept, 2);
}

TEST(SweepWeights, a_penalty_that_ranks_the_optimum_above_what_it_should_forbid_is_given_up) {
  // min -x0 with x0 <= 0, but the penalty rewards x0.
  const Cqm cqm = *Cqm::create(binary({-1}),
                               {{.name = "none", .terms = {{0, 1}}, .comparison = Comparison::kLessEqual, .bound = 0}});
  EXPECT_FALSE(sweep_weights(cqm, binary({0}), binary({-1})));
}

TEST(SweepWeights, without_a_feasible_state_there_is_nothing_to_keep_lowest) {
  const Cqm cqm = *Cqm::create(
      binary({-1, 1}), {{.name = "three", .terms = {{0, 1}, {1, 1}}, .comparison = Comparison::kEqual, .bound = 3}});
  EXPECT_FALSE(sweep_weights(cqm, binary({0, 0}), binary({0, 0})));
}

/// Choose 4 of 9, a budget, and a limit on the first three; costs are random.
Cqm random_choice(Xoshiro256& rng) {
  std::vector<double> linear(9);
  for (double& a : linear) a = 2 * rng.uniform() - 1;
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < 9; ++u)
    for (std::uint32_t v = u + 1; v < 9; ++v) terms.push_back({u, v, rng.uniform() - 0.5});
  problem::LinearConstraint choose{.name = "choose", .comparison = Comparison::kEqual, .bound = 4};
  problem::LinearConstraint budget{.name = "budget", .comparison = Comparison::kLessEqual, .bound = 210};
  for (std::uint32_t v = 0; v < 9; ++v) {
    choose.terms.push_back({v, 1});
    budget.terms.push_back({v, 30 + static_cast<double>(rng.below(60))});
  }
  problem::LinearConstraint sector{
      .name = "sector", .terms = {{0, 1}, {1, 1}, {2, 1}}, .comparison = Comparison::kLessEqual, .bound = 2};
  return *Cqm::create(binary(std::move(linear), std::move(terms)), {choose, budget, sector});
}

TEST(EncodeWithSweep, the_lowest_state_is_the_constrained_optimum_and_weights_are_smaller_than_the_bounds) {
  Xoshiro256 rng(1);
  int verified = 0;
  for (int round = 0; round < 40; ++round) {
    const Cqm cqm = random_choice(rng);
    double optimum = 1e300;
    for (std::uint32_t z = 0; z < 512; ++z) {
      problem::Assignment values(9);
      for (std::size_t i = 0; i < 9; ++i) values[i] = static_cast<std::int8_t>(z >> i & 1u);
      if (cqm.feasible(values)) optimum = std::min(optimum, cqm.objective().energy(values));
    }
    if (optimum == 1e300) continue;  // no four assets fit the budget
    const auto swept = encode(cqm, {.variables_max = 9, .sweep_variables_max = 20});
    const auto bounded = encode(cqm, {.variables_max = 9});
    ASSERT_TRUE(swept && bounded);
    EXPECT_THAT(swept->cardinalities, testing::SizeIs(1));
    if (!swept->exact) continue;
    ++verified;
    EXPECT_EQ(swept->bqm.num_variables(), 9u) << "no slack bits";
    double lowest = 1e300;
    problem::Assignment best;
    for (std::uint32_t z = 0; z < 512; ++z) {
      problem::Assignment values(9);
      for (std::size_t i = 0; i < 9; ++i) values[i] = static_cast<std::int8_t>(z >> i & 1u);
      if (const double energy = swept->bqm.energy(values); energy < lowest) {
        lowest = energy;
        best = values;
      }
    }
    EXPECT_TRUE(cqm.feasible(best)) << swept->proof;
    EXPECT_NEAR(cqm.objective().energy(best), optimum, 1e-9);
    EXPECT_LT(swept->constraints[0].weight, bounded->constraints[0].weight);
  }
  EXPECT_GT(verified, 20);
}

}  // namespace
}  // namespace tandem::encode
