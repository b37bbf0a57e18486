#include "tandem/compute/solve/convex_bound.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/spin_tree.h"

namespace tandem::solve {
namespace {

using problem::Assignment;

bool never() { return false; }

SpinModel random_spins(std::size_t n, double density, double unit, Xoshiro256& rng) {
  SpinModel model;
  const auto draw = [&] { return unit * (static_cast<double>(rng.below(201)) - 100); };
  for (std::size_t i = 0; i < n; ++i) model.fields.push_back(draw());
  model.couplings.resize(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      // A path keeps the model connected, as the tree wants it.
      const double coupling = j == i + 1                ? unit * (1 + static_cast<double>(rng.below(100)))
                              : rng.uniform() < density ? draw()
                                                        : 0;
      model.couplings[i * n + j] = model.couplings[j * n + i] = coupling;
    }
  }
  return model;
}

Assignment nth_spins(std::size_t n, std::uint64_t index) {
  Assignment spins(n);
  for (std::size_t i = 0; i < n; ++i) spins[i] = static_cast<std::int8_t>(((index >> i) & 1) != 0 ? 1 : -1);
  return spins;
}

double swept_least(const SpinModel& model) {
  double least = HUGE_VAL;
  for (std::uint64_t k = 0; k < (std::uint64_t{1} << model.size()); ++k) {
    least = std::min(least, model.energy(nth_spins(model.size(), k)));
  }
  return least;
}

TEST(ConvexBound, never_exceeds_the_swept_minimum_at_any_level_for_any_fields) {
  Xoshiro256 rng(1);
  double slack = 0;
  int count = 0;
  for (int round = 0; round < 40; ++round) {
    const std::size_t n = 2 + rng.below(9);
    const SpinModel model = random_spins(n, round % 2 == 0 ? 1.0 : 0.3, 1, rng);
    ConvexBound bound(model.couplings, model.fields, simd::best_isa());
    while (!bound.prepared()) ASSERT_TRUE(bound.prepare(never));
    for (std::size_t level = 0; level < n; ++level) {
      SpinModel rest;
      for (std::size_t i = level; i < n; ++i) {
        rest.fields.push_back(static_cast<double>(rng.below(2001)) - 1000);
        for (std::size_t j = level; j < n; ++j) rest.couplings.push_back(model.couplings[i * n + j]);
      }
      const double least = swept_least(rest);
      std::vector<double> fields(bound.padded());
      std::ranges::copy(rest.fields, fields.begin() + static_cast<std::ptrdiff_t>(level));
      std::vector<double> image(bound.padded());
      const double found = bound.bound(level, bound.image(level, fields.data(), image.data()));
      EXPECT_LE(found, least + 1e-9 * (1 + std::abs(least)));
      slack += least - found;
      ++count;
    }
  }
  EXPECT_GT(count, 200);
  EXPECT_GT(slack, 0);
}

TEST(ConvexBound, what_is_stopped_has_changed_nothing) {
  Xoshiro256 rng(2);
  const SpinModel model = random_spins(12, 1, 1, rng);
  ConvexBound whole(model.couplings, model.fields, simd::best_isa());
  ConvexBound broken(model.couplings, model.fields, simd::best_isa());
  int looks = 0;
  while (!whole.prepared()) ASSERT_TRUE(whole.prepare(never));
  while (!broken.prepared()) {
    bool stopped = false;  // and stays so until the next call
    broken.prepare([&] { return stopped = stopped || ++looks % 50 == 0; });
  }
  for (std::size_t level = 0; level < 12; ++level) {
    std::vector<double> image(whole.padded());
    const std::vector<double> fields(whole.padded(), 7.5);
    EXPECT_EQ(whole.image(level, fields.data(), image.data()), broken.image(level, fields.data(), image.data()));
    EXPECT_EQ(whole.bound(level, 1), broken.bound(level, 1));
  }
}

TEST(ConvexBound, an_image_moves_along_as_variables_are_fixed) {
  Xoshiro256 rng(4);
  for (int round = 0; round < 20; ++round) {
    const std::size_t n = 2 + rng.below(20);
    const SpinModel model = random_spins(n, 0.5, 1, rng);
    ConvexBound bound(model.couplings, model.fields, simd::best_isa());
    while (!bound.prepared()) ASSERT_TRUE(bound.prepare(never));
    std::vector<double> fields(bound.padded());
    std::ranges::copy(model.fields, fields.begin());
    std::vector<double> image(bound.padded());
    std::vector<double> anew(bound.padded());
    bound.image(0, fields.data(), image.data());
    for (std::size_t level = 0; level + 1 < n; ++level) {
      const double spin = rng.below(2) == 0 ? 1 : -1;
      double square = 0;
      double along_square = 0;
      for (std::size_t i = level + 1; i < n; ++i) fields[i] += spin * model.couplings[level * n + i];
      const double expected = bound.image(level + 1, fields.data(), anew.data());
      for (std::size_t i = 0; i < bound.padded(); ++i) {
        if (i <= level) {
          EXPECT_EQ(bound.along(level)[i], 0);
        }
        image[i] += spin * bound.along(level)[i];
        along_square += bound.along(level)[i] * bound.along(level)[i];
        if (i > level && i < n) {
          EXPECT_NEAR(image[i], anew[i], 1e-9);
          square += image[i] * image[i];
        }
      }
      EXPECT_NEAR(square, expected, 1e-7);
      EXPECT_NEAR(bound.along_square(level), along_square, 1e-9 * (1 + along_square));
    }
  }
}

TEST(SpinTree, finds_the_swept_minimum_and_its_bound_never_passes_it) {
  Xoshiro256 rng(3);
  for (int round = 0; round < 300; ++round) {
    const std::size_t n = 2 + rng.below(10);
    const double unit = round % 3 == 0 ? 0.001 : 1;
    SpinModel model = random_spins(n, std::array{0.1, 0.5, 1.0}[rng.below(3)], unit, rng);
    if (round % 5 == 0)
      std::ranges::fill(model.fields, 0);  // then one half of the tree is the mirror image of the other
    const double least = swept_least(model);
    SpinTree tree(model, nth_spins(n, rng()), 1e-9, simd::best_isa());
    while (!tree.done()) {
      EXPECT_LE(tree.lower_bound(), least + 1e-6);
      ASSERT_NE(tree.advance(1 + rng.below(3), never), 0u);
    }
    EXPECT_NEAR(tree.best_energy(), least, 1e-6);
    EXPECT_NEAR(model.energy(tree.best()), least, 1e-6);
  }
}

}  // namespace
}  // namespace tandem::solve
