// Speed of Ising layers beside the same layers as a planned circuit, in one run.
//
// Goals (issue 7, against QOKit's C simulator in double, two threads, n = 24: 0.715 s a layer on a Zen 4 machine): a layer at n = 24 in a
// twentieth of that in double and a forty-fifth in float; at n = 20, p = 4 in double a value in 13 ms and a value with 8 gradients in 37
// ms (a twelfth and a thirtieth of the best peer). What counts on any machine are the ratios of this run: `ising_circuit_layers` plans and runs
// gates, `sweep` is one pass over memory. Every case checks its answer.
//   ./dev bench compute_statevector --benchmark_filter=ising
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;

constexpr std::uint64_t kMemory = 20ull << 30;

Bqm complete_graph(std::uint32_t n, bool fields) {
  Xoshiro256 rng(n);
  std::vector<double> linear(n, 0);
  std::vector<QuadraticTerm> terms;
  for (double& field : linear)
    if (fields) field = rng.uniform() - 0.5;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v) terms.push_back({u, v, rng.uniform() - 0.5});
  return Bqm::create(problem::Vartype::kSpin, linear, terms, 0).value();
}

/// MaxCut on a ring with chords: every node has three neighbours.
Bqm max_cut(std::uint32_t n) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) terms.push_back({std::min(u, (u + 1) % n), std::max(u, (u + 1) % n), 0.5});
  for (std::uint32_t u = 0; u < n / 2; ++u) terms.push_back({u, u + n / 2, 0.5});
  return Bqm::create(problem::Vartype::kSpin, std::vector<double>(n, 0), terms, 0).value();
}

struct Angles {
  std::vector<double> gammas;
  std::vector<double> betas;
  explicit Angles(std::size_t layers) {
    for (std::size_t l = 0; l < layers; ++l) {
      const double t = (static_cast<double>(l) + 0.5) / static_cast<double>(layers);
      gammas.push_back(0.4 * t);
      betas.push_back(-0.8 * (1 - t));
    }
  }
  operator LayerAngles() const { return {gammas, betas}; }
};

/// Bytes that `passes` must move, in each direction, and the goal in milliseconds.
template <class Real>
void report(benchmark::State& run, std::uint32_t num_qubits, double passes, double goal_ms) {
  const double bytes = passes * 2 * std::ldexp(2 * sizeof(Real), static_cast<int>(num_qubits));
  run.counters["bytes"] = benchmark::Counter(bytes, benchmark::Counter::kIsIterationInvariantRate);
  run.counters["goal_ms"] = goal_ms;
}

/// (qubits, layers, threads); time a layer.
template <class Real>
void ising_layers(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const auto layers = static_cast<std::size_t>(run.range(1));
  ThreadExecutor executor(static_cast<std::size_t>(run.range(2)));
  const Bqm model = complete_graph(n, true);
  const Angles angles(layers);
  auto evolution = IsingEvolution<Real>::create(model, kMemory, executor).value();
  double value = evolution.value(angles).value();  // the machine gives its pages once
  for (auto _ : run) value = evolution.value(angles).value();
  TANDEM_ASSERT(value < 0);  // a ramp finds energies below the mean
  report<Real>(run, n, static_cast<double>(layers) + 1,
               (sizeof(Real) == 8 ? 36 : 16) * std::ldexp(1.0, static_cast<int>(n) - 24) * static_cast<double>(layers));
  run.counters["per_layer"] = benchmark::Counter(
      static_cast<double>(layers), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_TEMPLATE(ising_layers, float)
    ->ArgsProduct({{24}, {8}, {1, 2}})
    ->ArgNames({"n", "p", "threads"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(ising_layers, double)
    ->ArgsProduct({{24}, {8}, {1, 2}})
    ->ArgNames({"n", "p", "threads"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// The same layers as gates of a plan: two X before them, which cost nothing, hide them from find_ising_layers().
template <class Real>
void ising_circuit_layers(benchmark::State& run) {
  using circuit::Angle;
  using circuit::Gate;
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const auto layers = static_cast<std::size_t>(run.range(1));
  ThreadExecutor executor(static_cast<std::size_t>(run.range(2)));
  const Bqm model = complete_graph(n, true);
  const Angles angles(layers);
  circuit::Circuit circuit = circuit::Circuit::create(n, 0).value();
  circuit.gate(Gate::kX, {0}).gate(Gate::kX, {0});
  for (std::uint32_t q = 0; q < n; ++q) circuit.gate(Gate::kH, {q});
  for (std::size_t l = 0; l < layers; ++l) {
    for (const QuadraticTerm& term : model.terms())
      circuit.gate(Gate::kRzz, {term.u, term.v}, {Angle::constant(2 * angles.gammas[l] * term.bias)});
    for (std::uint32_t q = 0; q < n; ++q)
      circuit.gate(Gate::kRz, {q}, {Angle::constant(-2 * angles.gammas[l] * model.linear()[q])});
    for (std::uint32_t q = 0; q < n; ++q) circuit.gate(Gate::kRx, {q}, {Angle::constant(2 * angles.betas[l])});
  }
  auto state = BasicStateVector<Real>::create(n, kMemory, executor).value();
  state.set_basis_state(0);
  TANDEM_ASSERT(state.apply(circuit, {}).has_value());
  for (auto _ : run) {
    state.set_basis_state(0);
    TANDEM_ASSERT(state.apply(circuit, {}).has_value());
  }
  report<Real>(run, n, static_cast<double>(layers) + 1, 0);
  run.counters["per_layer"] = benchmark::Counter(
      static_cast<double>(layers), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_TEMPLATE(ising_circuit_layers, float)
    ->ArgsProduct({{24}, {8}, {1, 2}})
    ->ArgNames({"n", "p", "threads"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_TEMPLATE(ising_circuit_layers, double)
    ->ArgsProduct({{24}, {8}, {1, 2}})
    ->ArgNames({"n", "p", "threads"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

/// (qubits, layers, threads), MaxCut.
void ising_value(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const auto layers = static_cast<std::size_t>(run.range(1));
  ThreadExecutor executor(static_cast<std::size_t>(run.range(2)));
  const Angles angles(layers);
  auto evolution = IsingEvolution<double>::create(max_cut(n), kMemory, executor).value();
  double value = evolution.value(angles).value();  // the machine gives its pages once
  for (auto _ : run) value = evolution.value(angles).value();
  TANDEM_ASSERT(value < 0);
  report<double>(run, n, static_cast<double>(layers) + 1, 13);
}
BENCHMARK(ising_value)
    ->ArgsProduct({{20}, {4}, {1, 2}})
    ->ArgNames({"n", "p", "threads"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void ising_gradient(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const auto layers = static_cast<std::size_t>(run.range(1));
  ThreadExecutor executor(static_cast<std::size_t>(run.range(2)));
  const Angles angles(layers);
  auto evolution = IsingEvolution<double>::create(max_cut(n), kMemory, executor).value();
  IsingGradient gradient = evolution.gradient(angles).value();
  for (auto _ : run) gradient = evolution.gradient(angles).value();
  TANDEM_ASSERT(gradient.value == evolution.gradient(angles).value().value);
  report<double>(run, n, 3 * static_cast<double>(layers) + 2, 37);
}
BENCHMARK(ising_gradient)
    ->ArgsProduct({{20}, {4}, {1, 2}})
    ->ArgNames({"n", "p", "threads"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::statevector
