// Every solver against a plain sweep, on the edges of what it takes, and held to its word that work repeats.
#include "tandem/compute/solve/solver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/reduce/reduce.h"
#include "tandem/compute/solve/testing/plain_sweep.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Comparison;
using problem::Cqm;
using problem::LinearConstraint;
using problem::Monomial;
using problem::Polynomial;
using problem::QuadraticTerm;
using problem::Vartype;
using testing::SizeIs;

/// No threads and no time: what is asked for is done in one order.
struct Bench {
  FakeClock clock;
  ManualExecutor executor{clock};
  std::stop_source stop;
  SolveContext context(IncumbentSink sink = {}) { return {executor, stop.get_token(), std::move(sink), 1}; }
};

const Solver& solver(std::string_view name) {
  const Solver* found = find_solver(name);
  EXPECT_NE(found, nullptr) << name;
  return *found;
}

/// Solvers that look for the best on all weights; `random` only draws, and `tempering` has lanes of 32 bits at most.
constexpr std::array kSearches = {"annealing", "tabu", "treewidth", "branch_and_bound", "exhaustive", "portfolio"};

/// Enough work for any of the small models here, however it is counted.
SolveOptions enough(std::string_view name) {
  SolveOptions options;
  const bool exact = name == "branch_and_bound" || name == "exhaustive";
  options.work.units.assign(exact ? 1 : 2, name == "portfolio" ? 1'000'000 : exact ? UINT64_MAX : 60'000);
  return options;
}

struct Best {
  double energy = HUGE_VAL;
  bool any = false;
};
Best swept(const Model& model) {
  Best best;
  const auto* cqm = std::get_if<Cqm>(&model);
  problem::for_each_assignment(vartype(model), solve::num_variables(model), [&](const Assignment& values) {
    if (cqm != nullptr && !cqm->feasible(values)) return;
    best.energy = std::min(best.energy, energy(model, values));
    best.any = true;
  });
  return best;
}

double magnitude(const Bqm& bqm) {
  double sum = std::abs(bqm.offset());
  for (const double value : bqm.linear()) sum += std::abs(value);
  for (const QuadraticTerm& term : bqm.terms()) sum += std::abs(term.bias);
  return sum;
}

/// What every outcome keeps: distinct valid samples, best first, each with its recomputed energy; a bound below the optimum.
void check_outcome(const Model& model, const SolveOutcome& outcome, double optimum, double tolerance) {
  ASSERT_FALSE(outcome.samples.empty());
  for (const result::Sample& sample : outcome.samples.samples()) {
    ASSERT_THAT(problem::check_assignment(sample.values, solve::num_variables(model), vartype(model)), Succeeds());
    EXPECT_NEAR(sample.energy, energy(model, sample.values), tolerance);
  }
  EXPECT_GE(outcome.samples.best().energy, optimum - tolerance);
  EXPECT_LE(outcome.bound.value_or(-HUGE_VAL), optimum + tolerance);
  if (outcome.proved) {
    EXPECT_NEAR(outcome.samples.best().energy, optimum, tolerance);
    ASSERT_TRUE(outcome.bound.has_value());
    EXPECT_NEAR(*outcome.bound, optimum, tolerance);
  }
}

void expect_optimum(std::string_view name, const Model& model, double tolerance = 1e-9) {
  Bench bench;
  const auto outcome = solver(name).solve(model, enough(name), bench.context());
  ASSERT_TRUE(outcome.has_value()) << name << ": " << outcome.error().to_string();
  const Best best = swept(model);
  check_outcome(model, *outcome, best.energy, tolerance);
  EXPECT_NEAR(outcome->samples.best().energy, best.energy, tolerance) << name;
  // treewidth does not where the numbers of its search are rounded ones.
  const bool proves = solver(name).info().exact && !std::holds_alternative<Polynomial>(model) && name != "treewidth";
  EXPECT_TRUE(outcome->proved || !proves) << name;
}

TEST(Solvers, reach_the_swept_optimum_on_random_models) {
  Xoshiro256 rng(1);
  for (int round = 0; round < 120; ++round) {
    const auto vartype = round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin;
    const auto n = static_cast<std::uint32_t>(1 + rng.below(13));
    const double density = std::array{0.1, 0.4, 1.0}[rng.below(3)];
    const Bqm bqm = problem::random_bqm(vartype, n, density, rng());
    for (const char* name : kSearches) expect_optimum(name, bqm);
    expect_optimum("tempering", bqm);
  }
}

TEST(Solvers, reach_the_swept_optimum_up_to_24_variables_at_the_limits_of_each_type_of_lanes) {
  struct Case {
    std::uint32_t n;
    double density;
    double weight_max;
  };
  const std::vector<Case> cases{{16, 1, 127},    {17, 1, 128},  {18, 0.3, 32767}, {19, 1, 32768}, {20, 0.2, 0x1p31 - 1},
                                {21, 1, 0x1p31}, {22, 0.15, 1}, {23, 0.5, 3},     {24, 1, 127},   {20, 0.12, 0x1p40}};
  Xoshiro256 rng(24);
  for (const Case& c : cases) {
    std::vector<QuadraticTerm> terms;
    std::vector<double> linear(c.n);
    const auto weight = [&] {  // mostly at the ends
      const double sign = rng() >> 63 ? 1 : -1;
      return sign * (rng.below(3) == 0 ? static_cast<double>(rng.below(static_cast<std::uint64_t>(c.weight_max)) + 1)
                                       : c.weight_max);
    };
    for (std::uint32_t u = 0; u < c.n; ++u) {
      if (rng.below(2) == 0) linear[u] = weight();
      for (std::uint32_t v = u + 1; v < c.n; ++v)
        if (static_cast<double>(rng.below(1000)) < 1000 * c.density) terms.push_back({u, v, weight()});
    }
    const auto vartype = rng.below(2) == 0 ? Vartype::kBinary : Vartype::kSpin;
    const Model model = Bqm::create(vartype, std::move(linear), std::move(terms), 0).value();
    const double optimum = swept_in_gray_order(std::get<Bqm>(model));
    std::vector<const char*> names(kSearches.begin(), kSearches.end());
    if (c.weight_max <= 32768) names.push_back("tempering");
    for (const char* name : names) {
      Bench bench;
      const auto outcome = solver(name).solve(model, enough(name), bench.context());
      ASSERT_THAT(outcome, Succeeds()) << name;
      check_outcome(model, *outcome, optimum, 0);
      EXPECT_EQ(outcome->samples.best().energy, optimum) << name << " n " << c.n << " weights to " << c.weight_max;
    }
  }
}

TEST(Random, of_a_cqm_draws_keep_the_cardinalities_and_are_uniform_among_what_keeps_them) {
  // Choose 2 of 4: six assignments, 1000 draws each on average; four standard deviations of a binomial are 115.
  LinearConstraint choose{.terms = {{0, 1}, {1, 1}, {3, 1}, {4, 1}}, .comparison = Comparison::kEqual, .bound = 2};
  const Cqm cqm = Cqm::create(Bqm::create(Vartype::kBinary, {1, 2, 0, 4, 8}, {}, 0).value(), {choose}).value();
  Bench bench;
  const auto outcome = solver("random").solve(cqm, {.seed = 3, .num_samples = 6000}, bench.context());
  ASSERT_THAT(outcome, Succeeds());
  std::map<double, std::uint64_t> counts;  // the energy names the choice: variable 2 is free and weighs nothing
  for (const result::Sample& sample : outcome->samples.samples()) {
    EXPECT_TRUE(cqm.feasible(sample.values));
    counts[sample.energy] += sample.occurrences;
  }
  EXPECT_THAT(counts, SizeIs(6));
  for (const auto& [energy, count] : counts) EXPECT_NEAR(static_cast<double>(count), 1000, 115) << energy;
}

TEST(Solvers, reach_the_swept_optimum_on_the_edges) {
  const auto make = [](Vartype vartype, std::vector<double> linear, std::vector<QuadraticTerm> terms,
                       double offset = 0) {
    return Bqm::create(vartype, std::move(linear), std::move(terms), offset).value();
  };
  std::vector<QuadraticTerm> all_equal;
  std::vector<QuadraticTerm> thirds;
  std::vector<QuadraticTerm> huge;
  for (std::uint32_t u = 0; u < 8; ++u) {
    for (std::uint32_t v = u + 1; v < 8; ++v) {
      all_equal.push_back({u, v, 2});
      thirds.push_back({u, v, (u * v % 5 - 2.0) / 3});
      huge.push_back({u, v, (u * v % 5 - 2.0) * 0x1.0p54});
    }
  }
  const std::vector<Bqm> models = {
      make(Vartype::kBinary, {0}, {}),
      make(Vartype::kBinary, {-1}, {}, 7),
      make(Vartype::kSpin, {0.5}, {}),
      make(Vartype::kBinary, std::vector<double>(6), {}),  // all zero
      make(Vartype::kSpin, std::vector<double>(6), {}, -3),
      make(Vartype::kSpin, std::vector<double>(8), all_equal),  // ties everywhere
      make(Vartype::kBinary, std::vector<double>(8, -7), all_equal),
      make(Vartype::kBinary, {-1, -2, -3, -4}, {{0, 1, -1}, {2, 3, -1}}),  // all negative, disconnected
      make(Vartype::kBinary, std::vector<double>(8, 0.1), thirds, 0.3),
      make(Vartype::kSpin, std::vector<double>(8, -1.0 / 7), thirds),
      make(Vartype::kBinary, std::vector<double>(8, 1), huge),
      make(Vartype::kSpin, std::vector<double>(8, 1), huge),  // rounded in the search: within 2^-50 of the sum
      make(Vartype::kBinary, {1e-9, -1e-9, 3e-9}, {{0, 1, -2e-9}, {1, 2, 1e-9}}),
      make(Vartype::kBinary, {1e290, -1e290, 1e290}, {{0, 1, -2e290}, {1, 2, 1e290}}),
  };
  for (const Bqm& bqm : models) {
    for (const char* name : kSearches) expect_optimum(name, bqm, 1e-10 * (magnitude(bqm) + 1e-9));
  }
}

TEST(Solvers, a_model_without_variables_is_solved_by_its_offset) {
  for (const Solver* one : builtin_solvers()) {
    Model model = Bqm::create(Vartype::kSpin, {}, {}, -2.5).value();
    if (!one->info().takes_bqm) {
      const auto bqm = std::get<Bqm>(model);
      if (one->info().takes_polynomial)
        model = Polynomial::from_bqm(bqm);
      else
        model = Cqm::create(bqm, {}).value();
    }
    Bench bench;
    const auto outcome = one->solve(model, {}, bench.context());
    ASSERT_TRUE(outcome.has_value()) << one->info().name;
    EXPECT_EQ(outcome->samples.best().energy, -2.5);
    EXPECT_TRUE(outcome->samples.best().values.empty());
    EXPECT_TRUE(outcome->proved);
  }
}

TEST(Solvers, polynomials_of_any_order_reach_their_swept_optimum) {
  Xoshiro256 rng(2);
  for (int round = 0; round < 60; ++round) {
    const auto vartype = round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin;
    const auto n = static_cast<std::uint32_t>(1 + rng.below(10));
    const double unit = std::array{1.0, 0.1, 1.0 / 3}[rng.below(3)];
    std::vector<Monomial> terms;
    for (std::uint32_t t = 0; t < 3 * n; ++t) {
      Monomial term{.variables = {}, .coefficient = unit * (static_cast<double>(rng.below(21)) - 10)};
      for (std::size_t k = rng.below(5); k > 0; --k) term.variables.push_back(static_cast<std::uint32_t>(rng.below(n)));
      terms.push_back(std::move(term));
    }
    const Polynomial polynomial = Polynomial::create(vartype, n, std::move(terms)).value();
    for (const char* name : {"annealing", "exhaustive", "portfolio", "pubo"}) expect_optimum(name, polynomial);
  }
}

/// Choose some, stay within a capacity, and sometimes an inequality over signed decimals.
Cqm random_cqm(Xoshiro256& rng) {
  const auto n = static_cast<std::uint32_t>(2 + rng.below(10));
  LinearConstraint choose{.name = "choose",
                          .terms = {},
                          .comparison = static_cast<Comparison>(rng.below(3)),
                          .bound = static_cast<double>(rng.below(n + 1))};
  LinearConstraint capacity{.name = "capacity", .terms = {}, .comparison = Comparison::kLessEqual, .bound = 0};
  LinearConstraint floor{.name = "floor", .terms = {}, .comparison = Comparison::kGreaterEqual, .bound = -0.3};
  for (std::uint32_t i = 0; i < n; ++i) {
    const double weight = 1 + static_cast<double>(rng.below(9));
    choose.terms.push_back({i, 1});
    capacity.terms.push_back({i, weight});
    capacity.bound += weight / 2;
    floor.terms.push_back({i, (static_cast<double>(rng.below(11)) - 5) / 10});
  }
  std::vector<LinearConstraint> constraints{choose, capacity};
  if (rng.below(2) == 0) constraints.push_back(floor);
  return Cqm::create(problem::random_bqm(Vartype::kBinary, n, 0.6, rng()), std::move(constraints)).value();
}

TEST(Solvers, constraints_are_kept_and_the_swept_optimum_is_proved_or_shown_to_be_absent) {
  Xoshiro256 rng(3);
  int infeasible = 0;
  for (int round = 0; round < 150; ++round) {
    const Cqm cqm = random_cqm(rng);
    const Best best = swept(cqm);
    for (const char* name : {"constrained", "exhaustive", "portfolio"}) {
      Bench bench;
      const auto outcome = solver(name).solve(cqm, {}, bench.context());
      if (!best.any) {
        EXPECT_THAT(outcome, FailsWith(errors::kInfeasibleProblem)) << name;
        ++infeasible;
        continue;
      }
      ASSERT_TRUE(outcome.has_value()) << name << ": " << outcome.error().to_string();
      check_outcome(cqm, *outcome, best.energy, 1e-9);
      EXPECT_TRUE(outcome->proved) << name;
      for (const auto& sample : outcome->samples.samples()) EXPECT_TRUE(cqm.feasible(sample.values)) << name;
    }
  }
  EXPECT_GT(infeasible, 0);
}

TEST(Constrained, search_alone_finds_the_optimum_of_a_choice_of_assets) {
  // 30 assets, 6 to choose: beyond the sweep, so the search is on its own; the optimum comes from all 593,775 choices.
  const Bqm objective = problem::random_bqm(Vartype::kBinary, 30, 1, 5);
  LinearConstraint choose{.name = "choose 6", .terms = {}, .comparison = Comparison::kEqual, .bound = 6};
  for (std::uint32_t i = 0; i < 30; ++i) choose.terms.push_back({i, 1});
  const Cqm cqm = Cqm::create(objective, {choose}).value();
  double optimum = HUGE_VAL;
  for (std::uint64_t set = 63; set < (std::uint64_t{1} << 30);) {
    Assignment values(30);
    for (std::size_t i = 0; i < 30; ++i) values[i] = static_cast<std::int8_t>((set >> i) & 1);
    optimum = std::min(optimum, objective.energy(values));
    const std::uint64_t low = set & (0 - set);  // the next set of the same size (Gosper)
    const std::uint64_t carried = set + low;
    set = (((carried ^ set) >> 2) / low) | carried;
  }
  SolveOptions options;
  options.work.units = {3000, 3000};
  Bench bench;
  const auto outcome = solver("constrained").solve(cqm, options, bench.context());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->proved);
  EXPECT_EQ(outcome->samples.best().energy, optimum);
  for (const auto& sample : outcome->samples.samples()) EXPECT_TRUE(cqm.feasible(sample.values));
}

TEST(Constrained, where_nothing_feasible_was_found_the_least_violated_comes_back) {
  // 26 variables of weight 2 never sum to 7; 6 and 8 are the nearest. A product keeps branch and cut from saying so.
  LinearConstraint odd{.name = "odd", .terms = {}, .comparison = Comparison::kEqual, .bound = 7};
  for (std::uint32_t i = 0; i < 26; ++i) odd.terms.push_back({i, 2});
  const Cqm cqm =
      Cqm::create(Bqm::create(Vartype::kBinary, std::vector<double>(26, 1), {{0, 1, 1}}, 0).value(), {odd}).value();
  SolveOptions options;
  options.work.units = {2000, 2000};
  Bench bench;
  const auto outcome = solver("constrained").solve(cqm, options, bench.context());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->proved);
  EXPECT_EQ(cqm.constraints()[0].violation(outcome->samples.best().values), 1);
}

TEST(BranchAndBound, a_search_cut_off_anywhere_bounds_the_optimum_from_below) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Bqm bqm = problem::random_bqm(seed % 2 == 0 ? Vartype::kBinary : Vartype::kSpin, 16, 1, seed);
    const double optimum = swept(bqm).energy;
    for (const std::uint64_t units :
         {1u, 10u, 1000u, 6600u, 6601u, 6605u, 6620u, 6650u, 6700u, 6800u, 7000u, 20'000u}) {
      SolveOptions options;
      options.work.units = {units};
      Bench bench;
      const auto outcome = solver("branch_and_bound").solve(bqm, options, bench.context());
      ASSERT_TRUE(outcome.has_value());
      check_outcome(bqm, *outcome, optimum, 1e-9);
      EXPECT_TRUE(outcome->bound.has_value());
    }
  }
}

TEST(BranchAndBound, tells_bounds_that_rise_to_the_optimum_beside_its_incumbents) {
  for (const char* name : {"branch_and_bound", "portfolio"}) {
    SCOPED_TRACE(name);
    const Bqm bqm = problem::random_bqm(Vartype::kSpin, 40, 1, 5);
    std::vector<Incumbent> told;
    Bench bench;
    const auto outcome = solver(name).solve(bqm, {}, bench.context([&](const Incumbent& one) { told.push_back(one); }));
    ASSERT_TRUE(outcome && outcome->proved);
    double bound = -HUGE_VAL;
    double energy = HUGE_VAL;
    for (const Incumbent& one : told) {
      EXPECT_LE(one.bound.value_or(bound), outcome->samples.best().energy + 1e-9);
      EXPECT_GE(one.bound.value_or(bound), bound);
      EXPECT_LE(one.energy, energy);
      bound = one.bound.value_or(bound);
      energy = one.energy;
    }
    EXPECT_NEAR(bound, outcome->samples.best().energy, 1e-6);
  }
}

TEST(BranchAndBound, proves_dense_models_of_40_variables_that_an_independent_search_agrees_with) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Bqm bqm = problem::random_bqm(Vartype::kBinary, 40, 1, seed);
    Bench bench;
    const auto outcome = solver("branch_and_bound").solve(bqm, {}, bench.context());
    ASSERT_TRUE(outcome.has_value());
    EXPECT_TRUE(outcome->proved);
    EXPECT_EQ(*outcome->bound, outcome->samples.best().energy);
    const auto annealed = solver("annealing").solve(bqm, {.num_samples = 50, .sweeps = 200}, bench.context());
    ASSERT_TRUE(annealed.has_value());
    EXPECT_EQ(annealed->samples.best().energy, outcome->samples.best().energy);
  }
}

TEST(Annealing, gives_exactly_the_reads_asked_for_whatever_the_strands) {
  const Bqm models[] = {problem::random_bqm(Vartype::kSpin, 30, 0.5, 9),
                        problem::random_bqm(Vartype::kSpin, 150, 0.03, 9)};
  constexpr std::uint64_t kSweeps = 10;
  for (const Bqm& bqm : models) {
    for (const std::uint64_t reads : {1u, 3u, 4u, 20u, 32u, 33u, 70u}) {
      std::optional<result::SampleSet> first;
      for (const std::uint32_t strands : {1u, 2u, 3u, 7u}) {
        Bench bench;
        const auto outcome =
            solver("annealing")
                .solve(bqm, {.strands = strands, .num_samples = reads, .sweeps = kSweeps}, bench.context());
        ASSERT_TRUE(outcome.has_value());
        EXPECT_EQ(outcome->samples.occurrences(), reads);
        EXPECT_EQ(outcome->reason, StopReason::kFinished);
        EXPECT_THAT(outcome->work_done, SizeIs(strands));
        const auto visits = std::accumulate(outcome->work_done.begin(), outcome->work_done.end(), std::uint64_t{0});
        EXPECT_GE(visits, reads * kSweeps * bqm.num_variables());
        if (!first) first = outcome->samples;
        EXPECT_EQ(outcome->samples, *first);
      }
    }
  }
}

TEST(Random, draws_every_assignment_about_equally_often) {
  const Bqm bqm = problem::random_bqm(Vartype::kSpin, 3, 1, 1);
  Bench bench;
  const auto outcome = solver("random").solve(bqm, {.num_samples = 8000}, bench.context());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->samples.occurrences(), 8000u);
  ASSERT_THAT(outcome->samples.samples(), SizeIs(8));
  // 1000 each, standard deviation 29.6: six of them are passed with probability 2e-9 on another seed.
  for (const auto& sample : outcome->samples.samples()) EXPECT_NEAR(static_cast<double>(sample.occurrences), 1000, 178);
}

TEST(Solvers, a_start_is_never_made_worse) {
  const Bqm bqm = problem::random_bqm(Vartype::kSpin, 70, 1, 3);
  Bench bench;
  const auto good = solver("tabu").solve(bqm, enough("tabu"), bench.context());
  ASSERT_TRUE(good.has_value());
  const auto& start = good->samples.best();
  for (const char* name : {"annealing", "tempering", "tabu", "branch_and_bound", "portfolio"}) {
    SolveOptions options;
    options.start = {start.values};
    options.seed = 77;
    options.work.units.assign(std::string_view(name) == "branch_and_bound" ? 1 : 2,
                              name == std::string_view("portfolio") ? 30'000 : 300);
    const auto outcome = solver(name).solve(bqm, options, bench.context());
    ASSERT_TRUE(outcome.has_value());
    EXPECT_LE(outcome->samples.best().energy, start.energy) << name;
  }
}

TEST(Solvers, without_a_way_to_stop_they_end_by_themselves) {
  const Bqm bqm = problem::random_bqm(Vartype::kSpin, 12, 1, 3);
  for (const Solver* one : builtin_solvers()) {
    if (!one->info().takes_bqm || one->info().name == "portfolio") continue;  // it proves first
    Bench bench;
    const auto outcome = one->solve(bqm, {}, {bench.executor, {}, {}, 1});
    ASSERT_TRUE(outcome.has_value()) << one->info().name;
  }
}

TEST(Solvers, what_they_do_not_take_is_refused_with_a_reason) {
  Bench bench;
  const Polynomial cubic = Polynomial::create(Vartype::kBinary, 3, {{{0, 1, 2}, 1}}).value();
  EXPECT_THAT(solver("tabu").solve(cubic, {}, bench.context()), FailsWith(errors::kSolverRefused));
  const Bqm large = Bqm::create(Vartype::kBinary, std::vector<double>(33), {}, 0).value();
  EXPECT_THAT(solver("exhaustive").solve(large, {}, bench.context()), FailsWith(errors::kSolverRefused));
  const Bqm wide = Bqm::create(Vartype::kBinary, {-1e12, 1, 3}, {{0, 1, -1}, {0, 2, 2e12}}, 0).value();
  EXPECT_THAT(solver("tempering").solve(wide, {}, bench.context()), FailsWith(errors::kSolverRefused));
  const Bqm bqm = problem::random_bqm(Vartype::kSpin, 4, 1, 3);
  EXPECT_THAT(solver("constrained").solve(bqm, {}, bench.context()), FailsWith(errors::kSolverRefused));
  for (const Solver* one : builtin_solvers()) {
    if (!one->info().takes_bqm) continue;
    SolveOptions options;
    options.work.units = {1, 2, 3};
    EXPECT_THAT(one->solve(bqm, options, bench.context()), FailsWith(errors::kSizeMismatch)) << one->info().name;
    options = {};
    options.start = {{1, 1, 1}};
    EXPECT_THAT(one->solve(bqm, options, bench.context()), FailsWith(errors::kSizeMismatch)) << one->info().name;
    options.start = {{1, 1, 1, 0}};
    EXPECT_THAT(one->solve(bqm, options, bench.context()), FailsWith(errors::kBadVartype)) << one->info().name;
  }
}

/// 30 variables, in a form that the solver takes.
Model model_for(const Solver& solver) {
  const Bqm bqm = problem::random_bqm(Vartype::kBinary, 30, 1, 3);
  if (solver.info().takes_bqm) return bqm;
  if (solver.info().takes_polynomial) return Polynomial::from_bqm(bqm);
  if (solver.info().name != "independent_set" && solver.info().name != "coloring" && !solver.info().only_linear) {
    return Cqm::create(bqm, {{.name = "any", .terms = {{0, 1}}, .comparison = Comparison::kLessEqual, .bound = 1}})
        .value();
  }
  std::vector<problem::QuadraticTerm> edges(bqm.terms().begin(), bqm.terms().end());
  std::erase_if(edges, [](const problem::QuadraticTerm& edge) { return edge.bias < 0; });
  for (problem::QuadraticTerm& edge : edges) edge.bias = 1;
  const bool colors = solver.info().name == "coloring";
  return std::get<Cqm>(
      (colors ? problem::make_coloring(30, edges) : problem::make_independent_set(30, edges)).value()->state());
}

TEST(Solvers, memory_beyond_the_limit_is_refused_before_it_is_taken) {
  for (const Solver* one : builtin_solvers()) {
    SolveOptions options;
    options.memory_bytes_max = 1000;
    Bench bench;
    EXPECT_THAT(one->solve(model_for(*one), options, bench.context()), FailsWith(errors::kOutOfMemory))
        << one->info().name;
  }
}

TEST(Solvers, stopped_before_the_first_step_give_the_best_start_or_all_low_and_repeat_it) {
  for (const Solver* one : builtin_solvers()) {
    const Model model = model_for(*one);
    const Assignment low(solve::num_variables(model), 0);
    Assignment start = low;
    start[0] = 1;
    for (const bool with_start : {false, true}) {
      SolveOptions options;
      if (with_start) options.start = {start};
      Bench bench;
      bench.stop.request_stop();
      const auto outcome = one->solve(model, options, bench.context());
      ASSERT_TRUE(outcome.has_value()) << one->info().name << ": " << outcome.error().to_string();
      EXPECT_EQ(outcome->samples.best().values, with_start ? start : low) << one->info().name;
      EXPECT_FALSE(outcome->proved);
      EXPECT_EQ(outcome->reason, StopReason::kStopped);
      EXPECT_THAT(outcome->work_done, testing::Each(0u));
      options.work.units = outcome->work_done;
      Bench again;
      const auto repeated = one->solve(model, options, again.context());
      ASSERT_TRUE(repeated.has_value()) << one->info().name << ": " << repeated.error().to_string();
      EXPECT_EQ(repeated->samples, outcome->samples) << one->info().name;
      EXPECT_EQ(repeated->work_done, outcome->work_done) << one->info().name;
    }
  }
}

TEST(Solvers, stopped_before_a_reduction_that_would_prove_repeat_what_they_gave) {
  const Bqm isolated = Bqm::create(Vartype::kBinary, std::vector<double>(40, -1.0), {}, 0).value();
  for (const char* name : {"portfolio", "branch_and_bound"}) {
    Bench stopped;
    stopped.stop.request_stop();
    SolveOptions options;
    const auto outcome = solver(name).solve(isolated, options, stopped.context());
    ASSERT_TRUE(outcome.has_value());
    Bench again;
    options.work.units = outcome->work_done;
    EXPECT_EQ(solver(name).solve(isolated, options, again.context())->samples, outcome->samples) << name;
    Bench unstopped;
    const auto proved = solver(name).solve(isolated, {}, unstopped.context());
    ASSERT_TRUE(proved.has_value() && proved->proved);
    options.work.units = proved->work_done;
    Bench third;
    EXPECT_TRUE(solver(name).solve(isolated, options, third.context())->proved) << name;
  }
}

TEST(Solvers, no_answer_is_worse_than_a_start_however_little_was_done) {
  for (const double density : {0.05, 1.0}) {
    const Bqm bqm = problem::random_bqm(Vartype::kSpin, 60, density, 5);
    Bench first;
    SolveOptions some{.strands = 1};
    some.work.units = {3000};
    const auto good = solver("tabu").solve(bqm, some, first.context());
    ASSERT_TRUE(good.has_value());
    for (const char* name : {"portfolio", "tabu", "tempering", "treewidth", "branch_and_bound"}) {
      SolveOptions options{.strands = 1};
      options.work.units = {1};
      options.start = {Assignment(60, -1), Assignment(60, 1), good->samples.best().values};
      Bench again;
      const auto outcome = solver(name).solve(bqm, options, again.context());
      ASSERT_TRUE(outcome.has_value()) << name;
      EXPECT_LE(outcome->samples.best().energy, good->samples.best().energy) << name << ", density " << density;
    }
  }
}

TEST(Solvers, the_race_of_a_portfolio_is_told_engine_by_engine) {
  Bench bench;
  SolveOptions options{.strands = 2};
  options.work.units = {2'000'000, 1'500'000};
  const Bqm sparse = problem::random_bqm(Vartype::kSpin, 400, 0.02, 2);
  const auto outcome = solver("portfolio").solve(sparse, options, bench.context());
  ASSERT_TRUE(outcome.has_value());
  const RaceRecord& race = outcome->race;
  EXPECT_THAT(race.choice, testing::HasSubstr("tabu, replicas"));
  std::vector<std::uint64_t> units(2);
  std::optional<double> best;
  for (const EngineRecord& one : race.engines) {
    units.at(one.strand) += one.units;
    if (one.best_energy && (!best || *one.best_energy < *best)) best = one.best_energy;
  }
  EXPECT_EQ(units, outcome->work_done);
  EXPECT_EQ(RaceRecord::parse(race.document(), "").value(), race);
  ASSERT_TRUE(best.has_value());
  EXPECT_GE(*best, outcome->samples.best().energy);
}

TEST(Solvers, every_race_is_told_engine_by_engine) {
  struct Case {
    const char* solver;
    std::vector<std::string> engines;  ///< of the first strand
  };
  const std::vector<Case> cases = {{"pubo", {"tabu", "annealing"}},
                                   {"independent_set", {"covers", "penalties", "tree"}},
                                   {"coloring", {"tabu", "proof"}},
                                   {"constrained", {"tabu"}}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.solver);
    const Model model = model_for(solver(c.solver));
    SolveOptions options;
    options.work.units.assign(2, 100'000);
    Bench bench;
    const auto outcome = solver(c.solver).solve(model, options, bench.context());
    ASSERT_THAT(outcome, Succeeds());
    std::vector<std::string> engines;
    std::vector<std::uint64_t> units(2);
    double best = HUGE_VAL;
    for (const EngineRecord& one : outcome->race.engines) {
      if (one.strand == 0) engines.push_back(one.engine);
      units.at(one.strand) += one.units;
      best = std::min(best, one.best_energy.value_or(HUGE_VAL));
    }
    EXPECT_EQ(engines, c.engines);
    EXPECT_EQ(units, outcome->work_done);
    EXPECT_GE(best, outcome->samples.best().energy);  // what a beginning or a start has, nobody found
    for (const std::string& engine : engines) EXPECT_THAT(outcome->race.choice, testing::HasSubstr(engine));
    EXPECT_EQ(RaceRecord::parse(outcome->race.document(), "").value(), outcome->race);
  }
}

TEST(Solvers, what_their_reductions_took_is_told_by_rule) {
  // A complete graph of six spins, which no rule reduces, and a chain of three that hangs on it.
  std::vector<QuadraticTerm> terms = {{5, 6, 1}, {6, 7, 1}, {7, 8, 1}};
  for (std::uint32_t u = 0; u < 6; ++u)
    for (std::uint32_t v = u + 1; v < 6; ++v) terms.push_back({u, v, 1.0 + (u * v) % 3});
  const Bqm bqm = Bqm::create(Vartype::kSpin, std::vector<double>(9), terms, 0).value();
  for (const char* name : {"portfolio", "branch_and_bound"}) {
    Bench bench;
    const auto outcome = solver(name).solve(bqm, {}, bench.context());
    ASSERT_THAT(outcome, Succeeds());
    ASSERT_TRUE(outcome->race.reduction.has_value()) << name;
    const ReductionRecord& reduction = *outcome->race.reduction;
    EXPECT_EQ(reduction.kind, "quadratic");
    EXPECT_EQ(reduction.variables_before, 9u);
    EXPECT_EQ(reduction.variables_after, 6u);
    EXPECT_EQ(Json(reduction.by_rule), reduce::presolve(bqm).reduced->trail.document()["by_rule"]);
    EXPECT_EQ(outcome->race.document()["reduction"]["proof_class"], "exact");
    EXPECT_EQ(RaceRecord::parse(outcome->race.document(), "").value(), outcome->race);
  }
  // A cycle of seven: two folds leave a triangle.
  std::vector<QuadraticTerm> cycle;
  for (std::uint32_t i = 0; i < 7; ++i) cycle.push_back({i, (i + 1) % 7, 1});
  const problem::Statement stated = problem::make_independent_set(7, cycle).value()->state();
  Bench bench;
  const auto outcome = solver("independent_set").solve(std::get<Cqm>(stated), {}, bench.context());
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->samples.best().energy, -3);
  const ReductionRecord expected{.kind = "conflict_graph",
                                 .variables_before = 7,
                                 .variables_after = 0,
                                 .by_rule = {{"clique", 1}, {"fold", 2}},
                                 .folds = 2};
  ASSERT_TRUE(outcome->race.reduction.has_value());
  EXPECT_EQ(*outcome->race.reduction, expected);
  EXPECT_EQ(RaceRecord::parse(outcome->race.document(), "").value(), outcome->race);
}

TEST(Solvers, names_and_reasons_are_found) {
  for (const Solver* one : builtin_solvers()) EXPECT_EQ(find_solver(one->info().name), one);
  EXPECT_EQ(find_solver("oracle"), nullptr);
  EXPECT_EQ(to_string(StopReason::kTarget), "target");
}

}  // namespace
}  // namespace tandem::solve
