#include "tandem/compute/solve/search_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/constraint_model.h"
#include "tandem/compute/solve/landscape.h"
#include "tandem/compute/solve/objective_state.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Monomial;
using problem::Polynomial;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;

Bqm scaled(const Bqm& bqm, double factor) {
  std::vector<double> linear(bqm.linear().begin(), bqm.linear().end());
  for (double& value : linear) value *= factor;
  std::vector<QuadraticTerm> terms(bqm.terms().begin(), bqm.terms().end());
  for (QuadraticTerm& term : terms) term.bias *= factor;
  return Bqm::create(bqm.vartype(), std::move(linear), std::move(terms), bqm.offset() * factor).value();
}

/// A ring with a few chords: sparse from 65 variables on.
Bqm ring(Vartype vartype, std::uint32_t n, double divisor) {
  Xoshiro256 rng(n);
  std::vector<double> linear(n);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t i = 0; i < n; ++i) {
    linear[i] = (static_cast<double>(rng.below(9)) - 4) / divisor;
    terms.push_back({i, (i + 1) % n, (static_cast<double>(rng.below(9)) - 4) / divisor});
  }
  return Bqm::create(vartype, std::move(linear), std::move(terms), 1).value();
}

/// Couplings of +-2 and +-2 largest, linear terms of 1: the factor of the couplings is not one of the model.
Bqm even_couplings(std::uint32_t n, double largest) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      terms.push_back({u, v, ((u + v) % 2 == 0 ? 2 : -2) * ((u * v) % 3 == 0 ? largest : 1)});
  }
  return Bqm::create(Vartype::kBinary, std::vector<double>(n, 1), std::move(terms), 0).value();
}

struct Form {
  const char* name;
  Bqm bqm;
  std::size_t rows;  ///< alternative of Rows
  bool exact;
};

std::vector<Form> forms() {
  const Bqm small = problem::random_bqm(Vartype::kBinary, 9, 0.7, 1);
  const Bqm spins = problem::random_bqm(Vartype::kSpin, 9, 0.7, 2);
  return {
      {"dense 8 bit", small, 2, true},
      {"dense 8 bit spins", spins, 2, true},
      {"dense 8 bit scaled", scaled(small, 4099), 2, true},  // the divisor is taken out
      {"dense decimals", scaled(small, 0.25), 2, true},
      {"dense 8 bit, of even couplings only", even_couplings(9, 127), 2, true},
      {"dense 16 bit", even_couplings(9, 128), 3, true},
      {"dense 16 bit, the greatest", even_couplings(9, 16383), 3, true},
      {"dense 32 bit", even_couplings(9, 16384), 4, true},
      {"dense thirds", scaled(spins, 1.0 / 3), 5, false},
      {"sparse 32 bit", ring(Vartype::kBinary, 80, 1), 0, true},
      {"sparse 32 bit spins", ring(Vartype::kSpin, 80, 10), 0, true},
  };
}

Assignment random_bits(std::size_t n, Xoshiro256& rng) {
  Assignment bits(n);
  for (auto& bit : bits) bit = static_cast<std::int8_t>(rng() >> 63);
  return bits;
}

TEST(SearchModel, objectives_are_those_of_the_model_in_every_form) {
  Xoshiro256 rng(3);
  for (const Form& form : forms()) {
    const auto model = SearchModel::create(form.bqm, kMemory);
    ASSERT_TRUE(model.has_value());
    EXPECT_EQ(model->rows().index(), form.rows) << form.name;
    EXPECT_EQ(model->exact(), form.exact) << form.name;
    for (int i = 0; i < 50; ++i) {
      const Assignment bits = random_bits(model->size(), rng);
      const Assignment values = problem::convert(bits, Vartype::kBinary, form.bqm.vartype());
      EXPECT_NEAR(model->objective(model->energy(bits)), form.bqm.energy(values), 1e-9) << form.name;
    }
  }
}

TEST(SearchModel, weights_decide_the_width_of_the_rows) {
  const auto rows_of = [](double largest, std::uint32_t n) {
    std::vector<QuadraticTerm> terms{{0, 1, largest}, {0, 2, 1}};  // the second one leaves no divisor
    if (n > 64) terms.push_back({1, n - 1, 3});
    return SearchModel::create(Bqm::create(Vartype::kBinary, std::vector<double>(n), terms, 0).value(), kMemory)
        ->rows()
        .index();
  };
  EXPECT_EQ(rows_of(127, 3), 2u);
  EXPECT_EQ(rows_of(128, 3), 3u);
  EXPECT_EQ(rows_of(-128, 3), 3u);  // cannot be negated in 8 bits
  EXPECT_EQ(rows_of(32767, 3), 3u);
  EXPECT_EQ(rows_of(32768, 3), 4u);
  EXPECT_EQ(rows_of(-32768, 3), 4u);
  EXPECT_EQ(rows_of((1 << 29) - 1, 3), 4u);
  EXPECT_EQ(rows_of(1 << 29, 3), 5u);
  EXPECT_EQ(rows_of(0x1.0p60, 3), 5u);
  EXPECT_EQ(rows_of((1 << 29) - 5, 100), 0u);
  EXPECT_EQ(rows_of(1 << 29, 100), 1u);
}

TEST(SearchModel, coefficients_at_the_limit_are_exact_or_known_to_be_rounded) {
  // Sums up to 2^61 have an exact form over {0, 1}; spins need three bits more.
  const double huge = 0x1.0p58;
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    const Bqm bqm = Bqm::create(vartype, {huge, -huge, 1}, {{0, 1, huge}, {1, 2, -huge}, {0, 2, 1}}, -huge).value();
    const auto model = SearchModel::create(bqm, kMemory);
    ASSERT_TRUE(model.has_value());
    EXPECT_EQ(model->exact(), vartype == Vartype::kBinary);
    problem::for_each_assignment(Vartype::kBinary, 3, [&](const Assignment& bits) {
      const double expected = bqm.energy(problem::convert(bits, Vartype::kBinary, vartype));
      EXPECT_NEAR(model->objective(model->energy(bits)), expected,
                  std::max(model->error_max(), std::abs(expected) * 1e-15));
    });
  }
}

TEST(SearchModel, energy_at_most_takes_what_counts_as_reached) {
  // Energies are multiples of 0.6 from -1.2 on.
  const Bqm bqm = Bqm::create(Vartype::kBinary, {0.6, 1.2}, {}, -1.2).value();
  const auto model = SearchModel::create(bqm, kMemory);
  ASSERT_TRUE(model.has_value());
  const auto reached = [&](double target) {
    const auto energy = model->energy_at_most(target);
    return energy ? model->objective(*energy) : HUGE_VAL;
  };
  EXPECT_DOUBLE_EQ(reached(-0.6), -0.6);
  EXPECT_DOUBLE_EQ(reached(-0.6000000000000001), -0.6);  // the same decimal, summed in another order
  EXPECT_DOUBLE_EQ(reached(-0.61), -1.2);
  EXPECT_DOUBLE_EQ(reached(0.59), 0.0);
  EXPECT_EQ(model->energy_at_most(1e300), INT64_MAX);
  EXPECT_FALSE(model->energy_at_most(-1e300).has_value());
  EXPECT_FALSE(model->energy_at_most(std::nan("")).has_value());
}

TEST(SearchModel, more_memory_than_allowed_is_refused_with_both_figures) {
  const auto model = SearchModel::create(problem::random_bqm(Vartype::kBinary, 100, 1, 1), 10'000);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().number, errors::kOutOfMemory);
  EXPECT_NE(model.error().message.find("10000 are available"), std::string::npos);
}

TEST(Landscape, flip_energies_stay_those_of_the_model) {
  Xoshiro256 rng(4);
  for (const Form& form : forms()) {
    const auto model = SearchModel::create(form.bqm, kMemory);
    ASSERT_TRUE(model.has_value());
    const auto state = ObjectiveState::create(*model);
    for (int step = 0; step < 200; ++step) {
      const std::size_t i = rng.below(model->size());
      const std::size_t j = rng.below(model->size());
      Assignment next = state->bits();
      next[i] = static_cast<std::int8_t>(1 - next[i]);
      ASSERT_EQ(state->energy() + state->flip_energy(i), model->energy(next)) << form.name;
      state->flip(i);
      ASSERT_EQ(state->energy(), model->energy(state->bits()));
      if (i == j) continue;
      // w_ij = E(11) - E(10) - E(01) + E(00).
      Assignment bits = state->bits();
      std::int64_t mixed = 0;
      for (const int pair : {3, 2, 1, 0}) {
        bits[i] = static_cast<std::int8_t>(pair & 1);
        bits[j] = static_cast<std::int8_t>(pair >> 1);
        mixed += (pair == 3 || pair == 0 ? 1 : -1) * model->energy(bits);
      }
      ASSERT_EQ(state->coupling(i, j), mixed) << form.name;
    }
  }
}

Polynomial random_polynomial(Vartype vartype, std::uint32_t n, std::size_t degree, double unit, Xoshiro256& rng) {
  std::vector<Monomial> terms;
  for (std::uint32_t t = 0; t < 3 * n; ++t) {
    Monomial term{.variables = {}, .coefficient = unit * (static_cast<double>(rng.below(21)) - 10)};
    for (std::size_t k = rng.below(degree + 1); k > 0; --k)
      term.variables.push_back(static_cast<std::uint32_t>(rng.below(n)));
    terms.push_back(std::move(term));
  }
  return Polynomial::create(vartype, n, std::move(terms)).value();
}

TEST(Landscape, a_polynomial_of_any_order_keeps_its_flip_energies) {
  Xoshiro256 rng(5);
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    for (const double unit : {1.0, 0.01, 1.0 / 7}) {
      const Polynomial polynomial = random_polynomial(vartype, 9, 5, unit, rng);
      const auto model = PolynomialModel::create(polynomial, kMemory);
      ASSERT_TRUE(model.has_value());
      PolynomialLandscape land(*model);
      std::int64_t energy = model->energy(land.bits());
      for (int step = 0; step < 300; ++step) {
        const std::size_t i = rng.below(9);
        energy += land.flip_energy(i);
        land.flip(i);
        ASSERT_EQ(energy, model->energy(land.bits()));
        const Assignment values = problem::convert(land.bits(), Vartype::kBinary, vartype);
        ASSERT_NEAR(model->objective(energy), polynomial.energy(values), 1e-9);
      }
    }
  }
}

TEST(ConstraintModel, refuses_nothing_feasible_and_passes_what_is_feasible_exactly_where_decimals_are) {
  Xoshiro256 rng(6);
  for (int round = 0; round < 300; ++round) {
    const double unit = std::array{1.0, 0.05, 1.0 / 3}[rng.below(3)];
    std::vector<problem::LinearConstraint> constraints;
    for (int c = 0; c < 3; ++c) {
      problem::LinearConstraint one{.name = "c",
                                    .terms = {},
                                    .comparison = static_cast<problem::Comparison>(rng.below(3)),
                                    .bound = unit * static_cast<double>(rng.below(7))};
      for (std::uint32_t i = 0; i < 6; ++i) one.terms.push_back({i, unit * (static_cast<double>(rng.below(7)) - 2)});
      constraints.push_back(std::move(one));
    }
    const auto cqm =
        problem::Cqm::create(Bqm::create(Vartype::kBinary, std::vector<double>(6), {}, 0).value(), constraints);
    ASSERT_TRUE(cqm.has_value());
    const ConstraintModel model(*cqm);
    ConstraintState state(model);
    Assignment bits(6);
    for (std::uint64_t k = 1; k < 64; ++k) {
      const auto i = static_cast<std::size_t>(std::countr_zero(k));
      state.flip(i, bits[i] == 0);
      bits[i] = static_cast<std::int8_t>(1 - bits[i]);
      if (unit == 1.0 / 3) {
        EXPECT_TRUE(!cqm->feasible(bits) || state.feasible());
      } else {
        EXPECT_EQ(cqm->feasible(bits), state.feasible());
      }
    }
  }
}

}  // namespace
}  // namespace tandem::solve
