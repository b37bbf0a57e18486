#include "tandem/compute/solve/width_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/engine.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

Result<SolveOutcome> solve(const Bqm& bqm, const SolveOptions& options) {
  ThreadExecutor executor(1);
  return find_solver("treewidth")->solve(bqm, options, {executor, {}, {}, 1});
}

SolveOptions options_of(std::uint64_t units, std::uint64_t seed = 1) {
  SolveOptions options{.seed = seed, .strands = 1};
  options.work.units = {units};
  return options;
}

/// Spins with weights of both signs and no field, on a grid whose sides are joined.
Bqm torus(std::uint32_t side, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t r = 0; r < side; ++r) {
    for (std::uint32_t c = 0; c < side; ++c) {
      const auto weight = [&] { return rng() >> 63 != 0 ? 1.0 : -1.0; };
      terms.push_back({r * side + c, r * side + (c + 1) % side, weight()});
      terms.push_back({r * side + c, (r + 1) % side * side + c, weight()});
    }
  }
  return Bqm::create(Vartype::kSpin, std::vector<double>(side * side), terms, 0).value();
}

TEST(Treewidth, models_of_small_width_are_proved) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const auto n = static_cast<std::uint32_t>(1 + seed % 16);
    const Vartype vartype = seed % 2 == 0 ? Vartype::kSpin : Vartype::kBinary;
    const Bqm bqm = problem::random_bqm(vartype, n, seed % 3 == 0 ? 0.1 : 0.5, seed);
    double least = 1e300;
    problem::for_each_assignment(vartype, n, [&](const Assignment& x) { least = std::min(least, bqm.energy(x)); });
    const auto outcome = solve(bqm, {.seed = seed, .strands = 1});
    ASSERT_THAT(outcome, Succeeds());
    EXPECT_EQ(outcome->samples.best().energy, least) << seed;
    EXPECT_TRUE(outcome->proved) << seed;
    EXPECT_EQ(outcome->bound, least) << seed;
    EXPECT_EQ(outcome->reason, StopReason::kProved);
  }
}

TEST(Treewidth, a_rounded_model_has_a_bound_and_no_proof) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t i = 0; i + 1 < 12; ++i) terms.push_back({i, i + 1, 1.0 / (3 + i)});
  const Bqm chain = Bqm::create(Vartype::kSpin, std::vector<double>(12, 0.1 / 7), terms, 0).value();
  double least = 1e300;
  problem::for_each_assignment(Vartype::kSpin, 12,
                               [&](const Assignment& x) { least = std::min(least, chain.energy(x)); });
  const auto outcome = solve(chain, {.strands = 1});
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_FALSE(outcome->proved);
  EXPECT_NEAR(outcome->samples.best().energy, least, 1e-9);
  ASSERT_TRUE(outcome->bound);
  EXPECT_LE(*outcome->bound, least);
  EXPECT_NEAR(*outcome->bound, least, 1e-9);
}

TEST(Treewidth, a_long_chain_is_proved_at_once) {
  // Weights of one sign: all spins alike is best, at -(n - 1).
  constexpr std::uint32_t kSpins = 50'000;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t i = 0; i + 1 < kSpins; ++i) terms.push_back({i, i + 1, -1});
  const auto outcome =
      solve(Bqm::create(Vartype::kSpin, std::vector<double>(kSpins), terms, 0).value(), {.strands = 1});
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_TRUE(outcome->proved);
  EXPECT_EQ(outcome->samples.best().energy, 1.0 - kSpins);
}

TEST(Treewidth, an_answer_is_never_worse_than_a_start) {
  const Bqm bqm = torus(30, 1);
  const auto good = solve(bqm, options_of(30'000'000));
  ASSERT_THAT(good, Succeeds());
  Assignment opposite = good->samples.best().values;
  for (std::int8_t& spin : opposite) spin = static_cast<std::int8_t>(-spin);
  const Assignment level(bqm.num_variables(), 1);
  for (const std::uint64_t units : {1u, 1'000u, 200'000u, 3'000'000u}) {
    SolveOptions options = options_of(units, 7);
    options.start = {opposite};
    EXPECT_LE(solve(bqm, options)->samples.best().energy, good->samples.best().energy) << units;
    options.start = {level, opposite};
    EXPECT_LE(solve(bqm, options)->samples.best().energy, good->samples.best().energy) << units;
  }
}

TEST(Treewidth, more_work_is_never_worse) {
  const Bqm bqm = torus(40, 2);
  double last = 1e300;
  for (std::uint64_t units = 10'000; units < 40'000'000; units *= 3) {
    const double energy = solve(bqm, options_of(units))->samples.best().energy;
    EXPECT_LE(energy, last) << units;
    last = energy;
  }
}

TEST(Treewidth, independent_parts_come_to_their_own_optima) {
  // Copies of one complete graph of 40 spins: too wide to be proved, and each with the optimum of the others.
  const Bqm one = problem::random_bqm(Vartype::kSpin, 40, 1, 3);
  const double least = find_solver("branch_and_bound")
                           ->solve(one, {}, {*std::make_unique<ThreadExecutor>(1), {}, {}, 1})
                           ->samples.best()
                           .energy;
  constexpr std::uint32_t kCopies = 10;
  std::vector<double> linear;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t k = 0; k < kCopies; ++k) {
    linear.insert(linear.end(), one.linear().begin(), one.linear().end());
    for (const QuadraticTerm& term : one.terms()) terms.push_back({term.u + 40 * k, term.v + 40 * k, term.bias});
  }
  const Bqm all = Bqm::create(Vartype::kSpin, linear, terms, 0).value();
  SolveOptions options = options_of(400'000'000);
  options.target = kCopies * (least - one.offset());
  EXPECT_EQ(solve(all, options)->samples.best().energy, *options.target);
}

TEST(Treewidth, refuses_what_needs_more_memory) {
  SolveOptions options{.strands = 1};
  options.memory_bytes_max = 1'000'000;
  EXPECT_THAT(solve(torus(60, 1), options), FailsWith(errors::kOutOfMemory));
}

TEST(WidthEngine, where_energies_are_rounded_its_least_one_is_a_bound_and_no_proof) {
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t i = 0; i + 1 < 40; ++i) terms.push_back({i, i + 1, i % 3 == 0 ? 2.0 : -1.0});
  const auto bqm = problem::Bqm::create(problem::Vartype::kSpin, std::vector<double>(40, 0.5), terms, 0).value();
  const SearchModel model = SearchModel::create(bqm, std::uint64_t{1} << 30).value();
  for (const bool exact : {true, false}) {
    const auto engine = make_width_engine(model, {.seed = 3}, true, exact);
    ThreadExecutor executor(1);
    const WorkLimit limit{.units = {100'000'000}};
    const SolveContext context{.executor = executor, .stop = {}, .sink = {}};
    Race race({.objective = [&](std::int64_t energy) { return model.objective(energy); }}, limit, context);
    while (engine->state() == StrandState::kWorking) engine->advance(engine->units() + 1'000'000, Watch(race, 0));
    EXPECT_EQ(engine->state(), exact ? StrandState::kProved : StrandState::kFinished);
    EXPECT_EQ(engine->optimum() != nullptr, exact);
    EXPECT_EQ(engine->bound(), engine->best_energy());
  }
}

}  // namespace
}  // namespace tandem::solve
