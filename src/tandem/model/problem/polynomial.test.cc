#include "tandem/model/problem/polynomial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;

/// Terms of up to five variables with repeated ones, integer coefficients.
std::vector<Monomial> random_terms(std::uint32_t num_variables, std::size_t count, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<Monomial> terms(count);
  for (Monomial& term : terms) {
    for (std::uint64_t k = rng.below(6); k > 0; --k) {
      term.variables.push_back(static_cast<std::uint32_t>(rng.below(num_variables)));
    }
    term.coefficient = static_cast<double>(rng.below(21)) - 10;
  }
  return terms;
}

double plain_energy(const std::vector<Monomial>& terms, const Assignment& values) {
  double sum = 0;
  for (const Monomial& term : terms) {
    double product = term.coefficient;
    for (const std::uint32_t variable : term.variables) product *= values[variable];
    sum += product;
  }
  return sum;
}

TEST(Polynomial, powers_are_reduced_by_vartype) {
  const std::vector<Monomial> terms{{{2, 0, 2}, 3}, {{1, 1}, 5}, {{0, 1, 2}, 0}, {{0, 2}, 1}, {{}, 4}};
  const Polynomial binary = Polynomial::create(Vartype::kBinary, 3, terms).value();
  EXPECT_THAT(binary.terms(), ElementsAre(Monomial{{}, 4}, Monomial{{1}, 5}, Monomial{{0, 2}, 4}));
  const Polynomial spin = Polynomial::create(Vartype::kSpin, 3, terms).value();
  EXPECT_THAT(spin.terms(), ElementsAre(Monomial{{}, 9}, Monomial{{0}, 3}, Monomial{{0, 2}, 1}));
}

TEST(Polynomial, energy_is_invariant_under_reduction_and_vartype_change) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Monomial> terms = random_terms(6, 15, seed);
    for (const Vartype from : {Vartype::kBinary, Vartype::kSpin}) {
      const Vartype to = from == Vartype::kBinary ? Vartype::kSpin : Vartype::kBinary;
      const Polynomial polynomial = Polynomial::create(from, 6, terms).value();
      const Polynomial other = polynomial.with_vartype(to).value();
      for_each_assignment(from, 6, [&](const Assignment& values) {
        ASSERT_EQ(polynomial.energy(values), plain_energy(terms, values));
        ASSERT_EQ(other.energy(convert(values, from, to)), polynomial.energy(values));
        ASSERT_EQ(polynomial.negated().energy(values), -polynomial.energy(values));
      });
      EXPECT_EQ(other.with_vartype(from).value(), polynomial);
    }
  }
}

TEST(Polynomial, quadratic_ones_are_bqms_and_back) {
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    const Bqm bqm = random_bqm(vartype, 7, 0.5, 9);
    const Polynomial polynomial = Polynomial::from_bqm(bqm);
    EXPECT_EQ(polynomial.degree(), 2u);
    EXPECT_EQ(polynomial.to_bqm(), bqm);
    // create() keeps what from_bqm() made: it is in normal form.
    EXPECT_EQ(Polynomial::create(vartype, 7, {polynomial.terms().begin(), polynomial.terms().end()}).value(),
              polynomial);
  }
  EXPECT_EQ(Polynomial::create(Vartype::kBinary, 3, {{{0, 1, 2}, 1}}).value().to_bqm(), std::nullopt);
  EXPECT_EQ(Polynomial().degree(), 0u);
}

TEST(Polynomial, bad_input_is_refused_with_its_number) {
  const auto create = [](std::vector<std::uint32_t> variables, double coefficient) {
    return Polynomial::create(Vartype::kSpin, 70, {{std::move(variables), coefficient}});
  };
  std::vector<std::uint32_t> many(65);
  std::iota(many.begin(), many.end(), 0u);
  EXPECT_THAT(create({70}, 1), FailsWith(errors::kIndexOutOfRange));
  EXPECT_THAT(create({1}, std::numeric_limits<double>::quiet_NaN()), FailsWith(errors::kNotFinite));
  EXPECT_THAT(create({1}, 1.1e300), FailsWith(errors::kCoefficientOverflow));
  EXPECT_THAT(create(many, 1), FailsWith(errors::kModelTooLarge));
  many.pop_back();
  EXPECT_THAT(create(many, 1), Succeeds());
  EXPECT_THAT(Polynomial::create(Vartype::kSpin, Bqm::kVariablesMax + 1, {}), FailsWith(errors::kModelTooLarge));
}

TEST(Polynomial, an_expansion_beyond_the_limit_is_refused_before_it_is_made) {
  for (const std::size_t degree : {25u, 64u}) {
    std::vector<std::uint32_t> variables(degree);
    std::iota(variables.begin(), variables.end(), 0u);
    const Polynomial polynomial = Polynomial::create(Vartype::kBinary, degree, {{variables, 1}}).value();
    EXPECT_THAT(polynomial.with_vartype(Vartype::kSpin), FailsWith(errors::kModelTooLarge));
  }
}

}  // namespace
}  // namespace tandem::problem
