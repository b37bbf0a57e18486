#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/tabu_kernels.h"
#include "tandem/compute/solve/tabu_search.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 30;
constexpr simd::KernelTables<TabuKernels> kKernels = {&portable::kTabuKernels, &avx2::kTabuKernels,
                                                      &avx512::kTabuKernels};

/// Weights and energies at the ends of their types, against plain sums.
template <class Weight, class Field>
void check_kernels(DenseTabuKernels<Weight, Field> TabuKernels::* member, int shift) {
  constexpr std::int64_t kWeightMax = std::numeric_limits<Weight>::max() >> (sizeof(Weight) == sizeof(Field) ? 2 : 0);
  constexpr std::int64_t kFlipMax = std::numeric_limits<Field>::max() / 4;
  for (const simd::Isa isa : simd::runnable_isas()) {
    const auto& kernels = simd::kernels_for(kKernels, isa).*member;
    for (const std::size_t blocks : {1, 2, 5}) {
      const std::size_t n = blocks * kTabuBlock;
      Xoshiro256 rng(blocks);
      simd::AlignedVector<Field> flip(n);
      simd::AlignedVector<Weight> row(n);
      simd::AlignedVector<std::int8_t> bits(n);
      simd::AlignedVector<Field> least(blocks * kTabuLanes);
      for (int round = 0; round < 40; ++round) {
        for (std::size_t i = 0; i < n; ++i) {
          const auto end = [&](std::int64_t greatest) { return (rng() >> 63 != 0 ? 1 : -1) * greatest; };
          flip[i] = static_cast<Field>(rng.below(3) == 0 ? end(kFlipMax) : static_cast<std::int64_t>(i % 7) - 3);
          row[i] = static_cast<Weight>(rng.below(3) == 0 ? end(kWeightMax) : end(static_cast<std::int64_t>(i % 5)));
          bits[i] = static_cast<std::int8_t>(rng() >> 63);
        }
        const bool down = round % 2 != 0;
        std::vector<Field> expected(n);
        for (std::size_t i = 0; i < n; ++i) {
          const auto change = static_cast<std::int64_t>(row[i]) * (std::int64_t{1} << shift);
          expected[i] = static_cast<Field>(flip[i] + ((bits[i] != 0) == down ? change : -change));
        }
        const TabuRow<Weight, Field> it{.flip = flip.data(),
                                        .row = row.data(),
                                        .shift = shift,
                                        .bits = bits.data(),
                                        .down = static_cast<std::int8_t>(down ? -1 : 0),
                                        .least = least.data(),
                                        .num_blocks = blocks};
        ASSERT_EQ(kernels.score(it), *std::ranges::min_element(flip)) << simd::to_string(isa);
        const Field least_energy = kernels.add(it);
        ASSERT_TRUE(std::ranges::equal(flip, expected)) << simd::to_string(isa);
        ASSERT_EQ(least_energy, *std::ranges::min_element(expected));
        for (std::size_t start = 0; start < blocks; ++start) {
          std::size_t block = start;  // the first of them whose least is that of all
          const auto least_of = [&](std::size_t b) {
            return *std::min_element(expected.begin() + static_cast<std::ptrdiff_t>(b * kTabuBlock),
                                     expected.begin() + static_cast<std::ptrdiff_t>((b + 1) * kTabuBlock));
          };
          while (least_of(block) != least_energy) block = (block + 1) % blocks;
          ASSERT_EQ(kernels.find(least.data(), blocks, start, least_energy), block) << simd::to_string(isa);
        }
      }
    }
  }
}

TEST(TabuKernels, are_those_of_plain_sums_at_the_limits_of_each_type) {
  for (const int shift : {0, 1, 7, 20}) check_kernels(&TabuKernels::byte_weights, shift);
  check_kernels(&TabuKernels::short_weights, 0);
  check_kernels(&TabuKernels::weights, 0);
  check_kernels(&TabuKernels::long_weights, 0);
}

/// Every pair coupled by up to `largest`, linear terms odd.
Bqm coupled(std::uint32_t n, double largest, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<double> linear(n);
  std::vector<QuadraticTerm> terms;
  for (double& value : linear) value = static_cast<double>(2 * rng.below(7)) - 7;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (std::uint32_t v = u + 1; v < n; ++v) {
      const std::array values{largest, -largest, 2.0, -4.0, 6.0, 0.0};
      terms.push_back({u, v, values[rng.below(values.size())]});
    }
  }
  return Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), 0).value();
}

/// Four couplings a variable, between 1 and `largest`, of either sign.
Bqm spread_weights(std::uint32_t n, double largest, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  const auto weight = [&] {
    return (rng() >> 63 != 0 ? 1 : -1) * static_cast<double>(1 + rng.below(static_cast<std::uint64_t>(largest)));
  };
  std::vector<double> linear(n);
  for (double& value : linear) value = weight();
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) {
    for (const std::uint32_t step : {1u, 7u}) terms.push_back({u, (u + step) % n, weight()});
  }
  return Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), 0).value();
}

struct Walked {
  std::vector<Assignment> path;
  std::int64_t best = 0;
  friend bool operator==(const Walked&, const Walked&) = default;
};

Assignment random_bits(std::size_t n, Xoshiro256& rng) {
  Assignment bits(n);
  for (auto& bit : bits) bit = static_cast<std::int8_t>(rng() >> 63);
  return bits;
}

/// A run of each kind; every energy is that of the model, and a local optimum is one.
Walked walk(const SearchModel& model) {
  Walked out;
  Xoshiro256 rng(5);
  const auto search = TabuSearch::create(model);
  for (int run = 0; run < 4; ++run) {
    const Assignment from = random_bits(model.size(), rng);
    if (run % 2 == 0) {
      search->begin(from, rng(), 500);
    } else {
      search->relink(from, random_bits(model.size(), rng), rng(), 500);
    }
    while (!search->done()) {
      search->step();
      EXPECT_EQ(search->energy(), model.energy(search->bits()));
      out.path.emplace_back(search->bits().begin(), search->bits().end());
    }
    EXPECT_TRUE(search->has_best());
    EXPECT_EQ(search->best_energy(), model.energy(search->best_bits()));
    Assignment bits(search->best_bits().begin(), search->best_bits().end());
    for (std::int8_t& bit : bits) {
      bit ^= 1;
      EXPECT_GE(model.energy(bits), search->best_energy());
      bit ^= 1;
    }
    out.best = std::min(out.best, search->best_energy());
  }
  return out;
}

TEST(TabuSearch, energies_are_those_of_the_model_and_steps_the_same_on_every_instruction_set) {
  const std::vector<Bqm> models = {
      coupled(1, 2, 1),           coupled(2, 254, 2),       coupled(3, 6, 3),
      coupled(64, 254, 4),        coupled(65, 254, 5),      coupled(130, 32766, 6),
      coupled(130, 4'000'000, 7), coupled(70, 0x1.0p50, 8), problem::random_bqm(Vartype::kSpin, 400, 0.01, 9)};
  for (const Bqm& bqm : models) {
    std::optional<Walked> first;
    for (const simd::Isa isa : simd::runnable_isas()) {
      const auto model = SearchModel::create(bqm, kMemory, isa);
      ASSERT_TRUE(model.has_value());
      const Walked walked = walk(*model);
      if (!first) first = walked;
      EXPECT_TRUE(walked == *first) << bqm.num_variables() << " variables, " << simd::to_string(isa);
    }
  }
}

TEST(TabuSearch, finds_the_optimum_of_small_models) {
  for (std::uint32_t n = 1; n <= 20; ++n) {
    for (const double largest : {254.0, 8.0, 32766.0, 4e6, 0x1.0p50}) {
      if (n > 14 && largest != 254) break;  // a second each
      const auto model = SearchModel::create(coupled(n, largest, n), kMemory);
      ASSERT_TRUE(model.has_value());
      std::int64_t least = 0;
      problem::for_each_assignment(Vartype::kBinary, n,
                                   [&](const Assignment& bits) { least = std::min(least, model->energy(bits)); });
      EXPECT_EQ(walk(*model).best, least) << n << " variables, couplings up to " << largest;
    }
  }
}

/// The flip of a step, by the rules written out: least flip energy of those whose tenure ended, or of all below the best.
void expect_the_rules(const Bqm& bqm, std::size_t rows) {
  const auto model = SearchModel::create(bqm, kMemory);
  ASSERT_TRUE(model.has_value());
  ASSERT_EQ(model->rows().index(), rows);
  const std::size_t n = model->size();
  ASSERT_EQ(n, 150u);
  constexpr std::size_t kTenureMin = 150 / 100 + 1;
  constexpr std::size_t kTenureMax = 150 / 100 + 10;
  const auto search = TabuSearch::create(*model);
  search->begin(Assignment(n), 3, 2000);
  std::vector<std::size_t> flipped(n, 0);  // 0: never
  Assignment before(n);
  for (std::size_t iteration = 1; !search->done(); ++iteration) {
    std::vector<std::int64_t> energy(n);
    for (std::size_t i = 0; i < n; ++i) {
      Assignment next = before;
      next[i] ^= 1;
      energy[i] = model->energy(next);
    }
    const std::int64_t best = search->has_best() ? search->best_energy() : INT64_MAX;
    search->step();
    std::size_t chosen = 0;
    while (search->bits()[chosen] == before[chosen]) ++chosen;
    const auto age = [&](std::size_t i) { return flipped[i] == 0 ? SIZE_MAX : iteration - flipped[i]; };
    const bool aspired = energy[chosen] < best;
    EXPECT_TRUE(aspired || age(chosen) > kTenureMin) << iteration;
    for (std::size_t i = 0; i < n; ++i) {
      // One that is free for certain is no better.
      if (age(i) > kTenureMax + 1) {
        EXPECT_GE(energy[i], energy[chosen]) << iteration;
      }
    }
    flipped[chosen] = iteration;
    before.assign(search->bits().begin(), search->bits().end());
  }
}

TEST(TabuSearch, takes_a_free_variable_of_least_flip_energy_or_one_that_leads_below_the_best) {
  expect_the_rules(coupled(150, 254, 11), 2);
  expect_the_rules(problem::random_bqm(Vartype::kSpin, 150, 0.04, 11), 0);
  expect_the_rules(problem::random_bqm(Vartype::kBinary, 150, 0.04, 12), 0);
  // Weights of many sizes, whose buckets hold many numbers, and those that 32 bits do not hold.
  expect_the_rules(spread_weights(150, 1e6, 13), 0);
  expect_the_rules(spread_weights(150, 0x1p45, 14), 1);
}

TEST(TabuSearch, begins_at_the_best_of_the_middle_third_of_a_greedy_path) {
  Xoshiro256 rng(13);
  std::vector<QuadraticTerm> terms;  // of so many values that energies do not tie
  for (std::uint32_t u = 0; u < 90; ++u) {
    for (std::uint32_t v = u + 1; v < 90; ++v)
      terms.push_back({u, v, static_cast<double>(rng.below(1 << 20)) - (1 << 19)});
  }
  const auto model =
      SearchModel::create(Bqm::create(Vartype::kBinary, std::vector<double>(90), std::move(terms), 0).value(), kMemory);
  ASSERT_TRUE(model.has_value());
  const Assignment from = random_bits(90, rng);
  const Assignment to = random_bits(90, rng);
  std::vector<std::size_t> left;
  for (std::size_t i = 0; i < 90; ++i) {
    if (from[i] != to[i]) left.push_back(i);
  }
  const std::size_t distance = left.size();
  Assignment bits = from;
  std::int64_t best = INT64_MAX;
  while (left.size() > distance / 3) {
    std::int64_t least = INT64_MAX;
    std::size_t chosen = 0;
    for (std::size_t k = 0; k < left.size(); ++k) {
      bits[left[k]] ^= 1;
      const std::int64_t energy = model->energy(bits);
      bits[left[k]] ^= 1;
      ASSERT_NE(energy, least) << "a tie: take another seed";
      if (energy > least) continue;
      least = energy;
      chosen = k;
    }
    bits[left[chosen]] ^= 1;
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen));
    if (left.size() <= distance - distance / 3) best = std::min(best, least);
  }
  const auto search = TabuSearch::create(*model);
  search->relink(from, to, 1, 1000);
  // To `from`, along the path, back to its best: then, and not before, local optima are looked for.
  std::vector<std::int64_t> energies;
  const std::size_t path = distance - distance / 3;
  std::size_t walked = 0;
  for (const std::int8_t bit : from) walked += static_cast<std::size_t>(bit);
  for (std::size_t k = 0; k < walked + path; ++k) search->step();
  EXPECT_EQ(search->energy(), model->energy(bits));
  bool passed = search->energy() == best;
  for (std::size_t k = 0; k <= distance / 3 && !passed; ++k) {
    search->step();
    passed = search->energy() == best;
  }
  EXPECT_TRUE(passed);
}

}  // namespace
}  // namespace tandem::solve
