#include "tandem/compute/solve/annealing_search.h"

#include <gtest/gtest.h>

#include "tandem/compute/solve/polynomial_model.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;

/// All weights times `factor`; with `unit` one more variable, alone, of weight 1, so that no divisor can be taken out.
Bqm weighted(const Bqm& bqm, double factor, bool unit) {
  std::vector<double> linear(bqm.linear().begin(), bqm.linear().end());
  for (double& value : linear) value *= factor;
  if (unit) linear.push_back(1);
  std::vector<QuadraticTerm> terms(bqm.terms().begin(), bqm.terms().end());
  for (QuadraticTerm& term : terms) term.bias *= factor;
  return Bqm::create(bqm.vartype(), std::move(linear), std::move(terms), 0).value();
}

TEST(MeasureTemperatures, weights_times_three_are_temperatures_times_three) {
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    for (const double density : {0.03, 1.0}) {
      const Bqm bqm = problem::random_bqm(vartype, 300, density, 7);
      const auto measured = [&](double factor) {
        return measure_temperatures(SearchModel::create(weighted(bqm, factor, true), kMemory).value());
      };
      const Temperatures once = measured(1);
      const Temperatures thrice = measured(3);
      EXPECT_GT(once.cold, 0);
      EXPECT_GT(once.hot, once.cold);
      // The lone variable, which keeps its weight, is one in 301 of what hot is an average of.
      EXPECT_NEAR(thrice.hot / once.hot, 3, 0.01);
      EXPECT_NEAR(thrice.cold / once.cold, 3, 1e-9);
    }
  }
}

TEST(MeasureTemperatures, in_steps_a_common_factor_is_not_seen) {
  const Bqm bqm = problem::random_bqm(Vartype::kBinary, 100, 0.5, 9);
  const SearchModel once = SearchModel::create(weighted(bqm, 1, false), kMemory).value();
  const SearchModel thrice = SearchModel::create(weighted(bqm, 3, false), kMemory).value();
  const Temperatures first = measure_temperatures(once);
  const Temperatures second = measure_temperatures(thrice);
  EXPECT_EQ(second.hot, first.hot);
  EXPECT_EQ(second.cold, first.cold);
  EXPECT_EQ(thrice.objective(1) - thrice.objective(0), 3 * (once.objective(1) - once.objective(0)));
}

TEST(MeasureTemperatures, of_a_polynomial_are_those_of_the_quadratic_model_that_it_is) {
  const Bqm bqm = weighted(problem::random_bqm(Vartype::kSpin, 60, 0.3, 11), 1, true);
  const auto polynomial = PolynomialModel::create(problem::Polynomial::from_bqm(bqm), kMemory);
  ASSERT_TRUE(polynomial.has_value());
  const SearchModel quadratic = SearchModel::create(bqm, kMemory).value();
  const Temperatures a = measure_temperatures(*polynomial);
  const Temperatures b = measure_temperatures(quadratic);
  // Each in its own steps.
  const double step = quadratic.objective(1) - quadratic.objective(0);
  const double other = polynomial->objective(1) - polynomial->objective(0);
  EXPECT_NEAR(a.hot * other, b.hot * step, 1e-9 * b.hot * step);
  EXPECT_NEAR(a.cold * other, b.cold * step, 1e-9 * b.hot * step);
}

}  // namespace
}  // namespace tandem::solve
