#include "tandem/compute/reduce/reduce.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tandem/base/rng.h"
#include "tandem/base/stopped.h"
#include "tandem/base/testing/peak_memory.h"
#include "tandem/compute/reduce/first_look.h"
#include "tandem/model/problem/testing/hard_models.h"

namespace tandem::reduce {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;
using testing::ElementsAre;

Bqm make(Vartype vartype, std::vector<double> linear, std::vector<QuadraticTerm> terms, double offset = 0) {
  auto bqm = Bqm::create(vartype, std::move(linear), std::move(terms), offset);
  EXPECT_TRUE(bqm.has_value());
  return *bqm;
}

Assignment nth_assignment(std::size_t n, std::uint64_t index, Vartype vartype) {
  Assignment values(n);
  for (std::size_t i = 0; i < n; ++i) {
    const bool high = ((index >> i) & 1) != 0;
    values[i] = static_cast<std::int8_t>(high ? 1 : (vartype == Vartype::kBinary ? 0 : -1));
  }
  return values;
}

double swept_optimum(const Bqm& bqm) {
  double best = HUGE_VAL;
  for (std::uint64_t index = 0; index < (std::uint64_t{1} << bqm.num_variables()); ++index) {
    best = std::min(best, bqm.energy(nth_assignment(bqm.num_variables(), index, bqm.vartype())));
  }
  return best;
}

/// The families that the rules must survive: what the weights are drawn from, and how many couplings there are.
enum class Weights { kSmallIntegers, kTies, kNegative, kTenths, kThirds, kWide };

double draw(Weights weights, Xoshiro256& rng) {
  const auto integer = [&](int range) {
    return static_cast<double>(rng.below(static_cast<std::uint64_t>(2 * range + 1))) - range;
  };
  switch (weights) {
    case Weights::kSmallIntegers:
      return integer(5);
    case Weights::kTies:
      return integer(1);
    case Weights::kNegative:
      return -static_cast<double>(rng.below(4));
    case Weights::kTenths:
      return integer(20) / 10;
    case Weights::kThirds:
      return integer(9) / 3.0;
    case Weights::kWide:
      return integer(100) * std::ldexp(1.0, static_cast<int>(rng.below(20)));
  }
  return 0;
}

Bqm random_bqm(Xoshiro256& rng, std::size_t n, Weights weights, double density) {
  const Vartype vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
  std::vector<double> linear(n);
  for (double& value : linear) value = draw(weights, rng);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v) {
      if (rng.uniform() < density) terms.push_back({u, v, draw(weights, rng)});
    }
  }
  return make(vartype, std::move(linear), std::move(terms), draw(weights, rng));
}

/// Energy kept for every reduced assignment, and the optimum kept. Returns the number of variables removed.
std::size_t check_reduction(const Bqm& bqm, const Reduced& reduced) {
  double magnitude = std::abs(bqm.offset()) + 1;
  for (const double value : bqm.linear()) magnitude += std::abs(value);
  for (const QuadraticTerm& term : bqm.terms()) magnitude += std::abs(term.bias);
  const double tolerance = 1e-13 * magnitude;
  const std::size_t left = reduced.model.num_variables();
  EXPECT_EQ(left, reduced.trail.remaining().size());
  EXPECT_EQ(reduced.model.vartype(), bqm.vartype());
  double best = HUGE_VAL;
  for (std::uint64_t index = 0; index < (std::uint64_t{1} << left); ++index) {
    const Assignment values = nth_assignment(left, index, bqm.vartype());
    const Assignment lifted = reduced.trail.lift(values);
    EXPECT_TRUE(problem::check_assignment(lifted, bqm.num_variables(), bqm.vartype()).has_value());
    EXPECT_NEAR(bqm.energy(lifted), reduced.model.energy(values), tolerance);
    best = std::min(best, bqm.energy(lifted));
  }
  EXPECT_NEAR(best, swept_optimum(bqm), tolerance);
  return bqm.num_variables() - left;
}

/// No field, or one for all; everything equal; two halves that do not touch: what rules trip over.
Bqm odd_bqm(Xoshiro256& rng, std::size_t n) {
  const Vartype vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
  const double all = static_cast<double>(rng.below(5)) - 2;
  const bool apart = rng.below(2) == 0;
  std::vector<double> linear(n, rng.below(2) == 0 ? all : 0);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (!apart || (u < n / 2) == (v < n / 2)) terms.push_back({u, v, all});
  }
  return make(vartype, std::move(linear), std::move(terms));
}

/// Spins whose couplings hardly contradict each other, and too many of them for the rules that look at few: what is left to flows.
Bqm tame_bqm(Xoshiro256& rng) {
  const std::size_t n = 6 + rng.below(3);
  std::vector<double> linear(n);
  const bool fields = rng.below(2) == 0;
  for (double& value : linear) value = fields ? static_cast<double>(rng.below(9)) - 4 : 0;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v) {
      const double size = static_cast<double>(1 + rng.below(3));
      if (rng.below(8) != 0) terms.push_back({u, v, (u % 2 == v % 2) == (rng.below(20) != 0) ? -size : size});
    }
  }
  return make(Vartype::kSpin, std::move(linear), std::move(terms));
}

/// A ring of spins with fields, or one without whose opposites are joined.
Bqm ring_bqm(Xoshiro256& rng) {
  const auto n = static_cast<std::uint32_t>(4 + 2 * rng.below(3));
  std::vector<QuadraticTerm> terms;
  const bool joined = rng.below(2) == 0;
  const auto bias = [&] {
    return (rng.below(2) == 0 ? 1.0 : -1.0) * static_cast<double>(joined ? 1 : 3 + rng.below(3));
  };
  std::vector<double> linear(n);
  for (std::uint32_t u = 0; u < n; ++u) {
    if (!joined) linear[u] = bias() - 1;
    terms.push_back({u, (u + 1) % n, bias()});
    if (joined && u < n / 2) terms.push_back({u, u + n / 2, bias()});
  }
  return make(Vartype::kSpin, std::move(linear), std::move(terms));
}

/// Two complete graphs of four or five variables that share one: what hangs on it has too many couplings for the other rules.
Bqm hanging_bqm(Xoshiro256& rng) {
  const Vartype vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
  const auto first = static_cast<std::uint32_t>(4 + rng.below(2));
  const auto second = static_cast<std::uint32_t>(3 + rng.below(2));
  std::vector<QuadraticTerm> terms;
  std::vector<double> linear(first + second);
  for (std::uint32_t u = 0; u < first + second; ++u) {
    for (std::uint32_t v = u + 1; v < first + second; ++v) {
      if (u + 1 < first && v >= first) continue;  // the last one of the first graph is shared
      const double bias = (rng.below(2) == 0 ? 1.0 : -1.0) * static_cast<double>(2 + rng.below(2));
      terms.push_back({u, v, bias});
      if (vartype == Vartype::kBinary) linear[u] -= bias / 2, linear[v] -= bias / 2;  // spins without fields
    }
  }
  for (double& value : linear) value += static_cast<double>(rng.below(3)) - 1;
  return make(vartype, std::move(linear), std::move(terms));
}

TEST(Reduce, lifted_optimum_is_the_optimum_on_ten_thousand_random_models_for_each_rule) {
  Xoshiro256 rng(20240801);
  std::map<std::string_view, std::size_t> models;  // in which a rule has fired
  const auto enough = [&] {
    return models.size() == 10 && std::ranges::all_of(models, [](const auto& rule) { return rule.second >= 10'000; });
  };
  for (int round = 0; round < 300'000 && !enough(); ++round) {
    const auto weights = static_cast<Weights>(round % 6);
    const std::size_t n = rng.below(9);
    const double density = std::array{0.3, 0.5, 0.7, 1.0}[rng.below(4)];
    const int family = round % 10;
    const Bqm bqm = family == 0   ? odd_bqm(rng, n)
                    : family == 1 ? ring_bqm(rng)
                    : family == 2 ? hanging_bqm(rng)
                    : family < 5  ? tame_bqm(rng)
                                  : random_bqm(rng, n, weights, density);
    const Reduced reduced = reduce_exact(bqm);
    check_reduction(bqm, reduced);
    std::set<std::string_view> fired;
    for (const TrailEntry& entry : reduced.trail.entries()) fired.insert(entry.rule);
    for (const std::string_view rule : fired) ++models[rule];
    ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round;
  }
  EXPECT_TRUE(enough()) << testing::PrintToString(models);
}

TEST(Presolve, its_bound_is_never_above_the_optimum_and_is_the_optimum_where_nothing_is_frustrated) {
  Xoshiro256 rng(21);
  std::size_t met = 0;
  for (int round = 0; round < 10'000; ++round) {
    const std::size_t n = rng.below(9);
    Bqm bqm = random_bqm(rng, n, static_cast<Weights>(round % 6), std::array{0.3, 1.0}[rng.below(2)]);
    const bool tame = round % 2 == 0 && round % 6 != static_cast<int>(Weights::kThirds);  // too many digits for a flow
    if (tame) {  // signs of the couplings from signs of the variables: only for spins does that leave the fields alone
      std::vector<int> signs(n);
      for (int& sign : signs) sign = rng.below(2) == 0 ? 1 : -1;
      std::vector<QuadraticTerm> terms(bqm.terms().begin(), bqm.terms().end());
      for (QuadraticTerm& term : terms) term.bias = -std::abs(term.bias) * signs[term.u] * signs[term.v];
      bqm = make(bqm.vartype(), {bqm.linear().begin(), bqm.linear().end()}, std::move(terms), bqm.offset());
      EXPECT_TRUE(unfrustrated(bqm));
    }
    const double optimum = swept_optimum(bqm);
    const double tolerance = 1e-9 * (1 + std::abs(optimum));
    const Presolved presolved = presolve(bqm, Rounding::kAllowed);
    EXPECT_LE(presolved.bound, optimum + tolerance);
    EXPECT_LE(loose_bound(bqm), optimum);
    met += presolved.bound >= optimum - tolerance ? 1 : 0;
    if (!tame) continue;
    EXPECT_EQ(presolved.roof, RoofState::kComplete);
    EXPECT_NEAR(presolved.bound, optimum, tolerance);
    ASSERT_TRUE(presolved.reduced.has_value() || n == 0);
    if (n > 0) {
      EXPECT_EQ(presolved.reduced->model.num_variables(), 0u);
    }
  }
  EXPECT_GT(met, 6'000u);
}

TEST(Presolve, numbers_at_the_limits_of_the_grids_are_bounded_or_say_that_they_are_not) {
  Xoshiro256 rng(22);
  for (int round = 0; round < 2'000; ++round) {
    const Vartype vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
    // 8 fields and 28 couplings; from within 64 bits over the limit of the flow and of the narrow grid to none at all.
    const double unit = std::ldexp(1.0, static_cast<int>(44 + rng.below(80)));
    std::vector<double> linear(8);
    for (double& value : linear) value = unit * (static_cast<double>(rng.below(5)) - 2);
    std::vector<QuadraticTerm> terms;
    for (std::uint32_t u = 0; u < 8; ++u)
      for (std::uint32_t v = u + 1; v < 8; ++v) terms.push_back({u, v, unit * (static_cast<double>(rng.below(5)) - 2)});
    const Bqm bqm = make(vartype, linear, terms);
    const Presolved presolved = presolve(bqm);
    EXPECT_LE(presolved.bound, swept_optimum(bqm));
    if (presolved.reduced) check_reduction(bqm, *presolved.reduced);
  }
}

TEST(Presolve, a_model_of_a_million_variables_fits_what_it_said_it_needs) {
  // A tree with a cycle of four put on every tenth branch: series, star, leaf and pairs undo all of it.
  const std::uint32_t n = 1'000'000;
  Xoshiro256 rng(23);
  std::vector<double> linear(n);
  for (double& value : linear) value = static_cast<double>(rng.below(7)) - 3;
  std::vector<QuadraticTerm> terms;
  const auto bias = [&] { return static_cast<double>(rng.below(21)) - 10; };
  for (std::uint32_t v = 1; v < n; ++v) {
    terms.push_back({static_cast<std::uint32_t>(rng.below(v)), v, bias()});
    if (v % 10 == 3) terms.push_back({v - 3, v, bias()});
  }
  const Bqm bqm = make(Vartype::kSpin, std::move(linear), std::move(terms));
  EXPECT_LT(bytes_needed(bqm), std::uint64_t{1} << 30);
  if (measures_memory()) {
    const auto taken = peak_bytes_of([&] { return presolve(bqm).reduced.has_value(); });
    ASSERT_TRUE(taken.has_value());
    EXPECT_LE(*taken, bytes_needed(bqm));
    EXPECT_GT(*taken, bytes_needed(bqm) / 4);
  }
  const Presolved presolved = presolve(bqm);
  ASSERT_TRUE(presolved.reduced.has_value());
  const std::size_t left = presolved.reduced->model.num_variables();
  EXPECT_LT(left, n / 50);
  const Assignment low(left, -1);
  EXPECT_NEAR(bqm.energy(presolved.reduced->trail.lift(low)), presolved.reduced->model.energy(low), 1e-3);
  EXPECT_LE(presolved.bound, presolved.reduced->model.energy(low));
}

TEST(Reduce, what_is_left_has_nothing_that_a_rule_fires_on) {
  Xoshiro256 rng(7);
  for (int round = 0; round < 500; ++round) {
    const Reduced once = reduce_exact(random_bqm(rng, 4 + rng.below(12), Weights::kSmallIntegers, 0.4));
    const Reduced twice = reduce_exact(once.model);
    EXPECT_EQ(twice.model, once.model);
    EXPECT_TRUE(twice.trail.entries().empty());
  }
}

TEST(Reduce, decimals_stay_decimals) {
  Xoshiro256 rng(11);
  for (int round = 0; round < 200; ++round) {
    const Bqm bqm = random_bqm(rng, 12, Weights::kTenths, 0.4);
    ASSERT_TRUE(bqm.to_integer().has_value());
    EXPECT_TRUE(reduce_exact(bqm).model.to_integer().has_value());
  }
}

TEST(Reduce, one_rule_at_a_time) {
  const auto only_step = [](const Bqm& bqm) {
    const Reduced reduced = reduce_exact(bqm);
    check_reduction(bqm, reduced);
    return reduced.trail.entries().empty() ? TrailEntry{} : reduced.trail.entries()[0];
  };
  // Alone: -3 x.
  EXPECT_EQ(only_step(make(Vartype::kBinary, {-3}, {})),
            (TrailEntry{.kind = TrailKind::kFix, .variable = 0, .value = 1, .rule = "isolated"}));
  // A tie takes the low value.
  EXPECT_EQ(only_step(make(Vartype::kSpin, {0}, {})),
            (TrailEntry{.kind = TrailKind::kFix, .variable = 0, .value = -1, .rule = "isolated"}));
  // |4| >= |-3| + |1|: the first spin goes against its field.
  EXPECT_EQ(only_step(make(Vartype::kSpin, {4, 0, 0}, {{0, 1, -3}, {0, 2, 1}})),
            (TrailEntry{.kind = TrailKind::kFix, .variable = 0, .value = -1, .rule = "dominance"}));
  // -x0 + 3 x0 x1: x0 is 1 where x1 is 0 and the other way round. Variable 1 alone would not decide: -x1.
  EXPECT_EQ(
      only_step(make(Vartype::kBinary, {-1, -1}, {{0, 1, 3}})),
      (TrailEntry{.kind = TrailKind::kLeaf, .variable = 0, .partner = 1, .value = 1, .value_high = 0, .rule = "leaf"}));
  // A triangle of spins with one coupling stronger than the rest around it.
  EXPECT_EQ(only_step(make(Vartype::kSpin, {0, 0, 0}, {{0, 1, -5}, {0, 2, 2}, {1, 2, 1}})),
            (TrailEntry{.kind = TrailKind::kEqual, .variable = 0, .partner = 1, .rule = "equal_pair"}));
  EXPECT_EQ(only_step(make(Vartype::kSpin, {0, 0, 0}, {{0, 1, 5}, {0, 2, 2}, {1, 2, 1}})),
            (TrailEntry{.kind = TrailKind::kOpposite,
                        .variable = 0,
                        .partner = 1,
                        .value = 1,
                        .value_high = -1,
                        .rule = "opposite_pair"}));
}

TEST(Reduce, what_hangs_on_one_variable_is_solved_for_both_of_its_values) {
  // Two complete graphs of five spins that share spin 4, all couplings 1: of each four at best two are high, whatever spin 4 is. Its
  // field stays 0, and with it the other graph as it was: -2 is the least of either.
  std::vector<QuadraticTerm> terms;
  for (const std::uint32_t first : {0u, 4u})
    for (std::uint32_t u = first; u < first + 5; ++u)
      for (std::uint32_t v = u + 1; v < first + 5; ++v) terms.push_back({u, v, 1});
  const Reduced reduced = reduce_exact(make(Vartype::kSpin, std::vector<double>(9), std::move(terms)));
  ASSERT_EQ(reduced.model.num_variables(), 5u);
  EXPECT_EQ(reduced.model.terms().size(), 10u);
  EXPECT_EQ(reduced.model.offset(), -2);
  EXPECT_THAT(reduced.model.linear(), testing::Each(0));
  for (const TrailEntry& entry : reduced.trail.entries()) EXPECT_EQ(entry.rule, "articulation");
}

TEST(Reduce, a_node_of_two_neighbours_in_an_independent_set_is_folded_with_them) {
  // Node 0 between 1 and 2; these, and the other nodes among each other, have three neighbours.
  std::vector<QuadraticTerm> terms{{0, 1, 2}, {0, 2, 2}};
  for (const auto& [u, v] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{{1, 3},
                                                                                 {1, 4},
                                                                                 {2, 5},
                                                                                 {2, 6},
                                                                                 {3, 7},
                                                                                 {3, 8},
                                                                                 {4, 9},
                                                                                 {4, 10},
                                                                                 {5, 7},
                                                                                 {5, 9},
                                                                                 {6, 8},
                                                                                 {6, 10},
                                                                                 {7, 10},
                                                                                 {8, 9}})
    terms.push_back({u, v, 2});
  const Reduced reduced = reduce_exact(make(Vartype::kBinary, std::vector<double>(11, -1), std::move(terms)));
  ASSERT_GE(reduced.trail.entries().size(), 2u);
  EXPECT_EQ(reduced.trail.entries()[0].rule, "series");
  EXPECT_EQ(reduced.trail.entries()[0].variable, 0u);
  EXPECT_EQ(reduced.trail.entries()[1],
            (TrailEntry{.kind = TrailKind::kEqual, .variable = 1, .partner = 2, .rule = "equal_pair"}));
}

TEST(Reduce, a_tree_is_solved_to_nothing) {
  std::vector<QuadraticTerm> terms;
  const std::uint32_t n = 200'000;
  Xoshiro256 rng(3);
  double expected = 0;
  for (std::uint32_t v = 1; v < n; ++v) {
    const double bias = rng.below(2) == 0 ? 1 : -2;
    terms.push_back({static_cast<std::uint32_t>(rng.below(v)), v, bias});
    expected -= std::abs(bias);  // no fields, no cycle: every coupling can be satisfied
  }
  const Reduced reduced = reduce_exact(make(Vartype::kSpin, std::vector<double>(n), std::move(terms), 10));
  EXPECT_EQ(reduced.model.num_variables(), 0u);
  EXPECT_EQ(reduced.model.offset(), expected + 10);
}

TEST(Reduce, nothing_is_lost_where_nothing_fires) {
  // An odd cycle of equal antiferromagnetic spins plus chords of the same strength: every range reaches past zero.
  const Bqm k5 = make(
      Vartype::kSpin, std::vector<double>(5),
      {{0, 1, 1}, {0, 2, 1}, {0, 3, 1}, {0, 4, 1}, {1, 2, 1}, {1, 3, 1}, {1, 4, 1}, {2, 3, 1}, {2, 4, 1}, {3, 4, 1}});
  const Reduced reduced = reduce_exact(k5);
  EXPECT_EQ(reduced.model, k5);
  EXPECT_TRUE(reduced.trail.entries().empty());
  EXPECT_THAT(reduced.trail.remaining(), ElementsAre(0, 1, 2, 3, 4));
}

TEST(Reduce, empty_model_stays_empty) {
  const Reduced reduced = reduce_exact(make(Vartype::kBinary, {}, {}, 2.5));
  EXPECT_EQ(reduced.model.offset(), 2.5);
  EXPECT_THAT(reduced.trail.lift({}), ElementsAre());
}

TEST(Reduce, a_model_at_the_limit_of_coefficients_is_solved_or_stays) {
  const double huge = Bqm::kMagnitudeMax / 20;
  Xoshiro256 rng(12);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> linear(4);
    std::vector<QuadraticTerm> terms;
    for (double& value : linear) value = huge * (static_cast<double>(rng.below(3)) - 1);
    for (std::uint32_t u = 0; u < 4; ++u) {
      for (std::uint32_t v = u + 1; v < 4; ++v)
        terms.push_back({u, v, 2 * huge * (static_cast<double>(rng.below(3)) - 1)});
    }
    const Bqm bqm = make(Vartype::kBinary, linear, terms);
    check_reduction(bqm, reduce_exact(bqm));
  }
}

TEST(Reduce, keeps_an_optimum_to_the_last_digit_whatever_the_coefficients) {
  Xoshiro256 rng(99);
  std::size_t removed = 0;
  std::size_t rounded = 0;
  for (int round = 0; round < 2'000; ++round) {
    const auto family = problem::kHardFamilies[static_cast<std::size_t>(round) % problem::kHardFamilies.size()];
    const Vartype vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
    const auto n = static_cast<std::uint32_t>(1 + rng.below(8));
    const Bqm bqm = problem::hard_bqm(family, vartype, n, std::array{0.15, 0.4, 1.0}[rng.below(3)], rng());
    const problem::Int128 optimum = problem::true_optimum(bqm, [](const Assignment&) { return true; });
    for (const Rounding rounding : {Rounding::kRefused, Rounding::kAllowed}) {
      const Reduced reduced = reduce_exact(bqm, rounding);
      ASSERT_TRUE(rounding == Rounding::kAllowed || reduced.error_max == 0);
      if (rounding == Rounding::kRefused) removed += reduced.trail.entries().size();
      rounded += reduced.error_max > 0 ? 1 : 0;
      problem::Int128 best = 0;
      bool any = false;
      problem::for_each_assignment(vartype, reduced.model.num_variables(), [&](const Assignment& values) {
        const problem::Int128 energy = problem::true_energy(bqm, reduced.trail.lift(values));
        if (!any || energy < best) best = energy;
        any = true;
        const double error = std::abs(bqm.energy(reduced.trail.lift(values)) - reduced.model.energy(values));
        if (family == problem::Hard::kNearTies) {
          EXPECT_LE(error, reduced.error_max);  // their sums are doubles
        }
      });
      ASSERT_TRUE(best == optimum) << "round " << round;
    }
  }
  EXPECT_GT(removed, 2'000u);
  EXPECT_GT(rounded, 20u);
}

TEST(Reduce, a_large_coefficient_does_not_hide_small_ones) {
  // 2^54 - 10 - 10 - 2^54 - 1 at 111; sums of doubles lose the last term and fix the first variable low.
  const double large = 0x1.0p54;
  const Bqm bqm = make(Vartype::kBinary, {large, -10, -10}, {{0, 1, -large}, {0, 2, -1}});
  const Reduced reduced = reduce_exact(bqm);
  ASSERT_EQ(reduced.model.num_variables(), 0u);
  EXPECT_THAT(reduced.trail.lift({}), ElementsAre(1, 1, 1));
  EXPECT_EQ(reduced.model.offset(), -21);
}

TEST(Reduce, a_stop_breaks_off_the_whole_of_it) {
  std::stop_source stop;
  stop.request_stop();
  const Bqm bqm = make(Vartype::kBinary, {-1, -1}, {});
  EXPECT_THROW(presolve(bqm, Rounding::kRefused, stop.get_token()), Stopped);
  const auto reduced = presolve_or_cancel(bqm, Rounding::kRefused, stop.get_token());
  ASSERT_FALSE(reduced.has_value());
  EXPECT_EQ(reduced.error().number, errors::kCancelled);
}

TEST(Trail, what_follows_several_partners_is_looked_up_in_its_table) {
  // Variable 0 is high where 1 and 2 are unequal; 3 is high where all of 1, 2 and 4 are.
  const Json document{
      {"proof_class", "exact"},
      {"num_variables", 5},
      {"remaining", 3},
      {"entries", 2},
      {"by_rule", {{"series", 1}, {"star", 1}}},
      {"steps", Json::parse(R"([["pair", "series", 0, 1, 2, -1, 6], ["triple", "star", 3, 1, 2, 4, -1, 128]])")}};
  const auto trail = Trail::parse(document, "/trail");
  ASSERT_TRUE(trail.has_value()) << trail.error().to_string();
  EXPECT_EQ(trail->document(), document);
  EXPECT_THAT(trail->lift(Assignment{-1, -1, -1}), ElementsAre(-1, -1, -1, -1, -1));
  EXPECT_THAT(trail->lift(Assignment{1, -1, 1}), ElementsAre(1, 1, -1, -1, 1));
  EXPECT_THAT(trail->lift(Assignment{1, 1, 1}), ElementsAre(-1, 1, 1, 1, 1));
  EXPECT_THAT(trail->lift(Assignment{1, 1, -1}), ElementsAre(-1, 1, 1, -1, -1));
}

TEST(Trail, document_carries_everything_that_lift_needs) {
  Xoshiro256 rng(6);
  for (int round = 0; round < 200; ++round) {
    const Bqm bqm = random_bqm(rng, 8, Weights::kTies, 0.4);
    const Reduced reduced = reduce_exact(bqm);
    const auto parsed = Trail::parse(reduced.trail.document(), "/trail");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().to_string();
    EXPECT_EQ(*parsed, reduced.trail);
  }
}

TEST(Trail, many_steps_are_one_text_that_reads_back) {
  // Twice as many leaves as steps go as arrays, each pair with signs that differ from its neighbours'.
  const auto n = static_cast<std::uint32_t>(2 * Trail::kStepsMax);
  std::vector<double> linear(n);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t i = 0; i + 1 < n; i += 2) {
    linear[i] = i % 4 == 0 ? 1 : -1;
    terms.push_back({i, i + 1, i % 8 < 4 ? 3.0 : -3.0});
  }
  const Reduced reduced = reduce_exact(make(Vartype::kBinary, linear, terms));
  ASSERT_EQ(reduced.trail.entries().size(), n);
  const Json document = reduced.trail.document();
  ASSERT_TRUE(document.at("steps").is_string());
  EXPECT_LT(document.dump().size(), 30u * n);
  const auto parsed = Trail::parse(Json::parse(document.dump()), "/trail");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().to_string();
  EXPECT_EQ(*parsed, reduced.trail);
}

TEST(Trail, steps_in_a_row_are_one_line) {
  const std::size_t n = 1'000'000;
  const Reduced reduced = reduce_exact(make(Vartype::kBinary, std::vector<double>(n), {}));
  const Json document = reduced.trail.document();
  EXPECT_EQ(document.at("steps"), "fix isolated 0 0 1000000\n");
  const auto parsed = Trail::parse(document, "/trail");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, reduced.trail);
}

TEST(Trail, counts_its_rules) {
  const Reduced reduced = reduce_exact(make(Vartype::kBinary, {-3, 1, -1, -1}, {{2, 3, 3}}));
  const Json document = reduced.trail.document();
  EXPECT_EQ(document.at("proof_class"), "exact");
  EXPECT_EQ(document.at("num_variables"), 4);
  EXPECT_EQ(document.at("remaining"), 0);
  EXPECT_EQ(document.at("by_rule").at("leaf"), 1);
  EXPECT_EQ(document.at("by_rule").at("isolated"), 3);  // 0, 1, and 3 once its leaf is gone
}

TEST(Trail, a_class_that_its_rules_do_not_have_is_refused) {
  Json document = Trail(3).document();
  document["proof_class"] = "heuristic";
  EXPECT_THAT(Trail::parse(document, "/trail").error().to_string(), testing::HasSubstr("/trail/proof_class"));
  document.erase("proof_class");  // of a version before there was one
  EXPECT_TRUE(Trail::parse(document, "/trail").has_value());
}

TEST(Trail, bad_documents_are_named_errors) {
  const auto error_of = [](const char* steps, int remaining) {
    Json document{{"num_variables", 3}, {"remaining", remaining}, {"entries", 0}, {"by_rule", Json::object()}};
    document["steps"] = Json::parse(steps);
    const auto parsed = Trail::parse(document, "/trail");
    return parsed ? std::string("accepted") : parsed.error().to_string();
  };
  EXPECT_EQ(error_of(R"([["fix", "dominance", 0, 1]])", 2), "accepted");
  EXPECT_EQ(error_of(R"([["pair", "series", 0, 1, 2, 0, 15]])", 2), "accepted");
  const std::vector<std::pair<const char*, int>> bad = {
      {R"([["fix", "dominance", 3, 1]])", 2},
      {R"([["fix", "dominance", 0, 2]])", 2},
      {R"([["fix", "dominance", 0, 1], ["fix", "dominance", 0, 1]])", 1},
      {R"([["equal", "equal_pair", 0, 0]])", 2},
      {R"([["fix", "dominance", 0, 1], ["equal", "equal_pair", 1, 0]])", 1},
      {R"([["fix", "guess", 0, 1]])", 2},
      {R"([["jump", "dominance", 0, 1]])", 2},
      {R"([["fix", "dominance", 0]])", 2},
      {R"([["fix", "dominance", -1, 1]])", 2},
      {R"([["fix", "dominance", 18446744073709551615, 1]])", 2},
      {R"([["fix", "dominance", 0, 1]])", 3},
      {R"([["pair", "series", 0, 1, 2, 0, 16]])", 2},
      {R"([["pair", "series", 0, 1, 1, 0, 6]])", 2},
      {R"([["pair", "series", 0, 1, 3, 0, 6]])", 2},
      {R"([["pair", "series", 0, 1, 2, 6]])", 2},
      {R"([["triple", "star", 0, 1, 2, 0, 0, 6]])", 2},
  };
  for (const auto& [steps, remaining] : bad) {
    const std::string message = error_of(steps, remaining);
    EXPECT_THAT(message, testing::HasSubstr("/trail/steps")) << steps;
    EXPECT_THAT(message, testing::HasSubstr("[1023 value_out_of_range]")) << steps;
  }
  EXPECT_THAT(error_of(R"([["fix", "dominance", 0.5, 1]])", 2), testing::HasSubstr("[1021 wrong_type]"));
  EXPECT_THAT(error_of(R"([7])", 2), testing::HasSubstr("[1021 wrong_type]"));
  // The text form: one step a line, and runs that stay within the model.
  EXPECT_EQ(error_of(R"("fix dominance 0 1 2\nfix leaf 2 0")", 0), "accepted");
  for (const char* text : {R"("fix dominance 0 1\nfix dominance 0 1")", R"("fix dominance 2 1 2")",
                           R"("fix dominance 0 1 0")", R"("fix dominance 0 1 4")", R"("leaf leaf 0 1 0")"}) {
    EXPECT_THAT(error_of(text, 1), testing::HasSubstr("[1023 value_out_of_range]")) << text;
    EXPECT_THAT(error_of(text, 1), testing::HasSubstr("/trail/steps")) << text;
  }
  EXPECT_THAT(error_of(R"("fix dominance 0 1\nfix dominance 1 x")", 1), testing::HasSubstr("[1201 format_syntax]"));
  EXPECT_THAT(error_of(R"("fix dominance 0 1\nfix dominance 1 x")", 1), testing::HasSubstr("steps:2:17"));
  EXPECT_THAT(error_of(R"("fix dominance 0 1 1 1 1 1 1 1")", 1), testing::HasSubstr("[1201 format_syntax]"));
}

}  // namespace
}  // namespace tandem::reduce
