// Speed of gradients and of draws, beside the run of the same circuit that they are to be measured by, in the same run.
//
// Goals: value and all derivatives of an ansatz of 20 qubits and 400 parameters in 2.5 to 4 of its forward runs; of a circuit of 10 qubits
// with 70 parameters in 60 us; a million draws of 24 qubits in 34 ms, of 26 in float in 64 (two threads). Every case checks its answer.
//   ./dev bench compute_statevector --benchmark_filter='ansatz|loop|draws'
#include <benchmark/benchmark.h>

#include <cmath>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/adjoint.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using observable::PauliSum;
using observable::PauliTerm;

constexpr std::uint64_t kMemory = 4ull << 30;

Executor& executor() {
  static ThreadExecutor pool(0);
  return pool;
}

/// Layers of ry and rz on every qubit, each with a parameter of its own, and cz on neighbours.
Circuit ansatz(std::uint32_t num_qubits, std::uint32_t num_parameters, std::uint32_t num_gates) {
  std::vector<std::string> names(num_parameters);
  for (std::uint32_t i = 0; i < num_parameters; ++i) names[i] = fmt::format("p{}", i);
  Circuit circuit = Circuit::create(num_qubits, 0, names).value();
  std::uint32_t used = 0;
  while (circuit.instructions().size() < num_gates) {
    for (const Gate gate : {Gate::kRy, Gate::kRz})
      for (std::uint32_t q = 0; q < num_qubits && used < num_parameters; ++q)
        circuit.gate(gate, {q}, {Angle::symbol(used++)});
    for (std::uint32_t q = 0; q + 1 < num_qubits && circuit.instructions().size() < num_gates; ++q)
      circuit.gate(Gate::kCz, {q, q + 1});
  }
  TANDEM_ASSERT(used == num_parameters);
  return circuit;
}

/// Z Z on neighbours and X on every qubit.
PauliSum ising(std::uint32_t num_qubits) {
  std::vector<PauliTerm> terms;
  for (std::uint32_t q = 0; q < num_qubits; ++q) {
    if (q + 1 < num_qubits) terms.push_back({.z = std::uint64_t{3} << q, .coefficient = 1});
    terms.push_back({.x = std::uint64_t{1} << q, .coefficient = 0.5});
  }
  return PauliSum::create(num_qubits, std::move(terms)).value();
}

/// The two of the purpose: 20 qubits, 400 parameters, 590 gates; and 10, 70 and 100.
Circuit ansatz_of(std::uint32_t num_qubits) { return num_qubits == 20 ? ansatz(20, 400, 590) : ansatz(10, 70, 100); }

std::vector<double> angles_of(const Circuit& circuit) {
  Xoshiro256 rng(1);
  std::vector<double> out(circuit.parameters().size());
  for (double& angle : out) angle = (2 * rng.uniform() - 1) * std::numbers::pi;
  return out;
}

template <class Real>
void ansatz_forward(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const Circuit circuit = ansatz_of(n);
  const std::vector<double> angles = angles_of(circuit);
  auto state = BasicStateVector<Real>::create(n, kMemory, executor()).value();
  for (auto _ : run) {
    state.set_basis_state(0);
    TANDEM_ASSERT(state.apply(circuit, angles).has_value());
  }
}

template <class Real>
void ansatz_value(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const Circuit circuit = ansatz_of(n);
  const std::vector<double> angles = angles_of(circuit);
  const PauliSum observable = ising(n);
  auto state = BasicStateVector<Real>::create(n, kMemory, executor()).value();
  for (auto _ : run) {
    state.set_basis_state(0);
    TANDEM_ASSERT(state.apply(circuit, angles).has_value());
    benchmark::DoNotOptimize(state.expectation(observable).value());
  }
}

template <class Real>
void ansatz_gradient(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const Circuit circuit = ansatz_of(n);
  std::vector<double> angles = angles_of(circuit);
  const PauliSum observable = ising(n);
  auto adjoint = BasicAdjoint<Real>::create(n, kMemory, executor()).value();
  Gradient gradient;
  for (auto _ : run) gradient = adjoint.gradient(circuit, angles, observable).value();
  // Each parameter is the angle of one rotation: half the difference at a quarter of a turn to either side.
  const std::size_t checked = angles.size() / 2 + 1;
  double shift = 0;
  for (const double sign : {1.0, -1.0}) {
    std::vector<double> moved = angles;
    moved[checked] += sign * std::numbers::pi / 2;
    shift += sign / 2 * adjoint.gradient(circuit, moved, observable).value().values[0];
  }
  TANDEM_ASSERT(std::abs(gradient.derivatives[checked] - shift) < (sizeof(Real) == 4 ? 1e-4 : 1e-10));
}

BENCHMARK_TEMPLATE(ansatz_forward, double)->Arg(10)->Arg(20)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(ansatz_value, double)->Arg(10)->Arg(20)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(ansatz_gradient, double)->Arg(10)->Arg(20)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(ansatz_forward, float)->Arg(20)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK_TEMPLATE(ansatz_gradient, float)->Arg(20)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// After three layers that spread the state over all places and whose last pass took the weights.
template <class Real>
void draws(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const auto shots = static_cast<std::uint64_t>(run.range(1));
  const Circuit circuit = ansatz(n, 6 * n, 9 * n - 3);
  auto state = BasicStateVector<Real>::create(n, kMemory, executor()).value();
  TANDEM_ASSERT(state.apply(circuit, angles_of(circuit), {}, Then::kSample).has_value());
  std::uint64_t seed = 0;
  for (auto _ : run) {
    std::uint64_t drawn = 0;
    for (const BasisCount& entry : state.sample(shots, seed++)) drawn += entry.count;
    TANDEM_ASSERT(drawn == shots);
  }
}
BENCHMARK_TEMPLATE(draws, double)->ArgsProduct({{24}, {1000, 1'000'000}})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(draws, float)->ArgsProduct({{26}, {1000, 1'000'000}})->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::statevector
