#include "tandem/compute/statevector/fuse.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/testing/dense_reference.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;

constexpr std::uint32_t kBits = 24;
constexpr FuseCosts kFuseAll{.dense = 0, .bound = 0};

Steps steps_of(const Circuit& circuit) {
  Frame frame(circuit.num_qubits());
  Steps out;
  lower(circuit.instructions(), {}, frame, out);
  return out;
}

std::size_t dense_of(const Circuit& circuit, std::uint32_t num_bits, const FuseCosts& costs = {}) {
  return fuse(steps_of(circuit), num_bits, 4, costs).members.size();
}

Circuit empty(std::uint32_t num_qubits = kBits) { return Circuit::create(num_qubits, 0).value(); }

void u(Circuit& circuit, std::uint32_t qubit) {
  circuit.gate(Gate::kU, {qubit}, {Angle::constant(1), Angle::constant(2), Angle::constant(3)});
}

TEST(Fuse, what_costs_more_by_the_piece_becomes_one_gate) {
  const auto any = [](std::uint32_t num_qubits) {
    Circuit circuit = empty(num_qubits);
    for (int i = 0; i < 4; ++i) {
      if (i > 0) circuit.gate(Gate::kCx, {1, 4});
      u(circuit, 1);
      u(circuit, 4);
    }
    return dense_of(circuit, num_qubits);
  };
  EXPECT_EQ(any(kBits), 1u);
  EXPECT_EQ(any(5), 0u);  // few amplitudes: to multiply the pieces takes longer than they do
}

TEST(Fuse, what_costs_less_by_the_piece_stays) {
  Circuit brickwork = empty();
  for (std::uint32_t i = 0; i < kBits; i += 2) {
    u(brickwork, i);
    u(brickwork, i + 1);
    brickwork.gate(Gate::kCz, {i, i + 1});
  }
  EXPECT_EQ(dense_of(brickwork, kBits), 0u);
  Circuit ising = empty();
  for (const Gate gate : {Gate::kRxx, Gate::kRzz}) ising.gate(gate, {8, 9}, {Angle::constant(0.3)});
  EXPECT_EQ(dense_of(ising, kBits), 0u);
  Circuit exponential = empty();
  exponential.gate(Gate::kCx, {8, 9}).gate(Gate::kRz, {9}, {Angle::constant(0.3)}).gate(Gate::kCx, {8, 9});
  EXPECT_EQ(dense_of(exponential, kBits), 0u);
}

TEST(Fuse, no_run_goes_over_what_touches_its_bits) {
  // ry cx ry on (0, 1), and what stands between: nothing of other bits matters, all else parts them.
  const auto runs = [](const auto& between) {
    Circuit circuit = empty(4);
    circuit.gate(Gate::kRy, {1}, {Angle::constant(0.3)}).gate(Gate::kCx, {0, 1});
    between(circuit);
    circuit.gate(Gate::kCx, {0, 1}).gate(Gate::kRy, {1}, {Angle::constant(0.3)});
    return dense_of(circuit, 4, kFuseAll);
  };
  EXPECT_EQ(runs([](Circuit&) {}), 1u);
  EXPECT_EQ(runs([](Circuit& c) { u(c, 2); }), 1u);
  EXPECT_EQ(runs([](Circuit& c) { c.gate(Gate::kCz, {1, 2}); }), 2u);
  EXPECT_EQ(runs([](Circuit& c) { c.gate(Gate::kCcx, {1, 2, 3}); }), 2u);
}

TEST(Fuse, readings_part_runs) {
  Circuit circuit = empty(4);
  circuit.gate(Gate::kRy, {1}, {Angle::constant(0.3)}).gate(Gate::kCx, {0, 1});
  Steps steps = steps_of(circuit);
  const Steps again = steps;
  EXPECT_EQ(fuse(steps, 4, 3, kFuseAll).members.size(), 1u);
  steps.steps.insert(steps.steps.begin() + 1, Step{.kind = Step::Kind::kReading, .touched = 2, .mixing = 2});
  EXPECT_EQ(fuse(steps, 4, 3, kFuseAll).members.size(), 0u);
}

/// Whole matrices, of steps in the order that fuse() gives, against those of the circuit.
TEST(Fuse, the_order_of_steps_and_their_products_are_the_circuit) {
  constexpr std::uint32_t kQubits = 4;
  Xoshiro256 rng(12);
  std::size_t dense = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Circuit circuit = testing::random_circuit(seed, kQubits, 12);
    Frame frame(kQubits);
    Steps steps;
    lower(circuit.instructions(), {}, frame, steps);
    const FusedSteps fused = fuse(steps, kQubits, rng.below(2) == 0 ? 0 : 3, kFuseAll);
    std::vector<testing::Complex> state(1 << kQubits);
    state[0] = 1;
    const auto apply = [&](std::span<const std::uint32_t> numbers, std::uint64_t touched) {
      std::vector<std::uint64_t> bits;
      std::vector<std::uint32_t> qubits;
      for (std::uint32_t bit = 0; bit < kQubits; ++bit) {
        if ((touched >> bit & 1) == 0) continue;
        bits.push_back(std::uint64_t{1} << bit);
        qubits.push_back(bit);
      }
      const Product product = product_of(steps, numbers, bits);
      state = testing::embed(std::span(product).first(std::size_t{1} << 2 * bits.size()), qubits, kQubits) * state;
    };
    bool three = false;  // product_of() does not know those
    for (std::size_t i = 0; i < fused.steps.size(); ++i) {
      const Step& step = fused.steps[i];
      three = three || std::popcount(step.touched) > 2;
      if (three) break;
      if (step.kind == Step::Kind::kDense) {
        apply(fused.members[step.gate], step.touched);
        ++dense;
      } else {
        apply(std::span(&fused.numbers[i], 1), step.touched);
      }
    }
    if (three) continue;
    const std::vector<testing::Complex> wanted = testing::final_state(circuit, {});
    for (std::uint64_t z = 0; z < state.size(); ++z)
      ASSERT_LT(std::abs(frame.scale * state[frame.place(z)] - wanted[z]), 1e-13) << "seed " << seed;
  }
  EXPECT_GT(dense, 300u);
}

}  // namespace
}  // namespace tandem::statevector
