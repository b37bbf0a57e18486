// tandem/compute/statevector/tile_work.h - TileWork: the work of a stage on one tile, by runs that stay in the first-level cache where it can be.
//
// Room: compute, inside statevector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/statevector/plan.h"
#include "tandem/compute/statevector/tiles.h"

namespace tandem::statevector {

template <class Real>
struct WorkKernels {
  const TileKernels<Real>& tile;
  const PauliKernels<Real>& pauli;
  const BothKernels<Real>& both;
};

/// Immutable after its making; every method is safe to call concurrently. Stage, tiling and kernels have to outlive it.
template <class Real>
class TileWork {
 public:
  TileWork(const Stage<Real>& stage, const Tiling& tiling, const WorkKernels<Real>& kernels);

  /// Works on the tile at `base` of each of `states`, one or two (ket and bra), where it lies or at the desk, from where it is put back.
  /// Returns the tile of the first. `desk`: null where none is needed. `table`: PhaseGroup::kScratch numbers. `slots`: of the stage's readings.
  const Real* apply(std::span<Real* const> states, std::uint64_t base, Desk<Real>* desk, Real* table,
                    double* slots) const;

 private:
  using Work = typename decltype(Stage<Real>::work)::value_type;

  /// Work in a row: one piece over the whole tile, or what mixes nothing beyond a run, with one group of phases at most, run by run.
  struct Section {
    std::span<const Work> work;
    bool by_runs = false;
    const PhaseGroup<Real>* phases = nullptr;

    /// Work `i`: turns on lanes that stand behind the phases, and are done with them.
    bool joins_phases(std::size_t i) const;
  };
  struct Tiles;

  RowsAhead<Real> rows_ahead(const Tiles& tiles, std::uint64_t base, const PhaseLeaf<Real>& leaf) const;
  void on_runs(const Section& section, const Tiles& tiles, std::uint64_t base, Real* table) const;
  void on_tile(const Work& work, const Tiles& tiles, std::uint64_t base, std::span<double> values, double* slots) const;

  const Stage<Real>& stage_;
  const Tiling& tiling_;
  const WorkKernels<Real>& kernels_;
  std::vector<Section> sections_;  ///< of a tile that is gathered, first and last ones are by runs
};

extern template class TileWork<float>;
extern template class TileWork<double>;

}  // namespace tandem::statevector
