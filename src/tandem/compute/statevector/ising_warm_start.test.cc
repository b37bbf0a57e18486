// Warm starts of IsingEvolution against the definition, circuits, and differences of values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/mixer_reference.h"

namespace tandem::statevector {
namespace {

using problem::Bqm;
using problem::Vartype;
using testing::Amplitude;
using testing::MixedAngles;

constexpr std::uint64_t kMemory = 1ull << 30;

/// Shares as a warm start has them, with some that fix a qubit and some that leave it free.
std::vector<double> random_shares(std::uint32_t n, Xoshiro256& rng) {
  std::vector<double> out(n);
  for (double& share : out) {
    const std::uint64_t kind = rng.below(6);
    share = kind == 0 ? 0 : kind == 1 ? 1 : kind == 2 ? 0.5 : 0.05 + 0.9 * rng.uniform();
  }
  return out;
}

std::vector<Amplitude> plainly(const Bqm& model, const std::vector<double>& shares, const MixedAngles& angles) {
  std::vector<Amplitude> start(std::size_t{1} << shares.size(), 1);
  for (std::uint64_t z = 0; z < start.size(); ++z)
    for (std::size_t q = 0; q < shares.size(); ++q)
      start[z] *= std::sqrt((z >> q & 1) != 0 ? shares[q] : 1 - shares[q]);
  return testing::play_layers(model, angles, start, [&](std::vector<Amplitude>& state, double beta) {
    for (std::uint32_t q = 0; q < shares.size(); ++q) {
      const double theta = 2 * std::asin(std::sqrt(shares[q]));
      testing::turn_axis(state, q, std::sin(theta), std::cos(theta), beta);
    }
  });
}

template <class Real>
constexpr double kTolerance = sizeof(Real) == 4 ? 3e-6 : 2e-13;

template <class Real>
class WarmStart : public ::testing::Test {
 protected:
  IsingEvolution<Real> evolution(const Bqm& model, const std::vector<double>& shares) {
    return IsingEvolution<Real>::create(model, kMemory, executor_, shares).value();
  }
  /// So small that few qubits take several kinds of tiles.
  static std::uint32_t tile_bits(Xoshiro256& rng) {
    return kLaneBits<Real> + 3 + static_cast<std::uint32_t>(rng.below(5));
  }
  ThreadExecutor executor_{2};
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(WarmStart, Reals);

TYPED_TEST(WarmStart, state_and_value_follow_the_definition) {
  Xoshiro256 rng(1);
  for (std::uint32_t n = 1; n <= 11; ++n) {
    for (const std::size_t layers : {0, 1, 2, 4}) {
      const Bqm model = testing::random_model(n, 0.7, rng.below(2) == 0 ? Vartype::kSpin : Vartype::kBinary, rng);
      const std::vector<double> shares = random_shares(n, rng);
      const MixedAngles angles = testing::random_angles(layers, rng);
      auto evolution = this->evolution(model, shares);
      const std::span<const simd::Isa> isas = simd::runnable_isas();
      evolution.use_isa(isas[rng.below(isas.size())]);
      if (rng.below(2) == 0) evolution.use_tile_bits(this->tile_bits(rng));
      const double value = evolution.value(angles).value();
      const std::vector<Amplitude> expected = plainly(model, shares, angles);
      for (std::uint64_t z = 0; z < expected.size(); ++z)
        ASSERT_LT(std::abs(evolution.amplitude(z) - expected[z]), kTolerance<TypeParam>)
            << n << " qubits, " << layers << " layers, state " << z;
      ASSERT_NEAR(value, testing::mean_energy(model, expected), 10 * kTolerance<TypeParam>) << n << " " << layers;
    }
  }
}

TYPED_TEST(WarmStart, gradients_are_differences_of_values) {
  Xoshiro256 rng(2);
  for (const std::uint32_t n : {1u, 2u, 4u, 6u, 8u, 10u}) {
    for (const std::size_t layers : {1, 3}) {
      const Bqm model = testing::random_model(n, 0.8, Vartype::kSpin, rng);
      const std::vector<double> shares = random_shares(n, rng);
      const MixedAngles angles = testing::random_angles(layers, rng);
      auto evolution = this->evolution(model, shares);
      if (rng.below(2) == 0) evolution.use_tile_bits(this->tile_bits(rng));
      const IsingGradient gradient = evolution.gradient(angles).value();
      const auto value = [&](const MixedAngles& at) { return testing::mean_energy(model, plainly(model, shares, at)); };
      EXPECT_NEAR(gradient.value, value(angles), 10 * kTolerance<TypeParam>);
      for (std::size_t l = 0; l < layers; ++l) {
        const double tolerance = sizeof(TypeParam) == 4 ? 5e-4 : 1e-9;
        EXPECT_NEAR(gradient.gammas[l], testing::slope_of(angles, &MixedAngles::gammas, l, value), tolerance)
            << n << " " << l;
        EXPECT_NEAR(gradient.betas[l], testing::slope_of(angles, &MixedAngles::betas, l, value), tolerance)
            << n << " " << l;
      }
    }
  }
}

/// Without tilts the axis is x; the symmetric half is held in one and not in the other.
TYPED_TEST(WarmStart, half_ones_everywhere_is_the_uniform_start) {
  Xoshiro256 rng(3);
  for (const bool fields : {false, true}) {
    const std::uint32_t n = 10;
    Bqm model = testing::random_model(n, 1, Vartype::kSpin, rng);
    if (!fields)
      model =
          Bqm::create(Vartype::kSpin, std::vector<double>(n), {model.terms().begin(), model.terms().end()}, 0).value();
    const MixedAngles angles = testing::random_angles(3, rng);
    auto warm = this->evolution(model, std::vector<double>(n, 0.5));
    auto plain = this->evolution(model, {});
    EXPECT_NEAR(warm.value(angles).value(), plain.value(angles).value(), 10 * kTolerance<TypeParam>);
    for (std::uint64_t z = 0; z < 1u << n; z += 37)
      EXPECT_LT(std::abs(warm.amplitude(z) - plain.amplitude(z)), kTolerance<TypeParam>);
    const IsingGradient a = warm.gradient(angles).value();
    const IsingGradient b = plain.gradient(angles).value();
    for (std::size_t l = 0; l < 3; ++l) {
      EXPECT_NEAR(a.gammas[l], b.gammas[l], 300 * kTolerance<TypeParam>);
      EXPECT_NEAR(a.betas[l], b.betas[l], 300 * kTolerance<TypeParam>);
    }
  }
}

/// Beyond one tile the oracle is the circuit: RY(theta) RZ(2 beta) RY(-theta) is the mixer.
TYPED_TEST(WarmStart, many_tiles_give_what_the_circuit_gives) {
  using circuit::Angle;
  using circuit::Gate;
  Xoshiro256 rng(4);
  for (const std::uint32_t n : {16u, 18u}) {
    const Bqm model = testing::random_model(n, 1, Vartype::kSpin, rng);
    const std::vector<double> shares = random_shares(n, rng);
    const MixedAngles angles = testing::random_angles(2, rng);
    circuit::Circuit circuit = circuit::Circuit::create(n, 0).value();
    const auto tilt = [&](std::uint32_t q, double sign) {
      circuit.gate(Gate::kRy, {q}, {Angle::constant(sign * 2 * std::asin(std::sqrt(shares[q])))});
    };
    double turned = 0;  // the offset's phase is none of the circuit's
    for (std::uint32_t q = 0; q < n; ++q) tilt(q, 1);
    for (std::size_t l = 0; l < 2; ++l) {
      for (const problem::QuadraticTerm& term : model.terms())
        circuit.gate(Gate::kRzz, {term.u, term.v}, {Angle::constant(2 * angles.gammas[l] * term.bias)});
      for (std::uint32_t q = 0; q < n; ++q) {
        circuit.gate(Gate::kRz, {q}, {Angle::constant(-2 * angles.gammas[l] * model.linear()[q])});
        tilt(q, -1);
        circuit.gate(Gate::kRz, {q}, {Angle::constant(2 * angles.betas[l])});
        tilt(q, 1);
      }
      turned -= angles.gammas[l] * model.offset();
    }
    StateVector state = StateVector::create(n, kMemory, this->executor_).value();
    state.set_basis_state(0);
    ASSERT_TRUE(state.apply(circuit, {}).has_value());
    auto evolution = this->evolution(model, shares);
    ASSERT_TRUE(evolution.value(angles).has_value());
    for (std::uint64_t z = 0; z < std::uint64_t{1} << n; ++z)
      ASSERT_LT(std::abs(evolution.amplitude(z) - state.amplitude(z) * std::polar(1.0, turned)), kTolerance<TypeParam>)
          << n << " qubits, state " << z;
  }
}

TYPED_TEST(WarmStart, the_same_bytes_come_from_every_set_and_number_of_threads) {
  Xoshiro256 rng(5);
  const std::uint32_t n = 17;
  const Bqm model = testing::random_model(n, 1, Vartype::kSpin, rng);
  const std::vector<double> shares = random_shares(n, rng);
  const MixedAngles angles = testing::random_angles(2, rng);
  std::optional<IsingGradient> first;
  ThreadExecutor one(1);
  for (Executor* executor : {static_cast<Executor*>(&one), static_cast<Executor*>(&this->executor_)}) {
    for (const simd::Isa isa : simd::runnable_isas()) {
      auto evolution = IsingEvolution<TypeParam>::create(model, kMemory, *executor, shares).value();
      evolution.use_isa(isa);
      const IsingGradient now = evolution.gradient(angles).value();
      if (!first) first = now;
      EXPECT_EQ(now.value, first->value);
      EXPECT_EQ(now.gammas, first->gammas);
      EXPECT_EQ(now.betas, first->betas);
    }
  }
}

TEST(WarmStartErrors, shares_are_one_a_variable_and_within_their_limits) {
  ThreadExecutor executor(1);
  Xoshiro256 rng(6);
  const Bqm model = testing::random_model(3, 1, Vartype::kSpin, rng);
  const auto error = [&](const std::vector<double>& shares) {
    const auto needed = IsingEvolution<double>::bytes_needed(model, shares);
    const auto made = IsingEvolution<double>::create(model, kMemory, executor, shares);
    EXPECT_EQ(needed.error().number, made.error().number);
    return made.error().number;
  };
  EXPECT_EQ(error({0.5, 0.5}), errors::kSizeMismatch);
  EXPECT_EQ(error({0.5, 0.5, 1.5}), errors::kValueOutOfRange);
  EXPECT_EQ(error({0.5, 0.5, std::numeric_limits<double>::quiet_NaN()}), errors::kValueOutOfRange);
}

}  // namespace
}  // namespace tandem::statevector
