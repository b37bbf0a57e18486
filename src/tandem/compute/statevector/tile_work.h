// tandem/compute/statevector/tile_work.h - TileWork: the work of a stage on one tile, by runs that stay in the first-level cache where it can be.
//
// Room: compute, inside statevector.
#pragma once

#include <array>
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
  /// `num_states`: one, or two (ket and bra). `is_kept`: what apply() returns is read afterwards.
  TileWork(const Stage<Real>& stage, const Tiling& tiling, const WorkKernels<Real>& kernels, std::size_t num_states,
           bool is_kept);

  /// Works on the tile at `base` of each of the states, where it lies or at the desk, from where it is put back. Returns the tile of the first
  /// where it is kept. `desk`: null where none is needed. `table`: PhaseGroup::kScratch numbers. `slots`: of the stage's readings.
  const Real* apply(std::span<Real* const> states, std::uint64_t base, Desk<Real>* desk, Real* table,
                    double* slots) const;

 private:
  using Work = typename decltype(Stage<Real>::work)::value_type;

  /// Work in a row: one piece over the whole tile, or what mixes nothing beyond a run, with one group of phases at most, run by run.
  struct Section {
    std::span<const Work> work;
    bool by_runs = false;
    const PhaseGroup<Real>* phases = nullptr;
    bool takes = false;  ///< of the first one: rows are copied before its work, which else reads them itself
    bool puts = false;  ///< of the last one: they are copied back, else its work leaves numbers there

    /// Work `i`: turns on lanes that stand behind the phases, and are done with them.
    bool joins_phases(std::size_t i) const;
  };
  /// What a section is done to.
  struct Tiles {
    std::span<Real* const> states;
    std::uint64_t base;
    std::array<Real*, 2> at{};  ///< of each state
    bool are_taken = false;  ///< by this section from rows
    bool are_put = false;
  };

  bool leaves_rows(const Work& work) const;
  /// Of a piece of work on what begins at `place` of the tile, which reads its rows, leaves numbers there, both or neither.
  Passage<Real> passage(const Tiles& tiles, std::size_t state, std::uint64_t place, bool reads, bool leaves) const;
  void on_runs(const Section& section, const Tiles& tiles, Real* table) const;
  void on_tile(const Work& work, const Tiles& tiles, std::span<double> values, double* slots) const;

  const Stage<Real>& stage_;
  const Tiling& tiling_;
  const WorkKernels<Real>& kernels_;
  std::size_t num_states_;
  std::vector<Section> sections_;
};

extern template class TileWork<float>;
extern template class TileWork<double>;

}  // namespace tandem::statevector
