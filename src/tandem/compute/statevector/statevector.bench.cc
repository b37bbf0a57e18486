// Speed of the state vector in both precisions, as time per amplitude and gate, beside what the memory allows in the same run.
//
// Goals, in the same run: a gate of the brickwork costs at most a third of a `sweep` of as many qubits (the same arrays read and written in
// place, which is what a gate by itself must move), because many share a pass; a gate alone at n = 24 at most three sweeps (its phases and
// its turn pass one after the other over a tile that is in the cache). Every case checks its answer.
//   ./dev bench compute/statevector
#include <benchmark/benchmark.h>

#include <cmath>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;

constexpr std::uint64_t kMemory = 4ull << 30;

Executor& executor() {
  static ThreadExecutor pool(0);
  return pool;
}

template <class Real = double>
BasicStateVector<Real> make_state(std::uint32_t num_qubits) {
  return BasicStateVector<Real>::create(num_qubits, kMemory, executor()).value();
}

void report(benchmark::State& run, std::uint32_t num_qubits, std::size_t gates) {
  const double updates = std::ldexp(static_cast<double>(gates), static_cast<int>(num_qubits));
  run.counters["per_amp_and_gate"] =
      benchmark::Counter(updates, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  run.counters["bytes"] =
      benchmark::Counter(updates * 2 * sizeof(std::complex<double>), benchmark::Counter::kIsIterationInvariantRate);
}

/// What every pass over the state must do at least: read and write 16 bytes an amplitude.
void sweep(benchmark::State& run) {
  const auto num_qubits = static_cast<std::uint32_t>(run.range(0));
  const std::size_t doubles = std::size_t{2} << num_qubits;
  std::vector<double> values(doubles, 1.0);
  constexpr std::size_t kBlock = 1 << 15;
  for (auto _ : run) {
    executor().parallel(doubles / kBlock, 0, [&](std::size_t i) {
      double* const block = values.data() + i * kBlock;
      for (std::size_t j = 0; j < kBlock; ++j) block[j] = -block[j];
    });
  }
  TANDEM_ASSERT(std::abs(values[doubles / 3]) == 1.0);
  report(run, num_qubits, 1);
}
BENCHMARK(sweep)->Arg(20)->Arg(24)->UseRealTime()->Unit(benchmark::kMillisecond);

/// One gate on one qubit; twice is the identity for h, and u has no structure that helps.
void one_qubit_gate(benchmark::State& run) {
  const auto num_qubits = static_cast<std::uint32_t>(run.range(0));
  const auto qubit = static_cast<std::uint32_t>(run.range(1));
  const Instruction gate{.gate = Gate::kU,
                         .qubits = {qubit},
                         .angles = {Angle::constant(0.3), Angle::constant(0.7), Angle::constant(-0.2)}};
  const std::array<Instruction, 1> there{gate};
  const std::array<Instruction, 1> back{circuit::inverse_of(gate)};
  StateVector state = make_state(num_qubits);
  Circuit uniform = Circuit::create(num_qubits, 0).value();
  for (std::uint32_t i = 0; i < num_qubits; ++i) uniform.gate(Gate::kH, {i});
  TANDEM_ASSERT(state.apply(uniform, {}).has_value());
  std::size_t applied = 0;
  for (auto _ : run) TANDEM_ASSERT(state.apply(applied++ % 2 == 0 ? there : back, {}).has_value());
  if (applied % 2 == 1) TANDEM_ASSERT(state.apply(back, {}).has_value());
  TANDEM_ASSERT(std::abs(std::norm(state.amplitude(1)) * std::ldexp(1.0, static_cast<int>(num_qubits)) - 1) < 1e-9);
  report(run, num_qubits, 1);
}
BENCHMARK(one_qubit_gate)
    ->ArgsProduct({{24}, {0, 1, 2, 3, 5, 8, 13, 14, 19, 23}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// Layers of u on every qubit and cz on neighbours, alternately even and odd pairs.
Circuit brickwork(std::uint32_t num_qubits, std::size_t layers) {
  Xoshiro256 rng(1);
  Circuit circuit = Circuit::create(num_qubits, 0).value();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::uint32_t qubit = 0; qubit < num_qubits; ++qubit) {
      circuit.gate(Gate::kU, {qubit},
                   {testing::random_angle(rng), testing::random_angle(rng), testing::random_angle(rng)});
    }
    for (std::uint32_t qubit = layer % 2; qubit + 1 < num_qubits; qubit += 2)
      circuit.gate(Gate::kCz, {qubit, qubit + 1});
  }
  return circuit;
}

template <class Real>
void random_brickwork(benchmark::State& run) {
  const auto num_qubits = static_cast<std::uint32_t>(run.range(0));
  const Circuit circuit = brickwork(num_qubits, static_cast<std::size_t>(run.range(1)));
  auto state = make_state<Real>(num_qubits);
  for (auto _ : run) {
    state.set_basis_state(0);
    TANDEM_ASSERT(state.apply(circuit, {}).has_value());
  }
  TANDEM_ASSERT(state.apply(circuit.inverse().value(), {}).has_value());
  TANDEM_ASSERT(std::abs(std::norm(state.amplitude(0)) - 1) < (sizeof(Real) == 4 ? 1e-4 : 1e-9));
  report(run, num_qubits, circuit.instructions().size());
}
BENCHMARK_TEMPLATE(random_brickwork, double)
    ->ArgsProduct({{10, 20, 24}, {10, 30}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(random_brickwork, float)
    ->ArgsProduct({{10, 20, 24}, {10, 30}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// As many layers as qubits of gates on pairs: u on both between three cx.
Circuit quantum_volume(std::uint32_t num_qubits) {
  Xoshiro256 rng(2);
  Circuit circuit = Circuit::create(num_qubits, 0).value();
  std::vector<std::uint32_t> order(num_qubits);
  std::iota(order.begin(), order.end(), 0u);
  for (std::uint32_t layer = 0; layer < num_qubits; ++layer) {
    for (std::uint32_t i = num_qubits; i-- > 1;) std::swap(order[i], order[rng.below(i + 1)]);
    for (std::uint32_t i = 0; i + 1 < num_qubits; i += 2) {
      for (int between = 0; between < 4; ++between) {
        if (between > 0) circuit.gate(Gate::kCx, {order[i], order[i + 1]});
        for (const std::uint32_t qubit : {order[i], order[i + 1]})
          circuit.gate(Gate::kU, {qubit},
                       {testing::random_angle(rng), testing::random_angle(rng), testing::random_angle(rng)});
      }
    }
  }
  return circuit;
}

/// Bound by arithmetic: `fused_per_ns` beside what `peak` shows is the share of what the cores can do, counting sixteen fused operations an
/// amplitude and pair. Goal: 70 %.
template <class Real>
void quantum_volume(benchmark::State& run) {
  const auto num_qubits = static_cast<std::uint32_t>(run.range(0));
  const Circuit circuit = quantum_volume(num_qubits);
  auto state = make_state<Real>(num_qubits);
  for (auto _ : run) {
    state.set_basis_state(0);
    TANDEM_ASSERT(state.apply(circuit, {}).has_value());
  }
  TANDEM_ASSERT(state.apply(circuit.inverse().value(), {}).has_value());
  TANDEM_ASSERT(std::abs(std::norm(state.amplitude(0)) - 1) < (sizeof(Real) == 4 ? 1e-4 : 1e-9));
  const double pairs = num_qubits * (num_qubits / 2);
  run.counters["fused_per_ns"] = benchmark::Counter(1e-9 * std::ldexp(16 * pairs, static_cast<int>(num_qubits)),
                                                    benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_TEMPLATE(quantum_volume, float)->Arg(20)->Arg(24)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(quantum_volume, double)->Arg(20)->UseRealTime()->Unit(benchmark::kMillisecond);

/// An evaluation of a variational loop: 3 times ry, rz on ten qubits and a ring of `entangler`, then ry: 100 gates with 70 parameters, other
/// values every time.
Circuit ansatz(Gate entangler) {
  constexpr std::uint32_t kQubits = 10;
  std::vector<std::string> names;
  for (int i = 0; i < 70; ++i) names.push_back("p" + std::to_string(i));
  Circuit circuit = Circuit::create(kQubits, 0, names).value();
  std::uint32_t next = 0;
  for (int layer = 0; layer < 3; ++layer) {
    for (std::uint32_t qubit = 0; qubit < kQubits; ++qubit) circuit.gate(Gate::kRy, {qubit}, {Angle::symbol(next++)});
    for (std::uint32_t qubit = 0; qubit < kQubits; ++qubit) circuit.gate(Gate::kRz, {qubit}, {Angle::symbol(next++)});
    for (std::uint32_t qubit = 0; qubit < kQubits; ++qubit) circuit.gate(entangler, {qubit, (qubit + 1) % kQubits});
  }
  for (std::uint32_t qubit = 0; qubit < kQubits; ++qubit) circuit.gate(Gate::kRy, {qubit}, {Angle::symbol(next++)});
  return circuit;
}

/// The state alone, or the energy of an Ising chain in a transverse field too (19 terms); each with cz and with cx. Goal: 20 us.
void evaluation(benchmark::State& run) {
  const Circuit circuit = ansatz(run.range(1) == 0 ? Gate::kCz : Gate::kCx);
  std::vector<observable::PauliTerm> terms;
  for (std::uint64_t i = 0; i < 10; ++i) terms.push_back({.x = std::uint64_t{1} << i, .coefficient = 0.5});
  for (std::uint64_t i = 0; i < 9; ++i) terms.push_back({.z = std::uint64_t{3} << i, .coefficient = -1});
  const auto energy = observable::PauliSum::create(10, terms).value();
  auto state = make_state(10);
  std::vector<double> values(70);
  double sum = 0;
  std::size_t count = 0;
  for (auto _ : run) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = 0.01 * static_cast<double>(i) + 1e-6 * static_cast<double>(count);
    ++count;
    state.set_basis_state(0);
    TANDEM_ASSERT(state.apply(circuit, values).has_value());
    sum += run.range(0) == 0 ? std::norm(state.amplitude(0)) : state.expectation(energy).value();
  }
  TANDEM_ASSERT(std::abs(sum) <= 14.0 * static_cast<double>(count));
  TANDEM_ASSERT(state.apply(circuit.inverse().value(), values).has_value());
  TANDEM_ASSERT(std::abs(std::norm(state.amplitude(0)) - 1) < 1e-9);
}
BENCHMARK(evaluation)->ArgsProduct({{0, 1}, {0, 1}})->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem::statevector
