#include "tandem/hybrid/narrow/narrow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"

namespace tandem::narrow {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Cqm;
using problem::Statement;
using problem::Vartype;

Assignment random_assignment(Xoshiro256& rng, std::size_t n, Vartype vartype) {
  Assignment out(n);
  for (auto& value : out)
    value = rng.below(2) == 1 ? std::int8_t{1} : (vartype == Vartype::kSpin ? std::int8_t{-1} : std::int8_t{0});
  return out;
}

Bqm random_bqm(Xoshiro256& rng, std::uint32_t n, Vartype vartype, bool fields = true) {
  std::vector<double> linear(n, 0);
  if (fields)
    for (double& c : linear) c = static_cast<double>(rng.below(21)) - 10;
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.below(3) == 0) terms.push_back({u, v, static_cast<double>(rng.below(21)) - 10});
  return *Bqm::create(vartype, std::move(linear), std::move(terms), 5);
}

TEST(Narrow, the_core_has_the_energy_of_what_it_lifts_to) {
  Xoshiro256 rng(1);
  for (int round = 0; round < 100; ++round) {
    const Vartype vartype = round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin;
    const auto n = static_cast<std::uint32_t>(1 + rng.below(20));
    const Bqm bqm = random_bqm(rng, n, vartype);
    std::vector<Assignment> elite;
    for (int i = 0; i < 5; ++i) elite.push_back(random_assignment(rng, n, vartype));
    const auto core = narrow(bqm, elite, {.core_max = 6, .seed = static_cast<std::uint64_t>(round)});
    ASSERT_TRUE(core);
    ASSERT_EQ(core->variables.size(), std::min<std::size_t>(6, n));
    EXPECT_EQ(core->backbone + core->cut + core->variables.size(), n);
    for (int draw = 0; draw < 10; ++draw) {
      const Assignment values = random_assignment(rng, core->variables.size(), vartype);
      EXPECT_NEAR(std::get<Bqm>(core->statement).energy(values), bqm.energy(core->lift(values)), 1e-9);
    }
  }
}

TEST(PlantedFault, a_lift_that_does_not_put_the_core_back_is_caught_by_the_energy) {
  Xoshiro256 rng(3);
  const Bqm bqm = random_bqm(rng, 12, Vartype::kBinary);
  const std::vector<Assignment> elite = {random_assignment(rng, 12, Vartype::kBinary)};
  const auto core = narrow(bqm, elite, {.core_max = 6});
  ASSERT_TRUE(core);
  const auto wrong_lifts = [&](const Core& one) {
    int out = 0;
    for (std::uint64_t x = 0; x < 64; ++x) {
      Assignment values(6);
      for (std::size_t i = 0; i < 6; ++i) values[i] = static_cast<std::int8_t>((x >> i) & 1u);
      out += std::abs(std::get<Bqm>(core->statement).energy(values) - bqm.energy(one.lift(values))) > 1e-9 ? 1 : 0;
    }
    return out;
  };
  EXPECT_EQ(wrong_lifts(*core), 0);
  Core nothing_fixed = *core;
  nothing_fixed.incumbent.assign(12, 0);
  EXPECT_GT(wrong_lifts(nothing_fixed), 0);
  Core elsewhere = *core;  // the core's values at the first variables, wherever they came from
  for (std::uint32_t i = 0; i < 6; ++i) elsewhere.variables[i] = i;
  EXPECT_GT(wrong_lifts(elsewhere), 0);
}

TEST(Narrow, a_constrained_core_is_feasible_exactly_when_what_it_lifts_to_is) {
  Xoshiro256 rng(2);
  for (int round = 0; round < 50; ++round) {
    problem::LinearConstraint choose{.name = "choose", .comparison = problem::Comparison::kEqual, .bound = 4};
    problem::LinearConstraint cost{.name = "cost", .comparison = problem::Comparison::kLessEqual, .bound = 20};
    for (std::uint32_t i = 0; i < 10; ++i) {
      choose.terms.push_back({i, 1});
      cost.terms.push_back({i, static_cast<double>(1 + rng.below(9))});
    }
    const Cqm cqm = *Cqm::create(random_bqm(rng, 10, Vartype::kBinary), {choose, cost});
    const std::vector<Assignment> elite = {random_assignment(rng, 10, Vartype::kBinary)};
    const auto core = narrow(cqm, elite, {.core_max = 5});
    ASSERT_TRUE(core);
    for (std::uint64_t x = 0; x < 32; ++x) {
      Assignment values(5);
      for (std::size_t i = 0; i < 5; ++i) values[i] = static_cast<std::int8_t>((x >> i) & 1u);
      EXPECT_EQ(std::get<Cqm>(core->statement).feasible(values), cqm.feasible(core->lift(values)));
    }
  }
}

TEST(Narrow, what_the_elite_contests_goes_into_the_core_before_what_it_agrees_on) {
  const Bqm bqm = *Bqm::create(Vartype::kBinary, std::vector<double>(8, 1), {}, 0);
  const std::vector<Assignment> elite = {{0, 0, 0, 0, 0, 0, 0, 0}, {0, 1, 0, 0, 0, 0, 1, 0}, {0, 1, 0, 0, 0, 0, 0, 0}};
  const auto core = narrow(bqm, elite, {.core_max = 2});
  ASSERT_TRUE(core);
  EXPECT_EQ(core->variables, (std::vector<std::uint32_t>{1, 6}));
  EXPECT_EQ(core->backbone, 6u);
  EXPECT_EQ(core->cut, 0u);
}

TEST(Narrow, solutions_that_are_mirror_images_do_not_contest_anything) {
  Xoshiro256 rng(3);
  const Bqm bqm = random_bqm(rng, 12, Vartype::kSpin, false);
  const Assignment first = random_assignment(rng, 12, Vartype::kSpin);
  Assignment mirror = first;
  for (auto& value : mirror) value = static_cast<std::int8_t>(-value);
  mirror[4] = static_cast<std::int8_t>(-mirror[4]);
  const auto core = narrow(bqm, std::vector<Assignment>{first, mirror}, {.core_max = 1});
  ASSERT_TRUE(core);
  EXPECT_EQ(core->variables, (std::vector<std::uint32_t>{4}));
  EXPECT_EQ(core->backbone, 11u);
}

TEST(Narrow, recent_variables_wait_until_nothing_else_is_left) {
  const Bqm bqm = *Bqm::create(Vartype::kBinary, {1, 2, 3, 4}, {}, 0);
  const std::vector<Assignment> elite = {{0, 0, 0, 0}};
  const auto core = narrow(bqm, elite, {.core_max = 2, .avoid = {0, 1}});
  ASSERT_TRUE(core);
  EXPECT_EQ(core->variables, (std::vector<std::uint32_t>{2, 3}));
  const auto all = narrow(bqm, elite, {.core_max = 3, .avoid = {0, 1}});
  EXPECT_EQ(all->variables.size(), 3u);
}

TEST(Narrow, a_model_without_variables_has_an_empty_core) {
  const auto core = narrow(*Bqm::create(Vartype::kBinary, {}, {}, 7), std::vector<Assignment>{{}}, {});
  ASSERT_TRUE(core);
  EXPECT_TRUE(core->variables.empty());
  EXPECT_EQ(std::get<Bqm>(core->statement).energy({}), 7);
}

TEST(Narrow, same_seed_same_core) {
  Xoshiro256 rng(4);
  const Bqm bqm = random_bqm(rng, 30, Vartype::kBinary);
  std::vector<Assignment> elite;
  for (int i = 0; i < 8; ++i) elite.push_back(random_assignment(rng, 30, Vartype::kBinary));
  EXPECT_EQ(narrow(bqm, elite, {.core_max = 9, .seed = 5})->variables,
            narrow(bqm, elite, {.core_max = 9, .seed = 5})->variables);
}

}  // namespace
}  // namespace tandem::narrow
