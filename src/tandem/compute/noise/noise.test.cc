#include "tandem/compute/noise/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/testing/chi_square.h"
#include "tandem/compute/statevector/testing/dense_reference.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::noise {
namespace {

namespace oracle = statevector::testing;
using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Pub;
using observable::PauliSum;
using result::Counts;

constexpr std::uint64_t kMemory = 1ull << 28;

Executor& executor() {
  static ThreadExecutor pool(2);
  return pool;
}

device::Calibration calibration(std::size_t num_qubits, double error_1q, double error_2q,
                                device::QubitCalibration qubit = {}) {
  device::Calibration result;
  result.qubits.assign(num_qubits, qubit);
  result.error_1q = error_1q;
  result.error_2q = error_2q;
  return result;
}

NoiseOptions options(std::uint64_t seed = 1) { return {.seed = seed, .memory_bytes_max = kMemory}; }

NoisyCounts sample_circuit(const Circuit& circuit, std::uint64_t shots, const device::Calibration& device,
                           const NoiseOptions& with = options()) {
  return sample(circuit, {}, shots, device, with, {}, executor()).value();
}

Circuit make_circuit(std::uint32_t num_qubits) { return Circuit::create(num_qubits, num_qubits).value(); }

std::vector<std::uint64_t> dense_counts(const Counts& counts) {
  std::vector<std::uint64_t> dense(std::size_t{1} << counts.num_bits());
  for (std::size_t i = 0; i < counts.size(); ++i) dense[counts.outcome(i)[0]] = counts.count(i);
  return dense;
}

/// <Z...Z> of counts over all bits.
double parity(const Counts& counts) {
  double sum = 0;
  const auto dense = dense_counts(counts);
  for (std::size_t i = 0; i < dense.size(); ++i) {
    sum += static_cast<double>(dense[i]) * (std::popcount(i) % 2 == 0 ? 1 : -1);
  }
  return sum / static_cast<double>(counts.shots());
}

TEST(Noise, without_noise_counts_are_those_of_the_state) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Circuit circuit = oracle::random_circuit(seed, 4, 30, 2);
    std::vector<double> probabilities;
    for (const auto amplitude : oracle::final_state(circuit, {})) probabilities.push_back(std::norm(amplitude));
    const NoisyCounts noisy = sample_circuit(circuit.measure_all(), 50'000, calibration(4, 0, 0), options(seed));
    EXPECT_GT(oracle::chi_square_p(dense_counts(noisy.counts), probabilities), oracle::kChiSquareP) << seed;
    EXPECT_EQ(noisy.trajectories, 1u);
    EXPECT_EQ(noisy.error_free_shots, 50'000u);
    EXPECT_EQ(noisy.shared_shots, 0u);
  }
}

TEST(Noise, a_chain_of_gates_depolarises_geometrically) {
  // After m gates <Z> is (1 - p)^m of the ideal, up to sign: Nielsen & Chuang 8.3.4. Bound: 5.5 sigma (4e-8).
  for (const std::size_t gates : {1u, 10u, 70u}) {
    Circuit circuit = make_circuit(1);
    for (std::size_t i = 0; i < gates; ++i) circuit.gate(Gate::kX, {0});
    constexpr std::uint64_t kShots = 100'000;
    const NoisyCounts noisy = sample_circuit(circuit.measure_all(), kShots, calibration(1, 0.03, 0));
    const double expected = (gates % 2 == 0 ? 1 : -1) * std::pow(0.97, static_cast<double>(gates));
    EXPECT_NEAR(parity(noisy.counts), expected, 5.5 / std::sqrt(kShots)) << gates;
    EXPECT_EQ(noisy.shared_shots, 0u) << gates;
  }
}

TEST(Noise, a_bell_pair_keeps_what_the_channels_leave) {
  // ZZ sees only the channel behind cx: 1 - p2. XX pulls back through cx to X I, and sees that of h too: (1 - p1)(1 - p2).
  const double error_1q = 0.1;
  const double error_2q = 0.2;
  Pub pub{.circuit = make_circuit(2).gate(Gate::kH, {0}).gate(Gate::kCx, {0, 1}), .shots = 200'000};
  pub.observables = {PauliSum::create(2, {{.z = 3, .coefficient = 1}}).value(),
                     PauliSum::create(2, {{.x = 3, .coefficient = 1}}).value()};
  const auto values = run(pub, calibration(2, error_1q, error_2q), options(), {}, executor()).value().expectations(0);
  EXPECT_NEAR(values[0].value, 1 - error_2q, 5.5 / std::sqrt(200'000));
  // The two h of the basis change depolarise once more each.
  EXPECT_NEAR(values[1].value, std::pow(1 - error_1q, 3) * (1 - error_2q), 5.5 / std::sqrt(200'000));
  EXPECT_NEAR(values[0].standard_error, std::sqrt((1 - 0.64) / 200'000), 1e-5);
}

TEST(Noise, counts_follow_the_exact_density_matrix) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    Circuit circuit = oracle::random_circuit(50 + seed, 3, 15, 2);
    const oracle::Dense rho = oracle::noisy_density(circuit, 0.05, 0.1);
    std::vector<double> probabilities;
    for (std::size_t i = 0; i < rho.size; ++i) probabilities.push_back(rho.at(i, i).real());
    const NoisyCounts noisy = sample_circuit(circuit.measure_all(), 100'000, calibration(3, 0.05, 0.1), options(seed));
    EXPECT_EQ(noisy.shared_shots, 0u);
    EXPECT_GT(noisy.trajectories, 100u);
    EXPECT_GT(oracle::chi_square_p(dense_counts(noisy.counts), probabilities), oracle::kChiSquareP) << seed;
  }
}

TEST(Noise, sharing_patterns_leaves_the_average_right) {
  // Two x with p = 0.8 have fifteen error patterns, of probability 0.08 or 0.04; three are paid for, so most erring shots
  // share. Every single run is off, the average over 2000 seeds is not (5.5 of its own standard errors: 4e-8).
  Circuit circuit = make_circuit(1);
  circuit.gate(Gate::kX, {0}).gate(Gate::kX, {0}).measure_all();
  const double expected = 0.2 * 0.2;  // (1 - p)^2
  double sum = 0;
  double squares = 0;
  std::uint64_t shared = 0;
  constexpr int kSeeds = 2'000;
  for (int seed = 0; seed < kSeeds; ++seed) {
    NoiseOptions with = options(static_cast<std::uint64_t>(seed));
    with.amplitude_updates_max = 3 * 2 * 2;  // three patterns: gates * amplitudes each
    const NoisyCounts noisy = sample_circuit(circuit, 40, calibration(1, 0.8, 0), with);
    EXPECT_LE(noisy.trajectories, 4u);
    EXPECT_EQ(noisy.counts.shots(), 40u);
    shared += noisy.shared_shots;
    const double value = parity(noisy.counts);
    sum += value;
    squares += value * value;
  }
  EXPECT_GT(shared, kSeeds * 10u);
  const double mean = sum / kSeeds;
  const double error = std::sqrt((squares / kSeeds - mean * mean) / kSeeds);
  EXPECT_NEAR(mean, expected, 5.5 * error);
}

TEST(Noise, readout_flips_have_their_probabilities) {
  // Qubit 0 prepared as 1, qubit 1 as 0, with different errors for both directions.
  device::Calibration device = calibration(2, 0, 0, {.readout_p01 = 0.04, .readout_p10 = 0.1});
  device.qubits[1].readout_p01 = 0.25;
  const Circuit circuit = make_circuit(2).gate(Gate::kX, {0}).measure_all();
  const auto counts = dense_counts(sample_circuit(circuit, 200'000, device).counts);
  // Outcomes 00, 10, 01, 11 with bit 0 first.
  const std::vector<double> probabilities{0.1 * 0.75, 0.9 * 0.75, 0.1 * 0.25, 0.9 * 0.25};
  EXPECT_GT(oracle::chi_square_p(counts, probabilities), oracle::kChiSquareP);
}

TEST(Noise, readout_errors_shrink_expectations) {
  // <Z> of |0> read with p01: 1 - 2 p01; of Z Z on |00>: its square.
  Pub pub{.circuit = make_circuit(2), .shots = 200'000};
  pub.observables = {PauliSum::create(2, {{.z = 1, .coefficient = 1}}).value(),
                     PauliSum::create(2, {{.z = 3, .coefficient = 1}}).value()};
  const device::Calibration device = calibration(2, 0, 0, {.readout_p01 = 0.1});
  const auto values = run(pub, device, options(), {}, executor()).value().expectations(0);
  EXPECT_NEAR(values[0].value, 0.8, 5.5 / std::sqrt(200'000));
  EXPECT_NEAR(values[1].value, 0.64, 5.5 / std::sqrt(200'000));
}

TEST(Noise, bit_order_is_that_of_the_state) {
  const Circuit circuit = make_circuit(3).gate(Gate::kX, {0}).measure_all();
  EXPECT_EQ(sample_circuit(circuit, 3, calibration(3, 0, 0)).counts.text(0), "100");
  // Only qubit 2 is misread, always.
  device::Calibration device = calibration(3, 0, 0);
  device.qubits[2].readout_p01 = 1;
  EXPECT_EQ(sample_circuit(circuit, 3, device).counts.text(0), "101");
}

TEST(Noise, parameters_are_bound_and_bindings_are_independent) {
  Pub pub{.circuit = Circuit::create(1, 1, {"theta"}).value(), .parameter_values = {{0}, {M_PI}}, .shots = 50};
  pub.circuit.gate(Gate::kRx, {0}, {Angle::symbol(0)}).measure(0, 0);
  const auto result = run(pub, calibration(1, 0, 0), options(), {}, executor()).value();
  EXPECT_EQ(result.counts(0).text(0), "0");
  EXPECT_EQ(result.counts(1).text(0), "1");
}

TEST(Noise, same_seed_same_bytes_whatever_the_number_of_threads) {
  ThreadExecutor one(1);
  ThreadExecutor two(2);
  const device::Calibration device = calibration(15, 0.002, 0.01, {.readout_p01 = 0.01, .readout_p10 = 0.02});
  for (const std::uint32_t n : {4u, 15u}) {
    const Circuit circuit = oracle::random_circuit(n, n, 40, 2).measure_all();
    NoiseOptions with = options(7);
    with.amplitude_updates_max = 1 << 26;
    const auto first = sample(circuit, {}, 500, device, with, {}, one).value();
    EXPECT_EQ(first, sample(circuit, {}, 500, device, with, {}, two).value());
    EXPECT_EQ(first, sample(circuit, {}, 500, device, with, {}, two).value());
    with.seed = 8;
    EXPECT_NE(first, sample(circuit, {}, 500, device, with, {}, two).value());
  }
}

TEST(Noise, what_cannot_be_run_is_refused) {
  const device::Calibration device = calibration(50, 0, 0);
  const auto number = [&](const Circuit& circuit, std::uint64_t shots, const NoiseOptions& with = options(),
                          std::vector<double> values = {}) {
    return sample(circuit, values, shots, device, with, {}, executor()).error().number;
  };
  const Circuit good = make_circuit(10).measure_all();
  EXPECT_EQ(number(make_circuit(2), 10), errors::kBadCircuit);
  EXPECT_EQ(number(good, 0), errors::kValueOutOfRange);
  EXPECT_EQ(number(good, Pub::kShotsMax + 1), errors::kValueOutOfRange);
  EXPECT_EQ(number(make_circuit(51).measure_all(), 10), errors::kSizeMismatch);
  EXPECT_EQ(number(make_circuit(41).measure_all(), 10), errors::kTooManyQubits);
  EXPECT_EQ(number(good, 10, {.memory_bytes_max = 16383}), errors::kOutOfMemory);
  // One state of 16384 bytes; weights of eight rows, a sum, ten draws, ten places in 64 bytes, and 48 for each shot.
  EXPECT_EQ(number(good, 10, {.memory_bytes_max = 16384 + 8 * 19 + 10 * (64 + 48) - 1}), errors::kOutOfMemory);
  EXPECT_TRUE(
      sample(good, {}, 10, device, {.memory_bytes_max = 16384 + 8 * 19 + 10 * (64 + 48)}, {}, executor()).has_value());
  EXPECT_EQ(number(good, 10, options(), {1.0}), errors::kSizeMismatch);
  EXPECT_EQ(number(make_circuit(3).gate(Gate::kCcx, {0, 1, 2}).measure_all(), 10), errors::kBackendCannot);
  EXPECT_EQ(number(make_circuit(1).measure_all().measure_all(), 10), errors::kBackendCannot);
  EXPECT_EQ(number(make_circuit(1).gate(Gate::kReset, {0}).measure_all(), 10), errors::kBackendCannot);
  Circuit symbolic = Circuit::create(1, 1, {"a"}).value();
  symbolic.gate(Gate::kRx, {0}, {Angle::symbol(0, 1e300)}).measure(0, 0);
  EXPECT_EQ(number(symbolic, 10, options(), {1e300}), errors::kNotFinite);

  Pub pub{.circuit = make_circuit(2)};
  pub.observables = {PauliSum::create(2, {{.z = 1, .coefficient = 1}}).value()};
  EXPECT_EQ(run(pub, device, options(), {}, executor()).error().number, errors::kBackendCannot);
  pub.shots = 10;
  EXPECT_TRUE(run(pub, device, options(), {}, executor()).has_value());
  pub.circuit.measure_all();
  EXPECT_EQ(run(pub, device, options(), {}, executor()).error().number, errors::kBadCircuit);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(sample(good, {}, 10, device, options(), source.get_token(), executor()).error().number, errors::kCancelled);
}

}  // namespace
}  // namespace tandem::noise
