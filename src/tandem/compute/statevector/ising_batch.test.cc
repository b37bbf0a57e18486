// Many sets of angles at once against one after the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using problem::Monomial;
using problem::Polynomial;
using problem::Vartype;

constexpr std::uint64_t kMemory = 1ull << 28;

struct Angles {
  std::vector<double> gammas;
  std::vector<double> betas;
};

/// Of 0 to 3 layers.
std::vector<Angles> random_sets(std::size_t count, Xoshiro256& rng) {
  std::vector<Angles> out(count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t l = 0; l < i % 4; ++l) {
      out[i].gammas.push_back(2 * rng.uniform());
      out[i].betas.push_back(2 * rng.uniform());
    }
  return out;
}
std::vector<LayerAngles> views(const std::vector<Angles>& sets) {
  std::vector<LayerAngles> out;
  for (const Angles& set : sets) out.push_back({set.gammas, set.betas});
  return out;
}

/// `order`: of the terms, beside fields where it is odd.
Polynomial random_model(std::uint32_t n, std::uint32_t order, Xoshiro256& rng) {
  std::vector<Monomial> terms;
  for (std::uint32_t i = 0; i < n; ++i) {
    Monomial term{.coefficient = rng.uniform() - 0.5};
    for (std::uint32_t k = 0; k < order; ++k) term.variables.push_back((i + k * k) % n);
    terms.push_back(term);
    if (order % 2 != 0) terms.push_back({.variables = {i}, .coefficient = rng.uniform() - 0.5});
  }
  return Polynomial::create(Vartype::kSpin, n, terms).value();
}

template <class Real>
class IsingBatchTest : public ::testing::Test {
 protected:
  ThreadExecutor executor_{3};
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(IsingBatchTest, Reals);

TYPED_TEST(IsingBatchTest, a_batch_gives_the_bytes_of_its_sets_one_by_one) {
  Xoshiro256 rng(1);
  for (const std::uint32_t n : {2u, 7u, 11u, 16u, 17u}) {
    for (const std::uint32_t order : {1u, 2u, 3u, 4u}) {
      if (order > 2 && n < 11) continue;
      const Polynomial model = random_model(n, order, rng);
      const std::vector<Angles> sets = random_sets(n > 11 ? 4 : 9, rng);
      auto one = IsingEvolution<TypeParam>::create(model, kMemory, this->executor_).value();
      std::vector<double> values;
      std::vector<double> slopes;
      const auto append = [](std::vector<double>& out, const IsingGradient& gradient) {
        out.push_back(gradient.value);
        out.insert(out.end(), gradient.gammas.begin(), gradient.gammas.end());
        out.insert(out.end(), gradient.betas.begin(), gradient.betas.end());
      };
      for (const LayerAngles& set : views(sets)) values.push_back(one.value(set).value());
      for (const LayerAngles& set : views(sets)) append(slopes, one.gradient(set).value());
      auto many = IsingEvolution<TypeParam>::create(model, kMemory, this->executor_).value();
      EXPECT_EQ(many.values(views(sets)).value(), values) << n << " " << order;
      std::vector<double> together;
      const std::vector<IsingGradient> gradients = many.gradients(views(sets)).value();
      for (const IsingGradient& gradient : gradients) append(together, gradient);
      EXPECT_EQ(together, slopes) << n << " " << order;
    }
  }
}

TYPED_TEST(IsingBatchTest, no_memory_to_spare_makes_a_batch_slower_only) {
  Xoshiro256 rng(2);
  const Polynomial model = random_model(9, 1, rng);
  const std::vector<Angles> sets = random_sets(5, rng);
  const std::uint64_t bytes = BasicStateVector<TypeParam>::bytes_needed(9);
  auto wide = IsingEvolution<TypeParam>::create(model, kMemory, this->executor_).value();
  auto narrow = IsingEvolution<TypeParam>::create(model, bytes, this->executor_).value();
  EXPECT_EQ(narrow.values(views(sets)).value(), wide.values(views(sets)).value());
  EXPECT_EQ(narrow.gradients(views(sets)).error().number, errors::kOutOfMemory);
}

TYPED_TEST(IsingBatchTest, the_first_set_that_is_wrong_is_told) {
  Xoshiro256 rng(3);
  auto evolution = IsingEvolution<TypeParam>::create(random_model(6, 2, rng), kMemory, this->executor_).value();
  std::vector<Angles> sets = random_sets(6, rng);
  sets[2].betas.pop_back();
  sets[4].gammas = sets[4].betas = {std::numeric_limits<double>::infinity()};
  EXPECT_EQ(evolution.values(views(sets)).error().number, errors::kSizeMismatch);
  sets[2].betas.push_back(0);
  EXPECT_EQ(evolution.gradients(views(sets)).error().number, errors::kNotFinite);
  EXPECT_THAT(evolution.values({}).value(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace tandem::statevector
