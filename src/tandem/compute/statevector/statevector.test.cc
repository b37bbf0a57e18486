#include "tandem/compute/statevector/statevector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/testing/chi_square.h"
#include "tandem/compute/statevector/testing/dense_reference.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::GateRecord;
using circuit::Instruction;
using observable::PauliSum;
using observable::PauliTerm;
using testing::Complex;

constexpr double kPi = std::numbers::pi;
constexpr std::uint64_t kMemory = 1ull << 30;
constexpr double kTolerance = 1e-13;  // 60 gates of a few roundings each, on amplitudes below 1

Executor& one_thread() {
  static ThreadExecutor executor(1);
  return executor;
}
Executor& two_threads() {
  static ThreadExecutor executor(2);
  return executor;
}

StateVector make_state(std::uint32_t num_qubits, Executor& executor = two_threads()) {
  return StateVector::create(num_qubits, kMemory, executor).value();
}

StateVector run_circuit(const Circuit& circuit, Executor& executor = two_threads()) {
  StateVector state = make_state(circuit.num_qubits(), executor);
  EXPECT_TRUE(state.apply(circuit, {}).has_value());
  return state;
}

std::vector<Complex> amplitudes_of(const StateVector& state) {
  std::vector<Complex> out(std::size_t{1} << state.num_qubits());
  for (std::uint64_t z = 0; z < out.size(); ++z) out[z] = state.amplitude(z);
  return out;
}

/// |+...+> from |0...0>.
void set_uniform(StateVector& state) {
  Circuit layer = Circuit::create(state.num_qubits(), 0).value();
  for (std::uint32_t i = 0; i < state.num_qubits(); ++i) layer.gate(Gate::kH, {i});
  TANDEM_ASSERT(state.apply(layer, {}).has_value());
}

double distance(const std::vector<Complex>& a, const std::vector<Complex>& b) {
  double largest = a.size() == b.size() ? 0 : 1e9;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// Calls body(qubits) for all ordered tuples of different qubits below n.
void for_tuples(std::uint32_t n, std::size_t count, const std::function<void(std::array<std::uint32_t, 3>)>& body) {
  std::array<std::uint32_t, 3> qubits{};
  const std::function<void(std::size_t)> extend = [&](std::size_t filled) {
    if (filled == count) return body(qubits);
    for (std::uint32_t qubit = 0; qubit < n; ++qubit) {
      if (std::find(qubits.begin(), qubits.begin() + static_cast<std::ptrdiff_t>(filled), qubit) !=
          qubits.begin() + static_cast<std::ptrdiff_t>(filled)) {
        continue;
      }
      qubits[filled] = qubit;
      extend(filled + 1);
    }
    qubits[filled] = 0;
  };
  extend(0);
}

TEST(StateVector, measurements_between_gates_without_phases_keep_the_norm_however_many) {
  // Each measurement halves what stands in memory, and 1075 halvings are 0.
  for (const Gate gate : {Gate::kCry, Gate::kRy, Gate::kRx}) {
    Circuit circuit = Circuit::create(2, 0).value();
    if (gate == Gate::kCry) {
      circuit.gate(gate, {0, 1}, {Angle::constant(kPi / 2)});
    } else {
      circuit.gate(gate, {1}, {Angle::constant(kPi / 3)});
    }
    StateVector state = make_state(2);
    state.set_basis_state(1);
    Xoshiro256 rng(3);
    for (int i = 0; i < 6000; ++i) {
      ASSERT_TRUE(state.apply(circuit, {}).has_value());
      if (i % 2 == 0)
        state.measure(1, rng.uniform());
      else
        state.reset(1, rng.uniform());
    }
    double norm = 0;
    for (const Complex& amplitude : amplitudes_of(state)) norm += std::norm(amplitude);
    EXPECT_NEAR(norm, 1, 1e-11) << circuit::gate_record(gate).name;
  }
}

TEST(StateVector, a_circuit_that_is_planned_in_parts_is_the_product_of_its_gates) {
  const Circuit circuit = testing::random_circuit(11, 3, 5000);
  EXPECT_LT(distance(amplitudes_of(run_circuit(circuit)), testing::final_state(circuit, {})), 1e-11);
}

TEST(StateVector, every_gate_on_every_ordered_tuple_of_qubits_is_its_kronecker_product) {
  Xoshiro256 rng(3);
  std::size_t compared = 0;
  for (std::uint32_t n = 1; n <= 5; ++n) {
    const Circuit start = testing::random_circuit(n, n, 20);
    const std::vector<Complex> start_state = testing::final_state(start, {});
    for (const GateRecord& record : circuit::gate_table()) {
      if ((record.flags & circuit::kUnitary) == 0 || record.num_qubits > n) continue;
      for_tuples(n, record.num_qubits, [&](std::array<std::uint32_t, 3> qubits) {
        Instruction instruction{.gate = record.gate, .qubits = qubits};
        for (std::size_t i = 0; i < record.num_parameters; ++i) instruction.angles[i] = testing::random_angle(rng);
        Circuit circuit = start;
        TANDEM_ASSERT(circuit.append(instruction).has_value());
        const auto expected = testing::instruction_matrix(instruction, {}, n) * start_state;
        EXPECT_LT(distance(amplitudes_of(run_circuit(circuit)), expected), kTolerance)
            << record.name << " on " << qubits[0] << ' ' << qubits[1] << ' ' << qubits[2] << " of " << n;
        ++compared;
      });
    }
  }
  // 16 gates on one qubit, 14 on two and 3 on three, on all ordered tuples of 1..5 qubits.
  EXPECT_EQ(compared, 18u * 15 + 15u * (2 + 6 + 12 + 20) + 3u * (6 + 24 + 60));
}

TEST(StateVector, a_thousand_random_circuits_agree_with_dense_matrices) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const auto n = static_cast<std::uint32_t>(1 + seed % 5);
    const Circuit circuit = testing::random_circuit(seed, n, 30);
    ASSERT_LT(distance(amplitudes_of(run_circuit(circuit)), testing::final_state(circuit, {})), kTolerance)
        << "seed " << seed;
  }
}

/// A circuit on few qubits moved to given places among 17, so that gates reach across blocks in every way.
constexpr std::uint32_t kWide = 17;
Circuit moved(const Circuit& circuit, std::span<const std::uint32_t> places) {
  Circuit wide = Circuit::create(kWide, 0).value();
  for (Instruction instruction : circuit.instructions()) {
    for (std::uint8_t i = 0; i < circuit::gate_record(instruction.gate).num_qubits; ++i) {
      instruction.qubits[i] = places[instruction.qubits[i]];
    }
    TANDEM_ASSERT(wide.append(instruction).has_value());
  }
  return wide;
}

std::uint64_t moved(std::uint64_t bits, std::span<const std::uint32_t> places) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < places.size(); ++i) result |= ((bits >> i) & 1) << places[i];
  return result;
}

/// Five different places below kWide, at least two of them above the block.
std::vector<std::uint32_t> random_places(Xoshiro256& rng) {
  while (true) {
    std::vector<std::uint32_t> places;
    while (places.size() < 5) {
      const auto place = static_cast<std::uint32_t>(rng.below(kWide));
      if (std::ranges::find(places, place) == places.end()) places.push_back(place);
    }
    if (std::ranges::count_if(places, [](std::uint32_t place) { return place >= 14; }) >= 2) return places;
  }
}

TEST(StateVector, circuits_across_blocks_agree_with_the_same_circuit_on_few_qubits) {
  Xoshiro256 rng(5);
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Circuit small = testing::random_circuit(1000 + seed, 5, 40);
    const std::vector<std::uint32_t> places = random_places(rng);
    const std::vector<Complex> expected = testing::final_state(small, {});
    // The other twelve qubits are |+>, so that every amplitude is hit: each is 2^-6 of the small one's.
    StateVector state = make_state(kWide);
    set_uniform(state);
    Circuit undo = Circuit::create(kWide, 0).value();
    for (const std::uint32_t place : places) undo.gate(Gate::kH, {place});
    ASSERT_TRUE(state.apply(undo, {}).has_value());
    ASSERT_TRUE(state.apply(moved(small, places), {}).has_value());
    const std::uint64_t mask = moved(0b11111, places);
    std::vector<Complex> by_pattern(1u << kWide);
    for (std::uint64_t bits = 0; bits < 32; ++bits) by_pattern[moved(bits, places)] = expected[bits] / 64.0;
    double largest = 0;
    for (std::uint64_t z = 0; z < by_pattern.size(); ++z) {
      largest = std::max(largest, std::abs(state.amplitude(z) - by_pattern[z & mask]));
    }
    ASSERT_LT(largest, kTolerance) << "seed " << seed;
  }
}

TEST(StateVector, inverse_circuit_returns_to_the_start) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Circuit circuit = testing::random_circuit(seed, 5, 60);
    const Circuit inverse = circuit.inverse().value();
    for (const Instruction& instruction : inverse.instructions())
      TANDEM_ASSERT(circuit.append(instruction).has_value());
    std::vector<Complex> expected(32);
    expected[0] = 1;
    EXPECT_LT(distance(amplitudes_of(run_circuit(circuit)), expected), kTolerance) << "seed " << seed;
  }
}

TEST(StateVector, every_gate_is_undone_by_its_inverse) {
  Xoshiro256 rng(8);
  for (const GateRecord& record : circuit::gate_table()) {
    if ((record.flags & circuit::kUnitary) == 0) continue;
    Instruction instruction{.gate = record.gate, .qubits = testing::random_qubits(rng, 3, record.num_qubits)};
    for (std::size_t i = 0; i < record.num_parameters; ++i) instruction.angles[i] = testing::random_angle(rng);
    const Circuit start = testing::random_circuit(77, 3, 20);
    Circuit there_and_back = start;
    TANDEM_ASSERT(there_and_back.append(instruction).has_value());
    TANDEM_ASSERT(there_and_back.append(circuit::inverse_of(instruction)).has_value());
    EXPECT_LT(distance(amplitudes_of(run_circuit(there_and_back)), amplitudes_of(run_circuit(start))), kTolerance)
        << record.name;
  }
}

TEST(StateVector, quantum_fourier_transform_is_the_discrete_one) {
  for (std::uint32_t n = 1; n <= 6; ++n) {
    Circuit qft = Circuit::create(n, 0).value();
    for (std::uint32_t j = n; j-- > 0;) {
      qft.gate(Gate::kH, {j});
      for (std::uint32_t k = 0; k < j; ++k) qft.gate(Gate::kCp, {k, j}, {Angle::constant(kPi / (1 << (j - k)))});
    }
    for (std::uint32_t j = 0; j < n / 2; ++j) qft.gate(Gate::kSwap, {j, n - 1 - j});
    const std::uint64_t size = 1u << n;
    for (std::uint64_t in = 0; in < size; ++in) {
      StateVector state = make_state(n);
      state.set_basis_state(in);
      ASSERT_TRUE(state.apply(qft, {}).has_value());
      for (std::uint64_t out = 0; out < size; ++out) {
        const double angle = 2 * kPi * static_cast<double>((in * out) % size) / static_cast<double>(size);
        EXPECT_LT(std::abs(state.amplitude(out) - std::polar(1 / std::sqrt(static_cast<double>(size)), angle)), 1e-14);
      }
    }
  }
}

TEST(StateVector, parameters_are_bound_by_position) {
  Circuit circuit = Circuit::create(1, 0, {"a", "b"}).value();
  circuit.gate(Gate::kRx, {0}, {Angle{.parameter = 1, .factor = 2, .offset = 0.5}});
  StateVector state = make_state(1);
  ASSERT_TRUE(state.apply(circuit, std::vector<double>{9.0, 0.25}).has_value());
  EXPECT_NEAR(std::norm(state.amplitude(1)), std::pow(std::sin(0.5), 2), 1e-15);  // RX(1)
}

PauliSum random_observable(Xoshiro256& rng, std::uint32_t n, std::size_t count) {
  std::vector<PauliTerm> terms;
  const std::uint64_t mask = (std::uint64_t{1} << n) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    // A third of them diagonal and few distinct x masks, so that groups of terms form.
    const std::uint64_t x = i % 3 == 0 ? 0 : rng() & mask & 3;
    terms.push_back({.x = x, .z = rng() & mask, .coefficient = 2 * rng.uniform() - 1});
  }
  return PauliSum::create(n, std::move(terms)).value();
}

TEST(StateVector, expectations_agree_with_dense_matrices) {
  Xoshiro256 rng(11);
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto n = static_cast<std::uint32_t>(2 + seed % 4);
    const Circuit circuit = testing::random_circuit(seed, n, 30);
    const PauliSum observable = random_observable(rng, n, 12);
    EXPECT_NEAR(run_circuit(circuit).expectation(observable).value(),
                testing::expectation(observable, testing::final_state(circuit, {})), 1e-13)
        << "seed " << seed;
  }
}

TEST(StateVector, every_pauli_string_on_three_qubits_has_its_dense_expectation) {
  const Circuit circuit = testing::random_circuit(4, 3, 30);
  const StateVector state = run_circuit(circuit);
  const std::vector<Complex> dense = testing::final_state(circuit, {});
  for (std::uint64_t x = 0; x < 8; ++x) {
    for (std::uint64_t z = 0; z < 8; ++z) {
      const PauliSum observable = PauliSum::create(3, {{.x = x, .z = z, .coefficient = 1}}).value();
      EXPECT_NEAR(state.expectation(observable).value(), testing::expectation(observable, dense), 1e-14)
          << x << ' ' << z;
    }
  }
}

TEST(StateVector, expectations_across_blocks_agree_with_those_on_few_qubits) {
  Xoshiro256 rng(13);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Circuit small = testing::random_circuit(2000 + seed, 5, 40);
    const std::vector<std::uint32_t> places = random_places(rng);
    const std::uint64_t mask = moved(0b11111, places);
    const std::uint64_t others = ~mask & ((1u << kWide) - 1);
    const PauliSum observable = random_observable(rng, 5, 15);
    const double expected = testing::expectation(observable, testing::final_state(small, {}));
    const StateVector state = run_circuit(moved(small, places));
    std::vector<PauliTerm> terms;
    for (const PauliTerm& term : observable.terms()) {
      // The other qubits are |0>, so Z on any of them changes nothing.
      terms.push_back(
          {.x = moved(term.x, places), .z = moved(term.z, places) | (rng() & others), .coefficient = term.coefficient});
    }
    EXPECT_NEAR(state.expectation(PauliSum::create(kWide, terms).value()).value(), expected, 1e-12) << "seed " << seed;
    // And where they are |+>, X on any of them changes nothing.
    Circuit with_plus = Circuit::create(kWide, 0).value();
    for (std::uint32_t i = 0; i < kWide; ++i) {
      if (((others >> i) & 1) != 0) with_plus.gate(Gate::kH, {i});
    }
    StateVector plus = run_circuit(with_plus);
    ASSERT_TRUE(plus.apply(moved(small, places), {}).has_value());
    for (PauliTerm& term : terms) {
      term.z &= mask;
      term.x |= rng() & others;
    }
    EXPECT_NEAR(plus.expectation(PauliSum::create(kWide, terms).value()).value(), expected, 1e-12) << "seed " << seed;
  }
}

TEST(StateVector, same_bytes_whatever_the_number_of_threads) {
  const Circuit circuit = testing::random_circuit(31, 16, 80);
  Xoshiro256 rng(32);
  const PauliSum observable = random_observable(rng, 16, 40);
  const auto play = [&](Executor& executor) {
    StateVector state = run_circuit(circuit, executor);
    const bool bit = state.measure(15, 0.5);
    return std::tuple(amplitudes_of(state), state.expectation(observable).value(), state.sample(10'000, 7), bit);
  };
  const auto once = play(one_thread());
  EXPECT_EQ(once, play(one_thread()));
  for (int repeat = 0; repeat < 3; ++repeat) EXPECT_EQ(once, play(two_threads()));
}

TEST(StateVector, draws_are_the_same_whether_the_last_pass_took_the_weights_or_not) {
  // Last stages of every kind: tiles in a row, gathered ones, a gate alone that mixes above its tile, and nothing at all.
  constexpr std::uint32_t kQubits = 18;
  StateVector taken = StateVector::create(kQubits, kMemory, two_threads()).value();
  StateVector plain = StateVector::create(kQubits, kMemory, one_thread()).value();
  std::vector<Circuit> circuits;
  for (std::uint64_t seed = 0; seed < 6; ++seed) circuits.push_back(testing::random_circuit(seed, kQubits, 40));
  circuits.push_back(Circuit::create(kQubits, 0).value());
  circuits.back().gate(Gate::kCx, {16, 17});
  circuits.push_back(Circuit::create(kQubits, 0).value());
  circuits.back().gate(Gate::kX, {3});
  circuits.push_back(Circuit::create(kQubits, 0).value());
  circuits.back().gate(Gate::kH, {17}).gate(Gate::kRx, {0}, {circuit::Angle::constant(0.4)});
  for (const Circuit& circuit : circuits) {
    ASSERT_TRUE(taken.apply(circuit, {}, {}, Then::kSample).has_value());
    ASSERT_TRUE(plain.apply(circuit, {}).has_value());
    const auto draws = plain.sample(20'000, 3);
    EXPECT_EQ(taken.sample(20'000, 3), draws);
    StateVector copy = StateVector::create(kQubits, kMemory, one_thread()).value();
    copy.assign(taken);
    EXPECT_EQ(copy.sample(20'000, 3), draws);
  }
  // What changes the state afterwards changes the draws.
  EXPECT_EQ(taken.measure(5, 0.3), plain.measure(5, 0.3));
  EXPECT_EQ(taken.sample(1000, 4), plain.sample(1000, 4));
  for (StateVector* state : {&taken, &plain}) ASSERT_TRUE(state->apply(circuits[0], {}, {}, Then::kSample).has_value());
  for (StateVector* state : {&taken, &plain}) ASSERT_TRUE(state->apply(circuits[1], {}).has_value());
  EXPECT_EQ(taken.sample(1000, 5), plain.sample(1000, 5));
  taken.set_basis_state(77);
  EXPECT_EQ(taken.sample(10, 6), (std::vector<BasisCount>{{77, 10}}));
}

std::vector<std::uint64_t> dense_counts(const std::vector<BasisCount>& counts, std::size_t size) {
  std::vector<std::uint64_t> dense(size);
  std::uint64_t previous = 0;
  for (const BasisCount& entry : counts) {
    EXPECT_TRUE(&entry == &counts[0] || entry.state > previous) << "states ascend";
    EXPECT_GT(entry.count, 0u);
    previous = entry.state;
    dense[entry.state] = entry.count;
  }
  return dense;
}

TEST(StateVector, samples_follow_the_probabilities) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const Circuit circuit = testing::random_circuit(100 + seed, 5, 40);
    const StateVector state = run_circuit(circuit);
    std::vector<double> probabilities;
    for (const Complex amplitude : testing::final_state(circuit, {})) probabilities.push_back(std::norm(amplitude));
    const auto counts = dense_counts(state.sample(100'000, seed), 32);
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 100'000u);
    EXPECT_GT(testing::chi_square_p(counts, probabilities), testing::kChiSquareP) << "seed " << seed;
  }
}

TEST(StateVector, samples_beyond_one_chunk_are_still_a_histogram) {
  StateVector state = make_state(3);
  set_uniform(state);
  const auto counts = dense_counts(state.sample(2'500'000, 5), 8);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 2'500'000u);
  EXPECT_GT(testing::chi_square_p(counts, std::vector<double>(8, 0.125)), testing::kChiSquareP);
  EXPECT_TRUE(state.sample(0, 5).empty());
  // A second chunk with the dice of the first would double every count.
  const auto once = dense_counts(state.sample(1 << 20, 5), 8);
  const auto twice = dense_counts(state.sample(1 << 21, 5), 8);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_NE(twice[i], 2 * once[i]);
}

TEST(StateVector, samples_of_a_wide_state_find_its_few_basis_states) {
  // GHZ over three blocks' worth of qubits: only the first and the last amplitude differ from 0.
  Circuit ghz = Circuit::create(17, 0).value();
  ghz.gate(Gate::kH, {0});
  for (std::uint32_t i = 1; i < 17; ++i) ghz.gate(Gate::kCx, {i - 1, i});
  const auto counts = run_circuit(ghz).sample(100'000, 3);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts[0].state, 0u);
  EXPECT_EQ(counts[1].state, (1u << 17) - 1);
  const std::vector<std::uint64_t> drawn{counts[0].count, counts[1].count};
  EXPECT_GT(testing::chi_square_p(drawn, std::vector<double>{0.5, 0.5}), testing::kChiSquareP);
}

TEST(StateVector, measuring_one_half_of_a_bell_pair_decides_the_other) {
  Circuit bell = Circuit::create(2, 0).value();
  bell.gate(Gate::kH, {0}).gate(Gate::kCx, {0, 1});
  for (const auto& [uniform, outcome] : {std::pair(0.49, false), std::pair(0.51, true)}) {
    StateVector state = run_circuit(bell);
    EXPECT_EQ(state.measure(0, uniform), outcome);
    EXPECT_NEAR(std::norm(state.amplitude(outcome ? 3 : 0)), 1, 1e-15);
    EXPECT_EQ(state.measure(1, 0.999), outcome);
    state.reset(0, 0.5);
    EXPECT_NEAR(std::norm(state.amplitude(outcome ? 2 : 0)), 1, 1e-15);
  }
}

TEST(StateVector, a_certain_outcome_is_measured_whatever_the_dice) {
  for (const double uniform : {0.0, 0.5, 1 - 0x1p-53}) {
    StateVector zero = make_state(3);
    EXPECT_FALSE(zero.measure(1, uniform));
    StateVector one = make_state(3);
    one.set_basis_state(0b010);
    EXPECT_TRUE(one.measure(1, uniform));
    EXPECT_NEAR(std::norm(one.amplitude(0b010)), 1, 1e-15);
  }
}

TEST(StateVector, zero_qubits_are_one_amplitude) {
  StateVector state = make_state(0);
  EXPECT_EQ(state.amplitude(0), 1.0);
  ASSERT_TRUE(state.apply(Circuit::create(0, 0).value(), {}).has_value());
  EXPECT_EQ(state.sample(5, 1), (std::vector<BasisCount>{{0, 5}}));
}

TEST(StateVector, create_says_what_is_needed_and_what_the_limit_is) {
  EXPECT_EQ(StateVector::bytes_needed(10), 16384u);
  EXPECT_TRUE(StateVector::create(10, 16384, one_thread()).has_value());
  const auto small = StateVector::create(10, 16383, one_thread());
  ASSERT_FALSE(small.has_value());
  EXPECT_EQ(small.error().number, errors::kOutOfMemory);
  EXPECT_THAT(small.error().message, ::testing::HasSubstr("16384 bytes"));
  EXPECT_THAT(small.error().message, ::testing::HasSubstr("the limit is 16383"));
  EXPECT_EQ(StateVector::create(41, UINT64_MAX, one_thread()).error().number, errors::kTooManyQubits);
}

TEST(StateVector, apply_refuses_what_does_not_fit) {
  StateVector state = make_state(2);
  Circuit measured = Circuit::create(2, 1).value();
  measured.measure(0, 0);
  EXPECT_EQ(state.apply(measured, {}).error().number, errors::kBadCircuit);
  EXPECT_EQ(state.apply(Circuit::create(3, 0).value(), {}).error().number, errors::kSizeMismatch);
  Circuit symbolic = Circuit::create(2, 0, {"a"}).value();
  symbolic.gate(Gate::kRx, {0}, {Angle::symbol(0, 1e300)});
  EXPECT_EQ(state.apply(symbolic, {}).error().number, errors::kSizeMismatch);
  EXPECT_EQ(state.apply(symbolic, std::vector<double>{1e300}).error().number, errors::kNotFinite);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(state.apply(Circuit::create(2, 0).value().gate(Gate::kH, {0}), {}, source.get_token()).error().number,
            errors::kCancelled);
}

}  // namespace
}  // namespace tandem::statevector
