// Independent sets, covers and cliques: each engine against a plain sweep of all choices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/conflict_kernel.h"
#include "tandem/compute/solve/cover_search.h"
#include "tandem/compute/solve/penalty_search.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/stable_tree.h"
#include "tandem/compute/solve/testing/known_models.h"
#include "tandem/model/problem/problem.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::ProblemPtr;
using problem::QuadraticTerm;

ConflictGraph graph_of(std::size_t n, const std::vector<QuadraticTerm>& edges) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (const QuadraticTerm& edge : edges) pairs.emplace_back(edge.v, edge.u);
  return ConflictGraph(n, std::move(pairs));
}

/// The size of a largest independent set, by looking at every choice: one that is independent without its last node is so with it where
/// that has no neighbour among the others.
std::size_t swept(std::size_t n, const std::vector<QuadraticTerm>& edges) {
  std::vector<std::uint32_t> neighbours(n);
  for (const QuadraticTerm& edge : edges) {
    neighbours[edge.u] |= 1u << edge.v;
    neighbours[edge.v] |= 1u << edge.u;
  }
  std::vector<bool> independent(std::size_t{1} << n, true);
  std::size_t best = 0;
  for (std::uint32_t choice = 1; choice < (1u << n); ++choice) {
    const auto last = static_cast<std::size_t>(std::bit_width(choice) - 1);
    independent[choice] = independent[choice ^ (1u << last)] && (neighbours[last] & choice) == 0;
    if (independent[choice]) best = std::max(best, static_cast<std::size_t>(std::popcount(choice)));
  }
  return best;
}

std::size_t size_of(problem::AssignmentView chosen) { return static_cast<std::size_t>(std::ranges::count(chosen, 1)); }

template <class Body>
void for_graphs(Body body) {
  for (const std::size_t n : {1u, 2u, 3u, 7u, 12u, 16u}) {
    for (const double density : {0.0, 0.1, 0.3, 0.6, 0.9, 1.0}) {
      for (std::uint64_t seed = 0; seed < 6; ++seed) {
        const std::vector<QuadraticTerm> edges = random_edges(n, density, seed * 31 + n);
        SCOPED_TRACE(fmt::format("{} nodes, density {}, seed {}", n, density, seed));
        body(n, edges, swept(n, edges));
      }
    }
  }
}

Result<SolveOutcome> solved(const ProblemPtr& problem, std::string_view solver, SolveOptions options = {}) {
  ThreadExecutor executor(2);
  const Model model = std::get<problem::Cqm>(problem->state());
  return find_solver(solver)->solve(model, options, {.executor = executor, .stop = {}, .sink = {}});
}

TEST(IndependentSet, small_graphs_are_proved_and_sets_covers_and_cliques_are_what_a_sweep_says) {
  for_graphs([](std::size_t n, const std::vector<QuadraticTerm>& edges, std::size_t largest) {
    std::vector<QuadraticTerm> others;
    for (std::uint32_t u = 0; u < n; ++u) {
      for (std::uint32_t v = u + 1; v < n; ++v) {
        if (std::ranges::none_of(edges, [&](const QuadraticTerm& edge) { return edge.u == u && edge.v == v; }))
          others.push_back({u, v, 1});
      }
    }
    const ProblemPtr set = problem::make_independent_set(n, edges).value();
    const ProblemPtr cover = problem::make_vertex_cover(n, edges).value();
    const ProblemPtr clique = problem::make_clique(n, others).value();
    for (const auto& [problem, wanted] :
         {std::pair(set, largest), std::pair(cover, n - largest), std::pair(clique, largest)}) {
      for (const std::string_view solver : {"independent_set", "portfolio"}) {
        const auto outcome = solved(problem, solver);
        ASSERT_THAT(outcome, Succeeds()) << problem->type();
        EXPECT_TRUE(outcome->proved) << problem->type();
        const problem::Score score = problem->score(outcome->samples.best().values);
        EXPECT_TRUE(score.feasible) << problem->type();
        EXPECT_EQ(score.objective, static_cast<double>(wanted)) << problem->type();
        EXPECT_EQ(outcome->bound, outcome->samples.best().energy);
      }
    }
  });
}

/// The largest set in the kernel lifts to one of the whole graph, and any set of the whole graph fits the kernel in part.
void check_kernel(std::size_t n, const std::vector<QuadraticTerm>& edges, const ConflictKernel& kernel,
                  std::size_t largest) {
  const ConflictGraph graph = graph_of(n, edges);
  std::size_t found = 0;
  Assignment best;
  const std::size_t left = kernel.graph().size();
  for (std::uint32_t choice = 0; choice < (1u << left); ++choice) {
    if (!best.empty() && static_cast<std::size_t>(std::popcount(choice)) <= found) continue;
    Assignment chosen(left);
    for (std::size_t i = 0; i < left; ++i) chosen[i] = static_cast<std::int8_t>(choice >> i & 1);
    if (!kernel.graph().independent(chosen)) continue;
    found = size_of(chosen);
    best = kernel.lift(chosen);
  }
  EXPECT_TRUE(graph.independent(best));
  EXPECT_EQ(size_of(best), largest);
  EXPECT_EQ(found + kernel.num_chosen(), largest);
  EXPECT_TRUE(kernel.graph().independent(kernel.restrict(best)));
}

TEST(IndependentSet, the_kernel_keeps_the_size_of_a_largest_set) {
  for_graphs([](std::size_t n, const std::vector<QuadraticTerm>& edges, std::size_t largest) {
    check_kernel(n, edges, ConflictKernel(graph_of(n, edges)), largest);
  });
}

/// Two sides of which the first, the smaller one, may have edges within, and every node of the second `degree` neighbours in the first.
std::vector<QuadraticTerm> crown_edges(Xoshiro256& rng, std::uint32_t first, std::uint32_t second, std::size_t degree) {
  std::vector<QuadraticTerm> out;
  for (std::uint32_t u = 0; u < first; ++u)
    for (std::uint32_t v = u + 1; v < first; ++v)
      if (rng.below(3) == 0) out.push_back({u, v, 1});
  for (std::uint32_t v = first; v < first + second; ++v) {
    std::vector<std::uint32_t> sides(first);
    for (std::uint32_t u = 0; u < first; ++u) sides[u] = u;
    for (std::size_t k = 0; k < std::min<std::size_t>(degree, first); ++k) {
      std::swap(sides[k], sides[k + rng.below(first - k)]);
      out.push_back({sides[k], v, 1});
    }
  }
  return out;
}

TEST(IndependentSet, each_rule_of_the_kernel_keeps_it_on_ten_thousand_random_graphs) {
  constexpr std::array kRules{ConflictRule::kClique, ConflictRule::kFold, ConflictRule::kTwins,
                              ConflictRule::kUnconfined, ConflictRule::kRelaxation};
  Xoshiro256 rng(5);
  std::array<std::size_t, kRules.size()> graphs{};  // in which a rule has fired
  const auto enough = [&] { return std::ranges::all_of(graphs, [](std::size_t count) { return count >= 10'000; }); };
  for (int round = 0; round < 400'000 && !enough(); ++round) {
    std::size_t n = 1 + rng.below(12);
    std::vector<QuadraticTerm> edges;
    if (round % 3 == 0) {
      edges = random_edges(n, std::array{0.2, 0.3, 0.4, 0.5}[rng.below(4)], rng());
    } else {
      const auto first = static_cast<std::uint32_t>(4 + rng.below(3));
      const auto second = static_cast<std::uint32_t>(first + rng.below(3));
      n = first + second;
      edges = crown_edges(rng, first, second, 3 + rng.below(2));
    }
    const ConflictKernel kernel(graph_of(n, edges));
    check_kernel(n, edges, kernel, swept(n, edges));
    for (std::size_t k = 0; k < kRules.size(); ++k) graphs[k] += kernel.count(kRules[k]) > 0 ? 1 : 0;
    ASSERT_FALSE(testing::Test::HasFailure()) << "round " << round;
  }
  EXPECT_TRUE(enough()) << testing::PrintToString(graphs);
}

TEST(IndependentSet, a_long_cycle_is_folded_to_nothing) {
  // One of n / 2 rounded down: fold by fold two nodes and a chosen one less, to a triangle or less.
  for (const std::uint32_t n : {4u, 5u, 100'000u, 1'000'001u}) {
    std::vector<QuadraticTerm> edges;
    for (std::uint32_t u = 0; u < n; ++u) edges.push_back({std::min(u, (u + 1) % n), std::max(u, (u + 1) % n), 1});
    const ConflictGraph graph = graph_of(n, edges);
    const ConflictKernel kernel(graph);
    EXPECT_EQ(kernel.graph().size(), 0u);
    EXPECT_EQ(kernel.num_chosen(), n / 2);
    const Assignment chosen = kernel.lift({});
    EXPECT_TRUE(graph.independent(chosen));
    EXPECT_EQ(size_of(chosen), n / 2);
  }
}

TEST(IndependentSet, a_stopped_kernel_is_one_that_lifts) {
  std::stop_source stop;
  stop.request_stop();
  const std::vector<QuadraticTerm> edges = random_edges(10, 0.3, 1);
  const ConflictKernel kernel(graph_of(10, edges), stop.get_token());
  EXPECT_EQ(kernel.graph().size(), 10u);
  EXPECT_EQ(kernel.num_chosen(), 0u);
}

TEST(IndependentSet, the_tree_alone_proves) {
  for_graphs([](std::size_t n, const std::vector<QuadraticTerm>& edges, std::size_t largest) {
    const ConflictGraph graph = graph_of(n, edges);
    StableTree tree(graph);
    while (!tree.done()) {
      EXPECT_GE(tree.bound(), largest);
      tree.step();
    }
    EXPECT_EQ(tree.best_size(), largest);
    EXPECT_EQ(tree.bound(), largest);
    EXPECT_TRUE(graph.independent(tree.best()));
    EXPECT_EQ(size_of(tree.best()), largest);
    StableTree knowing(graph);
    knowing.hear_of(largest);
    while (!knowing.done()) knowing.step();
    EXPECT_EQ(knowing.best_size(), largest);
    EXPECT_TRUE(knowing.best().empty());
  });
}

/// Searches in a race of one strand that ends at a target.
template <class Search>
class OneStrand final : public Strand {
 public:
  explicit OneStrand(Search& search) : search_(search) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { search_.advance(units_end, watch); }
  std::uint64_t units() const override { return search_.units(); }
  StrandState state() const override { return search_.reached_target() ? StrandState::kTarget : StrandState::kWorking; }

 private:
  Search& search_;
};

template <class Search>
void reach(Search& search, std::size_t size) {
  ThreadExecutor executor(1);
  const WorkLimit limit{.units = {50'000'000}};
  const SolveContext context{.executor = executor, .stop = {}, .sink = {}};
  Race race({.objective = [](std::int64_t energy) { return static_cast<double>(energy); },
             .target = -static_cast<std::int64_t>(size)},
            limit, context);
  std::vector<std::unique_ptr<Strand>> strands;
  strands.push_back(std::make_unique<OneStrand<Search>>(search));
  EXPECT_EQ(race.run(strands, {.first = 1000, .max = 1'000'000}, [](std::uint64_t) {}), StopReason::kTarget);
  EXPECT_EQ(search.best_size(), size);
}

TEST(IndependentSet, each_search_alone_comes_to_the_largest_set) {
  for_graphs([](std::size_t n, const std::vector<QuadraticTerm>& edges, std::size_t largest) {
    const ConflictGraph graph = graph_of(n, edges);
    CoverSearch cover(graph, 5, {});
    reach(cover, largest);
    EXPECT_TRUE(graph.independent(cover.best()));
    PenaltySearch penalty(graph, 5);
    reach(penalty, largest);
    EXPECT_TRUE(graph.independent(penalty.best()));
  });
}

TEST(IndependentSet, larger_graphs_give_what_is_independent_and_no_more_than_the_bound) {
  for (const double density : {0.02, 0.2, 0.7}) {
    const std::size_t n = 300;
    const ProblemPtr problem = problem::make_independent_set(n, random_edges(n, density, 9)).value();
    SolveOptions options{.seed = 4};
    options.work.units = {3'000'000, 3'000'000};
    const auto outcome = solved(problem, "independent_set", options);
    ASSERT_THAT(outcome, Succeeds());
    const problem::Score score = problem->score(outcome->samples.best().values);
    EXPECT_TRUE(score.feasible);
    ASSERT_TRUE(outcome->bound.has_value());
    EXPECT_LE(*outcome->bound, outcome->samples.best().energy);
    EXPECT_EQ(score.objective, -outcome->samples.best().energy);
  }
}

TEST(IndependentSet, a_proof_is_repeated_by_its_work) {
  std::size_t proofs = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::size_t n = 8 + seed % 53;
    const ProblemPtr problem =
        problem::make_independent_set(n, random_edges(n, seed % 3 == 0 ? 0.5 : 0.15, seed)).value();
    SolveOptions options{.seed = seed};
    options.work.units = {2'000'000, 2'000'000};
    const auto first = solved(problem, "independent_set", options);
    ASSERT_THAT(first, Succeeds());
    options.work.units = first->work_done;
    const auto again = solved(problem, "independent_set", options);
    ASSERT_THAT(again, Succeeds());
    EXPECT_EQ(again->proved, first->proved) << seed;
    EXPECT_EQ(again->bound, first->bound) << seed;
    EXPECT_EQ(again->work_done, first->work_done) << seed;
    EXPECT_EQ(again->samples.best().values, first->samples.best().values) << seed;
    proofs += first->proved ? 1 : 0;
  }
  EXPECT_GT(proofs, 30u);
}

TEST(IndependentSet, an_independent_start_is_not_made_worse_and_another_one_is_passed_over) {
  const std::size_t n = 200;
  const ProblemPtr problem = problem::make_independent_set(n, random_edges(n, 0.1, 3)).value();
  const auto good = solved(problem, "independent_set", {.seed = 1});
  ASSERT_THAT(good, Succeeds());
  SolveOptions options{.seed = 2};
  options.work.units = {1000, 1000};
  options.start = {Assignment(n, 1), good->samples.best().values};
  const auto again = solved(problem, "independent_set", options);
  ASSERT_THAT(again, Succeeds());
  EXPECT_LE(again->samples.best().energy, good->samples.best().energy);
}

TEST(IndependentSet, of_more_starts_than_strands_none_is_forgotten) {
  const std::size_t n = 120;
  const ProblemPtr problem = problem::make_independent_set(n, random_edges(n, 0.1, 3)).value();
  const auto good = solved(problem, "independent_set", {.seed = 1});
  ASSERT_THAT(good, Succeeds());
  SolveOptions options{.strands = 1};
  options.work.units = {1};
  options.start = {Assignment(n, 0), Assignment(n, 0), good->samples.best().values};
  const auto outcome = solved(problem, "independent_set", options);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_LE(outcome->samples.best().energy, good->samples.best().energy);
}

TEST(IndependentSet, a_cover_without_any_work_covers_all_the_same) {
  const ProblemPtr problem = problem::make_vertex_cover(50, random_edges(50, 0.3, 3)).value();
  SolveOptions options;
  options.work.units = {0, 0};
  const auto outcome = solved(problem, "independent_set", options);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_TRUE(problem->score(outcome->samples.best().values).feasible);
}

TEST(IndependentSet, a_target_beside_a_large_constant_is_met_to_the_node) {
  const std::vector<QuadraticTerm> edges = random_edges(16, 0.3, 8);
  const ProblemPtr problem = problem::make_independent_set(16, edges).value();
  const auto stated = std::get<problem::Cqm>(problem->state());
  const double offset = 1e10;
  auto objective = problem::Bqm::create(problem::Vartype::kBinary, std::vector<double>(16, -1.0), {}, offset).value();
  const Model model =
      problem::Cqm::create(std::move(objective), {stated.constraints().begin(), stated.constraints().end()}).value();
  const auto largest = static_cast<double>(swept(16, edges));
  ThreadExecutor executor(2);
  const auto outcome = find_solver("independent_set")
                           ->solve(model, {.target = offset - largest}, {.executor = executor, .stop = {}, .sink = {}});
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->samples.best().energy, offset - largest);
}

TEST(IndependentSet, other_models_are_refused_by_name_and_taken_by_the_portfolio) {
  const auto weighted =
      problem::ProblemRegistry::with_builtin_types()
          .parse({{"type", "independent_set"}, {"num_nodes", 3}, {"edges", {{0, 1}, {1, 2}}}, {"weights", {1, 5, 1}}},
                 "")
          .value();
  EXPECT_THAT(solved(weighted, "independent_set"), FailsWith(errors::kSolverRefused));
  const auto outcome = solved(weighted, "portfolio");
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(weighted->score(outcome->samples.best().values).objective, 5);
}

}  // namespace
}  // namespace tandem::solve
