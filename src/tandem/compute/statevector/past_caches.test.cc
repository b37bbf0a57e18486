// States that caches do not hold: pairs of qubits that nothing couples with each other, so that small states tell what a large one holds.
#include "tandem/compute/statevector/past_caches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using problem::Bqm;
using problem::Vartype;

constexpr std::uint64_t kMemory = 1ull << 30;

/// The first number of qubits whose states are written past the caches.
template <class Real>
constexpr std::uint32_t kQubits = sizeof(Real) == 4 ? 24 : 23;

/// The partner of a qubit lies at the other end of the places; the one in the middle has none.
template <class Real>
std::vector<std::vector<std::uint32_t>> far_pairs() {
  std::vector<std::vector<std::uint32_t>> out;
  for (std::uint32_t low = 0, high = kQubits<Real> - 1; low <= high; ++low, --high)
    out.push_back(low < high ? std::vector{low, high} : std::vector{low});
  return out;
}

template <class Real>
class PastCaches : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PastCaches, Reals);

TYPED_TEST(PastCaches, the_circuits_here_are_so_large_and_no_larger) {
  EXPECT_GT(BasicStateVector<TypeParam>::bytes_needed(kQubits<TypeParam>), kCachedBytes);
  EXPECT_LE(BasicStateVector<TypeParam>::bytes_needed(kQubits<TypeParam> - 1), kCachedBytes);
}

TYPED_TEST(PastCaches, a_circuit_of_pairs_is_the_product_of_theirs) {
  Xoshiro256 rng(1);
  ThreadExecutor executor(2);
  Circuit whole = Circuit::create(kQubits<TypeParam>, 0).value();
  const auto pairs = far_pairs<TypeParam>();
  std::vector<Circuit> parts;
  for (const auto& pair : pairs) parts.push_back(Circuit::create(static_cast<std::uint32_t>(pair.size()), 0).value());
  for (int layer = 0; layer < 3; ++layer) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      for (std::uint32_t q = 0; q < pairs[i].size(); ++q) {
        std::vector<Angle> angles;
        for (int a = 0; a < 3; ++a) angles.push_back(Angle::constant(6 * rng.uniform()));
        whole.gate(Gate::kU, {pairs[i][q]}, {angles[0], angles[1], angles[2]});
        parts[i].gate(Gate::kU, {q}, {angles[0], angles[1], angles[2]});
      }
      if (pairs[i].size() == 1) continue;
      whole.gate(Gate::kCx, {pairs[i][0], pairs[i][1]});
      parts[i].gate(Gate::kCx, {0, 1});
    }
  }
  auto state = BasicStateVector<TypeParam>::create(kQubits<TypeParam>, kMemory, executor).value();
  ASSERT_TRUE(state.apply(whole, {}).has_value());
  std::vector<StateVector> small;
  for (const Circuit& part : parts) {
    small.push_back(StateVector::create(part.num_qubits(), kMemory, executor).value());
    ASSERT_TRUE(small.back().apply(part, {}).has_value());
  }
  double largest = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t place = rng.below(std::uint64_t{1} << kQubits<TypeParam>);
    std::complex<double> product = 1;
    for (std::size_t p = 0; p < pairs.size(); ++p) {
      std::uint64_t own = 0;
      for (std::size_t q = 0; q < pairs[p].size(); ++q) own |= (place >> pairs[p][q] & 1) << q;
      product *= small[p].amplitude(own);
    }
    ASSERT_NEAR(std::abs(state.amplitude(place) - product), 0, sizeof(TypeParam) == 4 ? 1e-8 : 1e-16) << place;
    largest = std::max(largest, std::abs(product));
  }
  EXPECT_GT(largest, 1e-4);  // of what rounding may hide, ten thousand times as much
}

TYPED_TEST(PastCaches, layers_of_pairs_have_the_sum_of_their_energies) {
  Xoshiro256 rng(2);
  ThreadExecutor executor(2);
  const std::vector<double> gammas{0.3, -0.7},
      betas{0.4, 0.9};  // three passes, of which the second puts its tiles back
  const auto evolution = [&](const Bqm& model) {
    return IsingEvolution<TypeParam>::create(model, kMemory, executor).value();
  };
  std::vector<double> fields(kQubits<TypeParam>);
  std::vector<problem::QuadraticTerm> terms;
  for (double& field : fields) field = rng.uniform() - 0.5;
  double expected = 0;
  for (const auto& pair : far_pairs<TypeParam>()) {
    std::vector<double> own;
    for (const std::uint32_t q : pair) own.push_back(fields[q]);
    std::vector<problem::QuadraticTerm> own_terms;
    if (pair.size() == 2) {
      terms.push_back({pair[0], pair[1], rng.uniform() - 0.5});
      own_terms.push_back({0, 1, terms.back().bias});
    }
    auto small = evolution(Bqm::create(Vartype::kSpin, own, own_terms, 0).value());
    expected += small.value({gammas, betas}).value();
  }
  auto large = evolution(Bqm::create(Vartype::kSpin, fields, terms, 0).value());
  EXPECT_NEAR(large.value({gammas, betas}).value(), expected, sizeof(TypeParam) == 4 ? 2e-4 : 1e-12);
  EXPECT_GT(std::abs(expected), 0.1);
}

}  // namespace
}  // namespace tandem::statevector
