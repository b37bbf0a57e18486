#include "tandem/compute/statevector/run_plan.h"

#include <atomic>
#include <cstring>
#include <memory>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/desks.h"

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

/// What a thread works in: a tile that is not in a row in memory, and the table of a phase group.
template <class Real>
struct Desk {
  Memory<Real> tile;
  alignas(64) std::array<Real, PhaseGroup<Real>::kScratch> table;
};

template <class Real>
void work_on(const Stage<Real>& stage, Real* tile, std::uint64_t base, Real* table, const TileKernels<Real>& kernels) {
  const std::uint64_t num_blocks = std::uint64_t{1} << (stage.tile_bits.size() - kLaneBits<Real>);
  for (const auto& work : stage.work) {
    if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&work)) {
      phases->apply(tile, base, table, kernels);
    } else if (const auto* const turns = std::get_if<TurnWork<Real>>(&work)) {
      (turns->on_lanes ? kernels.turn_lanes : kernels.turn)(tile, num_blocks, turns->turns.data(), turns->turns.size());
    } else {
      std::get<TileGate<Real>>(work).apply(tile, num_blocks, base, kernels);
    }
  }
}

template <class Real>
bool run_stage(const Stage<Real>& stage, std::uint32_t row_bits, Real* amplitudes, std::uint32_t num_bits,
               const TileKernels<Real>& kernels, Executor& executor, const std::stop_token& stop) {
  const auto tile_bits = static_cast<std::uint32_t>(stage.tile_bits.size());
  const bool in_a_row = stage.tile_bits.back() == tile_bits - 1;
  std::uint64_t inside = 0;
  for (const std::uint32_t bit : stage.tile_bits) inside |= std::uint64_t{1} << bit;
  const std::uint64_t outside = ((std::uint64_t{1} << num_bits) - 1) & ~inside;
  const std::uint64_t row = std::uint64_t{1} << std::min(row_bits, tile_bits);
  const std::uint64_t rows_inside = inside & ~(row - 1);
  const std::uint64_t num_rows = (std::uint64_t{1} << tile_bits) / row;
  std::vector<std::uint64_t> row_at(in_a_row ? 0 : num_rows);
  for (std::uint64_t i = 0; i < row_at.size(); ++i) row_at[i] = deposit(i, rows_inside);

  // A task is a large tile or many small ones, so that taking one costs nothing beside it.
  const std::uint64_t num_tiles = std::uint64_t{1} << (num_bits - tile_bits);
  const std::uint64_t tiles_in_task =
      std::min(num_tiles, std::uint64_t{1} << (kTileShape<Real>.most - std::min(tile_bits, kTileShape<Real>.most)));
  Desks<Desk<Real>> desks;
  const auto new_desk = [&] {
    auto out = std::make_unique<Desk<Real>>();
    if (!in_a_row) out->tile = allocate<Real>(std::uint64_t{2} << tile_bits);
    TANDEM_ASSERT(in_a_row || out->tile != nullptr);
    return out;
  };
  std::atomic<bool> stopped = false;
  for_blocks(executor, num_tiles / tiles_in_task, [&](std::size_t task) {
    if (stop.stop_requested()) stopped.store(true, std::memory_order_relaxed);
    if (stopped.load(std::memory_order_relaxed)) return;
    auto desk = desks.take(new_desk);
    for (std::uint64_t number = task * tiles_in_task; number < (task + 1) * tiles_in_task; ++number) {
      const std::uint64_t base = deposit(number, outside);
      if (in_a_row) {
        work_on(stage, amplitudes + 2 * base, base, desk->table.data(), kernels);
        continue;
      }
      Real* const tile = desk->tile.get();
      const std::size_t row_bytes = 2 * row * sizeof(Real);
      for (std::uint64_t i = 0; i < num_rows; ++i)
        std::memcpy(tile + 2 * row * i, amplitudes + 2 * (base | row_at[i]), row_bytes);
      work_on(stage, tile, base, desk->table.data(), kernels);
      for (std::uint64_t i = 0; i < num_rows; ++i)
        std::memcpy(amplitudes + 2 * (base | row_at[i]), tile + 2 * row * i, row_bytes);
    }
    desks.give(std::move(desk));
  });
  return !stopped;
}

}  // namespace

template <class Real>
bool run_plan(const Plan<Real>& plan, Real* amplitudes, std::uint32_t num_bits, simd::Isa isa, Executor& executor,
              const std::stop_token& stop) {
  const TileKernels<Real>& kernels = kernels_of<Real>(isa);
  for (const Stage<Real>& stage : plan.stages)
    if (!run_stage(stage, plan.row_bits, amplitudes, num_bits, kernels, executor, stop)) return false;
  return true;
}

template bool run_plan<float>(const Plan<float>&, float*, std::uint32_t, simd::Isa, Executor&, const std::stop_token&);
template bool run_plan<double>(const Plan<double>&, double*, std::uint32_t, simd::Isa, Executor&,
                               const std::stop_token&);

}  // namespace tandem::statevector
