// Parallel tempering: its distributions against Boltzmann's, its ladder, and its search against all assignments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tandem/base/executor.h"
#include "tandem/compute/solve/tempering_search.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Vartype;

SearchModel search_model(const Bqm& bqm) {
  return SearchModel::create(bqm, std::uint64_t{1} << 30, simd::best_isa()).value();
}

/// A race that nothing stops, for its watch.
struct Unstopped {
  ThreadExecutor executor{1};
  SolveContext context{executor, {}, {}, 1};
  WorkLimit unlimited;
  Race race{{.objective = [](std::int64_t energy) { return static_cast<double>(energy); }}, unlimited, context};
  Watch watch{race, 0};
};

/// Boltzmann probabilities of all assignments, bit i of the index being variable i.
std::vector<double> boltzmann(const SearchModel& search, double temperature) {
  std::vector<double> out(std::size_t{1} << search.size());
  for (std::size_t code = 0; code < out.size(); ++code) {
    Assignment bits(search.size());
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::int8_t>(code >> i & 1);
    out[code] = std::exp(-static_cast<double>(search.energy(bits)) / temperature);
  }
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& one : out) one /= sum;
  return out;
}

/// Pearson's chi-square of `counts`, classes of fewer than five expected draws taken together, as a number of standard deviations
/// (Wilson, Hilferty 1931).
double surprise(std::span<const std::uint64_t> counts, std::span<const double> probabilities) {
  const auto draws = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  double chi = 0;
  double rare_seen = 0;
  double rare_expected = 0;
  int classes = 0;
  const auto add = [&](double seen, double expected) {
    chi += (seen - expected) * (seen - expected) / expected;
    ++classes;
  };
  for (std::size_t code = 0; code < counts.size(); ++code) {
    const double expected = draws * probabilities[code];
    if (expected >= 5) {
      add(static_cast<double>(counts[code]), expected);
    } else {
      rare_seen += static_cast<double>(counts[code]);
      rare_expected += expected;
    }
  }
  if (rare_expected >= 5) add(rare_seen, rare_expected);
  const double freedom = classes - 1;
  const double spread = 2 / (9 * freedom);
  return (std::cbrt(chi / freedom) - (1 - spread)) / std::sqrt(spread);
}

TEST(ReplicaTempering, keeps_the_boltzmann_distribution_at_every_level) {
  // Draws are many sweeps apart, from chains that share no state, so that they count as independent ones. 16 levels of three
  // models, each 4 standard deviations: on another seed one of the 48 is passed with probability 48 * 3.2e-5 = 0.2 %.
  constexpr std::uint32_t kLevels = 16;
  constexpr std::uint64_t kSweeps = 20;
  constexpr int kRounds = 10'000;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const SearchModel search = search_model(problem::random_bqm(Vartype::kSpin, 5, 0.7, seed));
    const ReplicaModel model(search);
    Unstopped world;
    const Temperatures temperatures = measure_temperatures(search);
    ReplicaTempering tempering(
        model, {.seed = seed, .temperatures = {3 * temperatures.hot, temperatures.hot}, .levels = kLevels});
    std::vector<std::vector<std::uint64_t>> counts(kLevels,
                                                   std::vector<std::uint64_t>(std::size_t{1} << search.size()));
    Assignment bits;
    for (int round = 0; round < kRounds; ++round) {
      tempering.begin(kSweeps, 0);
      tempering.advance(UINT64_MAX, world.watch);
      ASSERT_TRUE(tempering.done());
      if (round == 0) continue;  // still near the random start
      for (std::size_t r = 0; r < kReplicas; ++r) {
        tempering.copy(r, bits);
        std::size_t code = 0;
        for (std::size_t i = 0; i < bits.size(); ++i) code |= static_cast<std::size_t>(bits[i]) << i;
        ++counts[tempering.level(r)][code];
        ASSERT_EQ(tempering.energy(r), search.energy(bits));
      }
    }
    for (std::uint32_t level = 0; level < kLevels; ++level) {
      EXPECT_LT(surprise(counts[level], boltzmann(search, tempering.temperature(level))), 4)
          << "seed " << seed << ", level " << level;
      // Another temperature's distribution is told apart, so the test can fail.
      EXPECT_GT(surprise(counts[level], boltzmann(search, 1.2 * tempering.temperature(level))), 4)
          << "seed " << seed << ", level " << level;
    }
  }
}

TEST(ReplicaTempering, has_a_geometric_ladder_and_walks_all_of_it) {
  const SearchModel search = search_model(problem::random_bqm(Vartype::kSpin, 40, 0.2, 4));
  const ReplicaModel model(search);
  Unstopped world;
  for (const std::uint32_t levels : {1u, 2u, 8u, 32u}) {
    ReplicaTempering tempering(model, {.seed = 3, .temperatures = {6, 1.5}, .levels = levels});
    EXPECT_DOUBLE_EQ(tempering.temperature(0), 1.5);
    for (std::uint32_t level = 1; level < levels; ++level) {
      EXPECT_NEAR(tempering.temperature(level), 1.5 * std::pow(4, static_cast<double>(level) / (levels - 1)), 1e-9);
    }
    std::vector<bool> seen(levels);
    for (int round = 0; round < 3000; ++round) {
      tempering.begin(1, 0);
      tempering.advance(UINT64_MAX, world.watch);
      seen[tempering.level(0)] = true;
      std::vector<int> taken(levels);
      for (std::size_t r = 0; r < kReplicas; ++r) ++taken[tempering.level(r)];
      ASSERT_THAT(taken, testing::Each(static_cast<int>(kReplicas / levels)));
    }
    EXPECT_THAT(seen, testing::Each(true)) << levels << " levels";
  }
}

TEST(ReplicaTempering, quenches_copies_and_leaves_the_chains_alone) {
  const SearchModel search = search_model(problem::random_bqm(Vartype::kSpin, 60, 0.1, 4));
  const ReplicaModel model(search);
  Unstopped world;
  const Temperatures temperatures = measure_temperatures(search);
  ReplicaTempering plain(model, {.seed = 3, .temperatures = temperatures});
  plain.begin(30, 0);
  plain.advance(UINT64_MAX, world.watch);
  ReplicaTempering quenched(model, {.seed = 3, .temperatures = temperatures});
  quenched.begin(30, 4);
  quenched.advance(UINT64_MAX, world.watch);
  Assignment bits;
  for (std::size_t r = 0; r < kReplicas; ++r) {
    EXPECT_LE(quenched.energy(r), plain.energy(r));
    quenched.copy(r, bits);
    EXPECT_EQ(quenched.energy(r), search.energy(bits));
    EXPECT_EQ(quenched.level(r), plain.level(r));
  }
}

Archive search_for(const ReplicaModel& model, TemperingSearchOptions options, std::uint64_t units) {
  options.temperatures = measure_temperatures(model.search_model());
  TemperingSearch search(model, std::move(options));
  Unstopped world;
  search.advance(units, world.watch);
  Archive out(4);
  search.collect(out);
  return out;
}

TEST(TemperingSearch, finds_the_swept_optimum_of_small_models) {
  std::vector<Bqm> models = {Bqm::create(Vartype::kBinary, {-3}, {}, 1).value(),
                             Bqm::create(Vartype::kSpin, {0}, {}, 0).value(),
                             Bqm::create(Vartype::kBinary, std::vector<double>(5), {{0, 1, 0}}, 2).value()};
  for (std::uint32_t n = 1; n <= 14; ++n) {
    for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
      for (const double density : {0.2, 1.0}) models.push_back(problem::random_bqm(vartype, n, density, n));
    }
  }
  for (const Bqm& bqm : models) {
    const SearchModel search = search_model(bqm);
    std::int64_t least = INT64_MAX;
    problem::for_each_assignment(Vartype::kBinary, search.size(),
                                 [&](const Assignment& bits) { least = std::min(least, search.energy(bits)); });
    const ReplicaModel model(search);
    const Archive found = search_for(model, {.seed = 5}, 2000 * search.size() + 2000);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.candidates().front().energy, least) << search.size();
    for (const Candidate& candidate : found.candidates()) EXPECT_EQ(candidate.energy, search.energy(candidate.bits));
  }
}

TEST(TemperingSearch, has_something_after_its_first_step_and_takes_parts_of_what_it_is_offered) {
  const SearchModel search = search_model(problem::random_bqm(Vartype::kSpin, 300, 0.03, 9));
  const ReplicaModel model(search);
  const Archive first = search_for(model, {.seed = 1}, 1);
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(first.candidates().front().energy, search.energy(first.candidates().front().bits));

  const Candidate good = search_for(model, {.seed = 1}, 2000 * search.size()).candidates().front();
  TemperingSearch other(model, {.seed = 2, .temperatures = measure_temperatures(search)});
  Unstopped world;
  other.advance(5 * search.size(), world.watch);
  ASSERT_GT(other.best_energy(), good.energy);
  other.offer(good);
  other.advance(200 * search.size(), world.watch);
  EXPECT_LE(other.best_energy(), good.energy);
}

}  // namespace
}  // namespace tandem::solve
