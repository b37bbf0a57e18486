// Colourings: every part of the solver against plain sweeps, and against chromatic numbers that are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/coloring_form.h"
#include "tandem/compute/solve/coloring_proof.h"
#include "tandem/compute/solve/coloring_search.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/greedy_coloring.h"
#include "tandem/model/problem/problem.h"

namespace tandem::solve {
namespace {

using problem::Cqm;
using problem::Edge;
using problem::ProblemPtr;
using problem::QuadraticTerm;

struct Graph {
  std::size_t size = 0;
  std::vector<Edge> edges;
};

std::vector<QuadraticTerm> terms_of(const Graph& graph) {
  std::vector<QuadraticTerm> out;
  for (const auto& [u, v] : graph.edges) out.push_back({v, u, 1});
  return out;
}
Cqm stated(const Graph& graph, std::optional<std::size_t> colors = std::nullopt) {
  return std::get<Cqm>(problem::make_coloring(graph.size, terms_of(graph), colors).value()->state());
}
ConflictGraph conflicts_of(const Graph& graph) { return ConflictGraph(graph.size, graph.edges); }

Graph random_graph(std::size_t n, double density, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  Graph out{.size = n, .edges = {}};
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.uniform() < density) out.edges.emplace_back(u, v);
  }
  return out;
}

/// Every two nodes for which `joined` is true.
template <class Joined>
Graph graph_where(std::size_t n, Joined joined) {
  Graph out{.size = n, .edges = {}};
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (joined(static_cast<int>(u), static_cast<int>(v))) out.edges.emplace_back(u, v);
  }
  return out;
}

Graph queens(int side) {
  return graph_where(static_cast<std::size_t>(side * side), [&](int a, int b) {
    const int rows = a / side - b / side;
    const int columns = a % side - b % side;
    return rows == 0 || columns == 0 || std::abs(rows) == std::abs(columns);
  });
}

/// Mycielski's construction from an edge: no triangle, and `colors` are needed.
Graph mycielski(std::size_t colors) {
  Graph out{.size = 2, .edges = {{0, 1}}};
  for (std::size_t step = 2; step < colors; ++step) {
    const auto n = static_cast<std::uint32_t>(out.size);
    const std::vector<Edge> before = out.edges;
    for (const auto& [u, v] : before) {
      out.edges.emplace_back(u, n + v);
      out.edges.emplace_back(v, n + u);
    }
    for (std::uint32_t u = 0; u < n; ++u) out.edges.emplace_back(n + u, 2 * n);
    out.size = 2 * n + 1;
  }
  return out;
}

/// Sets of `size` out of `n`, joined where they share nothing: n - 2 size + 2 colours (Lovasz 1978).
Graph kneser(int n, int size) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t set = 0; set < 1u << n; ++set)
    if (std::popcount(set) == size) sets.push_back(set);
  return graph_where(sets.size(), [&](int a, int b) {
    return (sets[static_cast<std::size_t>(a)] & sets[static_cast<std::size_t>(b)]) == 0;
  });
}

/// Whether so many colours do, node by node.
bool colorable(const Graph& graph, std::size_t colors, std::vector<std::size_t>& taken) {
  if (taken.size() == graph.size) return true;
  const std::size_t node = taken.size();
  const std::size_t used = taken.empty() ? 0 : std::ranges::max(taken) + 1;
  for (std::size_t color = 0; color < std::min(used + 1, colors); ++color) {
    const bool free = std::ranges::none_of(
        graph.edges, [&](const Edge& edge) { return edge.second == node && taken[edge.first] == color; });
    if (!free) continue;
    taken.push_back(color);
    if (colorable(graph, colors, taken)) return true;
    taken.pop_back();
  }
  return false;
}
std::size_t fewest_colors(const Graph& graph) {
  for (std::size_t colors = 1;; ++colors) {
    std::vector<std::size_t> taken;
    if (colorable(graph, colors, taken)) return colors;
  }
}

Result<SolveOutcome> solved(const Model& model, SolveOptions options = {}, std::string_view solver = "coloring") {
  ThreadExecutor executor(2);
  std::stop_source never;
  return find_solver(solver)->solve(model, options, {.executor = executor, .stop = never.get_token(), .sink = {}});
}

void expect_proved(const Graph& graph, std::size_t colors, std::string_view solver = "coloring") {
  const ProblemPtr problem = problem::make_coloring(graph.size, terms_of(graph)).value();
  const auto outcome = solved(std::get<Cqm>(problem->state()), {}, solver);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_TRUE(outcome->proved);
  EXPECT_EQ(outcome->bound, static_cast<double>(colors));
  const problem::Score score = problem->score(outcome->samples.best().values);
  EXPECT_TRUE(score.feasible);
  EXPECT_EQ(score.objective, static_cast<double>(colors));
  EXPECT_EQ(outcome->samples.best().energy, static_cast<double>(colors));
}

template <class Body>
void for_graphs(Body body) {
  // All graphs of up to five nodes, and random ones.
  for (std::size_t n = 1; n <= 5; ++n) {
    const Graph all = graph_where(n, [](int, int) { return true; });
    for (std::uint32_t choice = 0; choice < 1u << all.edges.size(); ++choice) {
      Graph graph{.size = n, .edges = {}};
      for (std::size_t k = 0; k < all.edges.size(); ++k)
        if ((choice >> k & 1) != 0) graph.edges.push_back(all.edges[k]);
      SCOPED_TRACE(fmt::format("{} nodes, choice {}", n, choice));
      body(graph, fewest_colors(graph));
    }
  }
  for (const std::size_t n : {8u, 12u, 15u}) {
    for (const double density : {0.2, 0.5, 0.8}) {
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        SCOPED_TRACE(fmt::format("{} nodes, density {}, seed {}", n, density, seed));
        const Graph graph = random_graph(n, density, seed);
        body(graph, fewest_colors(graph));
      }
    }
  }
}

TEST(ColoringSolver, small_graphs_are_proved) {
  for_graphs([](const Graph& graph, std::size_t colors) {
    expect_proved(graph, colors);
    expect_proved(graph, colors, "portfolio");
  });
}

TEST(ColoringSolver, given_colours_are_enough_or_proved_too_few) {
  for_graphs([](const Graph& graph, std::size_t colors) {
    for (const std::size_t given : {colors, colors + 1, colors - 1}) {
      if (given == 0) continue;
      const ProblemPtr problem = problem::make_coloring(graph.size, terms_of(graph), given).value();
      SolveOptions options;
      options.work.units = {300'000, 300'000};
      const auto outcome = solved(std::get<Cqm>(problem->state()), options);
      ASSERT_THAT(outcome, Succeeds());
      const problem::Score score = problem->score(outcome->samples.best().values);
      EXPECT_EQ(score.objective, outcome->samples.best().energy);
      EXPECT_EQ(outcome->bound, given >= colors ? 0 : 1);
      if (given >= colors) {
        EXPECT_EQ(score.objective, 0);
        EXPECT_TRUE(outcome->proved);
        continue;
      }
      EXPECT_GT(score.objective, 0);
      EXPECT_EQ(outcome->proved, score.objective == 1);
    }
  });
}

TEST(ColoringSolver, chromatic_numbers_that_are_known_are_proved) {
  expect_proved(graph_where(70, [](int, int) { return true; }), 70);
  expect_proved(graph_where(9, [](int a, int b) { return b - a == 1 || b - a == 8; }), 3);
  expect_proved(graph_where(4001, [](int a, int b) { return b - a == 1 || b - a == 4000; }), 3);  // beyond the trees
  expect_proved(graph_where(40, [](int a, int b) { return (a + b) % 2 == 1; }), 2);
  expect_proved(kneser(5, 2), 3);  // Petersen's graph
  expect_proved(kneser(6, 2), 4);
  expect_proved(kneser(7, 3), 3);
  for (const std::size_t colors : {3u, 4u, 5u, 6u}) expect_proved(mycielski(colors), colors);
  expect_proved(queens(5), 5);
  expect_proved(queens(6), 7);
  expect_proved(queens(7), 7);
}

TEST(ColoringSolver, known_numbers_of_colours_are_reached_where_no_proof_ends) {
  struct Case {
    Graph graph;
    double colors;
  };
  for (const Case& one : {Case{mycielski(7), 7}, Case{mycielski(8), 8}, Case{queens(8), 9}}) {
    SolveOptions options{.target = one.colors};
    options.work.units = {400'000'000, 400'000'000};
    const auto outcome = solved(stated(one.graph), options);
    ASSERT_THAT(outcome, Succeeds());
    EXPECT_EQ(outcome->samples.best().energy, one.colors);
    EXPECT_LE(outcome->bound, one.colors);
  }
}

TEST(ColoringSolver, a_start_is_not_made_worse_and_another_statement_is_refused) {
  const Graph graph = random_graph(60, 0.5, 1);
  const Cqm cqm = stated(graph);
  SolveOptions options;
  options.work.units = {30'000'000, 30'000'000};
  const auto good = solved(cqm, options);
  ASSERT_THAT(good, Succeeds());
  options.work.units = {1, 1};
  options.start = {good->samples.best().values, problem::Assignment(cqm.num_variables(), 0)};
  const auto again = solved(cqm, options);
  ASSERT_THAT(again, Succeeds());
  EXPECT_LE(again->samples.best().energy, good->samples.best().energy);
  std::vector<problem::LinearConstraint> constraints(cqm.constraints().begin(), cqm.constraints().end());
  constraints.pop_back();
  EXPECT_THAT(solved(Cqm::create(cqm.objective(), constraints).value()), FailsWith(errors::kSolverRefused));
}

TEST(ColoringSolver, a_proof_is_repeated_by_its_work) {
  std::size_t by_tree = 0;
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    const Graph graph = random_graph(16 + seed % 16, 0.4, seed);
    for (const std::optional<std::size_t> colors : {std::optional<std::size_t>(), std::optional<std::size_t>(4)}) {
      const Cqm cqm = stated(graph, colors);
      SolveOptions options{.seed = seed};
      options.work.units = {2'000'000, 2'000'000};
      const auto first = solved(cqm, options);
      ASSERT_THAT(first, Succeeds());
      options.work.units = first->work_done;
      const auto again = solved(cqm, options);
      ASSERT_THAT(again, Succeeds());
      EXPECT_EQ(again->proved, first->proved) << seed;
      EXPECT_EQ(again->bound, first->bound) << seed;
      EXPECT_EQ(again->work_done, first->work_done) << seed;
      EXPECT_EQ(again->samples.best().values, first->samples.best().values) << seed;
      by_tree += first->proved && first->bound > static_cast<double>(greedy_clique(conflicts_of(graph)).size());
    }
  }
  EXPECT_GT(by_tree, 4u);
}

TEST(ColoringSolver, a_proof_that_is_behind_a_start_does_not_make_it_worse) {
  // The tree finds colourings of its own, with more colours than the start has.
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Cqm cqm = stated(random_graph(90, 0.5, seed));
    SolveOptions options{.strands = 1};
    options.work.units = {20'000'000};
    const auto good = solved(cqm, options);
    ASSERT_THAT(good, Succeeds());
    options.start = {good->samples.best().values};
    for (const std::uint64_t units : {1u, 100'000u, 1'000'000u, 3'000'000u}) {
      options.work.units = {units};
      const auto again = solved(cqm, options);
      ASSERT_THAT(again, Succeeds());
      EXPECT_LE(again->samples.best().energy, good->samples.best().energy) << seed << " " << units;
    }
  }
}

TEST(ColoringForm, it_reads_what_is_stated_and_nothing_else) {
  for_graphs([](const Graph& graph, std::size_t) {
    for (const std::optional<std::size_t> given : {std::optional<std::size_t>(), std::optional<std::size_t>(2)}) {
      const ProblemPtr problem = problem::make_coloring(graph.size, terms_of(graph), given).value();
      const Cqm cqm = std::get<Cqm>(problem->state());
      const auto form = ColoringForm::read(cqm);
      ASSERT_TRUE(form.has_value());
      EXPECT_EQ(form->counts(), !given.has_value());
      EXPECT_TRUE(std::ranges::equal(form->edges(), graph.edges));
      Xoshiro256 rng(graph.edges.size());
      std::vector<std::uint32_t> colors(graph.size);
      for (std::uint32_t& color : colors) color = static_cast<std::uint32_t>(rng.below(form->num_colors()));
      const problem::Assignment bits = form->bits(colors);
      EXPECT_TRUE(cqm.feasible(bits));
      EXPECT_EQ(cqm.objective().energy(bits), static_cast<double>(form->energy_of(colors)));
      EXPECT_EQ(form->energy_of(form->colors(bits)), form->energy_of(colors));
      // Without any one of its terms it is no such model any more.
      const auto terms = cqm.objective().terms();
      for (std::size_t k = 0; k < terms.size() && form->num_colors() > 1; ++k) {
        if (terms[k].u == 0) continue;  // node 0 has one colour: an edge less
        std::vector<QuadraticTerm> fewer(terms.begin(), terms.end());
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(k));
        const auto linear = cqm.objective().linear();
        auto objective = problem::Bqm::create(problem::Vartype::kBinary, {linear.begin(), linear.end()}, fewer, 0);
        const auto constraints = cqm.constraints();
        EXPECT_FALSE(ColoringForm::is_stated_by(
            Cqm::create(*std::move(objective), {constraints.begin(), constraints.end()}).value()));
      }
    }
  });
}

TEST(ColoringCore, colours_of_the_core_become_colours_of_all) {
  for_graphs([](const Graph& graph, std::size_t fewest) {
    const ConflictGraph whole = conflicts_of(graph);
    for (std::size_t colors = 1; colors <= fewest + 1; ++colors) {
      const ColoringCore core(whole, colors);
      for (std::size_t i = 0; i < core.graph().size(); ++i) EXPECT_GE(core.graph().neighbours(i).size(), colors);
      std::vector<Edge> edges;
      for (std::uint32_t i = 0; i < core.graph().size(); ++i) {
        for (const std::uint32_t j : core.graph().neighbours(i))
          if (i < j) edges.emplace_back(i, j);
      }
      const auto lifted = core.lift(problem::greedy_coloring(core.graph().size(), edges));
      for (const auto& [u, v] : graph.edges) EXPECT_NE(lifted[u], lifted[v]);
      EXPECT_TRUE(core.graph().size() > 0 || std::ranges::max(lifted) < colors);
    }
  });
}

TEST(ColoringProof, it_ends_with_the_fewest_colours_whatever_was_known) {
  for_graphs([](const Graph& graph, std::size_t fewest) {
    const ConflictGraph whole = conflicts_of(graph);
    const auto clique = greedy_clique(whole);
    for (std::size_t a = 0; a < clique.size(); ++a) {
      for (std::size_t b = a + 1; b < clique.size(); ++b)
        EXPECT_TRUE(std::ranges::binary_search(whole.neighbours(clique[a]), clique[b]));
    }
    for (const std::size_t known : {fewest, fewest + 1, graph.size + 1}) {
      ColoringProof proof(whole, clique, known);
      std::vector<std::uint32_t> found;
      while (!proof.done()) {
        EXPECT_LE(proof.lower(), fewest);
        proof.step();
        if (auto one = proof.take_found(); !one.empty()) found = std::move(one);
      }
      EXPECT_EQ(proof.lower(), fewest);
      EXPECT_EQ(proof.fewer_than(), fewest);
      EXPECT_EQ(found.empty(), known == fewest);
      for (const auto& [u, v] : graph.edges) EXPECT_TRUE(found.empty() || found[u] != found[v]);
      EXPECT_TRUE(found.empty() || std::ranges::max(found) + 1 == fewest);
    }
  });
}

}  // namespace
}  // namespace tandem::solve
