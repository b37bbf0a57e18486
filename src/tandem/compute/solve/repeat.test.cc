// The same seed and the same work give the same bytes, whatever stopped the first run, however many threads do it again, and whichever
// instruction set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/testing/known_models.h"
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
using problem::Vartype;

struct Case {
  const char* name;
  const char* solver;
  Model model;
};

Cqm choose_half(std::uint32_t n) {
  LinearConstraint half{.name = "half", .terms = {}, .comparison = Comparison::kEqual, .bound = n / 2.0};
  for (std::uint32_t i = 0; i < n; ++i) half.terms.push_back({i, 1});
  return Cqm::create(problem::random_bqm(Vartype::kBinary, n, 0.5, n), {half}).value();
}

/// Several knapsacks, which a tree of some hundred nodes proves at 30 items.
Cqm knapsacks(std::uint32_t n) {
  Xoshiro256 rng(n);
  std::vector<double> costs(n);
  for (double& cost : costs) cost = -1 - static_cast<double>(rng.below(99));
  std::vector<LinearConstraint> rows;
  for (int k = 0; k < 4; ++k) {
    rows.push_back({.name = "sack", .terms = {}, .comparison = Comparison::kLessEqual, .bound = 25.0 * n});
    for (std::uint32_t i = 0; i < n; ++i) rows.back().terms.push_back({i, 1 + static_cast<double>(rng.below(99))});
  }
  return Cqm::create(Bqm::create(Vartype::kBinary, std::move(costs), {}, 0).value(), std::move(rows)).value();
}

Cqm conflicts(std::uint32_t n) {
  Xoshiro256 rng(n);
  std::vector<problem::QuadraticTerm> edges;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.below(10) == 0) edges.push_back({u, v, 1});
  }
  return std::get<Cqm>(problem::make_independent_set(n, std::move(edges)).value()->state());
}

Cqm coloring(std::uint32_t n, std::optional<std::size_t> colors) {
  Xoshiro256 rng(n);
  std::vector<problem::QuadraticTerm> edges;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.below(2) == 0) edges.push_back({u, v, 1});
  }
  return std::get<Cqm>(problem::make_coloring(n, std::move(edges), colors).value()->state());
}

Polynomial cubic(std::uint32_t n) {
  Xoshiro256 rng(n);
  std::vector<Monomial> terms;
  for (std::uint32_t t = 0; t < 5 * n; ++t) {
    Monomial term{.variables = {}, .coefficient = static_cast<double>(rng.below(21)) - 10};
    for (int k = 0; k < 3; ++k) term.variables.push_back(static_cast<std::uint32_t>(rng.below(n)));
    terms.push_back(std::move(term));
  }
  return Polynomial::create(Vartype::kSpin, n, std::move(terms)).value();
}

/// Weights that lanes of 16 bits do not hold.
Bqm heavy(std::uint32_t n) {
  const Bqm light = problem::random_bqm(Vartype::kBinary, n, 3.0 / n, n);
  std::vector<problem::QuadraticTerm> terms(light.terms().begin(), light.terms().end());
  for (std::size_t k = 0; k < terms.size(); ++k) terms[k].bias *= static_cast<double>(9973 + k);
  return Bqm::create(Vartype::kSpin, std::vector<double>(n), std::move(terms), 0).value();
}

std::vector<Case> cases() {
  const Bqm dense = problem::random_bqm(Vartype::kBinary, 300, 1, 1);
  const Bqm sparse = problem::random_bqm(Vartype::kSpin, 500, 0.01, 2);
  const Bqm provable = problem::random_bqm(Vartype::kBinary, 50, 1, 3);
  return {
      {"tabu, dense", "tabu", dense},
      {"tabu, sparse", "tabu", sparse},
      {"annealing, dense", "annealing", dense},
      {"annealing, sparse", "annealing", sparse},
      {"annealing, sparse and heavy", "annealing", heavy(200)},
      {"annealing, polynomial", "annealing", cubic(60)},
      {"pubo", "pubo", cubic(200)},
      {"pubo, sequences", "pubo", labs(60)},
      {"portfolio, dense", "portfolio", dense},
      {"portfolio, sparse", "portfolio", sparse},
      {"portfolio, proof", "portfolio", provable},
      {"portfolio, constrained", "portfolio", choose_half(40)},
      {"branch and bound", "branch_and_bound", provable},
      {"exhaustive", "exhaustive", problem::random_bqm(Vartype::kBinary, 20, 1, 4)},
      {"tempering, dense", "tempering", provable},
      {"tempering, sparse", "tempering", sparse},
      {"tempering, sparse and heavy", "tempering", heavy(200)},
      {"treewidth, dense", "treewidth", provable},
      {"treewidth, sparse", "treewidth", sparse},
      {"treewidth, whole", "treewidth", problem::random_bqm(Vartype::kSpin, 200, 0.012, 5)},
      {"constrained", "constrained", choose_half(60)},
      {"constrained, swept", "constrained", choose_half(20)},
      {"constrained, linear", "constrained", knapsacks(30)},
      {"linear", "linear", knapsacks(40)},
      {"random", "random", sparse},
      {"independent set", "independent_set", conflicts(150)},
      {"coloring", "coloring", coloring(100, std::nullopt)},
      {"coloring in few colours", "coloring", coloring(60, 8)},
  };
}

/// Solvers of one stream, whatever SolveOptions::strands says.
bool single(const Case& one) {
  return std::set<std::string_view>{"branch_and_bound", "exhaustive", "linear", "random"}.contains(one.solver);
}

/// Solvers whose engines take turns of many units.
bool mixed(const Case& one) { return std::set<std::string_view>{"portfolio", "pubo"}.contains(one.solver); }

/// Bytes of what must repeat.
std::string bytes_of(const SolveOutcome& outcome) {
  Json document = outcome.samples.document();
  document["proved"] = outcome.proved;
  if (outcome.bound) document["bound"] = *outcome.bound;
  document["work_done"] = outcome.work_done;
  document["unit_name"] = outcome.unit_name;
  return document.dump();
}

Result<SolveOutcome> run(const Case& one, const SolveOptions& options, std::size_t threads, std::stop_token stop = {},
                         IncumbentSink sink = {}, simd::Isa isa = simd::best_isa()) {
  ThreadExecutor executor(threads);
  return find_solver(one.solver)->solve(one.model, options, {executor, std::move(stop), std::move(sink), threads, isa});
}

void expect_repeats(const Case& one, const SolveOptions& options, const SolveOutcome& outcome, const std::string& how) {
  SolveOptions again = options;
  again.work.units = outcome.work_done;
  const auto expect = [&](std::size_t threads, simd::Isa isa) {
    const auto repeated = run(one, again, threads, {}, {}, isa);
    ASSERT_TRUE(repeated.has_value()) << one.name << ", " << how << ": " << repeated.error().to_string();
    EXPECT_EQ(bytes_of(*repeated), bytes_of(outcome))
        << one.name << ", " << how << ", " << threads << " threads, " << to_string(isa);
  };
  expect(1, simd::best_isa());
  for (const simd::Isa isa : simd::runnable_isas()) expect(2, isa);
}

TEST(Repeat, a_run_stopped_after_some_incumbents_repeats_from_its_work) {
  for (const Case& one : cases()) {
    for (const std::size_t threads : {1u, 2u}) {
      for (const int incumbents : {1, 2, 5, 9}) {
        std::stop_source stop;
        int seen = 0;  // the sink is never called twice at once
        // Where there are not so many, the last word has a limit far beyond them.
        const SolveOptions options{.seed = 11};
        ThreadExecutor timers(1);
        const auto fallback = timers.post_after(std::chrono::milliseconds(60), [&] { stop.request_stop(); });
        const auto outcome = run(one, options, threads, stop.get_token(), [&](const Incumbent&) {
          if (++seen == incumbents) stop.request_stop();
        });
        ASSERT_TRUE(outcome.has_value()) << one.name << ": " << outcome.error().to_string();
        expect_repeats(one, options, *outcome, fmt::format("{} incumbents", incumbents));
      }
    }
  }
}

TEST(Repeat, a_run_stopped_by_time_repeats_from_its_work) {
  for (const Case& one : cases()) {
    for (const int time_ms : {1, 3, 8, 21}) {
      std::stop_source stop;
      ThreadExecutor timers(1);
      const auto timer = timers.post_after(std::chrono::milliseconds(time_ms), [&] { stop.request_stop(); });
      const SolveOptions options{.seed = 5, .strands = 3};
      const auto outcome = run(one, options, 2, stop.get_token());
      ASSERT_TRUE(outcome.has_value()) << one.name << ": " << outcome.error().to_string();
      expect_repeats(one, options, *outcome, fmt::format("{} ms", time_ms));
    }
  }
}

TEST(Repeat, a_run_stopped_while_it_prepares_repeats_from_its_work) {
  const Bqm sparse = problem::random_bqm(Vartype::kSpin, 3000, 0.002, 3);
  const Bqm dense = problem::random_bqm(Vartype::kBinary, 1000, 1, 4);
  for (const char* solver : {"portfolio", "tabu", "annealing", "tempering", "treewidth"}) {
    for (const Bqm* bqm : {&sparse, &dense}) {
      const Case one{.name = bqm == &sparse ? "sparse" : "dense", .solver = solver, .model = *bqm};
      for (const int time_us : {0, 300, 1000, 3000, 6000, 10'000}) {
        std::stop_source stop;
        ThreadExecutor timers(1);
        const auto timer = timers.post_after(std::chrono::microseconds(time_us), [&] { stop.request_stop(); });
        const SolveOptions options{.seed = 8};
        const auto outcome = run(one, options, 1, stop.get_token());
        ASSERT_TRUE(outcome.has_value()) << solver << ": " << outcome.error().to_string();
        EXPECT_EQ(outcome->samples.best().energy, bqm->energy(outcome->samples.best().values));
        expect_repeats(one, options, *outcome, fmt::format("{} us", time_us));
      }
    }
  }
}

TEST(Repeat, a_run_that_reached_its_target_repeats_from_its_work) {
  for (const Case& one : cases()) {
    if (std::string_view(one.solver) == "random") continue;  // it has no target
    // What a first run of little work has found, a second one of another seed reaches sooner or later.
    SolveOptions options{.seed = 1};
    options.work.units.assign(single(one) ? 1 : 2, mixed(one) ? 300'000 : 3'000);
    const auto first = run(one, options, 1);
    ASSERT_TRUE(first.has_value()) << one.name;
    for (const std::size_t threads : {1u, 2u}) {
      options = {.seed = 2, .target = first->samples.best().energy};
      std::stop_source never;
      const auto outcome = run(one, options, threads, never.get_token());
      ASSERT_TRUE(outcome.has_value()) << one.name;
      EXPECT_LE(outcome->samples.best().energy, *options.target) << one.name;
      EXPECT_THAT(outcome->reason, testing::AnyOf(StopReason::kTarget, StopReason::kProved)) << one.name;
      expect_repeats(one, options, *outcome, "target");
    }
  }
}

TEST(Repeat, limits_decide_the_answer_and_threads_do_not) {
  for (const Case& one : cases()) {
    for (const std::uint64_t units : {17u, 3'000u, 20'001u}) {
      SolveOptions options{.seed = 3, .strands = 2};
      options.work.units = {units};
      if (!single(one)) options.work.units.push_back(2 * units + 5);
      const auto alone = run(one, options, 1);
      const auto both = run(one, options, 2);
      ASSERT_TRUE(alone.has_value()) << one.name;
      ASSERT_TRUE(both.has_value()) << one.name;
      EXPECT_EQ(bytes_of(*alone), bytes_of(*both)) << one.name;
      expect_repeats(one, options, *alone, "limits");
    }
  }
}

TEST(Repeat, counted_reads_are_the_same_on_every_set_and_in_parts) {
  for (const Model& model : {Model(problem::random_bqm(Vartype::kSpin, 120, 0.03, 2)), Model(heavy(120))}) {
    const Case one{"reads", "annealing", model};
    for (const std::uint64_t units : {std::uint64_t{1}, std::uint64_t{100'000}, UINT64_MAX}) {
      SolveOptions options{.seed = 3, .strands = 2, .num_samples = 70, .sweeps = 20};
      options.work.units = {units, units};
      const auto outcome = run(one, options, 1);
      ASSERT_TRUE(outcome.has_value());
      expect_repeats(one, options, *outcome, fmt::format("{} units", units));
    }
  }
}

TEST(Repeat, every_solver_is_held_to_it) {
  std::set<std::string_view> held;
  for (const Case& one : cases()) held.insert(one.solver);
  for (const Solver* one : builtin_solvers()) EXPECT_TRUE(held.contains(one->info().name)) << one->info().name;
}

TEST(Repeat, another_seed_is_another_run) {
  const Case one{"tabu", "tabu", problem::random_bqm(Vartype::kBinary, 300, 1, 1)};
  SolveOptions options;
  options.work.units = {700, 700};
  options.seed = 1;
  const auto first = run(one, options, 1);
  options.seed = 2;
  const auto second = run(one, options, 1);
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_NE(first->samples, second->samples);
}

}  // namespace
}  // namespace tandem::solve
