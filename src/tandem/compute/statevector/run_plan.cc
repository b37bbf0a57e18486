#include "tandem/compute/statevector/run_plan.h"

#include <atomic>

#include "tandem/compute/statevector/tiles.h"

namespace tandem::statevector {
namespace {

const simd::KernelTables<AllTileKernels> kTables{&portable::kTileKernels, &avx2::kTileKernels, &avx512::kTileKernels};

template <class Real>
const TileKernels<Real>& kernels_of(simd::Isa isa) {
  const AllTileKernels& all = simd::kernels_for(kTables, isa);
  if constexpr (sizeof(Real) == sizeof(float))
    return all.narrow;
  else
    return all.wide;
}

/// What a plan is carried out on, and with.
template <class Real>
struct Run {
  std::span<Real* const> states;  ///< one, or two where there are readings: ket and bra
  std::uint32_t num_bits;
  std::uint32_t row_bits;
  const TileKernels<Real>& kernels;
  const PauliKernels<Real>& pauli;
  Executor& executor;
  const std::stop_token& stop;
};

/// `slots`: of the stage's readings.
template <class Real>
void work_on(const Stage<Real>& stage, std::span<Real* const> tiles, std::uint64_t base, Desk<Real>& desk,
             const Run<Real>& run, double* slots) {
  const std::uint64_t num_blocks = std::uint64_t{1} << (stage.tile_bits.size() - kLaneBits<Real>);
  for (const auto& work : stage.work) {
    if (const auto* const readings = std::get_if<TileReadings<Real>>(&work)) {
      readings->apply(tiles[0], tiles[1], base, desk.values, run.pauli, slots);
      continue;
    }
    for (Real* const tile : tiles) {
      if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&work)) {
        phases->apply(tile, base, desk.table.data(), run.kernels);
      } else if (const auto* const turns = std::get_if<TurnWork<Real>>(&work)) {
        (turns->on_lanes ? run.kernels.turn_lanes : run.kernels.turn)(tile, num_blocks, turns->turns.data(),
                                                                      turns->turns.size());
      } else {
        std::get<TileGate<Real>>(work).apply(tile, num_blocks, base, run.kernels);
      }
    }
  }
}

/// Sums of one task are kept apart, so this bounds them.
constexpr std::uint64_t kTasksMax = 1024;

template <class Real>
bool run_stage(const Stage<Real>& stage, const Run<Real>& run, std::span<double> found) {
  const Tiling tiling(stage.tile_bits, run.row_bits, run.num_bits);
  const auto tile_bits = static_cast<std::uint32_t>(stage.tile_bits.size());
  // A task is a large tile or many small ones, so that taking one costs nothing beside it.
  std::uint64_t tiles_in_task = std::min(
      tiling.num_tiles(), std::uint64_t{1} << (kTileShape<Real>.most - std::min(tile_bits, kTileShape<Real>.most)));
  const std::size_t num_slots = stage.readings.size();
  if (num_slots != 0) tiles_in_task = std::max(tiles_in_task, tiling.num_tiles() / kTasksMax);
  const std::uint64_t num_tasks = tiling.num_tiles() / tiles_in_task;
  std::vector<double> slots(num_tasks * num_slots);
  Desks<Real> desks(tiling.in_a_row() ? 0 : 2 * tiling.size(), run.states.size(), num_slots == 0 ? 0 : tiling.size());
  std::atomic<bool> stopped = false;
  for_blocks(run.executor, num_tasks, [&](std::size_t task) {
    if (run.stop.stop_requested()) stopped.store(true, std::memory_order_relaxed);
    if (stopped.load(std::memory_order_relaxed)) return;
    auto desk = desks.take();
    for (std::uint64_t number = task * tiles_in_task; number < (task + 1) * tiles_in_task; ++number) {
      const std::uint64_t base = tiling.base(number);
      std::array<Real*, 2> tiles{};
      for (std::size_t i = 0; i < run.states.size(); ++i)
        tiles[i] = tiling.take(run.states[i], base, desk->tiles[i].get());
      work_on<Real>(stage, std::span(tiles).first(run.states.size()), base, *desk, run,
                    slots.data() + task * num_slots);
      for (std::size_t i = 0; i < run.states.size(); ++i) tiling.put(desk->tiles[i].get(), base, run.states[i]);
    }
    desks.give(std::move(desk));
  });
  for (std::size_t slot = 0; slot < num_slots; ++slot) {
    double sum = 0;
    for (std::uint64_t task = 0; task < num_tasks; ++task) sum += slots[task * num_slots + slot];
    found[stage.readings[slot]] = sum;
  }
  return !stopped;
}

template <class Real>
bool run_all(const Plan<Real>& plan, std::span<Real* const> states, std::uint32_t num_bits, simd::Isa isa,
             Executor& executor, const std::stop_token& stop, std::span<double> found) {
  const Run<Real> run{.states = states,
                      .num_bits = num_bits,
                      .row_bits = plan.row_bits,
                      .kernels = kernels_of<Real>(isa),
                      .pauli = pauli_kernels<Real>(isa),
                      .executor = executor,
                      .stop = stop};
  for (const Stage<Real>& stage : plan.stages)
    if (!run_stage(stage, run, found)) return false;
  return true;
}

}  // namespace

template <class Real>
bool run_plan(const Plan<Real>& plan, Real* amplitudes, std::uint32_t num_bits, simd::Isa isa, Executor& executor,
              const std::stop_token& stop) {
  const std::array<Real*, 1> states{amplitudes};
  return run_all<Real>(plan, states, num_bits, isa, executor, stop, {});
}

template <class Real>
bool run_plan_on_pair(const Plan<Real>& plan, Real* ket, Real* bra, std::uint32_t num_bits, simd::Isa isa,
                      Executor& executor, const std::stop_token& stop, std::span<double> found) {
  const std::array<Real*, 2> states{ket, bra};
  return run_all<Real>(plan, states, num_bits, isa, executor, stop, found);
}

template bool run_plan<float>(const Plan<float>&, float*, std::uint32_t, simd::Isa, Executor&, const std::stop_token&);
template bool run_plan<double>(const Plan<double>&, double*, std::uint32_t, simd::Isa, Executor&,
                               const std::stop_token&);
template bool run_plan_on_pair<float>(const Plan<float>&, float*, float*, std::uint32_t, simd::Isa, Executor&,
                                      const std::stop_token&, std::span<double>);
template bool run_plan_on_pair<double>(const Plan<double>&, double*, double*, std::uint32_t, simd::Isa, Executor&,
                                       const std::stop_token&, std::span<double>);

}  // namespace tandem::statevector
