#include "tandem/middleware/encode/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"

namespace tandem::encode {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Comparison;
using problem::Cqm;
using problem::LinearConstraint;
using problem::Vartype;

Assignment bits_of(std::uint64_t value, std::size_t n) {
  Assignment out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::int8_t>((value >> i) & 1u);
  return out;
}

Bqm random_bqm(Xoshiro256& rng, std::size_t n, Vartype vartype = Vartype::kBinary) {
  const auto draw = [&] { return static_cast<double>(rng.below(41)) - 20; };
  std::vector<double> linear(n);
  for (double& c : linear) c = draw();
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.below(2) == 0) terms.push_back({u, v, draw()});
  return *Bqm::create(vartype, std::move(linear), std::move(terms), draw());
}

struct Best {
  double energy = 0;
  bool found = false;
  void offer(double candidate) {
    if (!found || candidate < energy) energy = candidate;
    found = true;
  }
};

/// Least objective over the feasible assignments of a Cqm, by a plain sweep.
Best best_feasible(const Cqm& cqm) {
  Best out;
  for (std::uint64_t x = 0; x < (std::uint64_t{1} << cqm.num_variables()); ++x) {
    const Assignment values = bits_of(x, cqm.num_variables());
    if (cqm.feasible(values)) out.offer(cqm.objective().energy(values));
  }
  return out;
}

/// The assignment that minimises an encoding, by a plain sweep.
Assignment argmin(const Bqm& bqm) {
  Assignment best;
  double energy = 0;
  for (std::uint64_t x = 0; x < (std::uint64_t{1} << bqm.num_variables()); ++x) {
    const Assignment values = bits_of(x, bqm.num_variables());
    const double e = bqm.energy(values);
    if (best.empty() || e < energy) {
      best = values;
      energy = e;
    }
  }
  return best;
}

LinearConstraint constraint(std::string name, std::vector<double> coefficients, Comparison comparison, double bound) {
  LinearConstraint out{.name = std::move(name), .comparison = comparison, .bound = bound};
  for (std::uint32_t i = 0; i < coefficients.size(); ++i)
    if (coefficients[i] != 0) out.terms.push_back({i, coefficients[i]});
  return out;
}

TEST(Encode, the_minimum_of_an_exact_encoding_is_the_constrained_minimum) {
  Xoshiro256 rng(1);
  int tried = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t n = 3 + rng.below(4);
    std::vector<LinearConstraint> constraints = {
        constraint("choose", std::vector<double>(n, 1), Comparison::kEqual, static_cast<double>(1 + rng.below(n)))};
    std::vector<double> costs(n);
    for (double& c : costs) c = static_cast<double>(1 + rng.below(5));
    if (round % 3 != 0)
      constraints.push_back(constraint("cost", costs, Comparison::kLessEqual, static_cast<double>(4 + rng.below(8))));
    if (round % 3 == 2) constraints.push_back(constraint("least", costs, Comparison::kGreaterEqual, 2));
    const Cqm cqm = *Cqm::create(random_bqm(rng, n), constraints);
    const Best best = best_feasible(cqm);
    const auto encoding = encode(cqm, {});
    if (!best.found) continue;  // infeasible together: nothing to compare
    ASSERT_TRUE(encoding) << encoding.error().to_string();
    ASSERT_LE(encoding->bqm.num_variables(), 20u);
    EXPECT_TRUE(encoding->exact);
    const Assignment decoded = encoding->decode(argmin(encoding->bqm));
    EXPECT_TRUE(cqm.feasible(decoded)) << "round " << round;
    EXPECT_EQ(cqm.objective().energy(decoded), best.energy) << "round " << round << ": " << encoding->proof;
    ++tried;
  }
  EXPECT_GT(tried, 200);
}

TEST(Encode, rows_of_which_one_literal_may_be_on_need_no_slack) {
  Xoshiro256 rng(7);
  for (int round = 0; round < 400; ++round) {
    const std::size_t n = 3 + rng.below(5);
    // Independent sets, covers, implications (which repairs may break), and more than two at once.
    const auto kind = static_cast<int>(rng.below(4));
    std::vector<LinearConstraint> constraints;
    for (std::uint32_t u = 0; u < n; ++u) {
      for (std::uint32_t v = u + 1; v < n; ++v) {
        if (rng.below(2) == 0) continue;
        LinearConstraint row{
            .name = "row", .terms = {{u, 1}, {v, 1}}, .comparison = Comparison::kLessEqual, .bound = 1};
        if (kind == 1) row.comparison = Comparison::kGreaterEqual;
        if (kind == 2) row.terms[1].coefficient = -1;
        if (kind == 2) row.bound = 0.5;  // the same as 0
        if (kind == 3 && v + 1 < n) row.terms.push_back({v + 1, 1});
        constraints.push_back(row);
      }
    }
    const bool quadratic = rng.below(2) == 0;
    std::vector<double> linear(n, kind == 1 ? 1 : -1);
    const Bqm objective = quadratic ? random_bqm(rng, n) : *Bqm::create(Vartype::kBinary, std::move(linear), {}, 0);
    const Cqm cqm = *Cqm::create(objective, constraints);
    const auto encoding = encode(cqm, {});
    ASSERT_TRUE(encoding) << encoding.error().to_string();
    ASSERT_EQ(encoding->bqm.num_variables(), n);
    EXPECT_TRUE(encoding->exact);
    for (const EncodedConstraint& done : encoding->constraints) {
      EXPECT_EQ(done.method, "product");
      if (!quadratic && kind != 2) {
        EXPECT_DOUBLE_EQ(done.weight, 1.01);
      }
    }
    Best infeasible;
    for (std::uint64_t x = 0; x < (std::uint64_t{1} << n); ++x) {
      const Assignment values = bits_of(x, n);
      if (!cqm.feasible(values)) {
        infeasible.offer(encoding->bqm.energy(values));
      } else {
        EXPECT_NEAR(encoding->bqm.energy(values), objective.energy(values), 1e-9);
      }
    }
    const Best best = best_feasible(cqm);
    if (best.found && infeasible.found) {
      EXPECT_GT(infeasible.energy, best.energy) << encoding->proof;
    }
  }
}

TEST(Encode, a_bound_within_the_tolerance_of_two_allows_two) {
  const Cqm cqm = *Cqm::create(
      *Bqm::create(Vartype::kBinary, {-1, -1, -1}, {}, 0),
      {{.name = "row", .terms = {{0, 1}, {1, 1}, {2, 1}}, .comparison = Comparison::kLessEqual, .bound = 2 - 5e-10}});
  ASSERT_TRUE(cqm.feasible(Assignment{1, 1, 0}));
  const auto encoding = encode(cqm, {});
  ASSERT_TRUE(encoding) << encoding.error().to_string();
  EXPECT_NE(encoding->constraints[0].method, "product");
}

TEST(Encode, a_feasible_assignment_keeps_its_energy_with_the_right_slack) {
  Xoshiro256 rng(2);
  const Cqm cqm = *Cqm::create(random_bqm(rng, 4), {constraint("cost", {1, 2, 3, 4}, Comparison::kLessEqual, 6)});
  const auto encoding = encode(cqm, {});
  ASSERT_TRUE(encoding);
  const std::size_t slack = encoding->bqm.num_variables() - 4;
  for (std::uint64_t x = 0; x < 16; ++x) {
    Best best;
    for (std::uint64_t s = 0; s < (std::uint64_t{1} << slack); ++s)
      best.offer(encoding->bqm.energy(bits_of(x | (s << 4), 4 + slack)));
    const Assignment values = bits_of(x, 4);
    if (cqm.feasible(values)) {
      EXPECT_NEAR(best.energy, cqm.objective().energy(values), 1e-9);
    } else {
      EXPECT_GT(best.energy, cqm.objective().energy(values));
    }
  }
}

TEST(Encode, a_constraint_that_cannot_be_broken_costs_nothing) {
  Xoshiro256 rng(3);
  const Bqm objective = random_bqm(rng, 3);
  const auto encoding =
      encode(*Cqm::create(objective, {constraint("loose", {1, 1, 1}, Comparison::kLessEqual, 3)}), {});
  ASSERT_TRUE(encoding);
  EXPECT_EQ(encoding->constraints.at(0).method, "redundant");
  EXPECT_EQ(encoding->bqm, objective);
}

TEST(Encode, with_a_known_cardinality_a_limit_that_it_implies_is_redundant) {
  Xoshiro256 rng(4);
  const auto encoding =
      encode(*Cqm::create(random_bqm(rng, 4), {constraint("choose 2", {1, 1, 1, 1}, Comparison::kEqual, 2),
                                               constraint("cost", {5, 4, 1, 1}, Comparison::kLessEqual, 9)}),
             {});
  ASSERT_TRUE(encoding);
  EXPECT_EQ(encoding->constraints.at(1).method, "redundant");
}

TEST(Encode, where_slack_does_not_fit_an_unbalanced_penalty_is_used_and_named) {
  Xoshiro256 rng(5);
  const Cqm cqm =
      *Cqm::create(random_bqm(rng, 5), {constraint("cost", {10, 20, 30, 40, 50}, Comparison::kLessEqual, 70)});
  const auto encoding = encode(cqm, {.variables_max = 5});
  ASSERT_TRUE(encoding);
  EXPECT_EQ(encoding->bqm.num_variables(), 5u);
  EXPECT_EQ(encoding->constraints.at(0).method, "unbalanced");
  EXPECT_FALSE(encoding->exact);
}

TEST(Encode, a_constraint_that_nothing_satisfies_is_refused_by_name) {
  Xoshiro256 rng(6);
  const auto encoding =
      encode(*Cqm::create(random_bqm(rng, 3), {constraint("too many", {1, 1, 1}, Comparison::kEqual, 4)}), {});
  ASSERT_FALSE(encoding);
  EXPECT_EQ(encoding.error().number, errors::kInfeasibleProblem);
  EXPECT_THAT(encoding.error().message, testing::HasSubstr("too many"));
}

TEST(Encode, a_polynomial_of_order_three_is_not_quietly_made_quadratic) {
  const auto cubic = problem::Polynomial::create(Vartype::kBinary, 3, {{{0, 1, 2}, 1.0}});
  ASSERT_TRUE(cubic);
  EXPECT_EQ(encode(*cubic, {}).error().number, errors::kBackendCannot);
  const auto quadratic = problem::Polynomial::create(Vartype::kBinary, 3, {{{0, 1}, 1.0}, {{2}, -1.0}});
  const auto encoding = encode(*quadratic, {});
  ASSERT_TRUE(encoding);
  for (std::uint64_t x = 0; x < 8; ++x)
    EXPECT_EQ(encoding->bqm.energy(bits_of(x, 3)), quadratic->energy(bits_of(x, 3)));
}

TEST(AssignmentOfBits, bit_i_is_variable_i_and_one_is_high) {
  const std::uint64_t z = 0b001;
  EXPECT_EQ(assignment_of_bits({&z, 1}, 3, Vartype::kBinary), (Assignment{1, 0, 0}));
  EXPECT_EQ(assignment_of_bits({&z, 1}, 3, Vartype::kSpin), (Assignment{1, -1, -1}));
}

}  // namespace
}  // namespace tandem::encode
