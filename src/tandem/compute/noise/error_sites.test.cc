#include "tandem/compute/noise/error_sites.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace tandem::noise {
namespace {

using circuit::Circuit;
using circuit::Gate;

device::Calibration calibration(double error_1q, double error_2q) {
  device::Calibration result;
  result.error_1q = error_1q;
  result.error_2q = error_2q;
  return result;
}

/// 100 gates: cx on every fourth, x on the others; more than one stretch.
Circuit hundred_gates() {
  Circuit circuit = Circuit::create(2, 0).value();
  for (int i = 0; i < 100; ++i) {
    if (i % 4 == 0) {
      circuit.gate(Gate::kCx, {0, 1});
    } else {
      circuit.gate(Gate::kX, {0});
    }
  }
  return circuit;
}

TEST(ErrorSites, every_pauli_at_every_site_has_its_probability) {
  const Circuit circuit = hundred_gates();
  const ErrorSites sites(circuit.instructions(), calibration(0.1, 0.4));
  Xoshiro256 rng(1);
  constexpr int kShots = 200'000;
  std::map<PauliError, int> counts;
  std::vector<PauliError> errors;
  for (int shot = 0; shot < kShots; ++shot) {
    sites.draw(rng, errors);
    for (const PauliError& error : errors) ++counts[error];
  }
  // p / 4^k each: 0.1 / 4 = 0.4 / 16 = 0.025. 75 * 3 + 25 * 15 cells, each within six sigma (2e-9 each, 1.2e-6 in all).
  EXPECT_EQ(counts.size(), 75u * 3 + 25u * 15);
  const double mean = 0.025 * kShots;
  const double sigma = std::sqrt(mean * 0.975);
  for (const auto& [error, count] : counts) {
    EXPECT_NEAR(count, mean, 6 * sigma) << error.instruction << ' ' << error.pauli;
    EXPECT_LT(error.pauli, error.instruction % 4 == 0 ? 16u : 4u);
    EXPECT_GT(error.pauli, 0u);
  }
}

TEST(ErrorSites, sites_are_independent) {
  // Two neighbours, two far apart in one stretch, and two in different stretches: errors together as often as the product.
  const Circuit circuit = hundred_gates();
  const ErrorSites sites(circuit.instructions(), calibration(0.2, 0));
  Xoshiro256 rng(2);
  constexpr int kShots = 200'000;
  std::map<std::pair<std::uint32_t, std::uint32_t>, int> together{{{1, 2}, 0}, {{1, 50}, 0}, {{62, 66}, 0}};
  std::vector<PauliError> errors;
  for (int shot = 0; shot < kShots; ++shot) {
    sites.draw(rng, errors);
    EXPECT_TRUE(std::ranges::is_sorted(errors, {}, &PauliError::instruction));
    const auto has = [&](std::uint32_t i) {
      return std::ranges::find(errors, i, &PauliError::instruction) != errors.end();
    };
    for (auto& [pair, count] : together) count += has(pair.first) && has(pair.second) ? 1 : 0;
  }
  const double mean = 0.15 * 0.15 * kShots;
  for (const auto& [pair, count] : together) EXPECT_NEAR(count, mean, 6 * std::sqrt(mean)) << pair.first;
}

TEST(ErrorSites, no_probability_no_sites_and_certain_noise_still_leaves_the_identity) {
  const Circuit circuit = hundred_gates();
  Xoshiro256 rng(3);
  std::vector<PauliError> errors{{1, 1}};
  ErrorSites(circuit.instructions(), calibration(0, 0)).draw(rng, errors);
  EXPECT_TRUE(errors.empty());
  // p = 1: three quarters of the single-qubit sites and fifteen sixteenths of the others err.
  const ErrorSites certain(circuit.instructions(), calibration(1, 1));
  double total = 0;
  constexpr int kShots = 20'000;
  for (int shot = 0; shot < kShots; ++shot) {
    certain.draw(rng, errors);
    total += static_cast<double>(errors.size());
  }
  const double variance = 75 * 0.75 * 0.25 + 25 * (15.0 / 16) * (1.0 / 16);
  EXPECT_NEAR(total / kShots, 75 * 0.75 + 25 * 15.0 / 16, 6 * std::sqrt(variance / kShots));
}

}  // namespace
}  // namespace tandem::noise
