// The solver `linear`, and branch and cut inside `constrained`, against exhaustive search.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/pausable_call.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Comparison;
using problem::Cqm;
using problem::LinearConstraint;
using problem::Vartype;

Cqm linear_cqm(std::vector<double> costs, std::vector<LinearConstraint> constraints, double offset = 0) {
  return Cqm::create(Bqm::create(Vartype::kBinary, std::move(costs), {}, offset).value(), std::move(constraints))
      .value();
}

Result<SolveOutcome> solve(const Model& model, const SolveOptions& options = {}, std::stop_token stop = {},
                           IncumbentSink sink = {}, const char* solver = "linear") {
  ThreadExecutor executor(1);
  return find_solver(solver)->solve(model, options, {executor, std::move(stop), std::move(sink), 1});
}

std::optional<double> least_energy(const Cqm& cqm) {
  std::optional<double> out;
  problem::for_each_assignment(Vartype::kBinary, cqm.num_variables(), [&](const Assignment& values) {
    if (!cqm.feasible(values)) return;
    const double energy = cqm.objective().energy(values);
    if (!out || energy < *out) out = energy;
  });
  return out;
}

/// Rows of every comparison, some of them empty, whose bounds lie about where the sum of half of the coefficients does.
Cqm random_cqm(std::uint64_t seed, double (*cost)(Xoshiro256&), double (*coefficient)(Xoshiro256&)) {
  Xoshiro256 rng(seed);
  const auto n = static_cast<std::uint32_t>(1 + rng.below(14));
  std::vector<double> costs(n);
  for (double& one : costs) one = cost(rng);
  std::vector<LinearConstraint> constraints;
  for (std::uint64_t c = rng.below(6); c > 0; --c) {
    LinearConstraint one{.name = "row", .terms = {}, .comparison = static_cast<Comparison>(rng.below(3)), .bound = 0};
    Assignment point(n);
    for (std::uint32_t i = 0; i < n; ++i) {
      if (rng.below(3) == 0) continue;
      one.terms.push_back({i, coefficient(rng)});
      point[i] = static_cast<std::int8_t>(rng.below(2));
    }
    one.bound = one.activity(point);
    if (rng.below(8) == 0) one.bound += 1;  // perhaps out of reach of an equation
    if (one.comparison == Comparison::kLessEqual) one.bound -= 1;
    constraints.push_back(std::move(one));
  }
  return linear_cqm(std::move(costs), std::move(constraints), 0.5);
}

double small_integer(Xoshiro256& rng) { return static_cast<double>(rng.below(41)) - 20; }
double millions(Xoshiro256& rng) { return static_cast<double>(rng.below(2'000'001)) - 1'000'000; }
double billions(Xoshiro256& rng) { return static_cast<double>(rng.below(2'000'000'001)) - 1'000'000'000; }
double decimals(Xoshiro256& rng) {
  return std::round(small_integer(rng) * 100 + static_cast<double>(rng.below(100))) / 1000;
}
double many_digits(Xoshiro256& rng) { return 2 * rng.uniform() - 1; }
double mixed_sizes(Xoshiro256& rng) { return rng.below(2) == 0 ? small_integer(rng) : billions(rng); }

struct Weights {
  const char* name;
  double (*cost)(Xoshiro256&);
  double (*coefficient)(Xoshiro256&);
  int num_models;
  bool proves;  ///< always; else what it does not prove is checked
};
constexpr Weights kWeights[] = {
    {"small integers", small_integer, small_integer, 400, true},
    {"millions", millions, millions, 200, true},
    {"decimals", decimals, decimals, 200, true},
    {"costs of billions", billions, small_integer, 200, true},
    {"costs of mixed sizes", mixed_sizes, millions, 200, true},
    {"costs of many digits", many_digits, small_integer, 200, false},
    {"billions", billions, billions, 200, false},
    {"many digits", many_digits, many_digits, 200, false},
    {"mixed sizes", mixed_sizes, mixed_sizes, 200, false},
};

TEST(Linear, what_it_proves_is_what_a_sweep_of_all_assignments_finds) {
  for (const Weights& weights : kWeights) {
    int proofs = 0;
    int infeasible = 0;
    for (int k = 0; k < weights.num_models; ++k) {
      const Cqm cqm = random_cqm(static_cast<std::uint64_t>(k), weights.cost, weights.coefficient);
      const std::optional<double> least = least_energy(cqm);
      const auto outcome = solve(cqm);
      if (!outcome.has_value()) {
        EXPECT_THAT(outcome, FailsWith(errors::kInfeasibleProblem)) << weights.name << " " << k;
        EXPECT_FALSE(least.has_value()) << weights.name << " " << k;
        ++proofs;
        ++infeasible;
        continue;
      }
      const result::Sample& best = outcome->samples.best();
      ASSERT_EQ(best.energy, cqm.objective().energy(best.values)) << weights.name << " " << k;
      if (outcome->proved) {
        ++proofs;
        ASSERT_TRUE(least.has_value()) << weights.name << " " << k;
        EXPECT_TRUE(cqm.feasible(best.values)) << weights.name << " " << k;
        EXPECT_EQ(best.energy, *least) << weights.name << " " << k;
        EXPECT_EQ(outcome->bound, best.energy);
        EXPECT_EQ(outcome->reason, StopReason::kProved);
      } else if (least.has_value()) {
        ASSERT_TRUE(outcome->bound.has_value()) << weights.name << " " << k;
        EXPECT_LE(*outcome->bound, *least + 1e-15 * std::abs(*least)) << weights.name << " " << k;
        if (cqm.feasible(best.values)) {
          EXPECT_GE(best.energy, *least) << weights.name << " " << k;
        }
      }
    }
    if (!weights.proves) continue;
    EXPECT_EQ(proofs, weights.num_models) << weights.name;
    EXPECT_GT(infeasible, weights.num_models / 20) << weights.name;
    EXPECT_LT(infeasible, weights.num_models * 3 / 4) << weights.name;
  }
}

LinearConstraint row(std::vector<problem::LinearTerm> terms, Comparison comparison, double bound) {
  return {.name = "row", .terms = std::move(terms), .comparison = comparison, .bound = bound};
}

TEST(Linear, models_at_the_edge) {
  struct Edge {
    const char* name;
    Cqm cqm;
    std::optional<double> least;
  };
  const Edge edges[] = {
      {"no variables", linear_cqm({}, {}, 3), 3},
      {"no variables, a row that does not hold", linear_cqm({}, {row({}, Comparison::kEqual, 1)}), std::nullopt},
      {"one variable", linear_cqm({-2}, {}), -2},
      {"one variable, forbidden", linear_cqm({-2}, {row({{0, 1}}, Comparison::kLessEqual, 0)}), 0},
      {"one variable, asked for", linear_cqm({2}, {row({{0, 1}}, Comparison::kGreaterEqual, 1)}), 2},
      {"one variable, half of it", linear_cqm({2}, {row({{0, 2}}, Comparison::kEqual, 1)}), std::nullopt},
      {"no objective", linear_cqm({0, 0}, {row({{0, 1}, {1, 1}}, Comparison::kEqual, 1)}, 7), 7},
      {"empty rows that hold",
       linear_cqm({1, -1}, {row({}, Comparison::kLessEqual, 1), row({}, Comparison::kEqual, 0)}), -1},
      {"an empty row that does not", linear_cqm({1, -1}, {row({}, Comparison::kGreaterEqual, 1)}), std::nullopt},
      {"even sums are not odd", linear_cqm({1, 1, 1}, {row({{0, 2}, {1, 2}, {2, 2}}, Comparison::kEqual, 3)}),
       std::nullopt},
      {"rows that contradict each other",
       linear_cqm({1, 1}, {row({{0, 1}, {1, 1}}, Comparison::kGreaterEqual, 2),
                           row({{0, 1}, {1, 1}}, Comparison::kLessEqual, 1)}),
       std::nullopt},
      {"the largest coefficients",
       linear_cqm({-1e12, -3e12, 2e12}, {row({{0, 1e12}, {1, 1e12}, {2, -1e12}}, Comparison::kLessEqual, 0)}), -1e12},
  };
  for (const Edge& edge : edges) {
    const auto outcome = solve(edge.cqm);
    if (edge.least) {
      ASSERT_TRUE(outcome.has_value()) << edge.name;
      EXPECT_TRUE(outcome->proved) << edge.name;
      EXPECT_EQ(outcome->samples.best().energy, *edge.least) << edge.name;
      EXPECT_TRUE(edge.cqm.feasible(outcome->samples.best().values)) << edge.name;
    } else {
      EXPECT_THAT(outcome, FailsWith(errors::kInfeasibleProblem)) << edge.name;
    }
  }
}

/// Several knapsacks at once: a tree of some thousand nodes at 40 items.
Cqm knapsacks(std::uint32_t items, std::size_t rows, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<double> costs(items);
  std::vector<LinearConstraint> constraints;
  for (std::size_t c = 0; c < rows; ++c) {
    constraints.push_back(row({}, Comparison::kLessEqual, 0));
    for (std::uint32_t i = 0; i < items; ++i) {
      const auto weight = static_cast<double>(1 + rng.below(1000));
      constraints.back().terms.push_back({i, weight});
      constraints.back().bound += std::floor(weight / 2);
      costs[i] -= weight;
    }
  }
  for (double& cost : costs) cost = std::floor(cost / static_cast<double>(rows)) - static_cast<double>(rng.below(500));
  return linear_cqm(std::move(costs), std::move(constraints));
}

TEST(Linear, stopped_at_once_it_says_that_nothing_was_searched) {
  std::stop_source stop;
  stop.request_stop();
  const auto outcome = solve(knapsacks(40, 4, 1), {}, stop.get_token());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->proved);
  EXPECT_EQ(outcome->reason, StopReason::kStopped);
  EXPECT_THAT(outcome->work_done, testing::ElementsAre(0));
}

TEST(Linear, less_work_says_less_and_a_stopped_run_carries_the_gap) {
  const Cqm cqm = knapsacks(40, 4, 1);
  const auto whole = solve(cqm);
  ASSERT_TRUE(whole.has_value());
  ASSERT_TRUE(whole->proved);
  const double least = whole->samples.best().energy;
  for (std::uint64_t units = 1; units < whole->work_done[0]; units = units * 3 / 2 + 1) {
    SolveOptions options;
    options.work.units = {units};
    const auto outcome = solve(cqm, options);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_FALSE(outcome->proved);
    EXPECT_EQ(outcome->reason, StopReason::kWork);
    EXPECT_EQ(outcome->work_done, options.work.units);
    ASSERT_TRUE(outcome->bound.has_value());
    EXPECT_LE(*outcome->bound, least);
    EXPECT_GE(outcome->samples.best().energy, least);
  }
}

TEST(Linear, the_sink_hears_of_better_energies_and_better_bounds) {
  const Cqm cqm = knapsacks(40, 4, 2);
  std::vector<Incumbent> heard;
  std::stop_source never;
  const auto outcome = solve(cqm, {}, never.get_token(), [&](const Incumbent& one) { heard.push_back(one); });
  ASSERT_TRUE(outcome.has_value() && outcome->proved);
  ASSERT_FALSE(heard.empty());
  EXPECT_EQ(heard.back().energy, outcome->samples.best().energy);
  double energy = INFINITY;
  double bound = -INFINITY;
  for (const Incumbent& one : heard) {
    EXPECT_LE(one.energy, energy);
    EXPECT_GE(one.bound.value_or(bound), bound);
    EXPECT_LE(one.bound.value_or(bound), outcome->samples.best().energy);
    energy = one.energy;
    bound = one.bound.value_or(bound);
  }
  EXPECT_TRUE(std::isfinite(bound));
}

TEST(Linear, a_target_ends_the_search_and_a_start_is_never_lost) {
  const Cqm cqm = knapsacks(40, 4, 3);
  const auto whole = solve(cqm);
  ASSERT_TRUE(whole.has_value());
  const auto& best = whole->samples.best();
  const auto at_target = solve(cqm, {.target = best.energy + 100});
  ASSERT_TRUE(at_target.has_value());
  EXPECT_EQ(at_target->reason, StopReason::kTarget);
  EXPECT_LE(at_target->samples.best().energy, best.energy + 100);
  EXPECT_LT(at_target->work_done[0], whole->work_done[0]);
  SolveOptions options{.start = {best.values}};
  const auto from_best = solve(cqm, options);
  ASSERT_TRUE(from_best.has_value());
  EXPECT_TRUE(from_best->proved);
  EXPECT_EQ(from_best->samples.best(), best);
  options.work.units = {1};
  const auto barely = solve(cqm, options);
  ASSERT_TRUE(barely.has_value());
  EXPECT_EQ(barely->samples.best(), best);
}

TEST(Linear, memory_is_refused_before_it_is_taken) {
  EXPECT_THAT(solve(knapsacks(40, 4, 1), {.memory_bytes_max = 1 << 20}), FailsWith(errors::kOutOfMemory));
}

TEST(Linear, a_tree_that_has_taken_its_memory_ends_with_a_bound) {
  const auto outcome = solve(knapsacks(60, 5, 1), {.memory_bytes_max = (8 << 20) + 300'000});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->proved);
  EXPECT_EQ(outcome->reason, StopReason::kFinished);
  EXPECT_LT(outcome->bound, outcome->samples.best().energy);
}

TEST(Linear, an_objective_with_products_is_refused) {
  const Cqm cqm = Cqm::create(Bqm::create(Vartype::kBinary, {1, 1}, {{0, 1, 1}}, 0).value(), {}).value();
  EXPECT_THAT(solve(cqm), FailsWith(errors::kSolverRefused));
}

TEST(Linear, constrained_proves_what_linear_does) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Cqm cqm = knapsacks(30, 3, seed);
    const auto alone = solve(cqm);
    std::stop_source never;
    const auto beside = solve(cqm, {}, never.get_token(), {}, "constrained");
    ASSERT_TRUE(alone.has_value() && beside.has_value());
    EXPECT_TRUE(alone->proved && beside->proved) << seed;
    EXPECT_EQ(alone->samples.best().energy, beside->samples.best().energy) << seed;
    EXPECT_EQ(beside->bound, beside->samples.best().energy) << seed;
  }
}

TEST(Linear, constrained_says_that_nothing_is_feasible_beyond_what_can_be_swept) {
  Cqm cqm = knapsacks(30, 3, 1);
  std::vector<LinearConstraint> constraints(cqm.constraints().begin(), cqm.constraints().end());
  constraints.push_back(constraints[0]);
  constraints.back().comparison = Comparison::kGreaterEqual;
  constraints.back().bound += 1;
  std::stop_source never;
  const Model model = Cqm::create(cqm.objective(), constraints).value();
  EXPECT_THAT(solve(model, {}, never.get_token(), {}, "constrained"), FailsWith(errors::kInfeasibleProblem));
}

/// Knapsacks of Pisinger 2005, "Where are the hard knapsack problems?" (Computers & Operations Research 32), beside their optima.
TEST(Linear, published_knapsacks_have_their_published_optima) {
  const char* const variable = std::getenv("TANDEM_TEST_DATA");
  const std::filesystem::path folder = std::filesystem::path(variable == nullptr ? "" : variable) / "knapsack_pisinger";
  if (!std::filesystem::is_directory(folder))
    GTEST_SKIP() << "no published instances: TANDEM_TEST_DATA has no knapsack_pisinger";
  for (const char* name : {"knapPI_1_100_1000_1", "knapPI_1_500_1000_1", "knapPI_1_1000_1000_1", "knapPI_2_100_1000_1",
                           "knapPI_2_200_1000_1", "knapPI_2_500_1000_1", "knapPI_3_100_1000_1"}) {
    std::ifstream file(folder / "large_scale" / name);
    std::ifstream published(folder / "large_scale-solution" / name);
    std::uint32_t items = 0;
    double optimum = 0;
    LinearConstraint sack = row({}, Comparison::kLessEqual, 0);
    file >> items >> sack.bound;
    published >> optimum;
    ASSERT_TRUE(file && published) << name;
    std::vector<double> costs(items);
    for (std::uint32_t i = 0; i < items; ++i) {
      sack.terms.push_back({i, 0});
      file >> costs[i] >> sack.terms.back().coefficient;
      costs[i] = -costs[i];
    }
    std::stop_source never;
    SolveOptions options;
    options.work.units = {100'000};
    const auto outcome = solve(linear_cqm(std::move(costs), {std::move(sack)}), options, never.get_token());
    ASSERT_TRUE(outcome.has_value()) << name;
    EXPECT_TRUE(outcome->proved) << name;
    EXPECT_EQ(outcome->samples.best().energy, -optimum) << name;
  }
}

TEST(PausableCall, goes_on_where_it_paused_on_whichever_thread) {
  std::vector<int> seen;
  PausableCall* self = nullptr;
  PausableCall call([&] {
    for (int i = 0; i < 100; ++i) {
      seen.push_back(i);
      try {
        if (i % 3 == 0) throw i;
      } catch (int) {
        seen.push_back(-i);
      }
      self->pause();
    }
  });
  self = &call;
  EXPECT_FALSE(call.begun());
  ThreadExecutor executor(2);
  for (int i = 0; i < 100; ++i) {
    executor.parallel(2, 2, [&](std::size_t k) {
      if (k == static_cast<std::size_t>(i % 2)) call.resume();
    });
    EXPECT_FALSE(call.ended());
  }
  call.resume();
  EXPECT_TRUE(call.ended());
  EXPECT_EQ(seen.size(), 134u);
}

}  // namespace
}  // namespace tandem::solve
