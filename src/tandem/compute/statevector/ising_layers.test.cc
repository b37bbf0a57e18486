// Circuits that are run as layers against the same circuits gate by gate on a plain vector, and what counts as a layer.
#include "tandem/compute/statevector/ising_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/adjoint.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;
using Complex = std::complex<double>;

constexpr std::uint64_t kMemory = 1ull << 30;
constexpr std::uint32_t kLeast = kIsingQubitsMin;

/// Gate by gate, by the table's matrices.
std::vector<Complex> plainly(const Circuit& circuit) {
  std::vector<Complex> state(std::size_t{1} << circuit.num_qubits());
  state[0] = 1;
  for (const Instruction& instruction : circuit.instructions()) {
    if (instruction.gate == Gate::kBarrier) continue;
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    std::vector<double> angles;
    for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(instruction.angles[i].offset);
    const std::vector<Complex> matrix = circuit::gate_unitary(instruction.gate, angles);
    const std::size_t size = std::size_t{1} << record.num_qubits;
    std::vector<Complex> in(size);
    const auto place = [&](std::size_t z, std::size_t row) {
      for (std::size_t k = 0; k < record.num_qubits; ++k) z |= (row >> k & 1) << instruction.qubits[k];
      return z;
    };
    std::size_t operands = place(0, size - 1);
    for (std::size_t z = 0; z < state.size(); ++z) {
      if ((z & operands) != 0) continue;
      for (std::size_t row = 0; row < size; ++row) in[row] = state[place(z, row)];
      for (std::size_t row = 0; row < size; ++row) {
        Complex& out = state[place(z, row)] = 0;
        for (std::size_t column = 0; column < size; ++column) out += matrix[row * size + column] * in[column];
      }
    }
  }
  return state;
}

Angle angle_of(double radians) { return Angle::constant(radians); }

struct Wanted {
  std::uint32_t num_qubits = kLeast;
  std::size_t layers = 2;
  bool fields = true;
  bool same_turns = true;
  double density = 0.4;
};

/// Each phase in one of its spellings.
void append_phase(Circuit& circuit, std::uint32_t u, std::uint32_t v, bool fields, Xoshiro256& rng) {
  const Angle angle = angle_of(7 * (rng.uniform() - 0.5));
  switch (rng.below(fields ? 5 : 3)) {
    case 0:
      circuit.gate(Gate::kRzz, {u, v}, {angle});
      break;
    case 1:
      circuit.gate(Gate::kCx, {u, v}).gate(Gate::kRz, {v}, {angle}).gate(Gate::kCx, {u, v});
      break;
    case 2:
      circuit.gate(Gate::kCx, {v, u}).gate(Gate::kP, {u}, {angle}).gate(Gate::kCx, {v, u});
      break;
    case 3:
      circuit.gate(Gate::kCp, {u, v}, {angle});
      break;
    default:
      circuit.gate(Gate::kCz, {u, v});
  }
}

Circuit layered(const Wanted& wanted, Xoshiro256& rng) {
  Circuit circuit = Circuit::create(wanted.num_qubits, 0).value();
  for (std::uint32_t q = 0; q < wanted.num_qubits; ++q) circuit.gate(Gate::kH, {q});
  for (std::size_t l = 0; l < wanted.layers; ++l) {
    for (std::uint32_t u = 0; u < wanted.num_qubits; ++u)
      for (std::uint32_t v = u + 1; v < wanted.num_qubits; ++v)
        if (rng.uniform() < wanted.density) append_phase(circuit, u, v, wanted.fields, rng);
    for (std::uint32_t q = 0; wanted.fields && q < wanted.num_qubits; ++q) {
      const Angle angle = angle_of(5 * (rng.uniform() - 0.5));
      if (rng.below(3) == 0) circuit.gate(Gate::kZ, {q});
      rng.below(2) == 0 ? circuit.gate(Gate::kRz, {q}, {angle}) : circuit.gate(Gate::kP, {q}, {angle});
    }
    const double same = 4 * (rng.uniform() - 0.5);
    for (std::uint32_t q = 0; q < wanted.num_qubits; ++q)
      circuit.gate(Gate::kRx, {q}, {angle_of(wanted.same_turns ? same : 4 * (rng.uniform() - 0.5))});
  }
  return circuit;
}

/// The same gates in another order, that of each qubit being kept.
Circuit shuffled(const Circuit& circuit, Xoshiro256& rng) {
  std::vector<Instruction> left(circuit.instructions().begin(), circuit.instructions().end());
  Circuit out = Circuit::create(circuit.num_qubits(), 0).value();
  while (!left.empty()) {
    std::uint64_t used = 0;
    const std::size_t wanted = rng.below(std::min<std::size_t>(left.size(), 20));
    std::size_t at = 0;
    for (std::size_t i = 0; i <= wanted; ++i) {
      std::uint64_t own = 0;
      for (std::size_t k = 0; k < circuit::gate_record(left[i].gate).num_qubits; ++k)
        own |= std::uint64_t{1} << left[i].qubits[k];
      if ((own & used) == 0) at = i;
      used |= own;
    }
    // The three gates of a phase between two CX stay together.
    const std::size_t count = left[at].gate == Gate::kCx ? 3 : 1;
    for (std::size_t i = 0; i < count; ++i) EXPECT_TRUE(out.append(left[at + i]).has_value());
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(at), left.begin() + static_cast<std::ptrdiff_t>(at + count));
  }
  return out;
}

template <class Real>
class IsingLayersTest : public ::testing::Test {
 protected:
  static constexpr double kTolerance = sizeof(Real) == 8 ? 1e-13 : 2e-6;

  std::optional<IsingLayers> found(const Circuit& circuit) {
    return find_ising_layers<Real>(circuit.instructions(), {}, circuit.num_qubits());
  }
  void expect_as_plainly(const Circuit& circuit) {
    const std::vector<Complex> expected = plainly(circuit);
    auto state = BasicStateVector<Real>::create(circuit.num_qubits(), kMemory, executor_).value();
    ASSERT_TRUE(state.apply(circuit, {}).has_value());
    for (std::size_t z = 0; z < expected.size(); ++z)
      ASSERT_LT(std::abs(state.amplitude(z) - expected[z]), kTolerance) << "state " << z;
  }
  ThreadExecutor executor_{2};
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(IsingLayersTest, Reals);

TYPED_TEST(IsingLayersTest, circuits_of_layers_are_found_and_give_the_state_of_their_gates) {
  Xoshiro256 rng(1);
  for (const std::uint32_t n : {kLeast, kLeast + 1, 17u}) {
    for (const bool fields : {false, true}) {
      for (const bool same_turns : {false, true}) {
        const Circuit circuit =
            layered({.num_qubits = n, .layers = n == 17 ? 1u : 3u, .fields = fields, .same_turns = same_turns}, rng);
        const auto layers = this->found(circuit);
        ASSERT_TRUE(layers.has_value());
        EXPECT_EQ(layers->layers.size(), n == 17 ? 1u : 3u);
        EXPECT_EQ(layers->symmetric, !fields);
        EXPECT_EQ(layers->num_seen, circuit.instructions().size());
        EXPECT_THAT(layers->rest, ::testing::IsEmpty());
        this->expect_as_plainly(circuit);
      }
    }
  }
}

TYPED_TEST(IsingLayersTest, the_order_of_gates_on_different_qubits_does_not_matter) {
  Xoshiro256 rng(2);
  for (int round = 0; round < 4; ++round) {
    const Circuit circuit = shuffled(layered({.layers = 4, .fields = round % 2 == 0, .density = 0.1}, rng), rng);
    const auto layers = this->found(circuit);
    ASSERT_TRUE(layers.has_value());
    EXPECT_EQ(layers->layers.size(), 4u);
    EXPECT_THAT(layers->rest, ::testing::IsEmpty());
    this->expect_as_plainly(circuit);
  }
}

/// Layers that only some qubits have, and any gates, come afterwards in their order.
TYPED_TEST(IsingLayersTest, what_follows_the_layers_is_done_behind_them) {
  Xoshiro256 rng(3);
  for (int round = 0; round < 4; ++round) {
    Circuit circuit = layered({.layers = 2, .fields = round % 2 == 0, .density = 0.1}, rng);
    circuit.gate(Gate::kRzz, {0, 1}, {angle_of(0.3)})
        .gate(Gate::kRx, {0}, {angle_of(0.4)})
        .gate(Gate::kRzz, {1, 2}, {angle_of(0.5)})
        .gate(Gate::kRx, {1}, {angle_of(0.6)});
    const std::size_t seen = circuit.instructions().size();
    circuit.gate(Gate::kRy, {1}, {angle_of(0.7)}).gate(Gate::kCx, {1, 5}).gate(Gate::kRx, {5}, {angle_of(0.2)});
    const auto layers = this->found(circuit);
    ASSERT_TRUE(layers.has_value());
    EXPECT_EQ(layers->layers.size(), 2u);
    EXPECT_EQ(layers->num_seen, seen);
    EXPECT_EQ(layers->rest.size(), 4u);
    this->expect_as_plainly(circuit);
  }
}

TYPED_TEST(IsingLayersTest, what_is_no_layer_is_left_to_the_plan) {
  const auto uniform = [](std::uint32_t n) {
    Circuit out = Circuit::create(n, 0).value();
    for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kH, {q});
    return out;
  };
  const auto turned = [](Circuit circuit) {
    for (std::uint32_t q = 0; q < circuit.num_qubits(); ++q) circuit.gate(Gate::kRx, {q}, {angle_of(0.1)});
    return circuit;
  };
  EXPECT_TRUE(this->found(turned(uniform(kLeast))).has_value());
  EXPECT_FALSE(this->found(turned(uniform(kLeast - 1))).has_value()) << "few qubits";
  EXPECT_FALSE(this->found(uniform(kLeast)).has_value()) << "no mixer";
  EXPECT_FALSE(this->found(turned(Circuit::create(kLeast, 0).value())).has_value()) << "not the uniform state";
  // A phase between qubits of which one has been mixed already, and turns that stand in for nothing.
  Circuit crossed = uniform(kLeast);
  crossed.gate(Gate::kRx, {0}, {angle_of(0.1)}).gate(Gate::kRzz, {0, 1}, {angle_of(0.1)});
  EXPECT_FALSE(this->found(turned(crossed)).has_value());
  Circuit open = uniform(kLeast);
  open.gate(Gate::kCx, {0, 1}).gate(Gate::kRz, {0}, {angle_of(0.1)}).gate(Gate::kCx, {0, 1});
  EXPECT_FALSE(this->found(turned(open)).has_value()) << "a phase of the control";
  for (const Circuit& circuit : {turned(crossed), turned(open)}) this->expect_as_plainly(circuit);
}

TYPED_TEST(IsingLayersTest, a_state_that_is_not_zero_goes_through_the_plan) {
  Xoshiro256 rng(4);
  const Circuit circuit = layered({.layers = 1}, rng);
  auto once = BasicStateVector<TypeParam>::create(kLeast, kMemory, this->executor_).value();
  ASSERT_TRUE(once.apply(circuit, {}).has_value());
  auto twice = BasicStateVector<TypeParam>::create(kLeast, kMemory, this->executor_).value();
  ASSERT_TRUE(twice.apply(circuit, {}).has_value());
  ASSERT_TRUE(twice.apply(circuit.inverse().value(), {}).has_value());
  EXPECT_NEAR(std::abs(twice.amplitude(0)), 1, 1e-5);
  ASSERT_TRUE(twice.apply(circuit, {}).has_value());
  auto measured = BasicStateVector<TypeParam>::create(kLeast, kMemory, this->executor_).value();
  measured.set_basis_state(3);
  measured.reset(0, 0.5);
  measured.reset(1, 0.5);
  ASSERT_TRUE(measured.apply(circuit, {}).has_value());
  auto again = BasicStateVector<TypeParam>::create(kLeast, kMemory, this->executor_).value();
  ASSERT_TRUE(again.apply(circuit, {}).has_value());
  again.set_basis_state(0);
  ASSERT_TRUE(again.apply(circuit, {}).has_value());
  for (std::uint64_t z = 0; z < 1u << kLeast; z += 13) {
    ASSERT_LT(std::abs(twice.amplitude(z) - once.amplitude(z)), 1e-5) << z;
    ASSERT_LT(std::abs(measured.amplitude(z) - once.amplitude(z)), this->kTolerance) << z;
    ASSERT_EQ(again.amplitude(z), once.amplitude(z)) << z;
  }
}

TYPED_TEST(IsingLayersTest, threads_and_instruction_sets_give_the_same_bytes) {
  Xoshiro256 rng(5);
  ThreadExecutor one(1);
  ThreadExecutor three(3);
  for (const bool fields : {false, true}) {
    const Circuit circuit = layered({.num_qubits = 17, .layers = 2, .fields = fields, .same_turns = false}, rng);
    std::vector<Complex> first;
    for (Executor* executor : {static_cast<Executor*>(&one), static_cast<Executor*>(&three)}) {
      for (const simd::Isa isa : simd::runnable_isas()) {
        auto state = BasicStateVector<TypeParam>::create(17, kMemory, *executor).value();
        state.use_isa(isa);
        ASSERT_TRUE(state.apply(circuit, {}).has_value());
        std::vector<Complex> now;
        for (std::uint64_t z = 0; z < 1u << 17; z += 97) now.push_back(state.amplitude(z));
        if (first.empty()) first = now;
        ASSERT_EQ(now, first) << simd::to_string(isa);
      }
    }
  }
}

/// Two flips hide the layers.
TEST(IsingLayersRun, counts_and_expectations_of_a_program_are_those_of_the_plan) {
  Xoshiro256 rng(6);
  ThreadExecutor executor(2);
  for (const bool fields : {false, true}) {
    const Circuit layers = layered({.num_qubits = 15, .layers = 3, .fields = fields}, rng);
    Circuit hidden = Circuit::create(15, 15).value();
    hidden.gate(Gate::kX, {0}).gate(Gate::kX, {0});
    Circuit plain = Circuit::create(15, 15).value();
    for (const Instruction& instruction : layers.instructions())
      for (Circuit* to : {&hidden, &plain}) ASSERT_TRUE(to->append(instruction).has_value());
    ASSERT_TRUE(find_ising_layers<double>(plain.instructions(), {}, 15).has_value());
    ASSERT_FALSE(find_ising_layers<double>(hidden.instructions(), {}, 15).has_value());
    const RunOptions options{.seed = 5, .memory_bytes_max = kMemory};
    std::vector<double> values;
    for (const Circuit& circuit : {plain, hidden}) {
      const circuit::Pub pub{
          .circuit = circuit,
          .observables = {
              observable::PauliSum::create(15, {{.z = 3, .coefficient = 1}, {.x = 9, .coefficient = 1}}).value()}};
      values.push_back(std::get<result::Expectations>(run(pub, options, {}, executor).value().bindings[0])[0].value);
    }
    EXPECT_NEAR(values[0], values[1], 1e-12);
    plain.measure_all();
    hidden.measure_all();
    const result::PubResult counts = run({.circuit = plain, .shots = 2000}, options, {}, executor).value();
    EXPECT_EQ(counts, run({.circuit = hidden, .shots = 2000}, options, {}, executor).value());
  }
}

/// The way back goes through the plan; both must mean the same bits.
TYPED_TEST(IsingLayersTest, gradients_go_back_through_what_layers_did) {
  constexpr std::uint32_t kQubits = 14;
  Circuit circuit = Circuit::create(kQubits, 0, {"gamma", "beta"}).value();
  for (std::uint32_t q = 0; q < kQubits; ++q) circuit.gate(Gate::kH, {q});
  std::vector<observable::PauliTerm> terms;
  for (std::uint32_t q = 0; q < kQubits; ++q) {
    const std::uint32_t next = (q + 1) % kQubits;
    circuit.gate(Gate::kRzz, {q, next}, {Angle::symbol(0)});
    terms.push_back({.z = std::uint64_t{1} << q | std::uint64_t{1} << next, .coefficient = 1});
  }
  for (std::uint32_t q = 0; q < kQubits; ++q) circuit.gate(Gate::kRx, {q}, {Angle::symbol(1)});
  const std::vector<double> values{0.4, 0.9};
  ASSERT_TRUE(find_ising_layers<TypeParam>(circuit.instructions(), values, kQubits).has_value());
  const std::vector<observable::PauliSum> ring{observable::PauliSum::create(kQubits, terms).value()};
  auto adjoint = BasicAdjoint<TypeParam>::create(kQubits, kMemory, this->executor_).value();
  const std::vector<double> weights{1};
  const Gradient gradient = adjoint.gradient(circuit, values, ring, weights).value();
  // A ring without triangles, one layer: <Z Z'> = sin(2 beta) sin(gamma) cos(gamma) of each edge, up to the sign of the angles; Wang et al.,
  // arXiv 1706.02998, equation 15 with degree 2.
  const double g = values[0];
  const double b = values[1];
  const auto value = [](double gamma, double beta) {
    return kQubits * std::sin(2 * beta) * std::sin(gamma) * std::cos(gamma);
  };
  ASSERT_EQ(gradient.values.size(), 1u);
  EXPECT_NEAR(gradient.values[0], value(g, b), 1e3 * this->kTolerance);
  EXPECT_NEAR(gradient.derivatives[0], kQubits * std::sin(2 * b) * std::cos(2 * g), 1e3 * this->kTolerance);
  EXPECT_NEAR(gradient.derivatives[1], kQubits * std::cos(2 * b) * std::sin(2 * g), 1e3 * this->kTolerance);
}

}  // namespace
}  // namespace tandem::statevector
