#include "tandem/compute/statevector/run_plan.h"

#include <atomic>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/sampling.h"
#include "tandem/compute/statevector/tiles.h"

namespace tandem::statevector {
namespace {

const simd::KernelTables<AllTileKernels> kTables{&portable::kTileKernels, &avx2::kTileKernels, &avx512::kTileKernels};

/// What a plan is carried out on, and with.
template <class Real>
struct Run {
  std::span<Real* const> states;  ///< one, or two where there are readings: ket and bra
  std::uint32_t num_bits;
  std::uint32_t row_bits;
  const TileKernels<Real>& kernels;
  const PauliKernels<Real>& pauli;
  const BothKernels<Real>& both;
  Executor& executor;
  const std::stop_token& stop;
};

/// Of each row of a tile, the sum of |amplitude|^2, to where `rows` has it.
template <class Real>
void weigh_rows(const Real* tile, std::uint64_t base, const Tiling& tiling, const PauliKernels<Real>& kernels,
                double* rows) {
  constexpr std::uint64_t kRow = std::uint64_t{1} << kWeightRowBits<Real>;
  for (std::uint64_t i = 0; i < tiling.size() / kRow; ++i) {
    const Real* const row = tile + 2 * kRow * i;
    rows[tiling.place(base, kRow * i) / kRow] = kernels.product(row, row, kRow / kLanes<Real>);
  }
}

/// `table`: of a group of phases; `slots`: of the stage's readings, and `values` for them.
template <class Real>
void work_on(const Stage<Real>& stage, std::span<Real* const> tiles, std::uint64_t base, Real* table,
             std::span<double> values, const Run<Real>& run, double* slots) {
  const std::uint64_t num_blocks = std::uint64_t{1} << (stage.tile_bits.size() - kLaneBits<Real>);
  for (const auto& work : stage.work) {
    if (const auto* const readings = std::get_if<TileReadings<Real>>(&work)) {
      readings->apply(tiles[0], tiles[1], base, values, run.pauli, slots);
      continue;
    }
    if (const auto* const turns = std::get_if<BothTurns<Real>>(&work)) {
      turns->apply(tiles[0], tiles[1], num_blocks, run.both, slots);
      continue;
    }
    if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&work); phases != nullptr && tiles.size() == 2) {
      phases->apply(tiles[0], tiles[1], base, table, run.kernels, run.both);
      continue;
    }
    for (Real* const tile : tiles) {
      if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&work)) {
        phases->apply(tile, base, table, run.kernels);
      } else if (const auto* const turns = std::get_if<TurnWork<Real>>(&work)) {
        (turns->on_lanes ? run.kernels.turn_lanes : run.kernels.turn)(tile, num_blocks, turns->turns.data(),
                                                                      turns->turns.size());
      } else if (const auto* const dense = std::get_if<DenseWork<Real>>(&work)) {
        dense->apply(tile, num_blocks, run.kernels);
      } else {
        std::get<GateWork<Real>>(work).gate.apply(tile, num_blocks, base, run.kernels);
      }
    }
  }
}

/// Sums of one task are kept apart, so this bounds them.
constexpr std::uint64_t kTasksMax = 1024;

template <class Real>
bool needs_desk(const Stage<Real>& stage) {
  return !stage.readings.empty() || stage.tile_bits.back() != stage.tile_bits.size() - 1;
}

/// `row_weights`: null, or what weigh_rows() writes. False when stopped.
template <class Real>
bool run_stage(const Stage<Real>& stage, const Run<Real>& run, Desks<Desk<Real>>& desks, std::span<double> found,
               double* row_weights) {
  const Tiling tiling(stage.tile_bits, run.row_bits, run.num_bits, stage.beside);
  const auto tile_bits = static_cast<std::uint32_t>(stage.tile_bits.size());
  // A task is a large tile or many small ones, so that taking one costs nothing beside it.
  std::uint64_t tiles_in_task = std::min(
      tiling.num_tiles(), std::uint64_t{1} << (kTileShape<Real>.most - std::min(tile_bits, kTileShape<Real>.most)));
  const std::size_t num_slots = stage.readings.size();
  if (num_slots != 0) tiles_in_task = std::max(tiles_in_task, tiling.num_tiles() / kTasksMax);
  const std::uint64_t num_tasks = tiling.num_tiles() / tiles_in_task;
  std::vector<double> slots(num_tasks * num_slots);
  std::atomic<bool> stopped = false;
  const auto task = [&](std::size_t number) {
    if (run.stop.stop_requested()) stopped.store(true, std::memory_order_relaxed);
    if (stopped.load(std::memory_order_relaxed)) return;
    alignas(64) std::array<Real, PhaseGroup<Real>::kScratch> table;
    std::unique_ptr<Desk<Real>> desk = needs_desk(stage) ? desks.take() : nullptr;
    const std::span<double> values = desk ? desk->values() : std::span<double>();
    for (std::uint64_t i = number * tiles_in_task; i < (number + 1) * tiles_in_task; ++i) {
      const std::uint64_t base = tiling.base(i);
      std::array<Real*, 2> tiles{};
      for (std::size_t state = 0; state < run.states.size(); ++state)
        tiles[state] = tiling.take(run.states[state], base, desk ? desk->tiles[state].get() : nullptr);
      work_on<Real>(stage, std::span(tiles).first(run.states.size()), base, table.data(), values, run,
                    slots.data() + number * num_slots);
      if (row_weights != nullptr) weigh_rows(tiles[0], base, tiling, run.pauli, row_weights);
      for (std::size_t state = 0; state < run.states.size() && !tiling.in_a_row(); ++state)
        tiling.put(desk->tiles[state].get(), base, run.states[state]);
    }
    if (desk) desks.give(std::move(desk));
  };
  if (num_tasks == 1)
    task(0);
  else
    run.executor.parallel(num_tasks, needs_desk(stage) ? desks.count() : 0, task);
  for (std::size_t slot = 0; slot < num_slots; ++slot) {
    double sum = 0;
    for (std::uint64_t number = 0; number < num_tasks; ++number) sum += slots[number * num_slots + slot];
    found[stage.readings[slot]] = sum;
  }
  return !stopped;
}

template <class Real>
Result<void> run_all(const Plan<Real>& plan, std::span<Real* const> states, std::uint32_t num_bits, simd::Isa isa,
                     Executor& executor, const std::stop_token& stop, std::span<double> found,
                     std::span<double> row_weights) {
  std::uint64_t gathered = 0;  // amplitudes of a tile that is not in a row
  std::uint64_t read = 0;
  bool desk_needed = false;
  for (const Stage<Real>& stage : plan.stages) {
    const std::uint64_t size = std::uint64_t{1} << stage.tile_bits.size();
    if (stage.tile_bits.back() != stage.tile_bits.size() - 1) gathered = std::max(gathered, size);
    if (!stage.readings.empty()) read = std::max(read, size + SignedSums::kRun);
    desk_needed = desk_needed || needs_desk(stage);
  }
  Desks<Desk<Real>> desks(desk_needed ? threads_of(executor) : 0,
                          [&] { return new_desk<Real>(2 * gathered, states.size(), read); });
  if (desk_needed && desks.count() == 0) {
    return fail(errors::kOutOfMemory,
                "the machine refused {} bytes to work in beside the state vector; use fewer qubits",
                2 * gathered * states.size() * sizeof(Real));
  }
  const Run<Real> run{.states = states,
                      .num_bits = num_bits,
                      .row_bits = plan.row_bits,
                      .kernels = tile_kernels<Real>(isa),
                      .pauli = pauli_kernels<Real>(isa),
                      .both = both_kernels<Real>(isa),
                      .executor = executor,
                      .stop = stop};
  for (const Stage<Real>& stage : plan.stages)
    if (!run_stage(stage, run, desks, found, &stage == &plan.stages.back() ? row_weights.data() : nullptr))
      return fail(errors::kCancelled, "the simulation was stopped on request");
  return {};
}

}  // namespace

template <class Real>
const TileKernels<Real>& tile_kernels(simd::Isa isa) {
  const AllTileKernels& all = simd::kernels_for(kTables, isa);
  if constexpr (sizeof(Real) == sizeof(float))
    return all.narrow;
  else
    return all.wide;
}

template <class Real>
bool gives_row_weights(const Plan<Real>& plan) {
  return !plan.stages.empty() && plan.stages.back().beside == 0 && plan.stages.back().tile_bits.size() >= plan.row_bits;
}

template <class Real>
Result<void> run_plan(const Plan<Real>& plan, Real* amplitudes, std::uint32_t num_bits, simd::Isa isa,
                      Executor& executor, const std::stop_token& stop, std::span<double> row_weights) {
  const std::array<Real*, 1> states{amplitudes};
  TANDEM_ASSERT(row_weights.empty() || (gives_row_weights(plan) && plan.row_bits == kWeightRowBits<Real>));
  return run_all<Real>(plan, states, num_bits, isa, executor, stop, {}, row_weights);
}

template <class Real>
Result<void> run_plan_on_pair(const Plan<Real>& plan, Real* ket, Real* bra, std::uint32_t num_bits, simd::Isa isa,
                              Executor& executor, const std::stop_token& stop, std::span<double> found) {
  const std::array<Real*, 2> states{ket, bra};
  return run_all<Real>(plan, states, num_bits, isa, executor, stop, found, {});
}

template const TileKernels<float>& tile_kernels<float>(simd::Isa);
template const TileKernels<double>& tile_kernels<double>(simd::Isa);
template bool gives_row_weights<float>(const Plan<float>&);
template bool gives_row_weights<double>(const Plan<double>&);
template Result<void> run_plan<float>(const Plan<float>&, float*, std::uint32_t, simd::Isa, Executor&,
                                      const std::stop_token&, std::span<double>);
template Result<void> run_plan<double>(const Plan<double>&, double*, std::uint32_t, simd::Isa, Executor&,
                                       const std::stop_token&, std::span<double>);
template Result<void> run_plan_on_pair<float>(const Plan<float>&, float*, float*, std::uint32_t, simd::Isa, Executor&,
                                              const std::stop_token&, std::span<double>);
template Result<void> run_plan_on_pair<double>(const Plan<double>&, double*, double*, std::uint32_t, simd::Isa,
                                               Executor&, const std::stop_token&, std::span<double>);

}  // namespace tandem::statevector
