#include "tandem/compute/statevector/run_plan.h"

#include <atomic>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/sampling.h"
#include "tandem/compute/statevector/tile_work.h"
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
  WorkKernels<Real> kernels;
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
  const TileWork<Real> work(stage, tiling, run.kernels, run.states.size(), row_weights != nullptr);
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
    for (std::uint64_t i = number * tiles_in_task; i < (number + 1) * tiles_in_task; ++i) {
      const std::uint64_t base = tiling.base(i);
      const Real* const tile =
          work.apply(run.states, base, desk.get(), table.data(), slots.data() + number * num_slots);
      if (row_weights != nullptr) weigh_rows(tile, base, tiling, run.kernels.pauli, row_weights);
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
  const Run<Real> run{
      .states = states,
      .num_bits = num_bits,
      .row_bits = plan.row_bits,
      .kernels = {.tile = tile_kernels<Real>(isa), .pauli = pauli_kernels<Real>(isa), .both = both_kernels<Real>(isa)},
      .executor = executor,
      .stop = stop};
  for (const Stage<Real>& stage : plan.stages)
    if (!run_stage(stage, run, desks, found,
                   &stage == &plan.stages.back() && !row_weights.empty() ? row_weights.data() : nullptr))
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
