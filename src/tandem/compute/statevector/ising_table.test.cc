// Costs above second order against plain loops over their definitions.
#include "tandem/compute/statevector/ising_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using problem::Monomial;
using problem::Polynomial;
using problem::Vartype;
using Complex = std::complex<double>;

constexpr std::uint64_t kMemory = 1ull << 30;

int spin(std::uint64_t z, std::uint32_t q) { return (z >> q & 1) != 0 ? 1 : -1; }

/// Low autocorrelation of a binary sequence: sum_k (sum_i s_i s_{i+k})^2.
Polynomial labs(std::uint32_t n) {
  std::vector<Monomial> terms;
  for (std::uint32_t k = 1; k < n; ++k)
    for (std::uint32_t i = 0; i + k < n; ++i)
      for (std::uint32_t j = 0; j + k < n; ++j) {
        // Variables that come twice are 1.
        std::vector<std::uint32_t> variables{i, i + k, j, j + k};
        std::ranges::sort(variables);
        for (std::size_t at = 0; at + 1 < variables.size();)
          if (variables[at] == variables[at + 1])
            variables.erase(variables.begin() + static_cast<std::ptrdiff_t>(at),
                            variables.begin() + static_cast<std::ptrdiff_t>(at) + 2);
          else
            ++at;
        terms.push_back({.variables = variables, .coefficient = 1});
      }
  return Polynomial::create(Vartype::kSpin, n, terms).value();
}
double labs_energy(std::uint64_t z, std::uint32_t n) {
  double sum = 0;
  for (std::uint32_t k = 1; k < n; ++k) {
    int correlation = 0;
    for (std::uint32_t i = 0; i + k < n; ++i) correlation += spin(z, i) * spin(z, i + k);
    sum += correlation * correlation;
  }
  return sum;
}

/// A model, and its energy by definition.
struct Cost {
  Polynomial model;
  std::function<double(std::uint64_t)> energy;
};

Cost labs_cost(std::uint32_t n) {
  return {labs(n), [n](std::uint64_t z) { return labs_energy(z, n); }};
}

/// Clauses of `k` literals; how many are violated.
Cost sat_cost(std::uint32_t n, std::uint32_t k, std::size_t num_clauses, Xoshiro256& rng) {
  struct Clause {
    std::vector<std::uint32_t> variables;
    std::vector<bool> wanted;
  };
  std::vector<Clause> clauses;
  std::vector<Monomial> terms;
  for (std::size_t i = 0; i < num_clauses; ++i) {
    Clause clause;
    while (clause.variables.size() < k) {
      const auto v = static_cast<std::uint32_t>(rng.below(n));
      if (std::ranges::find(clause.variables, v) == clause.variables.end()) clause.variables.push_back(v);
    }
    std::ranges::sort(clause.variables);
    for (std::uint32_t j = 0; j < k; ++j) clause.wanted.push_back(rng.below(2) != 0);
    // prod (1 - x) where 1 is wanted, prod x elsewhere.
    for (std::uint64_t subset = 0; subset < std::uint64_t{1} << k; ++subset) {
      Monomial term{.coefficient = 1};
      bool counts = true;
      for (std::uint32_t j = 0; j < k; ++j) {
        const bool taken = (subset >> j & 1) != 0;
        if (taken) term.variables.push_back(clause.variables[j]);
        if (taken && clause.wanted[j]) term.coefficient = -term.coefficient;
        if (!taken && !clause.wanted[j]) counts = false;
      }
      if (counts) terms.push_back(term);
    }
    clauses.push_back(clause);
  }
  return {Polynomial::create(Vartype::kBinary, n, terms).value(), [clauses](std::uint64_t z) {
            double violated = 0;
            for (const Clause& clause : clauses) {
              bool holds = false;
              for (std::size_t j = 0; j < clause.variables.size(); ++j)
                holds = holds || ((z >> clause.variables[j] & 1) != 0) == clause.wanted[j];
              violated += holds ? 0 : 1;
            }
            return violated;
          }};
}

/// Of any order up to `degree`, with real coefficients.
Cost random_cost(std::uint32_t n, std::uint32_t degree, bool even, Xoshiro256& rng) {
  std::vector<Monomial> terms{{.variables = {}, .coefficient = 0.5}};
  for (std::uint32_t i = 0; i < 3 * n; ++i) {
    Monomial term{.coefficient = rng.uniform() - 0.5};
    const std::uint64_t size = even ? 2 * (1 + rng.below(degree / 2)) : 1 + rng.below(degree);
    while (term.variables.size() < std::min<std::uint64_t>(size, n - (even ? n % 2 : 0))) {
      const auto v = static_cast<std::uint32_t>(rng.below(n));
      if (std::ranges::find(term.variables, v) == term.variables.end()) term.variables.push_back(v);
    }
    std::ranges::sort(term.variables);
    terms.push_back(term);
  }
  const Polynomial model = Polynomial::create(Vartype::kSpin, n, terms).value();
  return {model, [terms](std::uint64_t z) {
            double sum = 0;
            for (const Monomial& term : terms) {
              double product = term.coefficient;
              for (const std::uint32_t v : term.variables) product *= spin(z, v);
              sum += product;
            }
            return sum;
          }};
}

std::vector<Complex> plainly(std::uint32_t n, const Cost& cost, const std::vector<double>& gammas,
                             const std::vector<double>& betas) {
  std::vector<Complex> state(std::size_t{1} << n, std::pow(0.5, n / 2.0));
  for (std::size_t l = 0; l < gammas.size(); ++l) {
    for (std::size_t z = 0; z < state.size(); ++z) state[z] *= std::polar(1.0, -gammas[l] * cost.energy(z));
    for (std::uint32_t q = 0; q < n; ++q)
      for (std::size_t z = 0; z < state.size(); ++z) {
        if ((z >> q & 1) != 0) continue;
        Complex& a = state[z];
        Complex& b = state[z | std::size_t{1} << q];
        const Complex turned = Complex(0, -std::sin(betas[l]));
        const double kept = std::cos(betas[l]);
        std::tie(a, b) = std::pair(kept * a + turned * b, turned * a + kept * b);
      }
  }
  return state;
}
double mean_energy(const Cost& cost, const std::vector<Complex>& state) {
  double sum = 0;
  for (std::size_t z = 0; z < state.size(); ++z) sum += std::norm(state[z]) * cost.energy(z);
  return sum;
}

template <class Real>
class IsingTableTest : public ::testing::Test {
 protected:
  static constexpr bool kDouble = sizeof(Real) == 8;
  ThreadExecutor executor_{2};

  IsingEvolution<Real> evolution(const Polynomial& model) {
    return IsingEvolution<Real>::create(model, kMemory, executor_).value();
  }
  /// State, value, gradient and tail of random angles.
  void expect_as_plainly(std::uint32_t n, const Cost& cost, double gamma, Xoshiro256& rng) {
    double radius = 0;  // what a phase is off by, in units of it
    const Polynomial in_spins = cost.model.with_vartype(Vartype::kSpin).value();
    for (const Monomial& term : in_spins.terms()) radius += std::abs(term.coefficient);
    const double amplitude = (kDouble ? 1e-14 : 2e-6) * (1 + gamma * radius / 4);
    const double value_tolerance = (kDouble ? 1e-13 : 1e-5) * (1 + radius) * (1 + gamma * radius / 16);
    std::vector<double> gammas;
    std::vector<double> betas;
    for (int l = 0; l < 2; ++l) {
      gammas.push_back(2 * gamma * (rng.uniform() - 0.5));
      betas.push_back(3 * (rng.uniform() - 0.5));
    }
    auto evolution = this->evolution(cost.model);
    const std::span<const simd::Isa> isas = simd::runnable_isas();
    evolution.use_isa(isas[rng.below(isas.size())]);
    if (rng.below(2) == 0) evolution.use_tile_bits(kLaneBits<Real> + 3 + static_cast<std::uint32_t>(rng.below(5)));
    const double value = evolution.value({gammas, betas}).value();
    const std::vector<Complex> expected = plainly(n, cost, gammas, betas);
    for (std::size_t z = 0; z < expected.size(); ++z)
      ASSERT_LT(std::abs(evolution.amplitude(z) - expected[z]), amplitude) << n << " qubits, state " << z;
    const double mean = mean_energy(cost, expected);
    EXPECT_NEAR(value, mean, value_tolerance);

    std::vector<std::pair<double, double>> sorted;
    for (std::size_t z = 0; z < expected.size(); ++z) sorted.emplace_back(cost.energy(z), std::norm(expected[z]));
    std::ranges::sort(sorted);
    const double share = 0.2;
    double taken = 0;
    double sum = 0;
    for (const auto& [energy, weight] : sorted) {
      const double part = std::min(weight, share - taken);
      taken += part;
      sum += part * energy;
    }
    EXPECT_NEAR(evolution.tail(share).value().mean, sum / share, 10 * value_tolerance);

    const IsingGradient gradient = evolution.gradient({gammas, betas}).value();
    EXPECT_NEAR(gradient.value, mean, value_tolerance);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto at = [&](double step) {
        auto [g, b] = std::pair(gammas, betas);
        (i < 2 ? g[i] : b[i - 2]) += step;
        return mean_energy(cost, plainly(n, cost, g, b));
      };
      const double step = 1e-2 / (1 + radius);
      const double slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      EXPECT_NEAR(i < 2 ? gradient.gammas[i] : gradient.betas[i - 2], slope,
                  10 * value_tolerance * (1 + radius) + 1e-6 * std::abs(slope))
          << n << " qubits, angle " << i;
    }
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(IsingTableTest, Reals);

TYPED_TEST(IsingTableTest, a_table_holds_the_energy_of_every_state) {
  Xoshiro256 rng(1);
  for (const std::uint32_t n : {5u, 12u, 14u}) {
    const Cost cost = random_cost(n, 5, false, rng);
    for (const std::uint32_t bits : {n, n - 1}) {
      std::vector<TypeParam> table(std::size_t{1} << bits);
      fill_energy_table(cost.model, bits, table.data(), this->executor_);
      for (std::size_t z = 0; z < table.size(); ++z)
        ASSERT_NEAR(table[z] + 0.5, cost.energy(z), this->kDouble ? 1e-13 : 1e-5) << n << " " << bits << " " << z;
    }
  }
}

TYPED_TEST(IsingTableTest, labs_follows_its_definition) {
  Xoshiro256 rng(2);
  for (const std::uint32_t n : {3u, 4u, 7u, 9u, 10u, 11u}) this->expect_as_plainly(n, labs_cost(n), 0.2, rng);
}

TYPED_TEST(IsingTableTest, satisfiability_counts_violated_clauses) {
  Xoshiro256 rng(3);
  for (const std::uint32_t n : {4u, 8u, 11u}) this->expect_as_plainly(n, sat_cost(n, 3, 4 * n, rng), 1, rng);
  this->expect_as_plainly(9, sat_cost(9, 5, 30, rng), 1, rng);
}

TYPED_TEST(IsingTableTest, real_coefficients_of_any_order) {
  Xoshiro256 rng(4);
  for (const std::uint32_t n : {3u, 6u, 9u, 11u})
    for (const bool even : {false, true})
      if (n > 3 || !even) this->expect_as_plainly(n, random_cost(n, 6, even, rng), 2, rng);
}

/// By what is known: the least energy of 20 is 26 (Mertens 1996), and with gamma 0 the state is uniform.
TYPED_TEST(IsingTableTest, labs_of_20_in_several_tiles) {
  constexpr std::uint32_t kSize = 20;
  auto evolution = this->evolution(labs(kSize));
  const std::vector<double> none{0};
  const std::vector<double> beta{0.4};
  // sum over k of the variance n - k of the correlation.
  EXPECT_NEAR(evolution.value({none, beta}).value(), kSize * (kSize - 1) / 2.0, this->kDouble ? 1e-9 : 2e-2);
  EXPECT_NEAR(evolution.tail(1e-7).value().quantile, 26, 1e-3);
  // Small angles: d<C>/d gamma = <i[C, ...]> by differences of precise values.
  const std::vector<double> gammas{0.01, 0.02};
  const std::vector<double> betas{-0.3, -0.2};
  const IsingGradient gradient = evolution.gradient({gammas, betas}).value();
  auto precise = IsingEvolution<double>::create(labs(kSize), kMemory, this->executor_).value();
  EXPECT_NEAR(gradient.value, precise.value({gammas, betas}).value(), this->kDouble ? 1e-9 : 2e-2);
  constexpr double kStep = 3e-6;  // energies go up to 2470
  const auto at = [&](double step) { return precise.value({std::vector{0.01, 0.02 + step}, betas}).value(); };
  const double slope = (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
  EXPECT_NEAR(gradient.gammas[1], slope, std::abs(slope) * (this->kDouble ? 1e-8 : 1e-3));
}

TYPED_TEST(IsingTableTest, threads_and_instruction_sets_give_the_same_bytes) {
  ThreadExecutor one(1);
  ThreadExecutor three(3);
  Xoshiro256 rng(5);
  for (const bool even : {false, true}) {
    const Cost cost = random_cost(17, 4, even, rng);
    const std::vector<double> gammas{0.7, 1.9};
    const std::vector<double> betas{0.4, 0.2};
    std::vector<double> first;
    for (Executor* executor : {static_cast<Executor*>(&one), static_cast<Executor*>(&three)}) {
      for (const simd::Isa isa : simd::runnable_isas()) {
        auto evolution = IsingEvolution<TypeParam>::create(cost.model, kMemory, *executor).value();
        evolution.use_isa(isa);
        std::vector<double> now{evolution.value({gammas, betas}).value()};
        for (std::uint64_t z = 0; z < 1u << 17; z += 97) {
          now.push_back(evolution.amplitude(z).real());
          now.push_back(evolution.amplitude(z).imag());
        }
        now.push_back(evolution.tail(0.1).value().mean);
        const IsingGradient gradient = evolution.gradient({gammas, betas}).value();
        now.insert(now.end(), gradient.gammas.begin(), gradient.gammas.end());
        now.insert(now.end(), gradient.betas.begin(), gradient.betas.end());
        if (first.empty()) first = now;
        ASSERT_EQ(now, first) << simd::to_string(isa);
      }
    }
  }
}

TYPED_TEST(IsingTableTest, memory_is_that_of_amplitudes_and_energies) {
  using Evolution = IsingEvolution<TypeParam>;
  const std::uint64_t state = BasicStateVector<TypeParam>::bytes_needed(11);
  // Even order: of twelve variables eleven are held.
  EXPECT_EQ(Evolution::bytes_needed(labs(12)).value(), state + state / 2);
  EXPECT_EQ(Evolution::create(labs(12), state + state / 2 - 1, this->executor_).error().number, errors::kOutOfMemory);
  auto least = Evolution::create(labs(12), 2 * state + state / 2 - 1, this->executor_).value();
  const std::vector<double> one{1};
  EXPECT_TRUE(least.value({one, one}).has_value());
  EXPECT_EQ(least.gradient({one, one}).error().number, errors::kOutOfMemory);
  const std::vector<double> large{1e30};
  EXPECT_EQ(least.value({large, one}).error().number, errors::kValueOutOfRange);
  // Quadratic ones have no table.
  const Polynomial pair = Polynomial::create(Vartype::kSpin, 12, {{.variables = {0, 11}, .coefficient = 1}}).value();
  EXPECT_EQ(Evolution::bytes_needed(pair).value(), state);
  EXPECT_EQ(Evolution::bytes_needed(Polynomial()).error().number, errors::kValueOutOfRange);
}

}  // namespace
}  // namespace tandem::statevector
