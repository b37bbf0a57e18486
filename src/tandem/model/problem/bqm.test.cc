#include "tandem/model/problem/bqm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/polynomial.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Bqm, terms_are_sorted_summed_and_without_zeros) {
  const Bqm bqm = Bqm::create(Vartype::kBinary, {0, 0, 0, 0},
                              {{3, 1, 2}, {0, 2, 1}, {1, 3, 0.5}, {2, 0, -1}, {1, 0, 4}, {2, 3, 0}}, 7)
                      .value();
  EXPECT_THAT(bqm.terms(), ElementsAre(QuadraticTerm{0, 1, 4}, QuadraticTerm{1, 3, 2.5}));
  EXPECT_EQ(bqm.offset(), 7);
}

TEST(Bqm, the_fast_sort_agrees_with_a_map) {
  // Sizes on both sides of the switch between counting and comparing, sorted and unsorted, with repeated pairs.
  for (const auto& [num_variables, num_terms] :
       {std::pair{5u, 200u}, {300u, 20u}, {64u, 4000u}, {2u, 3u}, {1000u, 130u}}) {
    Xoshiro256 rng(num_terms);
    std::vector<QuadraticTerm> terms;
    std::map<std::pair<std::uint32_t, std::uint32_t>, double> expected;
    while (terms.size() < num_terms) {
      const auto u = static_cast<std::uint32_t>(rng.below(num_variables));
      const auto v = static_cast<std::uint32_t>(rng.below(num_variables));
      if (u == v) continue;
      const double bias = static_cast<double>(rng.below(7)) - 3;
      terms.push_back({u, v, bias});
      expected[std::minmax(u, v)] += bias;
    }
    std::vector<QuadraticTerm> plain;
    for (const auto& [pair, bias] : expected) {
      if (bias != 0) plain.push_back({pair.first, pair.second, bias});
    }
    const Bqm bqm = Bqm::create(Vartype::kSpin, std::vector<double>(num_variables), terms, 0).value();
    EXPECT_EQ(std::vector<QuadraticTerm>(bqm.terms().begin(), bqm.terms().end()), plain);
    EXPECT_EQ(Bqm::create(Vartype::kSpin, std::vector<double>(num_variables), plain, 0).value(), bqm);
  }
}

TEST(Bqm, energy_is_the_formula_by_hand) {
  const Bqm binary = Bqm::create(Vartype::kBinary, {1, -2, 0.5}, {{0, 1, 3}, {1, 2, -4}}, 10).value();
  EXPECT_EQ(binary.energy(Assignment{0, 0, 0}), 10);
  EXPECT_EQ(binary.energy(Assignment{1, 1, 0}), 10 + 1 - 2 + 3);
  EXPECT_EQ(binary.energy(Assignment{1, 1, 1}), 10 + 1 - 2 + 0.5 + 3 - 4);
  const Bqm spin = Bqm::create(Vartype::kSpin, {1, -2, 0.5}, {{0, 1, 3}, {1, 2, -4}}, 10).value();
  EXPECT_EQ(spin.energy(Assignment{-1, 1, -1}), 10 - 1 - 2 - 0.5 - 3 + 4);
}

TEST(Bqm, energy_keeps_small_terms_beside_penalties_that_cancel) {
  // 10^18 (x0 + x1 - 1)^2 without its square of 1, and 1/4: a plain sum loses the quarter.
  const Bqm bqm = Bqm::create(Vartype::kBinary, {-1e18, -1e18, 0.25}, {{0, 1, 2e18}}, 0).value();
  EXPECT_EQ(bqm.energy(Assignment{1, 1, 1}), 0.25);
  const Polynomial cubic = Polynomial::create(Vartype::kBinary, 3,
                                              {{.variables = {0}, .coefficient = 1e18},
                                               {.variables = {1}, .coefficient = 0.25},
                                               {.variables = {0, 1, 2}, .coefficient = -1e18}})
                               .value();
  EXPECT_EQ(cubic.energy(Assignment{1, 1, 1}), 0.25);
}

TEST(Bqm, energy_is_invariant_under_vartype_change) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const Vartype from : {Vartype::kBinary, Vartype::kSpin}) {
      const Vartype to = from == Vartype::kBinary ? Vartype::kSpin : Vartype::kBinary;
      const Bqm bqm = random_bqm(from, 8, 0.6, seed);  // integers: halves and quarters are exact
      const Bqm other = bqm.with_vartype(to);
      EXPECT_EQ(other.vartype(), to);
      for_each_assignment(from, 8, [&](const Assignment& values) {
        ASSERT_EQ(other.energy(convert(values, from, to)), bqm.energy(values));
      });
      EXPECT_EQ(other.with_vartype(from), bqm);
      EXPECT_EQ(bqm.with_vartype(from), bqm);
    }
  }
}

TEST(Bqm, negated_turns_every_energy) {
  const Bqm bqm = random_bqm(Vartype::kSpin, 7, 0.5, 3);
  for_each_assignment(Vartype::kSpin, 7,
                      [&](const Assignment& values) { ASSERT_EQ(bqm.negated().energy(values), -bqm.energy(values)); });
  EXPECT_EQ(bqm.negated().negated(), bqm);
  EXPECT_FALSE(std::signbit(Bqm::create(Vartype::kSpin, {0}, {}, 0).value().negated().offset()));
}

TEST(Bqm, bad_input_is_refused_with_its_number) {
  const auto create = [](std::vector<double> linear, std::vector<QuadraticTerm> terms, double offset) {
    return Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), offset);
  };
  EXPECT_THAT(create({0, 0}, {{0, 2, 1}}, 0), FailsWith(errors::kIndexOutOfRange));
  EXPECT_THAT(create({0, 0}, {{7, 1, 1}}, 0), FailsWith(errors::kIndexOutOfRange));
  EXPECT_THAT(create({0, 0}, {{1, 1, 1}}, 0), FailsWith(errors::kIndexOutOfRange));
  EXPECT_THAT(create({}, {{0, 1, 1}}, 0), FailsWith(errors::kIndexOutOfRange));
  EXPECT_THAT(create({0, kNan}, {}, 0), FailsWith(errors::kNotFinite));
  EXPECT_THAT(create({0, 0}, {{0, 1, kInfinity}}, 0), FailsWith(errors::kNotFinite));
  EXPECT_THAT(create({0, 0}, {}, -kInfinity), FailsWith(errors::kNotFinite));
  EXPECT_THAT(create({1e300, 1e300}, {}, 0), FailsWith(errors::kCoefficientOverflow));
  EXPECT_THAT(create({0, 0}, {{0, 1, 1.7e308}, {0, 1, 1.7e308}}, 0), FailsWith(errors::kCoefficientOverflow));
  EXPECT_THAT(create(std::vector<double>(Bqm::kVariablesMax + 1), {}, 0), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(create({}, {}, 0), Succeeds());
}

TEST(Bqm, energies_stay_finite_at_the_limit_of_magnitude) {
  const Bqm bqm = Bqm::create(Vartype::kSpin, {3e299, -3e299}, {{0, 1, 3e299}}, 0).value();
  EXPECT_TRUE(std::isfinite(bqm.with_vartype(Vartype::kBinary).energy(Assignment{1, 1})));
}

struct IntegerCase {
  std::vector<double> linear;
  double offset;
  int decimals;
  std::vector<std::int64_t> expected;
  std::int64_t expected_offset;
};

TEST(IntegerBqm, decimals_are_the_fewest_that_fit_all_coefficients) {
  // The integers are read off the decimals by eye.
  const std::vector<IntegerCase> cases{
      {{1, -2, 3}, 4, 0, {1, -2, 3}, 4},
      {{0.1, 0.2, 0.3}, 0, 1, {1, 2, 3}, 0},
      {{0.7, -1.25, 3}, 0.001, 3, {700, -1250, 3000}, 1},
      {{1e-9, 2.5, 0}, 0, 9, {1, 2'500'000'000, 0}, 0},
      {{4.35, 8.29, 1.005}, 0, 3, {4350, 8290, 1005}, 0},  // decimals that no double holds exactly
      {{2e18, 0, 0}, 1, 0, {2'000'000'000'000'000'000, 0, 0}, 1},
      {{123456789012345, 0.5, 0}, 0, 1, {1234567890123450, 5, 0}, 0},
      {{12345678.5, 1e-8, 0}, 0, 8, {1234567850000000, 1, 0}, 0},
  };
  for (const IntegerCase& c : cases) {
    const auto integer = Bqm::create(Vartype::kBinary, c.linear, {}, c.offset).value().to_integer();
    ASSERT_TRUE(integer.has_value()) << c.linear[0];
    EXPECT_EQ(integer->decimals, c.decimals) << c.linear[0];
    EXPECT_EQ(integer->linear, c.expected);
    EXPECT_EQ(integer->offset, c.expected_offset);
  }
}

TEST(IntegerBqm, what_is_no_short_decimal_has_no_exact_form) {
  for (const double value : {1.0 / 3, 1e-10, M_PI, 0.1 + 0.2, 1.0000000001, 5e18, 2e15 + 0.25, 1e300}) {
    EXPECT_FALSE(Bqm::create(Vartype::kBinary, {value}, {}, 0).value().to_integer().has_value()) << value;
  }
  // Each fits, their sum does not.
  const std::vector<double> many(4, 1e18);
  EXPECT_FALSE(Bqm::create(Vartype::kBinary, many, {}, 0).value().to_integer().has_value());
  EXPECT_TRUE(Bqm::create(Vartype::kBinary, {1e18, 1e18}, {}, 0).value().to_integer().has_value());
  // 1e15 x 10^9 does not.
  EXPECT_FALSE(Bqm::create(Vartype::kBinary, {1e15, 1e-9}, {}, 0).value().to_integer().has_value());
}

TEST(IntegerBqm, every_decimal_of_nine_places_is_recovered) {
  Xoshiro256 rng(11);
  for (int i = 0; i < 20'000; ++i) {
    const int places = static_cast<int>(rng.below(10));
    const auto digits = static_cast<std::int64_t>(rng.below(2'000'000'000'000'000)) - 1'000'000'000'000'000;
    const double power = std::pow(10.0, places);
    const double value = static_cast<double>(digits) / power;  // the nearest double, for both are exact
    const auto integer = Bqm::create(Vartype::kBinary, {value}, {}, 0).value().to_integer();
    ASSERT_TRUE(integer.has_value()) << digits << "e-" << places;
    ASSERT_EQ(integer->linear[0] * static_cast<std::int64_t>(std::pow(10.0, places - integer->decimals)), digits);
  }
}

TEST(IntegerBqm, energies_are_exact) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
      Bqm tenths = random_bqm(vartype, 8, 0.7, seed);
      std::vector<double> linear(tenths.linear().begin(), tenths.linear().end());
      std::vector<QuadraticTerm> terms(tenths.terms().begin(), tenths.terms().end());
      for (double& value : linear) value /= 10;
      for (QuadraticTerm& term : terms) term.bias /= 10;
      const Bqm bqm = Bqm::create(vartype, linear, terms, tenths.offset() / 10).value();
      const auto integer = bqm.to_integer();
      ASSERT_TRUE(integer.has_value());
      for_each_assignment(vartype, 8, [&](const Assignment& values) {
        // The energy of the integers that stand for tenths is known without rounding.
        const double units = tenths.energy(values) * std::pow(10.0, integer->decimals - 1);
        ASSERT_EQ(static_cast<double>(integer->energy(values)), units);
        ASSERT_NEAR(integer->to_objective(integer->energy(values)), bqm.energy(values), 1e-12);
      });
    }
  }
}

TEST(IntegerBqm, objectives_round_once) {
  const IntegerBqm model{.decimals = 3, .linear = {}, .terms = {}};
  EXPECT_EQ(model.to_objective(1005), 1.005);
  EXPECT_EQ(model.to_objective(-1), -0.001);
  EXPECT_EQ(model.to_objective(0), 0.0);
  // Beyond 2^53: the compiler reads the same decimals.
  EXPECT_EQ(model.to_objective(9'007'199'254'740'993), 9007199254740.993);
  EXPECT_EQ(model.to_objective(-1'234'567'890'123'456'789), -1234567890123456.789);
  EXPECT_EQ(model.to_objective(1'000'000'000'000'000'001), 1000000000000000.001);
}

TEST(IntegerBqm, rounded_form_keeps_the_order_of_distant_energies) {
  const Bqm bqm = Bqm::create(Vartype::kBinary, {1.0 / 3, -M_PI}, {{0, 1, std::sqrt(2.0)}}, 0.125).value();
  const IntegerBqm rounded = bqm.to_rounded_integer();
  // Sum of |coefficients| = 0.125 + 0.333.. + 3.141.. + 1.414.. = 5.01 < 2^3, so the factor is 2^47.
  EXPECT_EQ(rounded.offset, std::int64_t{1} << 44);
  EXPECT_EQ(rounded.linear[0], ((std::int64_t{1} << 47) + 1) / 3);  // 2^47 = 2 mod 3
  for_each_assignment(Vartype::kBinary, 2, [&](const Assignment& values) {
    EXPECT_NEAR(static_cast<double>(rounded.energy(values)) * 0x1p-47, bqm.energy(values), 1e-13);
  });
  const IntegerBqm huge = Bqm::create(Vartype::kBinary, {9e299, 1}, {}, 0).value().to_rounded_integer();
  EXPECT_EQ(huge.linear[1], 0);
  EXPECT_GE(huge.linear[0], std::int64_t{1} << 49);
  EXPECT_LT(huge.linear[0], std::int64_t{1} << 50);
  EXPECT_EQ(Bqm::create(Vartype::kBinary, {0}, {}, 0).value().to_rounded_integer().linear[0], 0);
}

TEST(Vartype, values_are_checked_and_converted) {
  EXPECT_THAT(check_assignment(Assignment{0, 1}, 2, Vartype::kBinary), Succeeds());
  EXPECT_THAT(check_assignment(Assignment{-1, 1}, 2, Vartype::kSpin), Succeeds());
  EXPECT_THAT(check_assignment(Assignment{0, 1}, 3, Vartype::kBinary), FailsWith(errors::kSizeMismatch));
  EXPECT_THAT(check_assignment(Assignment{0, -1}, 2, Vartype::kBinary), FailsWith(errors::kBadVartype));
  EXPECT_THAT(check_assignment(Assignment{0, 1}, 2, Vartype::kSpin), FailsWith(errors::kBadVartype));
  EXPECT_EQ(convert(Assignment{0, 1}, Vartype::kBinary, Vartype::kSpin), (Assignment{-1, 1}));
  EXPECT_EQ(convert(Assignment{-1, 1}, Vartype::kSpin, Vartype::kBinary), (Assignment{0, 1}));
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin})
    EXPECT_EQ(parse_vartype(to_string(vartype)), vartype);
  for (const Sense sense : {Sense::kMin, Sense::kMax}) EXPECT_EQ(parse_sense(to_string(sense)), sense);
  EXPECT_THAT(parse_vartype("BINARY"), FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(parse_sense("maximise"), FailsWith(errors::kValueOutOfRange));
}

}  // namespace
}  // namespace tandem::problem
