#include "tandem/model/format/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/format/format.h"

namespace tandem::format {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using testing::ElementsAre;
using testing::HasSubstr;

/// The edges of a made graph with their weights.
std::vector<QuadraticTerm> edges_of(const Generated& generated) {
  const problem::Statement statement = generated.problem->state();
  std::vector<QuadraticTerm> edges;
  for (const QuadraticTerm& term : std::get<Bqm>(statement).terms()) edges.push_back({term.u, term.v, term.bias / 2});
  return edges;
}

std::vector<std::uint32_t> degrees_of(const Generated& generated) {
  std::vector<std::uint32_t> degrees(generated.problem->num_variables(), 0);
  for (const QuadraticTerm& edge : edges_of(generated)) {
    ++degrees[edge.u];
    ++degrees[edge.v];
  }
  return degrees;
}

TEST(Palubeckis, first_entries_by_hand) {
  // Seed 1 gives the states of the minimal standard generator (Park, Miller 1988): 16807, 282475249, 1622650073, 984943658,
  // 1144108930, 470211272, ... q_00: trunc(201 x 16807 / 2^31) - 100 = 0 - 100. Pair (0, 1): 100 x 282475249 / 2^31 = 13.2 <= 50,
  // so q_01 = trunc(201 x 1622650073 / 2^31) - 100 = 151 - 100. Pair (0, 2): 45.9 <= 50, q_02 = trunc(107.1) - 100.
  const Generated generated = generate_palubeckis({.variables = 4, .density = 50, .seed = 1}).value();
  const auto bqm = std::get<Bqm>(generated.problem->state()).negated();
  EXPECT_EQ(bqm.linear()[0], -100);
  EXPECT_EQ(bqm.terms()[0], (QuadraticTerm{0, 1, 2 * 51}));
  EXPECT_EQ(bqm.terms()[1], (QuadraticTerm{0, 2, 2 * 7}));
}

// The same generator in Python, whose text was hashed with hashlib:
//   s = 16807 * s % 2147483647; u = s / 2**31; ctypes.c_float(100 * u).value <= density; int(201 * u) - 100
TEST(Palubeckis, instances_agree_with_an_independent_program) {
  const Generated small = generate_palubeckis({.variables = 60, .density = 80, .seed = 32000}).value();
  EXPECT_EQ(small.problem->hash().hex(), "4d778c54a2ca44f27f0564b8ff14fb972501dac1bdf382b3068c596bef8b0355");
  const Generated p3000 = generate_palubeckis(*find_palubeckis("p3000.1")).value();
  EXPECT_EQ(p3000.problem->hash().hex(), "fb9e54cf026dc8f2324e544b7be5288a09e6ec9f3343607ab09b2476f9447247");
  const auto bqm = std::get<Bqm>(p3000.problem->state()).negated();
  EXPECT_EQ(bqm.terms().size(), 2'238'426u);
  EXPECT_THAT(bqm.linear().subspan(0, 5), ElementsAre(-52, -85, -31, -14, -46));
  EXPECT_EQ(p3000.problem->sense(), problem::Sense::kMax);
  EXPECT_EQ(p3000.format, FileFormat::kSparse);
  EXPECT_EQ(p3000.command, "tandem generate palubeckis --variables 3000 --density 50 --seed 31000");
}

TEST(Palubeckis, the_published_names_are_known) {
  // The table of the 21 instances: seeds are 1000 n + 10000 k for most, with p6000.3 = 64000 and p7000.3 = 74000.
  for (const auto& [name, options] :
       std::vector<std::pair<std::string_view, PalubeckisOptions>>{{"p3000.5", {3000, 100, 35000}},
                                                                   {"p4000.2", {4000, 80, 42000}},
                                                                   {"p5000.1", {5000, 50, 51000}},
                                                                   {"p6000.3", {6000, 100, 64000}},
                                                                   {"p7000.3", {7000, 100, 74000}}}) {
    EXPECT_EQ(find_palubeckis(name), options) << name;
  }
  EXPECT_EQ(find_palubeckis("p3000.6"), std::nullopt);
}

TEST(Regular, every_node_has_the_degree_and_no_edge_stands_twice) {
  for (std::uint32_t nodes = 1; nodes <= 12; ++nodes) {
    for (std::uint32_t degree = 0; degree < nodes; ++degree) {
      if (nodes * degree % 2 != 0) continue;
      for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const Generated graph = generate_regular({.nodes = nodes, .degree = degree, .seed = seed}).value();
        EXPECT_THAT(degrees_of(graph), testing::Each(degree)) << nodes << " " << degree << " " << seed;
        // Merged double edges would weigh 2.
        for (const QuadraticTerm& edge : edges_of(graph)) EXPECT_EQ(edge.bias, 1);
      }
    }
  }
  const Generated large = generate_regular({.nodes = 20'000, .degree = 7, .seed = 3}).value();
  EXPECT_THAT(degrees_of(large), testing::Each(7u));
  EXPECT_EQ(edges_of(large).size(), 70'000u);
}

TEST(Regular, a_dense_graph_costs_its_edges) {
  // 2.2 million edges, a million switches: a second or less. Looking through all neighbours at every step took minutes.
  const Generated dense = generate_regular({.nodes = 3'000, .degree = 1'499, .seed = 5}).value();
  EXPECT_THAT(degrees_of(dense), testing::Each(1'499u));
  for (const QuadraticTerm& edge : edges_of(dense)) ASSERT_EQ(edge.bias, 1);
}

TEST(Regular, all_graphs_appear) {
  // There are 70 labelled 3-regular graphs on 6 nodes: 60 prisms and 10 K_{3,3}. With 3000 draws the chance to miss a given one
  // of probability near 1/70 is below 1e-17.
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    seen.insert(generate_regular({.nodes = 6, .degree = 3, .seed = seed}).value().problem->hash().hex());
  }
  EXPECT_EQ(seen.size(), 70u);
}

TEST(Gnp, pairs_are_edges_with_the_probability) {
  for (const double p : {0.01, 0.3, 0.5, 0.9}) {
    // 40 graphs of 190 pairs: mean and each pair's count within 5 standard deviations (false failure below 1e-4 in all).
    std::vector<int> count(20 * 20, 0);
    int total = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      for (const QuadraticTerm& edge : edges_of(generate_gnp({.nodes = 20, .probability = p, .seed = seed}).value())) {
        ++count[edge.u * 20 + edge.v];
        ++total;
      }
    }
    const double pairs = 40 * 190;
    EXPECT_NEAR(total, pairs * p, 5 * std::sqrt(pairs * p * (1 - p)));
    for (std::uint32_t u = 0; u < 20; ++u) {
      for (std::uint32_t v = u + 1; v < 20; ++v) {
        EXPECT_NEAR(count[u * 20 + v], 40 * p, 5 * std::sqrt(40 * p * (1 - p)) + 1) << u << " " << v;
      }
    }
  }
}

TEST(Gnp, probabilities_0_and_1_and_large_sparse_graphs) {
  EXPECT_TRUE(edges_of(generate_gnp({.nodes = 30, .probability = 0}).value()).empty());
  EXPECT_EQ(edges_of(generate_gnp({.nodes = 30, .probability = 1}).value()).size(), 435u);
  EXPECT_TRUE(edges_of(generate_gnp({.nodes = 1, .probability = 1}).value()).empty());
  // 200,000 nodes, mean degree 4: 400,000 edges with standard deviation 632.
  const auto edges = edges_of(generate_gnp({.nodes = 200'000, .probability = 2e-5, .seed = 5}).value());
  EXPECT_NEAR(static_cast<double>(edges.size()), 400'000, 5 * 633);
}

TEST(Torus, every_node_has_its_four_neighbours) {
  const Generated torus = generate_torus({.rows = 3, .columns = 4, .seed = 1}).value();
  EXPECT_THAT(degrees_of(torus), testing::Each(4u));
  std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (const QuadraticTerm& edge : edges_of(torus)) {
    EXPECT_EQ(std::abs(edge.bias), 1);
    pairs.emplace(edge.u, edge.v);
  }
  EXPECT_EQ(pairs.size(), 24u);
  // Node 0 stands in a corner: right 1, left 3, below 4, above 8.
  for (const std::uint32_t v : {1u, 3u, 4u, 8u}) EXPECT_TRUE(pairs.contains({0, v})) << v;
}

TEST(Torus, weights_are_balanced) {
  double sum = 0;
  const auto edges = edges_of(generate_torus({.rows = 100, .columns = 100, .seed = 9}).value());
  for (const QuadraticTerm& edge : edges) sum += edge.bias;
  EXPECT_LT(std::abs(sum), 5 * std::sqrt(static_cast<double>(edges.size())));
}

TEST(Generators, the_same_options_give_the_same_instance_and_other_seeds_another) {
  const auto make = [](std::uint64_t seed) {
    return std::vector<std::string>{
        generate_regular({.nodes = 30, .degree = 4, .seed = seed}).value().problem->hash().hex(),
        generate_gnp({.nodes = 30, .probability = 0.2, .seed = seed}).value().problem->hash().hex(),
        generate_torus({.rows = 5, .columns = 6, .seed = seed}).value().problem->hash().hex(),
        generate_planted({.rows = 4, .columns = 6, .seed = seed}).value().problem->hash().hex(),
        generate_planted({.rows = 4, .columns = 4, .layers = 4, .seed = seed}).value().problem->hash().hex()};
  };
  EXPECT_EQ(make(1), make(1));
  const auto one = make(1);
  const auto two = make(2);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NE(one[i], two[i]);
}

TEST(Planted, the_optimum_is_that_of_all_assignments) {
  for (const std::uint64_t seed : {1u, 2u, 3u, 4u}) {
    const Generated lattice = generate_planted({.rows = 4, .columns = 4, .seed = seed}).value();
    const auto edges = edges_of(lattice);
    ASSERT_EQ(edges.size(), 32u);
    double best = -1e9;
    for (std::uint32_t state = 0; state < 1u << 16; ++state) {
      double cut = 0;
      for (const QuadraticTerm& edge : edges) cut += (state >> edge.u & 1) != (state >> edge.v & 1) ? edge.bias : 0;
      best = std::max(best, cut);
    }
    EXPECT_EQ(lattice.optimum, best) << seed;
  }
}

/// The sum over tiles of their own optima, which no assignment exceeds: tiles are the squares or cubes whose least corner has
/// coordinates of one parity.
double bound_of_tiles(const Generated& lattice, const std::vector<std::uint32_t>& sides) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, double> weights;
  for (const QuadraticTerm& edge : edges_of(lattice)) weights[{edge.u, edge.v}] = edge.bias;
  const auto coordinates = [&](std::uint32_t node) {
    std::vector<std::uint32_t> at(sides.size());
    for (std::size_t d = sides.size(); d-- > 0; node /= sides[d]) at[d] = node % sides[d];
    return at;
  };
  double bound = 0;
  std::size_t seen = 0;
  for (std::uint32_t node = 0; node < lattice.problem->num_variables(); ++node) {
    const auto least = coordinates(node);
    if (!std::ranges::all_of(least, [&](std::uint32_t c) { return c % 2 == least[0] % 2; })) continue;
    std::vector<std::uint32_t> corners;
    for (std::uint32_t bits = 0; bits < 1u << sides.size(); ++bits) {
      std::uint32_t at = 0;
      for (std::size_t d = 0; d < sides.size(); ++d) at = at * sides[d] + (least[d] + (bits >> d & 1)) % sides[d];
      corners.push_back(at);
    }
    double best = -1e9;
    for (std::uint32_t state = 0; state < 1u << corners.size(); ++state) {
      double cut = 0;
      for (std::size_t a = 0; a < corners.size(); ++a) {
        for (std::size_t b = a + 1; b < corners.size(); ++b) {
          if ((state >> a & 1) == (state >> b & 1)) continue;
          const auto edge = weights.find(std::minmax(corners[a], corners[b]));
          if (edge != weights.end()) cut += edge->second;
        }
      }
      best = std::max(best, cut);
    }
    bound += best;
    seen += sides.size() == 2 ? 4 : 12;
  }
  EXPECT_EQ(seen, weights.size());
  return bound;
}

TEST(Planted, the_optimum_is_the_sum_of_those_of_its_tiles) {
  const Generated grid = generate_planted({.rows = 6, .columns = 10, .seed = 5}).value();
  EXPECT_THAT(degrees_of(grid), testing::Each(4u));
  EXPECT_EQ(grid.optimum, bound_of_tiles(grid, {6, 10}));
  const Generated block = generate_planted({.rows = 4, .columns = 6, .layers = 8, .seed = 6}).value();
  EXPECT_THAT(degrees_of(block), testing::Each(6u));
  EXPECT_EQ(block.optimum, bound_of_tiles(block, {8, 4, 6}));
}

TEST(Generators, the_command_names_every_option) {
  EXPECT_EQ(generate_planted({.rows = 4, .columns = 6}).value().command,
            "tandem generate planted --rows 4 --columns 6 --seed 1");
  EXPECT_EQ(generate_planted({.rows = 4, .columns = 6, .layers = 8}).value().command,
            "tandem generate planted --rows 4 --columns 6 --layers 8 --seed 1");
  EXPECT_EQ(generate_regular({.nodes = 30, .degree = 4, .seed = 7}).value().command,
            "tandem generate regular --nodes 30 --degree 4 --weights one --seed 7");
  EXPECT_EQ(generate_gnp({.nodes = 30, .probability = 0.25, .weights = EdgeWeights::kPlusMinusOne}).value().command,
            "tandem generate gnp --nodes 30 --probability 0.25 --weights pm1 --seed 1");
  EXPECT_EQ(generate_torus({.rows = 3, .columns = 4}).value().command,
            "tandem generate torus --rows 3 --columns 4 --weights pm1 --seed 1");
}

TEST(Generators, the_command_recorded_in_the_file_is_skipped_when_read) {
  const auto registry = problem::ProblemRegistry::with_builtin_types();
  for (const Generated& generated : {generate_torus({.rows = 3, .columns = 4}).value(),
                                     generate_palubeckis({.variables = 9, .density = 70, .seed = 5}).value()}) {
    const std::string text =
        write_problem(*generated.problem, generated.format, std::vector<std::string>{generated.command}).value();
    EXPECT_THAT(text, HasSubstr("\n# " + generated.command + "\n"));
    EXPECT_EQ(read_problem(text, "made.txt", {}, registry).value()->hash(), generated.problem->hash());
  }
}

TEST(Generators, options_outside_their_limits_are_refused_with_the_flag) {
  EXPECT_THAT(generate_palubeckis({.variables = 0}), FailsAt("--variables", errors::kValueOutOfRange));
  EXPECT_THAT(generate_palubeckis({.variables = 20'001}), FailsAt("--variables", errors::kValueOutOfRange));
  EXPECT_THAT(generate_palubeckis({.variables = 9, .density = 101}), FailsAt("--density", errors::kValueOutOfRange));
  EXPECT_THAT(generate_palubeckis({.variables = 9, .seed = 2147483647}), FailsAt("--seed", errors::kValueOutOfRange));
  EXPECT_THAT(generate_regular({.nodes = 0}), FailsAt("--nodes", errors::kValueOutOfRange));
  EXPECT_THAT(generate_regular({.nodes = 5, .degree = 3}), FailsAt("--degree", errors::kValueOutOfRange));
  EXPECT_THAT(generate_regular({.nodes = 4, .degree = 4}), FailsAt("--degree", errors::kValueOutOfRange));
  EXPECT_THAT(generate_regular({.nodes = 10'000'000, .degree = 100}), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(generate_gnp({.nodes = 5, .probability = 1.5}), FailsAt("--probability", errors::kValueOutOfRange));
  EXPECT_THAT(generate_gnp({.nodes = 5, .probability = std::nan("")}),
              FailsAt("--probability", errors::kValueOutOfRange));
  EXPECT_THAT(generate_gnp({.nodes = 1'000'000, .probability = 0.5}), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(generate_torus({.rows = 2, .columns = 9}), FailsAt("--rows", errors::kValueOutOfRange));
  EXPECT_THAT(generate_torus({.rows = 4'000'000, .columns = 4'000'000}), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(generate_planted({.rows = 5, .columns = 8}), FailsAt("--rows", errors::kValueOutOfRange));
  EXPECT_THAT(generate_planted({.rows = 4, .columns = 2}), FailsAt("--columns", errors::kValueOutOfRange));
  EXPECT_THAT(generate_planted({.rows = 4, .columns = 4, .layers = 2}), FailsAt("--layers", errors::kValueOutOfRange));
  EXPECT_THAT(generate_planted({.rows = 4'000'000, .columns = 4'000'000}), FailsWith(errors::kModelTooLarge));
  EXPECT_THAT(parse_edge_weights("pm2"), FailsWith(errors::kValueOutOfRange));
}

TEST(Labs, is_the_sum_of_the_squared_correlations_of_every_sequence) {
  for (std::uint32_t n = 1; n <= 10; ++n) {
    const Generated generated = generate_labs({.size = n}).value();
    ASSERT_EQ(generated.problem->num_variables(), n);
    for (std::uint32_t word = 0; word < 1u << n; ++word) {
      problem::Assignment spins(n);
      for (std::uint32_t i = 0; i < n; ++i) spins[i] = (word >> i & 1) != 0 ? 1 : -1;
      int energy = 0;
      for (std::uint32_t k = 1; k < n; ++k) {
        int correlation = 0;
        for (std::uint32_t i = 0; i + k < n; ++i) correlation += spins[i] * spins[i + k];
        energy += correlation * correlation;
      }
      ASSERT_EQ(generated.problem->score(spins).objective, energy) << n << " " << word;
    }
  }
}

TEST(Labs, is_written_as_a_document_alone) {
  const Generated generated = generate_labs({.size = 5}).value();
  EXPECT_EQ(generated.format, FileFormat::kDocument);
  EXPECT_EQ(generated.command, "tandem generate labs --size 5");
  EXPECT_THAT(write_problem(*generated.problem, FileFormat::kSparse), FailsWith(errors::kFormatCannotExpress));
  EXPECT_THAT(write_problem(*generated.problem, FileFormat::kQplib), FailsWith(errors::kFormatCannotExpress));
  EXPECT_THAT(generate_labs({.size = 0}), FailsAt("--size", errors::kValueOutOfRange));
  EXPECT_THAT(generate_labs({.size = LabsOptions::kSizeMax + 1}), FailsAt("--size", errors::kValueOutOfRange));
}

}  // namespace
}  // namespace tandem::format
