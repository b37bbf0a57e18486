// Models of 20 to 24 variables whose optimum a plain sweep of its own kind finds, for every solver that is not one of Bqms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>

#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/testing/known_models.h"
#include "tandem/compute/solve/testing/plain_sweep.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Bqm;
using problem::Comparison;
using problem::Cqm;
using problem::LinearConstraint;
using problem::Monomial;
using problem::Polynomial;
using problem::ProblemPtr;
using problem::QuadraticTerm;
using problem::Vartype;

enum class Proves : std::uint8_t { kNo, kYes };

/// `units` for each of two strands at most; a search that proves nothing ends at the optimum.
void expect_optimum(const char* name, const Model& model, double optimum, std::uint64_t units, Proves proves) {
  SCOPED_TRACE(name);
  FakeClock clock;
  ManualExecutor executor{clock};
  SolveOptions options{.seed = 3};
  options.work.units.assign(std::string_view(name) == "linear" || std::string_view(name) == "exhaustive" ? 1 : 2,
                            units);
  if (proves == Proves::kNo) options.target = optimum;
  const auto outcome = find_solver(name)->solve(model, options, {executor, {}, {}, 1});
  ASSERT_THAT(outcome, Succeeds());
  const result::Sample& best = outcome->samples.best();
  EXPECT_EQ(best.energy, optimum);
  EXPECT_EQ(best.energy, energy(model, best.values));
  if (const auto* cqm = std::get_if<Cqm>(&model)) {
    EXPECT_TRUE(cqm->feasible(best.values));
  }
  EXPECT_EQ(outcome->proved, proves == Proves::kYes);
  EXPECT_LE(outcome->bound.value_or(-HUGE_VAL), optimum);
}

struct PlainTerm {
  std::uint32_t mask;
  std::int64_t coefficient;
};

Polynomial random_polynomial(Vartype vartype, std::uint32_t n, std::size_t order, std::vector<PlainTerm>& plain,
                             std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<Monomial> terms;
  for (std::uint32_t t = 0; t < 2 * n; ++t) {
    std::uint32_t mask = 0;
    while (std::popcount(mask) < 1 + static_cast<int>(t % order)) mask |= 1u << rng.below(n);
    Monomial term{.variables = {}, .coefficient = static_cast<double>(rng.below(41)) - 20};
    for (std::uint32_t i = 0; i < n; ++i)
      if ((mask >> i & 1) != 0) term.variables.push_back(i);
    plain.push_back({mask, static_cast<std::int64_t>(term.coefficient)});
    terms.push_back(std::move(term));
  }
  return Polynomial::create(vartype, n, std::move(terms)).value();
}

/// By bit masks, in Gray order: a flip only changes terms of its variable.
std::int64_t swept(const std::vector<PlainTerm>& terms, Vartype vartype, std::uint32_t n) {
  const auto value = [&](const PlainTerm& term, std::uint32_t bits) -> std::int64_t {
    if (vartype == Vartype::kBinary) return (bits & term.mask) == term.mask ? term.coefficient : 0;
    return std::popcount(term.mask & ~bits) % 2 == 0 ? term.coefficient : -term.coefficient;
  };
  std::vector<std::vector<PlainTerm>> of(n);
  std::int64_t energy = 0;
  for (const PlainTerm& term : terms) {
    energy += value(term, 0);
    for (std::uint32_t i = 0; i < n; ++i)
      if ((term.mask >> i & 1) != 0) of[i].push_back(term);
  }
  std::int64_t best = energy;
  std::uint32_t bits = 0;
  for (std::uint32_t code = 1; code < 1u << n; ++code) {
    const auto i = static_cast<std::size_t>(std::countr_zero(code));
    for (const PlainTerm& term : of[i]) energy -= value(term, bits);
    bits ^= 1u << i;
    for (const PlainTerm& term : of[i]) energy += value(term, bits);
    best = std::min(best, energy);
  }
  return best;
}

TEST(Sweep, polynomials_of_20_to_24_variables) {
  struct Case {
    Vartype vartype;
    std::uint32_t n;
    std::size_t order;
  };
  for (const Case& c : {Case{Vartype::kSpin, 20, 5}, Case{Vartype::kBinary, 22, 6}, Case{Vartype::kSpin, 23, 3},
                        Case{Vartype::kBinary, 24, 4}}) {
    SCOPED_TRACE(fmt::format("{} variables of order {}", c.n, c.order));
    std::vector<PlainTerm> plain;
    const Polynomial polynomial = random_polynomial(c.vartype, c.n, c.order, plain, c.n);
    const auto optimum = static_cast<double>(swept(plain, c.vartype, c.n));
    for (const char* name : {"pubo", "annealing", "portfolio"})
      expect_optimum(name, polynomial, optimum, 4'000'000, Proves::kNo);
  }
}

/// Over half of all sequences, for the opposite of one is as good: a correlation counts the pairs that differ.
int swept_sequences(std::uint32_t n) {
  int best = INT32_MAX;
  for (std::uint32_t bits = 0; bits < 1u << (n - 1); ++bits) {
    int energy = 0;
    for (std::uint32_t k = 1; k < n && energy < best; ++k) {
      const auto pairs = static_cast<int>(n - k);
      const int c = pairs - 2 * std::popcount((bits ^ bits >> k) & ((1u << pairs) - 1));
      energy += c * c;
    }
    best = std::min(best, energy);
  }
  return best;
}

TEST(Sweep, sequences_of_20_and_24_spins) {
  for (const std::uint32_t n : {20u, 24u}) {
    const int optimum = swept_sequences(n);
    for (const char* name : {"pubo", "portfolio"}) expect_optimum(name, labs(n), optimum, 20'000'000, Proves::kNo);
    if (n == 20) expect_optimum("annealing", labs(n), optimum, 20'000'000, Proves::kNo);
  }
}

std::vector<std::uint32_t> neighbours_of(std::uint32_t n, const std::vector<QuadraticTerm>& edges) {
  std::vector<std::uint32_t> out(n);
  for (const QuadraticTerm& edge : edges) {
    out[edge.u] |= 1u << edge.v;
    out[edge.v] |= 1u << edge.u;
  }
  return out;
}

/// For every set of nodes the number of independent sets within it, the empty one counted: those without its last node, and those with it.
std::vector<std::uint32_t> independent_sets_within(std::uint32_t n, const std::vector<QuadraticTerm>& edges) {
  const std::vector<std::uint32_t> neighbours = neighbours_of(n, edges);
  std::vector<std::uint32_t> out(std::size_t{1} << n);
  out[0] = 1;
  for (std::uint32_t set = 1; set < out.size(); ++set) {
    const auto last = static_cast<std::uint32_t>(std::bit_width(set) - 1);
    const std::uint32_t rest = set ^ (1u << last);
    out[set] = out[rest] + out[rest & ~neighbours[last]];
  }
  return out;
}

std::size_t largest_independent_set(std::uint32_t n, const std::vector<QuadraticTerm>& edges) {
  const std::vector<std::uint32_t> neighbours = neighbours_of(n, edges);
  std::vector<std::uint8_t> size(std::size_t{1} << n);
  for (std::uint32_t set = 1; set < size.size(); ++set) {
    const auto last = static_cast<std::uint32_t>(std::bit_width(set) - 1);
    const std::uint32_t rest = set ^ (1u << last);
    size[set] = std::max(size[rest], static_cast<std::uint8_t>(1 + size[rest & ~neighbours[last]]));
  }
  return size.back();
}

Cqm stated(const ProblemPtr& problem) {
  const problem::Statement statement = problem->state();
  return std::get<Cqm>(statement);
}

double energy_of_size(const Cqm& cqm, std::size_t high) {
  const Bqm& objective = cqm.objective();
  return objective.offset() + objective.linear()[0] * static_cast<double>(high);
}

TEST(Sweep, independent_sets_covers_and_cliques_of_20_to_24_nodes) {
  for (const std::uint32_t n : {20u, 22u, 24u}) {
    for (const double density : {0.2, 0.5}) {
      SCOPED_TRACE(fmt::format("{} nodes, density {}", n, density));
      const std::vector<QuadraticTerm> edges = random_edges(n, density, n);
      const std::size_t largest = largest_independent_set(n, edges);
      std::vector<QuadraticTerm> others = random_edges(n, 1, 1);
      std::erase_if(others, [&](const QuadraticTerm& pair) {
        return std::ranges::any_of(edges,
                                   [&](const QuadraticTerm& edge) { return edge.u == pair.u && edge.v == pair.v; });
      });
      const std::array<std::pair<ProblemPtr, std::size_t>, 3> problems = {
          {{problem::make_independent_set(n, edges).value(), largest},
           {problem::make_vertex_cover(n, edges).value(), n - largest},
           {problem::make_clique(n, others).value(), largest}}};
      for (const auto& [problem, high] : problems) {
        const Cqm cqm = stated(problem);
        for (const char* name : {"independent_set", "portfolio"}) {
          expect_optimum(name, cqm, energy_of_size(cqm, high), 50'000'000, Proves::kYes);
        }
      }
    }
  }
}

/// The least number of independent sets that cover all nodes, by inclusion and exclusion (Bjorklund, Husfeldt, Koivisto 2009, "Set
/// partitioning via inclusion-exclusion", SIAM J. Comput. 39, equation 3), in numbers modulo 2^64: a count that is zero there by chance
/// has a probability of some 2^-64.
std::size_t chromatic_number(std::uint32_t n, const std::vector<QuadraticTerm>& edges) {
  std::vector<std::uint32_t> within = independent_sets_within(n, edges);
  std::vector<std::uint64_t> power(within.size(), 1);
  for (std::size_t colors = 1;; ++colors) {
    std::uint64_t covers = 0;
    for (std::uint32_t set = 0; set < within.size(); ++set) {
      power[set] *= within[set] - 1;  // nonempty ones
      covers += (n - static_cast<std::uint32_t>(std::popcount(set))) % 2 == 0 ? power[set] : 0 - power[set];
    }
    if (covers != 0) return colors;
  }
}

TEST(Sweep, colourings_of_20_to_24_nodes) {
  for (const std::uint32_t n : {20u, 22u, 24u}) {
    for (const double density : {0.3, 0.5, 0.8}) {
      SCOPED_TRACE(fmt::format("{} nodes, density {}", n, density));
      const std::vector<QuadraticTerm> edges = random_edges(n, density, n);
      const std::size_t colors = chromatic_number(n, edges);
      for (const char* name : {"coloring", "portfolio"}) {
        const auto given = [&](std::optional<std::size_t> number) {
          return stated(problem::make_coloring(n, edges, number).value());
        };
        expect_optimum(name, given(std::nullopt), static_cast<double>(colors), 50'000'000, Proves::kYes);
        expect_optimum(name, given(colors), 0, 50'000'000, Proves::kYes);
      }
    }
  }
}

/// Of all colourings of `n` nodes in three colours.
int fewest_conflicts(std::uint32_t n, const std::vector<QuadraticTerm>& edges) {
  const std::vector<std::uint32_t> neighbours = neighbours_of(n, edges);
  int best = INT32_MAX;
  const auto color = [&](const auto& self, std::uint32_t node, std::array<std::uint32_t, 3> of, int conflicts) -> void {
    if (conflicts >= best) return;
    if (node == n) {
      best = conflicts;
      return;
    }
    for (std::size_t k = 0; k < 3; ++k) {
      auto next = of;
      next[k] |= 1u << node;
      self(self, node + 1, next, conflicts + std::popcount(of[k] & neighbours[node]));
    }
  };
  color(color, 0, {}, 0);
  return best;
}

TEST(Sweep, fewest_conflicts_of_14_nodes_in_three_colours) {
  const std::vector<QuadraticTerm> edges = random_edges(14, 0.6, 5);
  const Cqm cqm = stated(problem::make_coloring(14, edges, 3).value());
  const int fewest = fewest_conflicts(14, edges);
  ASSERT_GT(fewest, 1);  // else the bound of the solver is a proof
  expect_optimum("coloring", cqm, fewest, 20'000'000, Proves::kNo);
}

struct Row {
  std::vector<std::int64_t> weights;
  Comparison comparison;
  std::int64_t bound;
};

Cqm with_rows(const Bqm& objective, const std::vector<Row>& rows) {
  std::vector<LinearConstraint> constraints;
  for (const Row& row : rows) {
    LinearConstraint one{
        .name = "row", .terms = {}, .comparison = row.comparison, .bound = static_cast<double>(row.bound)};
    for (std::uint32_t i = 0; i < row.weights.size(); ++i)
      if (row.weights[i] != 0) one.terms.push_back({i, static_cast<double>(row.weights[i])});
    constraints.push_back(std::move(one));
  }
  return Cqm::create(objective, std::move(constraints)).value();
}

double swept(const Bqm& objective, const std::vector<Row>& rows) {
  double best = HUGE_VAL;
  for_each_in_gray_order(objective, [&](double energy, std::uint32_t bits) {
    if (energy >= best) return;
    for (const Row& row : rows) {
      std::int64_t activity = 0;
      for (std::uint32_t left = bits; left != 0; left &= left - 1)
        activity += row.weights[static_cast<std::size_t>(std::countr_zero(left))];
      if (row.comparison != Comparison::kGreaterEqual && activity > row.bound) return;
      if (row.comparison != Comparison::kLessEqual && activity < row.bound) return;
    }
    best = energy;
  });
  return best;
}

std::vector<Row> random_rows(std::uint32_t n, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<Row> rows = {{.weights = {}, .comparison = Comparison::kEqual, .bound = n / 3},
                           {.weights = {}, .comparison = Comparison::kLessEqual, .bound = 0},
                           {.weights = {}, .comparison = Comparison::kGreaterEqual, .bound = -3}};
  for (std::uint32_t i = 0; i < n; ++i) {
    rows[0].weights.push_back(1);
    rows[1].weights.push_back(1 + static_cast<std::int64_t>(rng.below(50)));
    rows[1].bound += rows[1].weights.back() / 4;
    rows[2].weights.push_back(static_cast<std::int64_t>(rng.below(11)) - 5);
  }
  return rows;
}

TEST(Sweep, constrained_models_of_20_to_24_variables) {
  for (const std::uint32_t n : {20u, 24u}) {
    SCOPED_TRACE(n);
    const Bqm objective = problem::random_bqm(Vartype::kBinary, n, 0.6, n);
    const std::vector<Row> rows = random_rows(n, n);
    const double optimum = swept(objective, rows);
    ASSERT_LT(optimum, HUGE_VAL);
    const Cqm cqm = with_rows(objective, rows);
    if (n == 20) expect_optimum("portfolio", cqm, optimum, UINT64_MAX, Proves::kYes);
    expect_optimum("constrained", cqm, optimum, UINT64_MAX, Proves::kYes);
    // Too little for the proof: what the moves alone find.
    expect_optimum("constrained", cqm, optimum, 500, Proves::kNo);
  }
}

TEST(Sweep, linear_models_of_20_to_24_variables) {
  for (const std::uint32_t n : {20u, 24u}) {
    SCOPED_TRACE(n);
    Xoshiro256 rng(n);
    std::vector<double> costs(n);
    for (double& cost : costs) cost = static_cast<double>(rng.below(201)) - 150;
    const Bqm objective = Bqm::create(Vartype::kBinary, std::move(costs), {}, 0.5).value();
    const std::vector<Row> rows = random_rows(n, 100 + n);
    const double optimum = swept(objective, rows);
    ASSERT_LT(optimum, HUGE_VAL);
    const Cqm cqm = with_rows(objective, rows);
    expect_optimum("linear", cqm, optimum, UINT64_MAX, Proves::kYes);
    if (n > 20) continue;  // these sweep, which takes seconds
    for (const char* name : {"constrained", "portfolio"}) expect_optimum(name, cqm, optimum, UINT64_MAX, Proves::kYes);
  }
}

}  // namespace
}  // namespace tandem::solve
