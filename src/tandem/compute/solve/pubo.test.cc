// Polynomials against a plain sweep; sequences against plain sums of products, their kernels array by array on every instruction set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/executor.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/labs_kernels.h"
#include "tandem/compute/solve/labs_search.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/testing/known_models.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::AssignmentView;
using problem::Monomial;
using problem::Polynomial;
using problem::Vartype;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;

/// Sum of the squared correlations of spins.
std::int64_t plain_energy(AssignmentView spins) {
  std::int64_t sum = 0;
  for (std::size_t k = 1; k < spins.size(); ++k) {
    std::int64_t c = 0;
    for (std::size_t i = 0; i + k < spins.size(); ++i) c += spins[i] * spins[i + k];
    sum += c * c;
  }
  return sum;
}

Assignment spins_of(AssignmentView bits) { return problem::convert(bits, Vartype::kBinary, Vartype::kSpin); }

Polynomial with_terms(const Polynomial& like, std::vector<Monomial> terms) {
  return Polynomial::create(like.vartype(), like.num_variables(), std::move(terms)).value();
}

SolveOutcome solved(const Polynomial& polynomial, std::uint64_t units) {
  FakeClock clock;
  ManualExecutor executor{clock};
  SolveOptions options;
  options.work.units = {units, units};
  return find_solver("pubo")->solve(polynomial, options, {executor, {}, {}, 1}).value();
}

double swept(const Polynomial& polynomial) {
  double best = HUGE_VAL;
  problem::for_each_assignment(polynomial.vartype(), polynomial.num_variables(),
                               [&](const Assignment& values) { best = std::min(best, polynomial.energy(values)); });
  return best;
}

void expect_optimum(const Polynomial& polynomial, const std::string& what) {
  const SolveOutcome outcome = solved(polynomial, 400'000);
  double magnitude = 0;
  for (const Monomial& term : polynomial.terms()) magnitude += std::abs(term.coefficient);
  const auto& best = outcome.samples.best();
  EXPECT_EQ(best.energy, polynomial.energy(best.values)) << what;
  // Where no power of ten makes the coefficients integers, search rounds them at 2^-50 of their sum.
  EXPECT_NEAR(best.energy, swept(polynomial), 1e-12 * magnitude) << what;
}

TEST(Pubo, reaches_the_swept_optimum_of_random_polynomials) {
  Xoshiro256 rng(1);
  for (int round = 0; round < 120; ++round) {
    const auto vartype = round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin;
    const auto n = static_cast<std::uint32_t>(1 + rng.below(14));
    const double unit = std::array{1.0, 0.01, 1.0 / 7, 1e12, 0x1p40 / 3}[rng.below(5)];
    const std::size_t order_max = 1 + rng.below(5);
    std::vector<Monomial> terms;
    for (std::uint64_t t = rng.below(4 * n + 1); t > 0; --t) {
      // Some are zero, some name a variable twice, some stand twice.
      Monomial term{.variables = {}, .coefficient = unit * (static_cast<double>(rng.below(21)) - 10)};
      for (std::size_t k = rng.below(order_max + 1); k > 0; --k)
        term.variables.push_back(static_cast<std::uint32_t>(rng.below(n)));
      terms.push_back(std::move(term));
    }
    expect_optimum(Polynomial::create(vartype, n, std::move(terms)).value(), fmt::format("round {}", round));
  }
}

TEST(Pubo, reaches_the_swept_optimum_on_the_edges) {
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    const auto of = [&](std::size_t n, std::vector<Monomial> terms) {
      return Polynomial::create(vartype, n, std::move(terms)).value();
    };
    expect_optimum(of(1, {}), "one variable without terms");
    expect_optimum(of(5, {}), "no terms");
    expect_optimum(of(5, {{{}, -3.5}}), "a constant");
    expect_optimum(of(1, {{{0}, -2}}), "one variable");
    expect_optimum(of(9, {{{0, 1, 2, 3, 4, 5, 6, 7, 8}, -1}}), "one term of all variables");
    expect_optimum(of(9, {{{0, 1, 2, 3, 4, 5, 6, 7, 8}, 1}, {{8}, -1}}), "against another");
    expect_optimum(of(6, {{{0, 1, 2}, 1e290}, {{3, 4, 5}, -1e290}, {{0, 5}, 1e280}}), "near the limit of magnitude");
    expect_optimum(of(6, {{{0, 1, 2}, 1e-9}, {{3, 4, 5}, -1e-9}, {{0, 5}, 2e-9}}), "small");
  }
}

/// Where few blocks change in a flip, only those are scored: energies stay those of the assignment, and bests are local optima.
TEST(Pubo, tabu_keeps_its_energy_on_sparse_polynomials_of_many_variables) {
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    for (const std::uint32_t n : {70u, 1500u}) {
      Xoshiro256 rng(n);
      std::vector<Monomial> terms;
      for (std::uint32_t t = 0; t < n; ++t) {
        Monomial term{.variables = {}, .coefficient = static_cast<double>(rng.below(21)) - 10};
        for (std::size_t k = 1 + rng.below(4); k > 0; --k)
          term.variables.push_back(static_cast<std::uint32_t>(rng.below(n)));
        terms.push_back(std::move(term));
      }
      const auto model =
          PolynomialModel::create(Polynomial::create(vartype, n, std::move(terms)).value(), kMemory).value();
      const auto search = TabuSearch::create(model);
      Assignment goal(n);
      for (std::int8_t& bit : goal) bit = static_cast<std::int8_t>(rng() >> 63);
      search->begin(goal, 5, 3 * n);
      while (!search->done()) {
        search->step();
        ASSERT_EQ(search->energy(), model.energy(search->bits()));
      }
      ASSERT_TRUE(search->has_best());
      Assignment best(search->best_bits().begin(), search->best_bits().end());
      ASSERT_EQ(search->best_energy(), model.energy(best));
      for (std::int8_t& bit : best) {
        bit ^= 1;
        EXPECT_GE(model.energy(best), search->best_energy());
        bit ^= 1;
      }
    }
  }
}

TEST(LabsForm, is_read_from_the_polynomial_of_sequences_with_any_factor_and_constant) {
  Xoshiro256 rng(3);
  for (std::uint32_t n = 4; n <= 24; ++n) {
    for (const double factor : {1.0, 0.25, 3.0, 1e9}) {
      const Polynomial polynomial = labs(n, factor, n - 7.0);
      const auto form = LabsForm::read(polynomial);
      ASSERT_TRUE(form.has_value()) << n;
      EXPECT_EQ(form->size(), n);
      Assignment spins(n);
      for (std::int8_t& spin : spins) spin = rng() >> 63 != 0 ? 1 : -1;
      const std::int64_t energy = plain_energy(spins);
      EXPECT_DOUBLE_EQ(form->objective(energy), polynomial.energy(spins));
      EXPECT_EQ(form->energy_at_most(form->objective(energy)), energy);
      EXPECT_EQ(form->energy_at_most(form->objective(energy) - factor / 2), energy - 1);
      EXPECT_EQ(form->energy_at_most(form->objective(-1)), std::nullopt);
    }
  }
}

TEST(LabsForm, of_anything_else_is_none) {
  const Polynomial sequences = labs(9, 2, 5);
  const std::vector<Monomial> terms(sequences.terms().begin(), sequences.terms().end());
  for (std::size_t t = 1; t < terms.size(); ++t) {
    std::vector<Monomial> changed = terms;
    changed[t].coefficient = std::nextafter(changed[t].coefficient, 9);
    EXPECT_FALSE(LabsForm::read(with_terms(sequences, changed))) << t;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(t));
    EXPECT_FALSE(LabsForm::read(with_terms(sequences, changed))) << t;
  }
  for (const Monomial& more : {Monomial{{0}, 1}, Monomial{{0, 1}, 4}, Monomial{{7, 8}, 4}, Monomial{{0, 1, 2, 4}, 8},
                               Monomial{{5, 6, 7, 8, 0}, 1}}) {
    std::vector<Monomial> changed = terms;
    changed.push_back(more);
    EXPECT_FALSE(LabsForm::read(with_terms(sequences, changed)));
  }
  EXPECT_FALSE(LabsForm::read(sequences.negated()));
  EXPECT_FALSE(LabsForm::read(sequences.with_vartype(Vartype::kBinary).value()));
  EXPECT_FALSE(LabsForm::read(Polynomial::create(Vartype::kSpin, 10, terms).value()));  // one spin too many
  EXPECT_FALSE(LabsForm::read(Polynomial::create(Vartype::kBinary, 9, terms).value()));
  EXPECT_FALSE(LabsForm::read(Polynomial::create(Vartype::kSpin, 4, {}).value()));
  EXPECT_FALSE(LabsForm::read(labs(3)));  // quadratic
}

TEST(Labs, reaches_the_swept_optimum_of_all_sequences_up_to_16) {
  for (std::uint32_t n = 1; n <= 16; ++n) {
    std::int64_t optimum = INT64_MAX;
    problem::for_each_assignment(Vartype::kSpin, n,
                                 [&](const Assignment& spins) { optimum = std::min(optimum, plain_energy(spins)); });
    const SolveOutcome outcome = solved(labs(n), 200'000);
    const auto& best = outcome.samples.best();
    EXPECT_EQ(plain_energy(best.values), optimum) << n;
    EXPECT_EQ(best.energy, static_cast<double>(optimum)) << n;
  }
}

/// Optima of Packebusch, Mertens 2016 (Journal of Physics A 49, 165001), table 1.
TEST(Labs, reaches_published_optima_and_stops_at_a_target) {
  for (const auto& [n, optimum] : {std::pair{20u, 26.0}, {27u, 37.0}, {35u, 73.0}}) {
    ThreadExecutor executor(2);
    std::stop_source never;
    const auto outcome =
        find_solver("pubo")->solve(labs(n), {.target = optimum}, {executor, never.get_token(), {}, 2}).value();
    EXPECT_EQ(outcome.reason, StopReason::kTarget) << n;
    EXPECT_EQ(static_cast<double>(plain_energy(outcome.samples.best().values)), optimum) << n;
  }
}

TEST(Labs, the_search_keeps_its_energy_and_is_the_same_on_every_set) {
  for (const std::size_t n : {1u, 2u, 3u, 5u, 31u, 32u, 33u, 64u, 97u, 200u, 201u, 230u}) {
    Assignment path;  // of the first set
    for (const simd::Isa isa : simd::runnable_isas()) {
      const auto search = make_labs_search(n, isa);
      Xoshiro256 rng(n);
      for (int run = 0; run < 3; ++run) {
        Assignment goal(n);
        for (std::int8_t& bit : goal) bit = static_cast<std::int8_t>(rng() >> 63);
        search->begin(goal, rng(), 2 * n + 5);
        while (!search->done()) {
          search->step();
          ASSERT_EQ(search->energy(), plain_energy(spins_of(search->bits()))) << n << " " << to_string(isa);
        }
        ASSERT_TRUE(search->has_best());
        Assignment best = spins_of(search->best_bits());
        ASSERT_EQ(search->best_energy(), plain_energy(best));
        for (std::int8_t& spin : best) {
          spin = static_cast<std::int8_t>(-spin);
          EXPECT_GE(plain_energy(best), search->best_energy());
          spin = static_cast<std::int8_t>(-spin);
        }
      }
      const Assignment end(search->bits().begin(), search->bits().end());
      if (path.empty()) path = end;
      EXPECT_EQ(end, path) << n << " " << to_string(isa);
    }
  }
}

/// The arrays of a sequence by their definitions.
template <class Lane>
struct PlainArrays {
  explicit PlainArrays(const Assignment& sequence)
      : n(sequence.size()), lanes((n + kLabsBlock - 1) / kLabsBlock * kLabsBlock) {
    const auto size = static_cast<std::int64_t>(n);
    const auto block = static_cast<std::int64_t>(lanes);
    const auto s = [&](std::int64_t x) {
      return x >= 0 && x < size ? std::int64_t{sequence[static_cast<std::size_t>(x)]} : 0;
    };
    const auto sum = [&](const auto& term) {
      std::int64_t out = 0;
      for (std::int64_t i = 0; i < size; ++i) out += term(i);
      return static_cast<Lane>(out);
    };
    const auto c = [&](std::int64_t d) -> std::int64_t {
      return d == 0 ? 0 : sum([&](std::int64_t i) { return s(i) * s(i + d); });
    };
    for (std::int64_t x = -block; x < 2 * block; ++x) spins.push_back(static_cast<Lane>(s(x)));
    for (std::int64_t x = 2 * block; x > -block; --x) reversed.push_back(static_cast<Lane>(s(x)));
    for (std::int64_t v = -block; v < block; ++v) {
      even.push_back(static_cast<Lane>(s(2 * v)));
      odd.push_back(static_cast<Lane>(s(2 * v + 1)));
      correlation.push_back(static_cast<Lane>(c(v)));
    }
    for (std::int64_t t = 0; t < 2 * block; ++t)
      convolution.push_back(sum([&](std::int64_t i) { return s(i) * s(t - i); }));
    for (std::int64_t j = 0; j < block; ++j) {
      diagonal.push_back(j < size ? convolution[static_cast<std::size_t>(2 * j)] : std::numeric_limits<Lane>::max());
      field.push_back(sum([&](std::int64_t i) { return c(j - i) * s(i); }));
      number.push_back(static_cast<Lane>(j));
    }
    tabu_until.assign(lanes, 0);
  }
  LabsArrays<Lane> arrays() {
    return {n,
            lanes,
            spins.data(),
            reversed.data(),
            {even.data(), odd.data()},
            correlation.data(),
            convolution.data(),
            diagonal.data(),
            field.data(),
            tabu_until.data(),
            number.data()};
  }
  friend bool operator==(const PlainArrays&, const PlainArrays&) = default;

  std::size_t n;
  std::size_t lanes;
  std::vector<Lane> spins, reversed, even, odd, correlation, convolution, diagonal, field, tabu_until, number;
};

template <class Lane>
void expect_kernels_as_defined(const LabsLaneKernels<Lane>& kernels, std::size_t n, const std::string& what) {
  Xoshiro256 rng(n);
  Assignment sequence(n);
  for (std::int8_t& spin : sequence) spin = rng() >> 63 != 0 ? 1 : -1;
  PlainArrays<Lane> kept(sequence);
  for (int flip = 0; flip < 12; ++flip) {
    const std::size_t chosen = flip == 0 ? 0 : flip == 1 ? n - 1 : rng.below(n);
    kernels.flip(kept.arrays(), chosen);
    sequence[chosen] = static_cast<std::int8_t>(-sequence[chosen]);
    PlainArrays<Lane> defined(sequence);
    EXPECT_EQ(kept, defined) << what << ", " << n << " spins, flip of " << chosen;

    for (std::size_t j = 0; j < n; ++j) defined.tabu_until[j] = static_cast<Lane>(rng.below(8));
    const auto value = [&](std::size_t j) {
      Assignment flipped = sequence;
      flipped[j] = static_cast<std::int8_t>(-flipped[j]);
      return (plain_energy(flipped) - plain_energy(sequence)) / 4 - static_cast<std::int64_t>(n) + 2;
    };
    std::int64_t least = INT64_MAX;
    std::int64_t least_free = INT64_MAX;
    const auto iteration = static_cast<Lane>(rng.below(8));
    for (std::size_t j = 0; j < n; ++j) {
      least = std::min(least, value(j));
      if (defined.tabu_until[j] <= iteration) least_free = std::min(least_free, value(j));
    }
    for (const bool aspires : {false, true}) {
      const bool any = aspires || least_free == INT64_MAX;
      const auto cycle = static_cast<Lane>(std::bit_ceil(defined.lanes));
      const auto turn = static_cast<Lane>(rng.below(static_cast<std::uint64_t>(cycle)));
      std::size_t expected = static_cast<std::size_t>(turn);
      while (expected >= n || value(expected) != (any ? least : least_free) ||
             (!any && defined.tabu_until[expected] > iteration)) {
        expected = (expected + 1) % static_cast<std::size_t>(cycle);
      }
      const LabsChoice<Lane> choice =
          kernels.choose(defined.arrays(), {.iteration = iteration,
                                            .aspired = static_cast<Lane>(aspires ? least + 1 : least),
                                            .turn = turn,
                                            .cycle = cycle});
      EXPECT_EQ(choice.spin, expected) << what << ", " << n << " spins";
      EXPECT_EQ(choice.value, any ? least : least_free) << what << ", " << n << " spins";
      EXPECT_EQ(choice.least, least) << what << ", " << n << " spins";
    }
  }
}

TEST(LabsKernels, are_as_defined_on_every_set) {
  constexpr std::array kTables = {&portable::kLabsKernels, &avx2::kLabsKernels, &avx512::kLabsKernels};
  for (const simd::Isa isa : simd::runnable_isas()) {
    const LabsKernels& kernels = *kTables[static_cast<std::size_t>(isa)];
    for (const std::size_t n : {1u, 2u, 3u, 4u, 17u, 31u, 32u, 33u, 63u, 64u, 65u, 90u}) {
      expect_kernels_as_defined(kernels.narrow, n, fmt::format("{}, narrow", to_string(isa)));
      expect_kernels_as_defined(kernels.wide, n, fmt::format("{}, wide", to_string(isa)));
    }
  }
}

/// All spins alike have the greatest fields: at 200 spins they just fit.
TEST(LabsKernels, narrow_lanes_hold_200_spins_at_their_limits) {
  const Assignment up(200, 1);
  PlainArrays<std::int16_t> narrow(up);
  PlainArrays<std::int32_t> wide(up);
  for (std::size_t j = 0; j < 200; ++j) {
    EXPECT_EQ(narrow.field[j], wide.field[j]);
    EXPECT_LT(wide.field[j], INT16_MAX - 2 * 200);
  }
}

}  // namespace
}  // namespace tandem::solve
