#include "tandem/compute/solve/width_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

#include "tandem/base/testing/matchers.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::IntegerBqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;

/// Integers from -most to most, a tenth of them zero; `degree` couplings a variable on average.
Bqm sparse_model(Vartype vartype, std::uint32_t n, double degree, std::int64_t most, std::uint64_t seed,
                 bool fields = true) {
  Xoshiro256 rng(seed);
  const auto coefficient = [&] {
    const auto value = static_cast<std::int64_t>(rng.below(2 * static_cast<std::uint64_t>(most) + 1)) - most;
    return rng.below(10) == 0 ? 0.0 : static_cast<double>(value);
  };
  std::vector<double> linear(n);
  if (fields) std::ranges::generate(linear, coefficient);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v) {
      if (rng.uniform() * n < degree) terms.push_back({u, v, coefficient()});
    }
  }
  return Bqm::create(vartype, std::move(linear), std::move(terms), 3).value();
}

WidthPlan make_plan(const SearchModel& model, std::span<const std::uint32_t> region, const WidthLimits& limits,
                    std::uint64_t seed) {
  WidthPlanner planner(model);
  planner.begin(region, limits, seed);
  while (planner.step()) {
  }
  EXPECT_FALSE(planner.failed());
  return planner.take([] { return false; }).value();
}

std::vector<std::int64_t> fields_of(const SearchModel& model, const Assignment& bits) {
  std::vector<std::int64_t> fields(model.linear().begin(), model.linear().end());
  for (std::size_t i = 0; i < model.size(); ++i) {
    for_each_coupling(model, i, [&](std::size_t j, std::int64_t weight) { fields[i] += bits[j] * weight; });
  }
  return fields;
}

std::vector<std::uint32_t> best_flips(const SearchModel& model, const WidthPlan& plan, const Assignment& bits,
                                      std::uint64_t seed) {
  WidthTables tables(model);
  const std::vector<std::int64_t> fields = fields_of(model, bits);
  tables.begin(plan, fields, bits);
  while (!tables.done()) tables.step();
  Xoshiro256 rng(seed);
  std::vector<std::uint32_t> flips;
  tables.trace(rng, flips);
  return flips;
}

std::int64_t energy_of(const IntegerBqm& bqm, const Assignment& bits) {
  return bqm.energy(problem::convert(bits, Vartype::kBinary, bqm.vartype));
}

/// Least energy over all values of `free`, the others as they stand.
std::int64_t least_energy(const IntegerBqm& bqm, Assignment bits, std::span<const std::uint32_t> free) {
  std::int64_t least = INT64_MAX;
  for (std::uint64_t values = 0; values < std::uint64_t{1} << free.size(); ++values) {
    for (std::size_t k = 0; k < free.size(); ++k) bits[free[k]] = static_cast<std::int8_t>(values >> k & 1);
    least = std::min(least, energy_of(bqm, bits));
  }
  return least;
}

/// Plans `region` at each width, and holds every run to the exhaustive optimum of what was planned, on every instruction set.
void expect_exact(const Bqm& bqm, std::span<const std::uint32_t> region, std::uint64_t seed,
                  std::set<std::uint32_t>* value_bytes = nullptr) {
  const IntegerBqm integers = *bqm.to_integer();
  Xoshiro256 rng(seed);
  for (const std::size_t width : {std::size_t{1}, std::size_t{3}, std::size_t{5}, region.size()}) {
    std::optional<std::vector<std::uint32_t>> first;
    Assignment bits(bqm.num_variables());
    for (std::int8_t& bit : bits) bit = static_cast<std::int8_t>(rng() >> 63);
    for (const simd::Isa isa : simd::runnable_isas()) {
      const SearchModel model = SearchModel::create(bqm, kMemory, isa).value();
      const WidthPlan plan = make_plan(model, region, {.width = width}, seed);
      ASSERT_EQ(plan.size() + plan.fixed.size(), region.size());
      ASSERT_LE(plan.bits_max, width);
      if (value_bytes != nullptr) value_bytes->insert(plan.value_bytes);
      const std::vector<std::uint32_t> flips = best_flips(model, plan, bits, seed);
      if (first) {
        EXPECT_EQ(flips, *first) << to_string(isa);
      } else {
        std::vector<std::uint32_t> free;
        for (std::size_t s = 0; s < plan.size(); ++s) free.push_back(plan.steps[s].variable);
        Assignment after = bits;
        for (const std::uint32_t i : flips) after[i] = static_cast<std::int8_t>(1 - after[i]);
        ASSERT_EQ(energy_of(integers, after), least_energy(integers, bits, free))
            << "seed " << seed << " width " << width;
      }
      first = flips;
    }
  }
}

std::vector<std::uint32_t> all_of(std::uint32_t n) {
  std::vector<std::uint32_t> out(n);
  std::iota(out.begin(), out.end(), 0u);
  return out;
}

TEST(WidthTables, what_is_planned_becomes_its_exhaustive_optimum) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto n = static_cast<std::uint32_t>(1 + seed % 13);
    const Vartype vartype = seed % 2 == 0 ? Vartype::kSpin : Vartype::kBinary;
    expect_exact(sparse_model(vartype, n, 1 + static_cast<double>(seed % 4), 9, seed, seed % 3 != 0), all_of(n), seed);
  }
}

TEST(WidthTables, tables_wider_than_a_vector_are_exact_too) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {  // complete graphs: one bag of all
    expect_exact(sparse_model(Vartype::kSpin, 17, 17, seed < 3 ? 3 : 2'000'000, seed), all_of(17), seed);
  }
}

TEST(WidthTables, a_region_of_a_larger_model_is_exact_with_the_rest_fixed) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Bqm bqm = sparse_model(Vartype::kSpin, 150, 4, 7, seed);
    std::vector<std::uint32_t> region;
    Xoshiro256 rng(seed);
    const SearchModel model = SearchModel::create(bqm, kMemory).value();
    std::set<std::uint32_t> ball = {static_cast<std::uint32_t>(rng.below(150))};
    while (ball.size() < 12) {
      const std::uint32_t from = *std::next(ball.begin(), static_cast<std::ptrdiff_t>(rng.below(ball.size())));
      for_each_coupling(model, from, [&](std::size_t j, std::int64_t) {
        if (ball.size() < 12) ball.insert(static_cast<std::uint32_t>(j));
      });
      ball.insert(static_cast<std::uint32_t>(rng.below(150)));
    }
    region.assign(ball.begin(), ball.end());
    expect_exact(bqm, region, seed);
  }
}

TEST(WidthTables, weights_at_the_limits_of_every_type) {
  std::set<std::uint32_t> seen;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    // Around what 8, 16 and 32 bits hold, and near the largest sums that a model may have: 2^58 over spins, 2^61 over bits.
    for (const std::int64_t most :
         {std::int64_t{1}, std::int64_t{4}, std::int64_t{8}, std::int64_t{1000}, std::int64_t{4000},
          std::int64_t{1} << 25, std::int64_t{1} << 28, std::int64_t{1} << 50}) {
      expect_exact(sparse_model(Vartype::kSpin, 10, 4, most, seed), all_of(10), seed, &seen);
    }
    const std::int64_t share = (std::int64_t{1} << 61) / 64;
    const Bqm largest = Bqm::create(Vartype::kBinary, {static_cast<double>(-share), 1, 0, static_cast<double>(share)},
                                    {{0, 1, static_cast<double>(-40 * share)},
                                     {1, 2, static_cast<double>(share)},
                                     {2, 3, static_cast<double>(-10 * share)},
                                     {0, 3, static_cast<double>(10 * share)}},
                                    0)
                            .value();
    expect_exact(largest, all_of(4), seed, &seen);
  }
  EXPECT_THAT(seen, testing::ElementsAre(1, 2, 4, 8));
}

TEST(WidthTables, ties_are_drawn) {
  const Bqm level = Bqm::create(Vartype::kSpin, {0, 0, 0}, {{0, 1, 1}}, 0).value();
  const SearchModel model = SearchModel::create(level, kMemory).value();
  const WidthPlan plan = make_plan(model, all_of(3), {.width = 2}, 1);
  std::set<std::vector<std::uint32_t>> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {  // four optima: one is missed with probability 4 (3/4)^100 < 1e-11
    std::vector<std::uint32_t> flips = best_flips(model, plan, {0, 1, 0}, seed);
    std::ranges::sort(flips);
    seen.insert(flips);
  }
  EXPECT_EQ(seen, (std::set<std::vector<std::uint32_t>>{{}, {2}, {0, 1}, {0, 1, 2}}));
}

TEST(WidthPlanner, a_grid_is_as_wide_as_its_shorter_side) {
  // 5 x 30: a bag of its elimination has 5 variables at least, and least degree first is known to come near that.
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t i = 0; i < 150; ++i) {
    if (i % 5 != 4) terms.push_back({i, i + 1, 1});
    if (i + 5 < 150) terms.push_back({i, i + 5, -1});
  }
  const Bqm grid = Bqm::create(Vartype::kSpin, std::vector<double>(150), terms, 0).value();
  const SearchModel model = SearchModel::create(grid, kMemory).value();
  WidthPlanner planner(model);
  planner.begin(all_of(150), {.width = 4, .whole = true}, 1);
  while (planner.step()) {
  }
  EXPECT_TRUE(planner.failed());
  const WidthPlan plan = make_plan(model, all_of(150), {.width = 10, .whole = true}, 1);
  EXPECT_THAT(plan.bits_max, testing::AllOf(testing::Ge(5u), testing::Le(9u)));
  EXPECT_TRUE(plan.fixed.empty());
}

TEST(WidthPlanner, rings_on_a_torus_stay_within_the_width_that_the_search_plans_with) {
  // 50 x 100 spins in layers by their distance from one of them; of every `thickness` + 1 layers one stays out. What is between two of those is
  // a ring, and no variable of it is left out for want of width.
  constexpr std::uint32_t kRows = 50;
  constexpr std::uint32_t kColumns = 100;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t r = 0; r < kRows; ++r) {
    for (std::uint32_t c = 0; c < kColumns; ++c) {
      const double weight = (r * 7 + c * 3) % 5 < 2 ? 1 : -1;
      terms.push_back({r * kColumns + c, r * kColumns + (c + 1) % kColumns, weight});
      terms.push_back({r * kColumns + c, (r + 1) % kRows * kColumns + c, -weight});
    }
  }
  const Bqm torus = Bqm::create(Vartype::kSpin, std::vector<double>(kRows * kColumns), terms, 0).value();
  const SearchModel model = SearchModel::create(torus, kMemory).value();
  for (const std::uint32_t thickness : {3u, 5u, 7u}) {
    for (std::uint32_t first = 0; first <= thickness; ++first) {
      std::vector<std::uint32_t> rings;
      for (std::uint32_t r = 0; r < kRows; ++r) {
        for (std::uint32_t c = 0; c < kColumns; ++c) {
          const std::uint32_t layer = std::min(r, kRows - r) + std::min(c, kColumns - c);
          if ((layer + first) % (thickness + 1) != thickness) rings.push_back(r * kColumns + c);
        }
      }
      const WidthPlan plan = make_plan(model, rings, {.width = 14}, first);
      EXPECT_LE(plan.bits_max, 14u);
      EXPECT_LE(plan.fixed.size(), rings.size() / 100) << thickness << " layers from " << first;
      EXPECT_GE(plan.size(), kRows * kColumns * thickness / (thickness + 1) * 9 / 10);
    }
  }
}

TEST(WidthPlanner, leaves_out_what_has_no_room_in_the_tables) {
  const Bqm bqm = sparse_model(Vartype::kSpin, 100, 4, 7, 1);
  const SearchModel model = SearchModel::create(bqm, kMemory).value();
  const WidthPlan plan = make_plan(model, all_of(100), {.width = 10, .entries_max = 2000}, 1);
  EXPECT_LE(plan.table_bytes, 2000u * plan.value_bytes);
  EXPECT_EQ(plan.size() + plan.fixed.size(), 100u);
  EXPECT_GT(plan.size(), 10u);
}

}  // namespace
}  // namespace tandem::solve
