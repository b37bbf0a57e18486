// Planned circuits against a plain loop over the amplitudes, on tiles so small that few qubits take many stages.
#include "tandem/compute/statevector/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/run_plan.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Circuit;
using circuit::Instruction;
using Complex = std::complex<double>;

/// One instruction at a time by its matrix, without anything of this part.
std::vector<Complex> plainly(const Circuit& circuit, std::vector<Complex> state) {
  for (const Instruction& instruction : circuit.instructions()) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    std::vector<double> angles;
    for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(instruction.angles[i].value({}));
    const std::vector<Complex> matrix = circuit::gate_unitary(instruction.gate, angles);
    const std::size_t dimension = std::size_t{1} << record.num_qubits;
    std::vector<Complex> next(state.size());
    for (std::size_t z = 0; z < state.size(); ++z) {
      std::size_t column = 0;
      for (std::size_t k = 0; k < record.num_qubits; ++k) column |= (z >> instruction.qubits[k] & 1) << k;
      for (std::size_t row = 0; row < dimension; ++row) {
        std::size_t to = z;
        for (std::size_t k = 0; k < record.num_qubits; ++k) {
          to &= ~(std::size_t{1} << instruction.qubits[k]);
          to |= (row >> k & 1) << instruction.qubits[k];
        }
        next[to] += matrix[row * dimension + column] * state[z];
      }
    }
    state = std::move(next);
  }
  return state;
}

std::vector<Complex> random_state(std::uint32_t num_qubits, Xoshiro256& rng) {
  std::vector<Complex> out(std::size_t{1} << num_qubits);
  double norm = 0;
  for (Complex& amplitude : out) {
    amplitude = {rng.uniform() - 0.5, rng.uniform() - 0.5};
    norm += std::norm(amplitude);
  }
  for (Complex& amplitude : out) amplitude /= std::sqrt(norm);
  return out;
}

template <class Real>
struct Played {
  std::vector<Real> numbers;  ///< as they lie in memory
  std::vector<Complex> state;
  std::size_t stages = 0;
  std::size_t dense = 0;  ///< gates
  std::size_t others = 0;  ///< pieces of other work
};

template <class Real>
Played<Real> play(const Circuit& circuit, const std::vector<Complex>& start, const TileShape& shape, simd::Isa isa,
                  Executor& executor, const FuseCosts& fuse = {}) {
  const std::uint32_t num_bits = std::max(circuit.num_qubits(), kLaneBits<Real>);
  Played<Real> out;
  simd::AlignedVector<Real> numbers(std::size_t{2} << num_bits);
  const auto at = [](std::uint64_t place) { return place / kLanes<Real> * 2 * kLanes<Real> + place % kLanes<Real>; };
  for (std::size_t z = 0; z < start.size(); ++z) {
    numbers[at(z)] = static_cast<Real>(start[z].real());
    numbers[at(z) + kLanes<Real>] = static_cast<Real>(start[z].imag());
  }
  Frame frame(circuit.num_qubits());
  Steps steps;
  lower(circuit.instructions(), {}, frame, steps);
  Plan<Real> plan = make_plan<Real>(steps, num_bits, {.shape = shape, .fuse = fuse});
  bind(plan, steps, 1, tile_kernels<Real>(isa));
  EXPECT_TRUE(run_plan(plan, numbers.data(), num_bits, isa, executor, {}).has_value());
  frame.scale *= plan.scale;
  for (std::size_t z = 0; z < start.size(); ++z) {
    const std::uint64_t place = frame.place(z);
    EXPECT_EQ(frame.state(place), z);
    out.state.push_back(frame.scale * Complex(numbers[at(place)], numbers[at(place) + kLanes<Real>]));
  }
  out.numbers.assign(numbers.begin(), numbers.end());
  out.stages = plan.stages.size();
  for (const Stage<Real>& stage : plan.stages)
    for (const auto& work : stage.work)
      if (const auto* const dense = std::get_if<DenseWork<Real>>(&work))
        out.dense += dense->size();
      else
        ++out.others;
  return out;
}

double distance(const std::vector<Complex>& a, const std::vector<Complex>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

template <class Real>
TileShape random_shape(Xoshiro256& rng) {
  const auto row = static_cast<std::uint32_t>(kLaneBits<Real> + rng.below(2));
  const auto most = static_cast<std::uint32_t>(row + 3 + rng.below(2));
  return {.most = most, .least = static_cast<std::uint32_t>(row + rng.below(most - row + 1)), .row = row};
}

/// Steps on a pair of bits become one wherever there are two.
constexpr FuseCosts kFuseAll{.dense = 0, .bound = 0};
FuseCosts random_costs(Xoshiro256& rng) { return rng.below(2) == 0 ? FuseCosts{} : kFuseAll; }

/// The angles at which gates are something simpler, and some that are nothing special.
double angle_that_matters(Xoshiro256& rng) {
  constexpr double kPi = std::numbers::pi;
  constexpr std::array kSpecial{0.0, -0.0, kPi, -kPi, kPi / 2, -kPi / 2, kPi / 4, 2 * kPi, 3 * kPi, 1e-9, 4 * kPi};
  return rng.below(2) == 0 ? kSpecial[rng.below(kSpecial.size())] : (2 * rng.uniform() - 1) * 10;
}

/// `circuit` with a parameter for each of its angles.
Circuit with_parameters(const Circuit& circuit) {
  std::vector<std::string> names;
  std::vector<Instruction> instructions(circuit.instructions().begin(), circuit.instructions().end());
  for (Instruction& instruction : instructions) {
    for (std::size_t i = 0; i < circuit::gate_record(instruction.gate).num_parameters; ++i) {
      instruction.angles[i] = circuit::Angle::symbol(static_cast<std::uint32_t>(names.size()));
      names.push_back("p" + std::to_string(names.size()));
    }
  }
  Circuit out = Circuit::create(circuit.num_qubits(), 0, names).value();
  for (const Instruction& instruction : instructions) EXPECT_TRUE(out.append(instruction).has_value());
  return out;
}

Circuit with_values(const Circuit& circuit, std::span<const double> values) {
  Circuit out = Circuit::create(circuit.num_qubits(), 0).value();
  for (Instruction instruction : circuit.instructions()) {
    for (std::size_t i = 0; i < circuit::gate_record(instruction.gate).num_parameters; ++i)
      instruction.angles[i] = circuit::Angle::constant(instruction.angles[i].value(values));
    EXPECT_TRUE(out.append(instruction).has_value());
  }
  return out;
}

/// 5,000 circuits of each precision.
template <class Real>
void expect_planned_is_unplanned(double tolerance) {
  ThreadExecutor executor(2);
  Xoshiro256 rng(sizeof(Real));
  std::size_t stages = 0;
  std::size_t dense = 0;
  for (std::uint64_t round = 0; round < 5000; ++round) {
    const auto n = static_cast<std::uint32_t>(1 + rng.below(9));
    Circuit circuit = testing::random_circuit(rng(), n, 1 + rng.below(n < 8 ? 40 : 15));
    if (rng.below(2) == 0) {
      const Circuit symbolic = with_parameters(circuit);
      std::vector<double> values(symbolic.parameters().size());
      for (double& value : values) value = angle_that_matters(rng);
      circuit = with_values(symbolic, values);
    }
    const std::vector<Complex> start = random_state(n, rng);
    const TileShape shape = rng.below(8) == 0 ? kTileShape<Real> : random_shape<Real>(rng);
    const std::span<const simd::Isa> isas = simd::runnable_isas();
    const FuseCosts fuse = random_costs(rng);
    const Played<Real> played = play<Real>(circuit, start, shape, isas[rng.below(isas.size())], executor, fuse);
    ASSERT_LT(distance(played.state, plainly(circuit, start)), tolerance) << "round " << round;
    stages = std::max(stages, played.stages);
    dense += played.dense;
    if (round % 8 != 0) continue;
    for (const simd::Isa isa : isas)
      ASSERT_EQ(play<Real>(circuit, start, shape, isa, executor, fuse).numbers, played.numbers) << simd::to_string(isa);
  }
  EXPECT_GE(stages, 2u);
  EXPECT_GT(dense, 1000u);
}

TEST(Plan, planned_circuits_are_the_unplanned_ones_and_the_same_bytes_on_every_set_in_double) {
  expect_planned_is_unplanned<double>(1e-13);
}

TEST(Plan, planned_circuits_are_the_unplanned_ones_and_the_same_bytes_on_every_set_in_float) {
  expect_planned_is_unplanned<float>(5e-6);
}

/// Amplitudes as they lie in memory, then the scales.
template <class Real>
std::vector<std::uint64_t> bits_after(Plan<Real>& plan, const Steps& steps, const Frame& frame, std::uint32_t num_bits,
                                      const std::vector<Real>& start, double scale, simd::Isa bound, simd::Isa run,
                                      Executor& executor) {
  bind(plan, steps, scale, tile_kernels<Real>(bound));
  simd::AlignedVector<Real> numbers(start.begin(), start.end());
  EXPECT_TRUE(run_plan(plan, numbers.data(), num_bits, run, executor, {}).has_value());
  std::vector<std::uint64_t> out;
  for (const Real number : numbers) out.push_back(std::bit_cast<std::uint64_t>(static_cast<double>(number)));
  for (const double number : {frame.scale.real(), frame.scale.imag(), plan.scale})
    out.push_back(std::bit_cast<std::uint64_t>(number));
  return out;
}

template <class Real>
void expect_bound_is_fresh() {
  ThreadExecutor executor(1);
  Xoshiro256 rng(5);
  const std::span<const simd::Isa> isas = simd::runnable_isas();
  for (std::uint64_t round = 0; round < 1000; ++round) {
    const auto n = static_cast<std::uint32_t>(1 + rng.below(10));
    const Circuit circuit = with_parameters(testing::random_circuit(rng(), n, 1 + rng.below(40)));
    const std::uint32_t num_bits = std::max(n, kLaneBits<Real>);
    const PlanOptions<Real> options{.shape = rng.below(4) == 0 ? kTileShape<Real> : random_shape<Real>(rng),
                                    .takes_scale = rng.below(2) == 0,
                                    .fuse = random_costs(rng)};
    std::vector<Real> start(std::size_t{2} << num_bits);
    for (Real& number : start) number = static_cast<Real>(rng.uniform() - 0.5);
    Frame layout(n);
    layout.flipped = rng.below(std::uint64_t{1} << n);
    Steps kept;
    Plan<Real> plan;
    for (int binding = 0; binding < 4; ++binding) {
      std::vector<double> values(circuit.parameters().size());
      for (double& value : values) value = rng.below(8) == 0 ? (rng.uniform() - 0.5) * 1e15 : angle_that_matters(rng);
      const double scale = 0.5 + rng.uniform();
      Frame frame = layout;
      if (binding == 0) {
        lower(circuit.instructions(), values, frame, kept);
        plan = make_plan<Real>(kept, num_bits, options);
      } else {
        lower_again(circuit.instructions(), values, frame, kept);
      }
      // The fresh one of the circuit in which these angles are constants.
      const Circuit constant = with_values(circuit, values);
      Frame fresh_frame = layout;
      Steps fresh_steps;
      lower(constant.instructions(), {}, fresh_frame, fresh_steps);
      Plan<Real> fresh = make_plan<Real>(fresh_steps, num_bits, options);
      const simd::Isa isa = isas[rng.below(isas.size())];
      ASSERT_EQ(frame.bit_of, fresh_frame.bit_of);
      ASSERT_EQ(frame.flipped, fresh_frame.flipped);
      ASSERT_EQ(bits_after(plan, kept, frame, num_bits, start, scale, isa, simd::best_isa(), executor),
                bits_after(fresh, fresh_steps, fresh_frame, num_bits, start, scale, simd::best_isa(), isa, executor))
          << "round " << round << " binding " << binding;
    }
  }
}

TEST(Plan, bound_again_it_is_the_fresh_plan_of_those_angles_byte_for_byte_in_double) {
  expect_bound_is_fresh<double>();
}

TEST(Plan, bound_again_it_is_the_fresh_plan_of_those_angles_byte_for_byte_in_float) { expect_bound_is_fresh<float>(); }

TEST(Plan, every_gate_on_every_bit_of_a_tile) {
  ThreadExecutor executor(1);
  Xoshiro256 rng(3);
  constexpr std::uint32_t kQubits = 8;
  for (const circuit::GateRecord& record : circuit::gate_table()) {
    if ((record.flags & circuit::kUnitary) == 0 || record.num_qubits == 0) continue;
    for (std::uint32_t a = 0; a < kQubits; ++a) {
      for (std::uint32_t b = 0; b < kQubits; ++b) {
        if (a == b || (record.num_qubits == 1 && b != (a + 1) % kQubits)) continue;
        const std::uint32_t c = (std::max(a, b) + 1) % kQubits == std::min(a, b) ? (std::min(a, b) + 1) % kQubits
                                                                                 : (std::max(a, b) + 1) % kQubits;
        if (record.num_qubits == 3 && (c == a || c == b)) continue;
        Circuit circuit = Circuit::create(kQubits, 0).value();
        Instruction instruction{.gate = record.gate};
        const std::array<std::uint32_t, 3> qubits{a, b, c};
        for (std::size_t k = 0; k < record.num_qubits; ++k) instruction.qubits[k] = qubits[k];
        for (std::size_t k = 0; k < record.num_parameters; ++k) instruction.angles[k] = testing::random_angle(rng);
        ASSERT_TRUE(circuit.append(instruction).has_value());
        const std::vector<Complex> start = random_state(kQubits, rng);
        const std::vector<Complex> wanted = plainly(circuit, start);
        // In one tile, and reaching over tiles.
        constexpr TileShape kSmall{.most = 7, .least = 4, .row = 4};
        for (const simd::Isa isa : simd::runnable_isas()) {
          for (const bool small : {false, true}) {
            const TileShape wide = small ? kSmall : kTileShape<double>;
            const TileShape narrow = small ? kSmall : kTileShape<float>;
            ASSERT_LT(distance(play<double>(circuit, start, wide, isa, executor).state, wanted), 1e-14)
                << record.name << " " << a << " " << b;
            ASSERT_LT(distance(play<float>(circuit, start, narrow, isa, executor).state, wanted), 1e-6)
                << record.name << " " << a << " " << b;
          }
        }
      }
    }
  }
}

/// u on both qubits between three cx: any gate of two qubits, up to a phase (Vatan, Williams 2004).
void append_any_gate(Circuit& circuit, std::uint32_t a, std::uint32_t b, Xoshiro256& rng) {
  for (int layer = 0; layer < 4; ++layer) {
    for (const std::uint32_t qubit : {a, b}) {
      circuit.gate(circuit::Gate::kU, {qubit},
                   {testing::random_angle(rng), testing::random_angle(rng), testing::random_angle(rng)});
    }
    if (layer < 3) circuit.gate(circuit::Gate::kCx, {a, b});
  }
}

TEST(Plan, a_dense_gate_on_every_pair_of_bits) {
  ThreadExecutor executor(1);
  Xoshiro256 rng(8);
  constexpr std::uint32_t kQubits = 8;
  for (std::uint32_t a = 0; a < kQubits; ++a) {
    for (std::uint32_t b = 0; b < kQubits; ++b) {
      if (a == b) continue;
      Circuit circuit = Circuit::create(kQubits, 0).value();
      append_any_gate(circuit, a, b, rng);
      const std::vector<Complex> start = random_state(kQubits, rng);
      const std::vector<Complex> wanted = plainly(circuit, start);
      constexpr TileShape kSmall{.most = 7, .least = 4, .row = 4};
      for (const simd::Isa isa : simd::runnable_isas()) {
        for (const bool small : {false, true}) {
          const auto wide = play<double>(circuit, start, small ? kSmall : kTileShape<double>, isa, executor, kFuseAll);
          const auto narrow = play<float>(circuit, start, small ? kSmall : kTileShape<float>, isa, executor, kFuseAll);
          ASSERT_EQ(wide.dense, 1u);
          ASSERT_EQ(narrow.dense, 1u);
          ASSERT_LT(distance(wide.state, wanted), 1e-14) << a << " " << b;
          ASSERT_LT(distance(narrow.state, wanted), 1e-6) << a << " " << b;
        }
      }
    }
  }
}

TEST(Plan, quantum_volume_is_dense_gates_alone) {
  // On bits so many that pairs near each other are worked on by stretches of the tile.
  ThreadExecutor executor(2);
  Xoshiro256 rng(9);
  constexpr std::uint32_t kQubits = 12;
  for (int round = 0; round < 4; ++round) {
    Circuit circuit = Circuit::create(kQubits, 0).value();
    for (int layer = 0; layer < 3; ++layer) {
      std::array<std::uint32_t, kQubits> order;
      std::iota(order.begin(), order.end(), 0u);
      for (std::uint32_t i = kQubits; i-- > 1;) std::swap(order[i], order[rng.below(i + 1)]);
      for (std::uint32_t i = 0; i < kQubits; i += 2) append_any_gate(circuit, order[i], order[i + 1], rng);
    }
    const std::vector<Complex> start = random_state(kQubits, rng);
    const std::vector<Complex> wanted = plainly(circuit, start);
    for (const simd::Isa isa : simd::runnable_isas()) {  // tiles of two runs, gathered by short rows
      const auto of = [](std::uint32_t lane_bits, std::uint32_t run_bits) {
        return TileShape{.most = run_bits + 1, .least = lane_bits + 1, .row = lane_bits + 1};
      };
      EXPECT_LT(
          distance(play<double>(circuit, start, of(kLaneBits<double>, kRunBits<double>), isa, executor).state, wanted),
          1e-14);
      EXPECT_LT(
          distance(play<float>(circuit, start, of(kLaneBits<float>, kRunBits<float>), isa, executor).state, wanted),
          1e-6);
    }
    const auto wide = play<double>(circuit, start, kTileShape<double>, simd::best_isa(), executor);
    const auto narrow = play<float>(circuit, start, kTileShape<float>, simd::best_isa(), executor);
    // Of 18, but two on the same pair in layers that follow each other are one.
    for (const auto& [dense, others] : {std::pair(wide.dense, wide.others), std::pair(narrow.dense, narrow.others)}) {
      EXPECT_LE(dense, 18u);
      EXPECT_GE(dense, 12u);
      EXPECT_EQ(others, 0u);
    }
    EXPECT_LT(distance(wide.state, wanted), 1e-14);
    EXPECT_LT(distance(narrow.state, wanted), 1e-6);
  }
}

template <class Real>
void expect_each_of_two_states_as_alone(const Circuit& circuit, simd::Isa isa, Executor& executor, Xoshiro256& rng) {
  const TileShape shape{.most = kRunBits<Real> + 1, .least = kLaneBits<Real> + 1, .row = kLaneBits<Real> + 1};
  Frame frame(circuit.num_qubits());
  Steps steps;
  lower(circuit.instructions(), {}, frame, steps);
  Plan<Real> plan = make_plan<Real>(steps, circuit.num_qubits(), {.shape = shape});
  bind(plan, steps, 1, tile_kernels<Real>(isa));
  std::array<simd::AlignedVector<Real>, 2> alone;
  for (auto& numbers : alone) {
    numbers.resize(std::size_t{2} << circuit.num_qubits());
    for (Real& number : numbers) number = static_cast<Real>(rng.uniform() - 0.5);
  }
  auto both = alone;
  for (auto& numbers : alone)
    ASSERT_TRUE(run_plan(plan, numbers.data(), circuit.num_qubits(), isa, executor, {}).has_value());
  ASSERT_TRUE(
      run_plan_on_pair(plan, both[0].data(), both[1].data(), circuit.num_qubits(), isa, executor, {}, {}).has_value());
  double most = 0;  // phases of two states are products and sums
  for (std::size_t i = 0; i < both.size(); ++i)
    for (std::size_t at = 0; at < both[i].size(); ++at)
      most = std::max(most, static_cast<double>(std::abs(both[i][at] - alone[i][at])));
  EXPECT_LT(most, sizeof(Real) == 4 ? 1e-6 : 1e-15);
}

TEST(Plan, two_states_at_once_are_each_as_alone) {
  ThreadExecutor executor(2);
  Xoshiro256 rng(19);
  constexpr std::uint32_t kQubits = 13;
  for (int round = 0; round < 6; ++round) {
    Circuit circuit = Circuit::create(kQubits, 0).value();
    for (std::uint32_t i = 0; i < 12; ++i) {  // dense gates, near and far; in odd rounds phases stand last
      const auto a = static_cast<std::uint32_t>(rng.below(kQubits));
      append_any_gate(circuit, a, (a + 1 + static_cast<std::uint32_t>(rng.below(kQubits - 1))) % kQubits, rng);
    }
    for (std::uint32_t i = 0; i < kQubits && round % 2 != 0; ++i)
      circuit.gate(circuit::Gate::kRy, {i}, {testing::random_angle(rng)})
          .gate(circuit::Gate::kRzz, {i, (i + 5) % kQubits}, {testing::random_angle(rng)});
    for (const simd::Isa isa : simd::runnable_isas()) {
      expect_each_of_two_states_as_alone<float>(circuit, isa, executor, rng);
      expect_each_of_two_states_as_alone<double>(circuit, isa, executor, rng);
    }
  }
}

TEST(Plan, scales_that_grow_are_folded_in) {
  // Each turn by 90 degrees lets the numbers grow by the square root of 2: 4,000 of them would pass every range.
  ThreadExecutor executor(1);
  Circuit circuit = Circuit::create(4, 0).value();
  for (int i = 0; i < 4000; ++i) circuit.gate(circuit::Gate::kRy, {3}, {circuit::Angle::constant(1.6)});
  Xoshiro256 rng(4);
  const std::vector<Complex> start = random_state(4, rng);
  const std::vector<Complex> wanted = plainly(circuit, start);
  EXPECT_LT(distance(play<float>(circuit, start, kTileShape<float>, simd::best_isa(), executor).state, wanted), 1e-3);
  EXPECT_LT(distance(play<double>(circuit, start, kTileShape<double>, simd::best_isa(), executor).state, wanted),
            1e-11);
}

TEST(Plan, stopped_it_says_so) {
  ThreadExecutor executor(1);
  Circuit circuit = Circuit::create(4, 0).value();
  circuit.gate(circuit::Gate::kH, {0});
  Frame frame(4);
  Steps steps;
  lower(circuit.instructions(), {}, frame, steps);
  simd::AlignedVector<double> numbers(32);
  std::stop_source source;
  source.request_stop();
  Plan<double> plan = make_plan<double>(steps, 4);
  bind(plan, steps, 1, tile_kernels<double>(simd::best_isa()));
  EXPECT_EQ(run_plan(plan, numbers.data(), 4, simd::best_isa(), executor, source.get_token()).error().number,
            errors::kCancelled);
}

TEST(Lowering, gates_of_quarter_turns_are_exact) {
  // So no function of angles stands between a gate and its factor: the library's differ between machines (ADR 0005).
  const auto only_step = [](circuit::Gate gate, std::array<std::uint32_t, 3> qubits) {
    const Instruction instruction{.gate = gate, .qubits = qubits};
    Frame frame(2);
    Steps steps;
    lower(std::span(&instruction, 1), {}, frame, steps);
    EXPECT_EQ(steps.steps.size(), 1u);
    EXPECT_EQ(frame.scale, Complex(1));
    return steps.steps.at(0);
  };
  EXPECT_EQ(only_step(circuit::Gate::kZ, {0}).factor, Complex(-1));
  EXPECT_EQ(only_step(circuit::Gate::kS, {0}).factor, Complex(0, 1));
  EXPECT_EQ(only_step(circuit::Gate::kSdg, {1}).factor, Complex(0, -1));
  EXPECT_EQ(only_step(circuit::Gate::kCz, {0, 1}).factor, Complex(-1));
}

TEST(Plan, one_pass_is_as_much_as_the_tile_allows) {
  // Phases need no locality: a quantum Fourier transform of 24 qubits takes two passes, or three where a tile holds half as many.
  Circuit circuit = Circuit::create(24, 0).value();
  for (std::uint32_t i = 24; i-- > 0;) {
    circuit.gate(circuit::Gate::kH, {i});
    for (std::uint32_t j = 0; j < i; ++j)
      circuit.gate(circuit::Gate::kCp, {i, j}, {circuit::Angle::constant(std::ldexp(3.1, -static_cast<int>(i - j)))});
  }
  Frame frame(24);
  Steps steps;
  lower(circuit.instructions(), {}, frame, steps);
  EXPECT_LE(make_plan<float>(steps, 24).stages.size(), 2u);
  EXPECT_LE(make_plan<double>(steps, 24).stages.size(), 3u);
}

}  // namespace
}  // namespace tandem::statevector
