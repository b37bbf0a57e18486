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
    ConvexBound bound(model.couplings, model.fields, nth_spins(n, rng()));
    while (!bound.prepared()) ASSERT_TRUE(bound.prepare(never));
    for (std::size_t level = 0; level < n; ++level) {
      SpinModel rest;
      for (std::size_t i = level; i < n; ++i) {
        rest.fields.push_back(static_cast<double>(rng.below(2001)) - 1000);
        for (std::size_t j = level; j < n; ++j) rest.couplings.push_back(model.couplings[i * n + j]);
      }
      const double least = swept_least(rest);
      const double found = bound.bound(level, rest.fields);
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
  ConvexBound whole(model.couplings, model.fields, nth_spins(12, 0));
  ConvexBound broken(model.couplings, model.fields, nth_spins(12, 0));
  int looks = 0;
  while (!whole.prepared()) ASSERT_TRUE(whole.prepare(never));
  while (!broken.prepared()) {
    bool stopped = false;  // and stays so until the next call
    broken.prepare([&] { return stopped = stopped || ++looks % 50 == 0; });
  }
  for (std::size_t level = 0; level < 12; ++level) {
    const std::vector<double> fields(12 - level, 7.5);
    EXPECT_EQ(whole.bound(level, fields), broken.bound(level, fields));
  }
}

TEST(SpinTree, finds_the_swept_minimum_and_its_bound_never_passes_it) {
  Xoshiro256 rng(3);
  for (int round = 0; round < 300; ++round) {
    const std::size_t n = 2 + rng.below(10);
    const double unit = round % 3 == 0 ? 0.001 : 1;
    const SpinModel model = random_spins(n, std::array{0.1, 0.5, 1.0}[rng.below(3)], unit, rng);
    const double least = swept_least(model);
    SpinTree tree(model, nth_spins(n, rng()), 1e-9);
    while (!tree.done()) {
      EXPECT_LE(tree.lower_bound(), least + 1e-6);
      ASSERT_TRUE(tree.step(never));
    }
    EXPECT_NEAR(tree.best_energy(), least, 1e-6);
    EXPECT_NEAR(model.energy(tree.best()), least, 1e-6);
  }
}

}  // namespace
}  // namespace tandem::solve
