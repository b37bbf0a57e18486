// Every solver against a plain sweep, and the contract of determinism that all of them keep.
#include "tandem/compute/solve/solver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Cqm;
using problem::Vartype;

Assignment assignment_of(std::uint64_t x, std::size_t n, Vartype vartype) {
  Assignment out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const bool high = ((x >> i) & 1u) != 0;
    out[i] = high ? std::int8_t{1} : (vartype == Vartype::kSpin ? std::int8_t{-1} : std::int8_t{0});
  }
  return out;
}

/// Least energy over the assignments that `model` allows; empty when it allows none.
std::optional<double> swept_minimum(const Model& model) {
  std::optional<double> best;
  const std::size_t n = num_variables(model);
  for (std::uint64_t x = 0; x < (std::uint64_t{1} << n); ++x) {
    const Assignment values = assignment_of(x, n, vartype(model));
    if (const auto* cqm = std::get_if<Cqm>(&model); cqm != nullptr && !cqm->feasible(values)) continue;
    const double e = energy(model, values);
    if (!best || e < *best) best = e;
  }
  return best;
}

Bqm random_bqm(Xoshiro256& rng, std::uint32_t n, Vartype vartype, double unit, double density) {
  const auto draw = [&] { return (static_cast<double>(rng.below(201)) - 100) * unit; };
  std::vector<double> linear(n);
  for (double& c : linear) c = draw();
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.uniform() < density) terms.push_back({u, v, draw()});
  return *Bqm::create(vartype, std::move(linear), std::move(terms), draw());
}

std::vector<Model> small_models() {
  Xoshiro256 rng(11);
  std::vector<Model> out;
  for (int round = 0; round < 24; ++round) {
    const auto n = static_cast<std::uint32_t>(1 + rng.below(12));
    const Vartype vartype = round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin;
    const double unit = round % 3 == 0 ? 0.37123 : 1;
    out.push_back(random_bqm(rng, n, vartype, unit, round % 4 == 0 ? 0.15 : 0.9));
  }
  out.push_back(*Bqm::create(Vartype::kBinary, std::vector<double>(5, 0), {}, 3));   // all zero
  out.push_back(*Bqm::create(Vartype::kBinary, std::vector<double>(6, -7), {}, 0));  // all equal
  out.push_back(*Bqm::create(Vartype::kSpin, std::vector<double>(4, 0), {{0, 1, 1}, {2, 3, -1}}, 0));  // two islands
  for (int round = 0; round < 6; ++round) {
    std::vector<problem::Monomial> terms;
    const auto n = static_cast<std::uint32_t>(3 + rng.below(6));
    for (int t = 0; t < 12; ++t) {
      problem::Monomial term{.coefficient = static_cast<double>(rng.below(21)) - 10};
      for (std::uint32_t v = 0; v < n; ++v)
        if (rng.below(3) == 0 && term.variables.size() < 4) term.variables.push_back(v);
      terms.push_back(std::move(term));
    }
    out.push_back(
        *problem::Polynomial::create(round % 2 == 0 ? Vartype::kBinary : Vartype::kSpin, n, std::move(terms)));
  }
  for (int round = 0; round < 8; ++round) {
    const auto n = static_cast<std::uint32_t>(4 + rng.below(8));
    problem::LinearConstraint choose{
        .name = "choose", .comparison = problem::Comparison::kEqual, .bound = static_cast<double>(1 + rng.below(n))};
    problem::LinearConstraint cost{.name = "cost", .comparison = problem::Comparison::kLessEqual, .bound = 25};
    for (std::uint32_t i = 0; i < n; ++i) {
      choose.terms.push_back({i, 1});
      cost.terms.push_back({i, static_cast<double>(1 + rng.below(6))});
    }
    out.push_back(*Cqm::create(random_bqm(rng, n, Vartype::kBinary, 1, 0.9), {choose, cost}));
  }
  return out;
}

bool accepts(const Solver& solver, const Model& model) { return check_accepts(solver.info(), model).has_value(); }

class EverySolver : public testing::TestWithParam<const Solver*> {
 protected:
  ThreadExecutor executor_{2};
  SolveContext context(std::size_t threads = 2) {
    return {.executor = executor_, .stop = {}, .sink = {}, .threads = threads};
  }
};

TEST_P(EverySolver, finds_the_swept_minimum_of_small_models_and_never_claims_less) {
  const Solver& solver = *GetParam();
  if (solver.info().name == "random") GTEST_SKIP() << "the control promises nothing";
  int tried = 0;
  for (const Model& model : small_models()) {
    if (!accepts(solver, model)) continue;
    const std::optional<double> best = swept_minimum(model);
    if (!best) continue;
    // Annealing by itself makes a few short reads; a hundred find what there is in models of this size.
    const auto outcome =
        solver.solve(model, {.seed = 3, .num_samples = solver.info().name == "annealing" ? 100u : 0u}, context());
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    const double scale = std::max(1.0, std::abs(*best));
    EXPECT_NEAR(outcome->samples.best().energy, *best, 1e-9 * scale) << "model " << tried;
    EXPECT_NEAR(energy(model, outcome->samples.best().values), outcome->samples.best().energy, 1e-9 * scale);
    if (outcome->bound) {
      EXPECT_LE(*outcome->bound, *best + 1e-9 * scale);
    }
    if (outcome->proved) {
      EXPECT_NEAR(*outcome->bound, *best, 1e-9 * scale);
    }
    ++tried;
  }
  EXPECT_GT(tried, 5);
}

TEST_P(EverySolver, the_work_done_given_back_gives_the_same_samples_with_one_and_two_threads) {
  const Solver& solver = *GetParam();
  Xoshiro256 rng(5);
  std::vector<Model> models = {random_bqm(rng, 90, Vartype::kBinary, 1, 0.5),
                               random_bqm(rng, 150, Vartype::kSpin, 1, 0.03)};
  problem::LinearConstraint choose{.name = "choose", .comparison = problem::Comparison::kEqual, .bound = 9};
  for (std::uint32_t i = 0; i < 40; ++i) choose.terms.push_back({i, 1});
  models.push_back(*Cqm::create(random_bqm(rng, 40, Vartype::kBinary, 1, 1), {choose}));
  for (const Model& model : models) {
    if (!accepts(solver, model)) continue;
    // Stopped by its own third improvement: in the middle of whatever it does then.
    std::stop_source stop;
    int improvements = 0;
    SolveContext stopped = context();
    stopped.stop = stop.get_token();
    stopped.sink = [&](const Incumbent&) {
      if (++improvements >= 3) stop.request_stop();
    };
    const auto first = solver.solve(
        model, {.seed = 8, .strands = 3, .num_samples = solver.info().name == "random" ? 100u : 0u}, stopped);
    ASSERT_TRUE(first) << first.error().to_string();
    for (const std::size_t threads : {1u, 2u}) {
      const auto again = solver.solve(model,
                                      {.seed = 8,
                                       .strands = 3,
                                       .work = {first->work_done},
                                       .num_samples = solver.info().name == "random" ? 100u : 0u},
                                      context(threads));
      ASSERT_TRUE(again) << again.error().to_string();
      EXPECT_EQ(again->samples, first->samples) << threads << " threads";
      EXPECT_EQ(again->work_done, first->work_done);
    }
  }
}

TEST_P(EverySolver, stops_at_a_target_and_repeats_that_too) {
  const Solver& solver = *GetParam();
  Xoshiro256 rng(6);
  const Model model = random_bqm(rng, 100, Vartype::kBinary, 1, 0.5);
  if (!accepts(solver, model) || solver.info().name == "random") GTEST_SKIP();
  const SolveOptions options{.seed = 2, .target = -10'000};
  const auto first = solver.solve(model, options, context());
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_LE(first->samples.best().energy, -10'000);
  SolveOptions repeat = options;
  repeat.work.units = first->work_done;
  const auto again = solver.solve(model, repeat, context(1));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->samples, first->samples);
}

TEST_P(EverySolver, a_model_without_variables_is_solved_and_a_foreign_one_refused) {
  const Solver& solver = *GetParam();
  const Bqm empty = *Bqm::create(Vartype::kBinary, {}, {}, 4);
  const Model model = solver.info().takes_bqm ? Model(empty) : Model(*Cqm::create(empty, {}));
  const auto outcome = solver.solve(model, {}, context());
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_EQ(outcome->samples.best().energy, 4);
  Xoshiro256 rng(1);
  const Model foreign = solver.info().takes_cqm
                            ? Model(*problem::Polynomial::create(Vartype::kBinary, 3, {{{0, 1, 2}, 1.0}}))
                            : Model(*Cqm::create(random_bqm(rng, 3, Vartype::kBinary, 1, 1), {}));
  if (accepts(solver, foreign)) return;
  EXPECT_EQ(solver.solve(foreign, {}, context()).error().number, errors::kSolverRefused);
}

TEST_P(EverySolver, too_little_memory_is_an_error_with_both_figures) {
  const Solver& solver = *GetParam();
  Xoshiro256 rng(2);
  const Bqm bqm = random_bqm(rng, 200, Vartype::kBinary, 1, 1);
  const Model model = solver.info().takes_bqm ? Model(bqm) : Model(*Cqm::create(bqm, {}));
  const auto outcome = solver.solve(model, {.memory_bytes_max = 1000}, context());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().number, errors::kOutOfMemory);
  EXPECT_THAT(outcome.error().message, testing::HasSubstr("1000"));
}

INSTANTIATE_TEST_SUITE_P(Solve, EverySolver, testing::ValuesIn(builtin_solvers().begin(), builtin_solvers().end()),
                         [](const testing::TestParamInfo<const Solver*>& solver) {
                           return std::string(solver.param->info().name);
                         });

TEST(BranchAndBound, proves_dense_models_of_forty_variables) {
  ThreadExecutor executor(2);
  Xoshiro256 rng(9);
  const Model model = random_bqm(rng, 40, Vartype::kBinary, 1, 1);
  const auto outcome =
      find_solver("branch_and_bound")->solve(model, {}, {.executor = executor, .stop = {}, .sink = {}, .threads = 1});
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->proved);
  EXPECT_EQ(outcome->reason, StopReason::kProved);
  // An independent search must not find less.
  const auto other = find_solver("annealing")
                         ->solve(model, {.num_samples = 50, .sweeps = 500},
                                 {.executor = executor, .stop = {}, .sink = {}, .threads = 1});
  ASSERT_TRUE(other);
  EXPECT_GE(other->samples.best().energy, outcome->samples.best().energy);
}

TEST(Samplers, draw_exactly_as_many_samples_as_asked) {
  ThreadExecutor executor(2);
  Xoshiro256 rng(10);
  const Model model = random_bqm(rng, 16, Vartype::kSpin, 1, 0.7);
  for (const char* name : {"annealing", "random"}) {
    const auto outcome = find_solver(name)->solve(model, {.num_samples = 321, .sweeps = 20, .candidates_max = 321},
                                                  {.executor = executor, .stop = {}, .sink = {}, .threads = 2});
    ASSERT_TRUE(outcome) << name;
    EXPECT_EQ(outcome->samples.occurrences(), 321u) << name;
  }
}

}  // namespace
}  // namespace tandem::solve
