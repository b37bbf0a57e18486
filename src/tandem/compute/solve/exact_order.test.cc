// What is called proved is optimal to the last digit: every prover against a sweep in 128-bit integers.
#include "tandem/compute/solve/exact_order.h"

#include <gtest/gtest.h>

#include "tandem/base/testing/manual_executor.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/problem/testing/hard_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Cqm;
using problem::Hard;
using problem::Int128;
using problem::Polynomial;
using problem::QuadraticTerm;
using problem::Vartype;

SolveOutcome solved(std::string_view name, const Model& model) {
  FakeClock clock;
  ManualExecutor executor(clock);
  SolveOptions options{.candidates_max = 4};
  options.work.units.assign(name == "portfolio" || name == "constrained" ? 2 : 1,
                            name == "portfolio" ? 4'000'000 : UINT64_MAX);
  const Solver* const solver = find_solver(name);
  auto outcome = solver->solve(model, options, {executor, {}, {}, 1});
  EXPECT_TRUE(outcome.has_value()) << name << ": " << outcome.error().to_string();
  return outcome ? *std::move(outcome) : SolveOutcome{};
}

TEST(ExactSum, keeps_what_doubles_lose) {
  ExactSum sum;
  EXPECT_EQ(sum.sign(), 0);
  for (const double value : {0x1.0p100, 1.0, -0x1.0p100}) sum.add(value);
  EXPECT_EQ(sum.sign(), 1);  // 2^100 + 1 - 2^100
  sum.add(-1);
  EXPECT_EQ(sum.sign(), 0);
  sum.add(-0x1.0p-1000);
  sum.add(0x1.0p900);
  sum.add(-0x1.0p900);
  EXPECT_EQ(sum.sign(), -1);
}

TEST(ExactOrder, is_the_order_of_true_energies) {
  Xoshiro256 rng(1);
  for (const Hard family : problem::kHardFamilies) {
    for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
      const Bqm bqm = problem::hard_bqm(family, vartype, 6, 0.8, rng());
      const ExactOrder order(bqm);
      problem::for_each_assignment(vartype, 6, [&](const Assignment& a) {
        problem::for_each_assignment(vartype, 6, [&](const Assignment& b) {
          const Int128 difference = problem::true_energy(bqm, a) - problem::true_energy(bqm, b);
          ASSERT_EQ(order.compare(a, b), difference < 0 ? -1 : (difference > 0 ? 1 : 0));
        });
      });
    }
  }
}

TEST(ExactOrder, of_decimals_is_that_of_the_decimals) {
  // As doubles 0.1 + 0.2 is above 0.3; as decimals they are equal.
  const Bqm bqm = Bqm::create(Vartype::kBinary, {0.1, 0.2, 0.3}, {}, 0).value();
  EXPECT_EQ(ExactOrder(bqm).compare(Assignment{1, 1, 0}, Assignment{0, 0, 1}), 0);
}

TEST(Proof, is_true_to_the_last_digit_whatever_the_coefficients) {
  Xoshiro256 rng(2026);
  for (int round = 0; round < 400; ++round) {
    const Hard family = problem::kHardFamilies[static_cast<std::size_t>(round) % problem::kHardFamilies.size()];
    const Vartype vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
    const auto n = static_cast<std::uint32_t>(2 + rng.below(9));
    const Bqm bqm = problem::hard_bqm(family, vartype, n, std::array{0.2, 0.5, 1.0}[rng.below(3)], rng());
    const Int128 optimum = problem::true_optimum(bqm, [](const Assignment&) { return true; });
    for (const char* name : {"branch_and_bound", "exhaustive", "portfolio"}) {
      const SolveOutcome outcome = solved(name, bqm);
      ASSERT_TRUE(outcome.proved) << name << " round " << round;
      ASSERT_TRUE(problem::true_energy(bqm, outcome.samples.best().values) == optimum) << name << " round " << round;
      EXPECT_DOUBLE_EQ(outcome.samples.best().energy, std::ldexp(static_cast<double>(optimum), -problem::kHardBits));
    }
  }
}

TEST(Proof, is_true_to_the_last_digit_under_constraints) {
  Xoshiro256 rng(7);
  for (int round = 0; round < 60; ++round) {
    const Hard family = problem::kHardFamilies[static_cast<std::size_t>(round) % problem::kHardFamilies.size()];
    const auto n = static_cast<std::uint32_t>(3 + rng.below(7));
    const Bqm bqm = problem::hard_bqm(family, Vartype::kBinary, n, 0.7, rng());
    problem::LinearConstraint choose{
        .name = "choose", .terms = {}, .comparison = problem::Comparison::kLessEqual, .bound = n / 2 + 1.0};
    for (std::uint32_t i = 0; i < n; ++i) choose.terms.push_back({i, 1});
    const Cqm cqm = Cqm::create(bqm, {choose}).value();
    const Int128 optimum = problem::true_optimum(bqm, [&](const Assignment& values) { return cqm.feasible(values); });
    for (const char* name : {"constrained", "exhaustive", "portfolio"}) {
      const SolveOutcome outcome = solved(name, cqm);
      ASSERT_TRUE(outcome.proved) << name << " round " << round;
      ASSERT_TRUE(problem::true_energy(bqm, outcome.samples.best().values) == optimum) << name << " round " << round;
      EXPECT_DOUBLE_EQ(outcome.samples.best().energy, std::ldexp(static_cast<double>(optimum), -problem::kHardBits));
    }
  }
}

TEST(Proof, holds_for_small_couplings_that_rounding_makes_zero) {
  // Small numbers over the first seven variables beside 10^17 times a square over the last four, and nothing between them.
  Xoshiro256 rng(11);
  for (int round = 0; round < 60; ++round) {
    const auto small = [&] { return static_cast<double>(rng.below(19)) - 9; };
    const Vartype vartype = round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin;
    const std::array weights{3.0, -2.0, 1.0, -2.0};
    std::vector<double> linear(11);
    std::vector<QuadraticTerm> terms;
    for (std::uint32_t u = 0; u < 11; ++u) {
      linear[u] = u < 7 ? small() : 1e17 * weights[u - 7] * weights[u - 7];
      for (std::uint32_t v = u + 1; v < 11; ++v) {
        if (v < 7) terms.push_back({u, v, small()});
        if (u >= 7) terms.push_back({u, v, 2e17 * weights[u - 7] * weights[v - 7]});
      }
    }
    const Bqm bqm = Bqm::create(vartype, std::move(linear), std::move(terms), 0).value();
    const Int128 optimum = problem::true_optimum(bqm, [](const Assignment&) { return true; });
    for (const char* name : {"branch_and_bound", "exhaustive", "portfolio"}) {
      const SolveOutcome outcome = solved(name, bqm);
      ASSERT_TRUE(outcome.proved) << name << " round " << round;
      ASSERT_TRUE(problem::true_energy(bqm, outcome.samples.best().values) == optimum) << name << " round " << round;
    }
  }
}

TEST(Proof, of_a_polynomial_is_true_to_the_last_digit) {
  // x0 x1 x2 / 3 against x3 x4 x5 times the next double: they differ in the last place, and nothing else does.
  const double third = -1.0 / 3;
  for (const bool swapped : {false, true}) {
    const Polynomial polynomial =
        Polynomial::create(Vartype::kBinary, 6,
                           {{.variables = {0, 1, 2}, .coefficient = swapped ? std::nextafter(third, -1) : third},
                            {.variables = {3, 4, 5}, .coefficient = swapped ? third : std::nextafter(third, -1)},
                            {.variables = {0, 1, 3, 4}, .coefficient = 1e6}})
            .value();
    const SolveOutcome outcome = solved("exhaustive", polynomial);
    ASSERT_TRUE(outcome.proved);
    const Assignment& best = outcome.samples.best().values;
    EXPECT_EQ(best[0] * best[1] * best[2], swapped ? 1 : 0);
    EXPECT_EQ(best[3] * best[4] * best[5], swapped ? 0 : 1);
  }
}

TEST(Proof, two_components_that_differ_in_the_last_place_are_both_settled) {
  // -1/3 against its neighbours, in two pairs that nothing joins; rounding to 2^-50 of the sum makes all of them equal.
  const double third = -1.0 / 3;
  const double more = std::nextafter(third, -1);
  const Bqm bqm = Bqm::create(Vartype::kBinary, {third, more, more, third}, {{0, 1, 2}, {2, 3, 2}}, 1e6 / 3).value();
  for (const char* name : {"branch_and_bound", "exhaustive", "portfolio"}) {
    const SolveOutcome outcome = solved(name, bqm);
    ASSERT_TRUE(outcome.proved) << name;
    EXPECT_EQ(outcome.samples.best().values, (Assignment{0, 1, 1, 0})) << name;
  }
}

}  // namespace
}  // namespace tandem::solve
