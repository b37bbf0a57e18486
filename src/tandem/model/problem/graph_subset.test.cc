#include "tandem/model/problem/graph_subset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::problem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<ProblemPtr> parse(const Json& document) {
  return ProblemRegistry::with_builtin_types().parse(document, "/problem");
}

/// A path 0-1-2-3 and the edge 0-2.
Json graph(std::string_view type) {
  return {{"type", type}, {"num_nodes", 4}, {"edges", {{0, 1}, {2, 1}, {1, 2}, {2, 3}, {0, 2}}}};
}

TEST(GraphSubset, each_rule_judges_its_own_way) {
  const ProblemPtr set = parse(graph("independent_set")).value();
  EXPECT_EQ(set->sense(), Sense::kMax);
  EXPECT_EQ(set->score(Assignment{1, 0, 0, 1}), (Score{.objective = 2, .feasible = true, .violations = {}}));
  const Score adjacent = set->score(Assignment{1, 1, 1, 0});
  EXPECT_FALSE(adjacent.feasible);
  EXPECT_THAT(adjacent.violations, ElementsAre("'0' and '1' are neighbours and both chosen, and 2 more"));

  const ProblemPtr cover = parse(graph("vertex_cover")).value();
  EXPECT_EQ(cover->sense(), Sense::kMin);
  EXPECT_EQ(cover->score(Assignment{0, 1, 1, 0}), (Score{.objective = 2, .feasible = true, .violations = {}}));
  EXPECT_THAT(cover->score(Assignment{0, 1, 0, 0}).violations,
              ElementsAre("the edge between '0' and '2' has neither chosen, and 1 more"));

  const ProblemPtr clique = parse(graph("clique")).value();
  EXPECT_EQ(clique->sense(), Sense::kMax);
  EXPECT_EQ(clique->score(Assignment{1, 1, 1, 0}), (Score{.objective = 3, .feasible = true, .violations = {}}));
  EXPECT_THAT(clique->score(Assignment{1, 0, 0, 1}).violations,
              ElementsAre("'0' and '3' are chosen and no neighbours"));
}

TEST(GraphSubset, what_it_states_is_feasible_where_its_judge_says_so_and_as_good) {
  for (const std::string_view type : {"independent_set", "vertex_cover", "clique"}) {
    for (const Json& weights : {Json(), Json({2, 0.5, 1, 3})}) {
      Json document = graph(type);
      if (!weights.is_null()) document["weights"] = weights;
      const ProblemPtr problem = parse(document).value();
      const Statement statement = problem->state();
      const auto& cqm = std::get<Cqm>(statement);
      const double sign = problem->sense() == Sense::kMin ? 1 : -1;
      for (int choice = 0; choice < 16; ++choice) {
        Assignment values(4);
        for (std::size_t i = 0; i < 4; ++i) values[i] = static_cast<std::int8_t>(choice >> i & 1);
        const Score score = problem->score(values);
        EXPECT_EQ(cqm.feasible(values), score.feasible) << type << " " << choice;
        EXPECT_EQ(cqm.objective().energy(values), sign * score.objective) << type << " " << choice;
      }
    }
  }
}

TEST(GraphSubset, a_document_reads_back) {
  Json document = graph("clique");
  document["weights"] = {1, 2, 3, 4.5};
  document["names"] = {"a", "b", "c", "d"};
  const ProblemPtr problem = parse(document).value();
  EXPECT_EQ(problem->document().at("edges"), (Json{{0, 1}, {0, 2}, {1, 2}, {2, 3}}));  // each once
  EXPECT_EQ(parse(problem->document()).value()->hash(), problem->hash());
  EXPECT_EQ(problem->answer(Assignment{1, 1, 1, 0}), (Json{{"nodes", {"a", "b", "c"}}, {"size", 3}, {"weight", 6}}));
  EXPECT_THAT(problem->explain(Assignment{1, 1, 1, 0}),
              ElementsAre("The clique has 3 of 4 nodes; the graph has 4 edges.", "It weighs 6.", "Chosen: a, b, c."));
}

TEST(GraphSubset, many_edges_are_written_as_text) {
  std::vector<QuadraticTerm> edges;
  for (std::uint32_t u = 0; u < 500; ++u) {
    for (std::uint32_t v = u + 1; v < 500; ++v) edges.push_back({v, u, 1});
  }
  const ProblemPtr problem = make_independent_set(500, edges).value();
  EXPECT_TRUE(problem->document().at("edges").is_string());
  EXPECT_EQ(parse(problem->document()).value()->hash(), problem->hash());
}

TEST(GraphSubset, bad_input_is_refused_where_it_stands) {
  const auto with = [](const char* key, const Json& value) {
    Json document = graph("independent_set");
    document[key] = value;
    return parse(document);
  };
  EXPECT_THAT(with("edges", {{0, 4}}), FailsAt("/problem/edges/0/1", errors::kValueOutOfRange));
  EXPECT_THAT(with("edges", {{0, 1, 2}}), FailsAt("/problem/edges", errors::kValueOutOfRange));
  EXPECT_THAT(with("weights", {1, 1}), FailsAt("/problem/weights", errors::kSizeMismatch));
  EXPECT_THAT(with("weights", {1, 0, 1, 1}), FailsAt("/problem/weights/1", errors::kValueOutOfRange));
  EXPECT_THAT(with("weights", {1, 1e300, 1e300, 1}), FailsAt("/problem/weights", errors::kCoefficientOverflow));
  EXPECT_THAT(with("num_nodes", 0), FailsAt("/problem/num_nodes", errors::kValueOutOfRange));
  EXPECT_THAT(with("edgess", 0), FailsWith(errors::kUnknownKey));
  EXPECT_THAT(make_clique(100'000, {}), FailsWith(errors::kModelTooLarge));
}

}  // namespace
}  // namespace tandem::problem
