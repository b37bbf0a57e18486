// Speed of noisy shots: what the emulated device pays for a QAOA circuit of a core, in its native gates.
//
// Goal: at most twice the time of the same number of amplitude updates on the ideal state (statevector.bench.cc), for the
// trajectories are that and nothing else. The answer checked: all shots are there, and as many patterns as were paid for.
//   ./dev bench compute/noise
#include <benchmark/benchmark.h>

#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/compute/noise/noise.h"

namespace tandem::noise {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;

/// One QAOA layer on a ring with chords of step 5: cx, rz, cx an edge; h and rx as rz, sx, rz.
Circuit native_qaoa(std::uint32_t n) {
  Circuit circuit = Circuit::create(n, n).value();
  const auto rotate = [&](std::uint32_t qubit, double angle) {
    circuit.gate(Gate::kRz, {qubit}, {Angle::constant(angle)}).gate(Gate::kSx, {qubit});
    circuit.gate(Gate::kRz, {qubit}, {Angle::constant(-angle)});
  };
  for (std::uint32_t i = 0; i < n; ++i) rotate(i, 1.5);
  for (std::uint32_t i = 0; i < n; ++i) {
    for (const std::uint32_t step : {1u, 5u}) {
      const std::uint32_t other = (i + step) % n;
      circuit.gate(Gate::kCx, {i, other}).gate(Gate::kRz, {other}, {Angle::constant(0.4)}).gate(Gate::kCx, {i, other});
    }
  }
  for (std::uint32_t i = 0; i < n; ++i) rotate(i, 0.7);
  return std::move(circuit.measure_all());
}

void noisy_qaoa(benchmark::State& run) {
  const auto n = static_cast<std::uint32_t>(run.range(0));
  constexpr std::uint64_t kShots = 1024;
  const Circuit circuit = native_qaoa(n);
  device::Calibration calibration;
  calibration.qubits.assign(n, {.readout_p01 = 0.01, .readout_p10 = 0.02});
  calibration.error_1q = 0.0005;
  calibration.error_2q = 0.008;
  ThreadExecutor executor(0);
  NoisyCounts noisy;
  for (auto _ : run) {
    noisy = sample(circuit, {}, kShots, calibration, {.seed = 1, .memory_bytes_max = 1ull << 30}, {}, executor).value();
  }
  TANDEM_ASSERT(noisy.counts.shots() == kShots);
  const double updates =
      std::ldexp(static_cast<double>(noisy.trajectories * (circuit.instructions().size() - n)), static_cast<int>(n));
  TANDEM_ASSERT(noisy.shared_shots == 0 || updates > 0.9 * static_cast<double>(kAmplitudeUpdatesMax));
  run.counters["trajectories"] = static_cast<double>(noisy.trajectories);
  run.counters["per_amp_and_gate"] =
      benchmark::Counter(updates, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(noisy_qaoa)->Arg(8)->Arg(12)->Arg(16)->Arg(20)->UseRealTime()->Unit(benchmark::kMillisecond)->Iterations(2);

}  // namespace
}  // namespace tandem::noise
