#include "tandem/compute/statevector/run_plan.h"

#include <atomic>
#include <bit>
#include <cstring>
#include <memory>
#include <mutex>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"

namespace tandem::statevector {
namespace {

const simd::KernelTables<AllTileKernels> kTables{&portable::kTileKernels, &avx2::kTileKernels, &avx512::kTileKernels};

/// What threads gather tiles in that are not in a row in memory: one each.
template <class Real>
class Desks {
 public:
  /// As many of `numbers` as the machine allows, `count` at most.
  Desks(std::uint64_t numbers, std::size_t count) {
    while (free_.size() < count) {
      Memory<Real> desk = allocate<Real>(numbers);
      if (!desk) break;
      free_.push_back(std::move(desk));
    }
    count_ = free_.size();
  }
  std::size_t count() const { return count_; }

  Memory<Real> take() {
    const std::lock_guard lock(mutex_);
    TANDEM_ASSERT(!free_.empty());  // no more threads work than there are desks
    Memory<Real> out = std::move(free_.back());
    free_.pop_back();
    return out;
  }
  void give(Memory<Real> desk) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(desk));
  }

 private:
  std::size_t count_ = 0;
  std::mutex mutex_;
  std::vector<Memory<Real>> free_;
};

/// The bits of `value`, in order, at the places where `mask` has ones.
std::uint64_t deposit(std::uint64_t value, std::uint64_t mask) {
  std::uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1, value >>= 1)
    if ((value & 1) != 0) out |= mask & (0 - mask);
  return out;
}

template <class Real>
void work_on(const Stage<Real>& stage, Real* tile, std::uint64_t base, Real* table, const TileKernels<Real>& kernels) {
  const std::uint64_t num_blocks = std::uint64_t{1} << (stage.tile_bits.size() - kLaneBits<Real>);
  for (const auto& work : stage.work) {
    if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&work)) {
      phases->apply(tile, base, table, kernels);
    } else if (const auto* const turns = std::get_if<TurnWork<Real>>(&work)) {
      (turns->on_lanes ? kernels.turn_lanes : kernels.turn)(tile, num_blocks, turns->turns.data(), turns->turns.size());
    } else {
      std::get<GateWork<Real>>(work).gate.apply(tile, num_blocks, base, kernels);
    }
  }
}

/// Where the tiles of a stage are.
struct Places {
  std::uint64_t num_tiles = 1;
  std::uint64_t outside = 0;  ///< bits
  std::uint64_t row = 1;  ///< amplitudes in a row
  std::vector<std::uint64_t> row_at;  ///< of each row of a tile; empty where all tiles are in a row
};

template <class Real>
bool in_a_row(const Stage<Real>& stage) {
  return stage.tile_bits.back() == stage.tile_bits.size() - 1;
}

template <class Real>
Places places_of(const Stage<Real>& stage, std::uint32_t row_bits, std::uint32_t num_bits) {
  const auto tile_bits = static_cast<std::uint32_t>(stage.tile_bits.size());
  std::uint64_t inside = 0;
  for (const std::uint32_t bit : stage.tile_bits) inside |= std::uint64_t{1} << bit;
  const std::uint64_t outside = ((std::uint64_t{1} << num_bits) - 1) & ~inside & ~stage.beside;
  Places out{.num_tiles = std::uint64_t{1} << std::popcount(outside),
             .outside = outside,
             .row = std::uint64_t{1} << std::min(row_bits, tile_bits)};
  if (in_a_row(stage)) return out;
  out.row_at.resize((std::uint64_t{1} << tile_bits) / out.row);
  for (std::uint64_t i = 0; i < out.row_at.size(); ++i) out.row_at[i] = deposit(i, inside & ~(out.row - 1));
  return out;
}

template <class Real>
void run_gathered(const Stage<Real>& stage, const Places& places, std::uint64_t base, Real* amplitudes, Real* tile,
                  Real* table, const TileKernels<Real>& kernels) {
  const std::size_t numbers = 2 * places.row;
  const std::size_t bytes = numbers * sizeof(Real);
  for (std::uint64_t i = 0; i < places.row_at.size(); ++i)
    std::memcpy(tile + numbers * i, amplitudes + 2 * (base | places.row_at[i]), bytes);
  work_on(stage, tile, base, table, kernels);
  for (std::uint64_t i = 0; i < places.row_at.size(); ++i)
    std::memcpy(amplitudes + 2 * (base | places.row_at[i]), tile + numbers * i, bytes);
}

/// False when stopped.
template <class Real>
bool run_stage(const Stage<Real>& stage, std::uint32_t row_bits, Real* amplitudes, std::uint32_t num_bits,
               const TileKernels<Real>& kernels, Desks<Real>& desks, Executor& executor, const std::stop_token& stop) {
  const Places places = places_of(stage, row_bits, num_bits);
  const auto tile_bits = static_cast<std::uint32_t>(stage.tile_bits.size());
  // A task is a large tile or many small ones, so that taking one costs nothing beside it.
  const std::uint64_t tiles_in_task = std::min(
      places.num_tiles, std::uint64_t{1} << (kTileShape<Real>.most - std::min(tile_bits, kTileShape<Real>.most)));
  std::atomic<bool> stopped = false;
  const auto task = [&](std::size_t number) {
    if (stop.stop_requested()) stopped.store(true, std::memory_order_relaxed);
    if (stopped.load(std::memory_order_relaxed)) return;
    alignas(64) std::array<Real, PhaseGroup<Real>::kScratch> table;  // of a group of phases
    Memory<Real> desk = places.row_at.empty() ? nullptr : desks.take();
    for (std::uint64_t i = number * tiles_in_task; i < (number + 1) * tiles_in_task; ++i) {
      const std::uint64_t base = deposit(i, places.outside);
      if (desk)
        run_gathered(stage, places, base, amplitudes, desk.get(), table.data(), kernels);
      else
        work_on(stage, amplitudes + 2 * base, base, table.data(), kernels);
    }
    if (desk) desks.give(std::move(desk));
  };
  const std::uint64_t num_tasks = places.num_tiles / tiles_in_task;
  if (num_tasks == 1)
    task(0);
  else
    executor.parallel(num_tasks, places.row_at.empty() ? 0 : desks.count(), task);
  return !stopped;
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
Result<void> run_plan(const Plan<Real>& plan, Real* amplitudes, std::uint32_t num_bits, simd::Isa isa,
                      Executor& executor, const std::stop_token& stop) {
  std::size_t gathered_bits = 0;
  for (const Stage<Real>& stage : plan.stages)
    if (!in_a_row(stage)) gathered_bits = std::max(gathered_bits, stage.tile_bits.size());
  const std::size_t threads = std::max<std::size_t>(1, executor.threads());
  const std::uint64_t numbers = std::uint64_t{2} << gathered_bits;
  Desks<Real> desks(numbers, gathered_bits == 0 ? 0 : threads);
  if (gathered_bits != 0 && desks.count() == 0) {
    return fail(errors::kOutOfMemory,
                "the machine refused {} bytes to work in beside the state vector; use fewer qubits",
                numbers * sizeof(Real));
  }
  for (const Stage<Real>& stage : plan.stages)
    if (!run_stage(stage, plan.row_bits, amplitudes, num_bits, tile_kernels<Real>(isa), desks, executor, stop))
      return fail(errors::kCancelled, "the simulation was stopped on request");
  return {};
}

template const TileKernels<float>& tile_kernels<float>(simd::Isa);
template const TileKernels<double>& tile_kernels<double>(simd::Isa);
template Result<void> run_plan<float>(const Plan<float>&, float*, std::uint32_t, simd::Isa, Executor&,
                                      const std::stop_token&);
template Result<void> run_plan<double>(const Plan<double>&, double*, std::uint32_t, simd::Isa, Executor&,
                                       const std::stop_token&);

}  // namespace tandem::statevector
