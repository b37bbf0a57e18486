// Colourings: the judge, the statement and the greedy pass against plain sweeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/greedy_coloring.h"
#include "tandem/model/problem/problem.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;

Result<ProblemPtr> parse(const Json& document) {
  return ProblemRegistry::with_builtin_types().parse(document, "/problem");
}

/// A triangle 0-1-2 with a tail 2-3.
Json graph() { return {{"type", "coloring"}, {"num_nodes", 4}, {"edges", {{0, 1}, {2, 1}, {1, 2}, {0, 2}, {2, 3}}}}; }

/// Bits for a colour a node, written down by hand from the rule: node v has the variables of colours 0 .. min(v, colors - 1).
Assignment bits_of(const std::vector<std::size_t>& colors, std::size_t num_colors, bool counted) {
  Assignment out;
  std::size_t used = 0;
  for (std::size_t node = 0; node < colors.size(); ++node) {
    for (std::size_t color = 0; color <= std::min(node, num_colors - 1); ++color)
      out.push_back(color == colors[node] ? 1 : 0);
    used = std::max(used, colors[node] + 1);
  }
  for (std::size_t color = 0; counted && color < num_colors; ++color) out.push_back(color < used ? 1 : 0);
  return out;
}

/// The fewest colours, by trying all.
std::size_t swept(std::size_t n, const std::vector<Edge>& edges) {
  for (std::size_t k = 1;; ++k) {
    std::vector<std::size_t> colors(n);
    while (true) {
      if (std::ranges::all_of(edges, [&](const Edge& edge) { return colors[edge.first] != colors[edge.second]; }))
        return k;
      std::size_t at = 0;
      while (at < n && ++colors[at] == k) colors[at++] = 0;
      if (at == n) break;
    }
  }
}

TEST(Coloring, few_colours_are_judged_and_told) {
  const ProblemPtr problem = parse(graph()).value();
  EXPECT_EQ(problem->sense(), Sense::kMin);
  EXPECT_EQ(problem->num_variables(), 1u + 2 + 3 + 3 + 3);  // three colours do, says the greedy pass
  const Assignment good = bits_of({0, 1, 2, 0}, 3, true);
  EXPECT_EQ(problem->score(good), (Score{.objective = 3, .feasible = true, .violations = {}}));
  EXPECT_EQ(problem->answer(good), (Json{{"colors", 3}, {"conflicts", 0}, {"classes", {{0, 3}, {1}, {2}}}}));
  EXPECT_THAT(problem->explain(good), ElementsAre("The colouring uses 3 colours for 4 nodes and 4 edges.",
                                                  "Colour 1: 0, 3.", "Colour 2: 1.", "Colour 3: 2."));
  const Assignment bad = bits_of({0, 0, 0, 0}, 3, true);
  EXPECT_EQ(problem->score(bad).objective, 1 + 4 * 3);  // an edge of one colour costs as much as all three
  EXPECT_EQ(problem->explain(bad)[1], "Neighbours of one colour: '0' and '1', and 3 more pairs.");
  Assignment uncounted = good;
  uncounted.back() = 0;
  EXPECT_THAT(problem->score(uncounted).violations, ElementsAre("1 colours are used and not counted"));
  Assignment none = good;
  none[0] = 0;
  EXPECT_THAT(problem->score(none).violations, ElementsAre("'0' has 0 colours, must be exactly one"));
}

TEST(Coloring, given_colours_ask_for_few_conflicts) {
  Json document = graph();
  document["colors"] = 2;
  document["names"] = {"a", "b", "c", "d"};
  const ProblemPtr problem = parse(document).value();
  EXPECT_EQ(problem->num_variables(), 1u + 2 + 2 + 2);
  const Assignment bits = bits_of({0, 1, 1, 0}, 2, false);
  EXPECT_EQ(problem->score(bits), (Score{.objective = 1, .feasible = true, .violations = {}}));
  EXPECT_EQ(problem->answer(bits).dump(), R"({"classes":[["a","d"],["b","c"]],"colors":2,"conflicts":1})");
  EXPECT_THAT(problem->explain(bits),
              ElementsAre("The colouring uses 2 colours of 2 for 4 nodes and 4 edges.",
                          "Neighbours of one colour: 'b' and 'c'.", "Colour 1: a, d.", "Colour 2: b, c."));
  EXPECT_EQ(parse(problem->document()).value()->hash(), problem->hash());
  document["colors"] = 9;  // more than there are nodes: as many as nodes
  EXPECT_EQ(parse(document).value()->num_variables(), 1u + 2 + 3 + 4);
  EXPECT_EQ(parse(parse(document).value()->document()).value()->hash(), parse(document).value()->hash());
}

TEST(Coloring, the_least_energy_of_the_statement_is_the_fewest_colours_or_conflicts) {
  Xoshiro256 rng(7);
  for (int round = 0; round < 60; ++round) {
    const std::size_t n = 1 + rng.below(5);
    std::vector<QuadraticTerm> pairs;
    std::vector<Edge> edges;
    for (std::uint32_t u = 0; u < n; ++u) {
      for (std::uint32_t v = u + 1; v < n; ++v) {
        if (rng.below(2) == 0) continue;
        pairs.push_back({v, u, 1});
        edges.emplace_back(u, v);
      }
    }
    const std::size_t fewest = swept(n, edges);
    for (const std::optional<std::size_t> given : {std::optional<std::size_t>(), std::optional<std::size_t>(2)}) {
      const ProblemPtr problem = make_coloring(n, pairs, given).value();
      const Statement statement = problem->state();
      const auto& cqm = std::get<Cqm>(statement);
      ASSERT_LE(cqm.num_variables(), 20u);
      double least = 1e9;
      for (std::uint32_t choice = 0; choice < (1u << cqm.num_variables()); ++choice) {
        Assignment values(cqm.num_variables());
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int8_t>(choice >> i & 1);
        const Score score = problem->score(values);
        const double energy = cqm.objective().energy(values);
        ASSERT_EQ(score.feasible, cqm.feasible(values));
        ASSERT_EQ(score.objective, energy);
        if (!score.feasible) continue;
        // Whatever has a conflict is worse than the best that has none.
        const bool conflicts = problem->answer(values).at("conflicts") != 0;
        ASSERT_TRUE(!conflicts || given || energy > static_cast<double>(fewest));
        least = std::min(least, energy);
      }
      EXPECT_TRUE(given ? (least == 0) == (fewest <= 2) : least == static_cast<double>(fewest)) << least;
    }
  }
}

TEST(Coloring, the_greedy_pass_has_no_conflicts_and_is_exact_on_two_parts_cycles_and_cliques) {
  Xoshiro256 rng(3);
  for (std::size_t n = 1; n < 80; ++n) {
    std::vector<Edge> edges;
    for (std::uint32_t u = 0; u < n; ++u) {
      for (std::uint32_t v = u + 1; v < n; ++v)
        if (rng.below(3) == 0) edges.emplace_back(u, v);
    }
    const auto colors = greedy_coloring(n, edges);
    for (const auto& [u, v] : edges) EXPECT_NE(colors[u], colors[v]);
    std::vector<Edge> two_parts;
    for (const auto& [u, v] : edges)
      if ((u + v) % 2 == 1) two_parts.emplace_back(u, v);
    EXPECT_LE(std::ranges::max(greedy_coloring(n, two_parts)), 1u);
    std::vector<Edge> cycle;
    for (std::uint32_t u = 0; u + 1 < n; ++u) cycle.emplace_back(u, u + 1);
    if (n > 2) cycle.emplace_back(0, static_cast<std::uint32_t>(n - 1));
    EXPECT_EQ(std::ranges::max(greedy_coloring(n, cycle)), n < 2 ? 0u : n == 2 || n % 2 == 0 ? 1u : 2u);
  }
  std::vector<Edge> all;  // more colours than a word has bits
  for (std::uint32_t u = 0; u < 150; ++u)
    for (std::uint32_t v = u + 1; v < 150; ++v) all.emplace_back(u, v);
  EXPECT_EQ(std::ranges::max(greedy_coloring(150, all)), 149u);
}

TEST(Coloring, bad_input_is_refused_where_it_stands) {
  const auto with = [](const char* key, const Json& value) {
    Json document = graph();
    document[key] = value;
    return parse(document);
  };
  EXPECT_THAT(with("colors", 0), FailsAt("/problem/colors", errors::kValueOutOfRange));
  EXPECT_THAT(with("edges", {{0, 4}}), FailsAt("/problem/edges/0/1", errors::kValueOutOfRange));
  EXPECT_THAT(with("edges", {{0, 1, 2}}), FailsAt("/problem/edges", errors::kValueOutOfRange));
  EXPECT_THAT(with("weights", {1, 1, 1, 1}), FailsWith(errors::kUnknownKey));
  EXPECT_THAT(with("names", {"a"}), FailsAt("/problem/names", errors::kSizeMismatch));
  EXPECT_THAT(make_coloring(1'000'000, {}, 20), FailsWith(errors::kModelTooLarge));
}

}  // namespace
}  // namespace tandem::problem
