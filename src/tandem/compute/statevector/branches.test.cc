// Circuits that measure, reset and decide on the way, against all their outcomes by the definition.
#include "tandem/compute/statevector/branches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <map>
#include <set>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/compute/statevector/run_memory.h"
#include "tandem/compute/statevector/testing/chi_square.h"
#include "tandem/compute/statevector/testing/plain_run.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Condition;
using circuit::Gate;
using circuit::Instruction;

constexpr std::uint64_t kMemory = 1ull << 30;

Instruction under(Condition condition, Instruction instruction) {
  instruction.condition = condition;
  return instruction;
}

/// The probability of each value of the classical bits, all outcomes followed to the end. At most 16 bits.
class EveryOutcome {
 public:
  explicit EveryOutcome(const Circuit& circuit)
      : circuit_(circuit), probabilities_(std::size_t{1} << circuit.num_clbits()) {
    std::vector<std::complex<double>> state(std::size_t{1} << circuit.num_qubits());
    state[0] = 1;
    follow(0, std::move(state), 0);
  }
  const std::vector<double>& probabilities() const { return probabilities_; }

 private:
  void follow(std::size_t at, std::vector<std::complex<double>> state, std::uint64_t bits) {
    for (; at < circuit_.instructions().size(); ++at) {
      Instruction now = circuit_.instructions()[at];
      if (now.condition.count != 0) {
        const std::uint64_t held = bits >> now.condition.first & ((std::uint64_t{1} << now.condition.count) - 1);
        if (held != now.condition.value) continue;
        now.condition = {};
      }
      if (now.gate != Gate::kMeasure && now.gate != Gate::kReset) {
        testing::play_plainly(std::span(&now, 1), {}, state);
        continue;
      }
      const std::uint64_t bit = std::uint64_t{1} << now.qubits[0];
      for (const bool outcome : {false, true}) {
        std::vector<std::complex<double>> part = state;  // not normalised: its norm is the probability so far
        for (std::uint64_t z = 0; z < part.size(); ++z)
          if (((z & bit) != 0) != outcome) part[z] = 0;
        std::uint64_t next = bits;
        if (now.gate == Gate::kMeasure)
          next = outcome ? next | std::uint64_t{1} << now.clbit : next & ~(std::uint64_t{1} << now.clbit);
        else if (outcome)
          for (std::uint64_t z = 0; z < part.size(); ++z)
            if ((z & bit) == 0) std::swap(part[z], part[z | bit]);
        follow(at + 1, std::move(part), next);
      }
      return;
    }
    for (const std::complex<double>& amplitude : state) probabilities_[bits] += std::norm(amplitude);
  }

  const Circuit& circuit_;
  std::vector<double> probabilities_;
};

class Branches : public ::testing::Test {
 protected:
  result::Counts counts(const Circuit& circuit, std::uint64_t shots, std::uint64_t seed = 1,
                        std::uint64_t memory = kMemory) {
    return run({.circuit = circuit, .shots = shots}, {.seed = seed, .memory_bytes_max = memory}, {}, executor_)
        .value()
        .counts(0);
  }
  /// By value of the bits.
  std::vector<std::uint64_t> histogram(const Circuit& circuit, std::uint64_t shots, std::uint64_t seed = 1) {
    const result::Counts found = counts(circuit, shots, seed);
    std::vector<std::uint64_t> out(std::size_t{1} << circuit.num_clbits());
    for (std::size_t i = 0; i < found.size(); ++i) out[found.outcome(i)[0]] += found.count(i);
    return out;
  }
  ThreadExecutor executor_{2};
};

/// A gate of a random circuit, a measurement, a reset, and conditions on either.
Circuit random_program(std::uint64_t seed, std::uint32_t n, std::uint32_t clbits, std::size_t size) {
  Xoshiro256 rng(seed);
  Circuit out = Circuit::create(n, clbits).value();
  std::size_t decisions = 0;
  const Circuit gates = testing::random_circuit(seed, n, size);
  for (Instruction now : gates.instructions()) {
    if (decisions < 7 && rng.below(3) == 0) {
      ++decisions;
      now = {.gate = rng.below(4) == 0 ? Gate::kReset : Gate::kMeasure,
             .qubits = {static_cast<std::uint32_t>(rng.below(n))}};
      if (now.gate == Gate::kMeasure) now.clbit = static_cast<std::uint32_t>(rng.below(clbits));
    }
    if (now.gate != Gate::kBarrier && rng.below(3) == 0) {
      const auto first = static_cast<std::uint32_t>(rng.below(clbits));
      const auto count = 1 + static_cast<std::uint32_t>(rng.below(std::min(3u, clbits - first)));
      now = under({.first = first, .count = count, .value = rng.below(std::uint64_t{1} << count)}, now);
    }
    EXPECT_TRUE(out.append(now).has_value());
  }
  for (std::uint32_t q = 0; q < std::min(n, clbits); ++q) out.measure(q, q);
  return out;
}

TEST_F(Branches, random_programs_are_drawn_by_the_probabilities_of_all_their_outcomes) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const Circuit circuit = random_program(seed, 3 + seed % 2, 4, 12);
    const std::vector<double> exact = EveryOutcome(circuit).probabilities();
    EXPECT_GT(testing::chi_square_p(histogram(circuit, 4'000, seed), exact), testing::kChiSquareP) << seed;
  }
}

/// ry(theta) rz(phi) |0> goes from qubit 0 to qubit 2; undone there, it has to be 0 in each of the four branches.
TEST_F(Branches, teleportation_ends_with_the_state_that_was_sent) {
  Circuit circuit = Circuit::create(3, 3).value();
  const auto prepare = [&](std::uint32_t q) {
    circuit.gate(Gate::kRy, {q}, {Angle::constant(1.1)}).gate(Gate::kRz, {q}, {Angle::constant(0.7)});
  };
  prepare(0);
  circuit.gate(Gate::kH, {1}).gate(Gate::kCx, {1, 2}).gate(Gate::kCx, {0, 1}).gate(Gate::kH, {0});
  circuit.measure(0, 0).measure(1, 1);
  ASSERT_TRUE(circuit.append(under({.first = 1, .count = 1, .value = 1}, {.gate = Gate::kX, .qubits = {2}})));
  ASSERT_TRUE(circuit.append(under({.first = 0, .count = 1, .value = 1}, {.gate = Gate::kZ, .qubits = {2}})));
  circuit.gate(Gate::kRz, {2}, {Angle::constant(-0.7)}).gate(Gate::kRy, {2}, {Angle::constant(-1.1)}).measure(2, 2);
  const std::vector<std::uint64_t> drawn = histogram(circuit, 40'000);
  for (std::size_t bits = 4; bits < 8; ++bits) EXPECT_EQ(drawn[bits], 0u);
  EXPECT_GT(testing::chi_square_p(std::span(drawn).first(4), std::vector<double>(4, 0.25)), testing::kChiSquareP);
}

TEST_F(Branches, a_measurement_and_x_where_it_was_1_is_a_reset) {
  Circuit circuit = Circuit::create(2, 3).value();
  circuit.gate(Gate::kRy, {0}, {Angle::constant(1.3)}).gate(Gate::kCx, {0, 1}).measure(0, 0);
  ASSERT_TRUE(circuit.append(under({.first = 0, .count = 1, .value = 1}, {.gate = Gate::kX, .qubits = {0}})));
  circuit.measure(0, 1).measure(1, 2);
  const std::vector<std::uint64_t> drawn = histogram(circuit, 50'000);
  const double one = std::pow(std::sin(0.65), 2);
  EXPECT_GT(testing::chi_square_p(drawn, std::vector<double>{1 - one, 0, 0, 0, 0, one, 0, 0}), testing::kChiSquareP);
}

TEST_F(Branches, a_condition_compares_all_its_bits_with_what_they_hold_then) {
  // Bits 1 to 3 hold 5 after the measurements; bit 2 is written again afterwards.
  for (const std::uint64_t value : {4u, 5u, 1u, 13u}) {
    Circuit circuit = Circuit::create(4, 5).value();
    circuit.gate(Gate::kX, {0}).gate(Gate::kX, {2}).measure(0, 1).measure(1, 2).measure(2, 3);
    ASSERT_TRUE(circuit.append(under({.first = 1, .count = 3, .value = value}, {.gate = Gate::kX, .qubits = {3}})));
    circuit.measure(0, 2).measure(3, 4);
    EXPECT_EQ(counts(circuit, 10).text(0), value == 5 ? "01111" : "01110");
  }
}

TEST_F(Branches, a_condition_wider_than_a_word_holds_only_without_ones_above_it) {
  for (const bool high : {false, true}) {
    Circuit circuit = Circuit::create(3, 70).value();
    if (high) circuit.gate(Gate::kX, {1});
    circuit.gate(Gate::kX, {0}).measure(0, 0).measure(1, 68);
    ASSERT_TRUE(circuit.append(under({.first = 0, .count = 69, .value = 1}, {.gate = Gate::kX, .qubits = {2}})));
    circuit.measure(2, 69);
    EXPECT_EQ(counts(circuit, 3).text(0)[69], high ? '0' : '1');
  }
}

/// Fifteen qubits have more than one share: the path of large states, with room for few of them and for many.
TEST_F(Branches, the_same_bytes_come_with_little_memory_and_with_any_number_of_threads) {
  ThreadExecutor one(1);
  for (const std::uint32_t n : {5u, 15u}) {
    Circuit circuit = Circuit::create(n, 8).value();
    for (std::uint32_t q = 0; q < n; ++q) circuit.gate(Gate::kRy, {q}, {Angle::constant(0.3 + q)});
    for (std::uint32_t i = 0; i < 6; ++i) {
      circuit.measure(i % n, i).gate(Gate::kH, {i % n}).gate(Gate::kCx, {i % n, (i + 1) % n});
      ASSERT_TRUE(
          circuit.append(under({.first = 0, .count = i + 1, .value = i % 4}, {.gate = Gate::kX, .qubits = {2}})));
    }
    circuit.measure(0, 6).measure(2, 7);
    const circuit::Pub pub{.circuit = circuit, .shots = 300};
    const auto with = [&](std::uint64_t memory, Executor& executor) {
      return run(pub, {.seed = 3, .memory_bytes_max = memory}, {}, executor).value();
    };
    const auto plenty = with(kMemory, executor_);
    EXPECT_EQ(plenty, with(kMemory, one));
    const std::uint64_t least = memory_of_run(pub, {.threads = 2}).all();
    for (const std::uint64_t more : {0, 1, 2, 5})
      EXPECT_EQ(plenty, with(least + more * StateVector::bytes_needed(n), executor_)) << n << " " << more;
    EXPECT_EQ(run(pub, {.seed = 3, .memory_bytes_max = least - 1}, {}, executor_).error().number, errors::kOutOfMemory);
  }
}

/// Shots with the same outcomes share their gates: a million shots of two outcomes are two branches.
TEST_F(Branches, many_shots_of_few_outcomes_are_few_branches) {
  Circuit circuit = Circuit::create(12, 2).value();
  for (std::uint32_t q = 0; q < 12; ++q) circuit.gate(Gate::kH, {q});
  circuit.measure(0, 0);
  ASSERT_TRUE(circuit.append(under({.first = 0, .count = 1, .value = 1}, {.gate = Gate::kX, .qubits = {0}})));
  for (std::uint32_t q = 1; q < 12; ++q) circuit.gate(Gate::kCx, {0, q});
  circuit.measure(0, 1);
  const std::vector<std::uint64_t> drawn = histogram(circuit, 1'000'000);
  EXPECT_EQ(drawn[2] + drawn[3], 0u);
  EXPECT_GT(testing::chi_square_p(std::span(drawn).first(2), std::vector<double>{0.5, 0.5}), testing::kChiSquareP);
}

TEST_F(Branches, a_run_that_is_stopped_says_so_and_conditions_are_refused_where_there_is_no_outcome) {
  Circuit circuit = Circuit::create(2, 1).value();
  circuit.gate(Gate::kH, {0}).measure(0, 0);
  ASSERT_TRUE(circuit.append(under({.first = 0, .count = 1, .value = 1}, {.gate = Gate::kX, .qubits = {1}})));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(
      run({.circuit = circuit, .shots = 9}, {.memory_bytes_max = kMemory}, stop.get_token(), executor_).error().number,
      errors::kCancelled);
  circuit::Pub pub{.circuit = circuit};
  pub.observables = {observable::PauliSum::create(2, {{.z = 1, .coefficient = 1}}).value()};
  EXPECT_EQ(run(pub, {.memory_bytes_max = kMemory}, {}, executor_).error().number, errors::kBadCircuit);
  StateVector state = StateVector::create(2, kMemory, executor_).value();
  Circuit decided = Circuit::create(2, 1).value();
  ASSERT_TRUE(decided.append(under({.first = 0, .count = 1, .value = 0}, {.gate = Gate::kX, .qubits = {1}})));
  EXPECT_EQ(state.apply(decided, {}).error().number, errors::kBadCircuit);
}

}  // namespace
}  // namespace tandem::statevector
