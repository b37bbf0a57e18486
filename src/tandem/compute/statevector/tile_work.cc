#include "tandem/compute/statevector/tile_work.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <variant>

namespace tandem::statevector {

template <class Real>
struct TileWork<Real>::Tiles {
  std::span<Real* const> states;
  std::array<Real*, 2> at{};  ///< of each state
  bool taken = false;  ///< rows have to be gathered before, and put back after the section
  bool put = false;
};

template <class Real>
TileWork<Real>::TileWork(const Stage<Real>& stage, const Tiling& tiling, const WorkKernels<Real>& kernels)
    : stage_(stage), tiling_(tiling), kernels_(kernels) {
  const auto by_runs = [](const Work& work) {
    if (const auto* const turns = std::get_if<TurnWork<Real>>(&work)) return turns->is_near();
    if (const auto* const dense = std::get_if<DenseWork<Real>>(&work)) return dense->is_near();
    return std::holds_alternative<PhaseGroup<Real>>(work);
  };
  const std::span<const Work> all = stage.work;
  for (std::size_t first = 0; first < all.size();) {
    Section section{.by_runs = by_runs(all[first])};
    std::size_t last = first;
    do {
      if (const auto* const phases = std::get_if<PhaseGroup<Real>>(&all[last])) {
        if (section.phases != nullptr) break;
        section.phases = phases;
      }
      ++last;
    } while (section.by_runs && last < all.size() && by_runs(all[last]));
    section.work = all.subspan(first, last - first);
    sections_.push_back(section);
    first = last;
  }
  if (tiling.in_a_row()) return;
  if (sections_.empty() || !sections_.front().by_runs) sections_.insert(sections_.begin(), Section{.by_runs = true});
  if (!sections_.back().by_runs) sections_.push_back({.by_runs = true});
}

template <class Real>
bool TileWork<Real>::Section::joins_phases(std::size_t i) const {
  if (i == 0 || i == work.size() || !std::holds_alternative<PhaseGroup<Real>>(work[i - 1])) return false;
  const auto* const turns = std::get_if<TurnWork<Real>>(&work[i]);
  return turns != nullptr && turns->on_lanes;
}

template <class Real>
const Real* TileWork<Real>::apply(std::span<Real* const> states, std::uint64_t base, Desk<Real>* desk, Real* table,
                                  double* slots) const {
  Tiles tiles{.states = states};
  for (std::size_t i = 0; i < states.size(); ++i)
    tiles.at[i] = tiling_.in_a_row() ? states[i] + 2 * base : desk->tiles[i].get();
  for (const Section& section : sections_) {
    tiles.taken = !tiling_.in_a_row() && &section == &sections_.front();
    tiles.put = !tiling_.in_a_row() && &section == &sections_.back();
    if (section.by_runs)
      on_runs(section, tiles, base, table);
    else
      on_tile(section.work.front(), tiles, base, desk != nullptr ? desk->values() : std::span<double>(), slots);
  }
  if (tiles.put && tiling_.template puts_past_caches<Real>()) fence_past_caches();
  return tiles.at[0];
}

/// Of the first state: the rows that the next run takes, and those where this one is put.
template <class Real>
RowsAhead<Real> TileWork<Real>::rows_ahead(const Tiles& tiles, std::uint64_t base, const PhaseLeaf<Real>& leaf) const {
  RowsAhead<Real> out;
  for (std::uint64_t i = 0; i < RowsAhead<Real>::kMax; ++i) {
    const auto row = [&](std::uint64_t place) {
      return tiles.states[0] + 2 * tiling_.place(base, place + i * RowsAhead<Real>::kRow);
    };
    if (tiles.taken && leaf.next != PhaseLeaf<Real>::kNone) out.to_read[i] = row(leaf.next);
    if (tiles.put && !tiling_.template puts_past_caches<Real>()) out.to_write[i] = row(leaf.place);
  }
  return out;
}

template <class Real>
void TileWork<Real>::on_runs(const Section& section, const Tiles& tiles, std::uint64_t base, Real* table) const {
  const std::uint64_t size = std::min(tiling_.size(), std::uint64_t{1} << kRunBits<Real>);
  const std::uint64_t num_blocks = size / kLanes<Real>;
  const std::size_t num_states = tiles.states.size();
  const auto on_run = [&](const PhaseLeaf<Real>& leaf) {
    std::array<Real*, 2> at{};
    for (std::size_t i = 0; i < num_states; ++i) {
      at[i] = tiles.at[i] + 2 * leaf.place;
      if (tiles.taken) tiling_.take(tiles.states[i], base, leaf.place, size, at[i]);
    }
    RowsAhead<Real> rows;
    const RowsAhead<Real>* ahead = nullptr;  // of one piece of work: once is enough
    if ((tiles.taken || tiles.put) && size == std::uint64_t{1} << kRunBits<Real> &&
        tiling_.row() >= RowsAhead<Real>::kRow) {
      rows = rows_ahead(tiles, base, leaf);
      ahead = &rows;
    }
    const auto turn = [&](const TurnWork<Real>& work, const RunPhases<Real>& phases) {
      for (std::size_t i = 0; i < num_states; ++i) {
        if (work.on_lanes)
          kernels_.tile.turn_lanes(at[i], num_blocks, work.turns.data(), work.turns.size(), phases,
                                   std::exchange(ahead, nullptr));
        else
          kernels_.tile.turn(at[i], num_blocks, work.turns.data(), work.turns.size());
      }
    };
    for (std::size_t w = 0; w < section.work.size(); ++w) {
      if (const auto* const turns = std::get_if<TurnWork<Real>>(&section.work[w]))
        turn(*turns, section.joins_phases(w) ? leaf.phases : RunPhases<Real>{});
      else if (const auto* const dense = std::get_if<DenseWork<Real>>(&section.work[w]))
        for (std::size_t i = 0; i < num_states; ++i)
          dense->apply(at[i], num_blocks, kernels_.tile, std::exchange(ahead, nullptr));
      else if (leaf.phases.table == nullptr || section.joins_phases(w + 1))
        continue;
      else if (num_states == 1)
        kernels_.tile.turn_lanes(at[0], num_blocks, nullptr, 0, leaf.phases, std::exchange(ahead, nullptr));
      else
        kernels_.both.multiply(at[0], at[1], num_blocks, leaf.phases);
    }
    for (std::size_t i = 0; i < num_states && tiles.put; ++i)
      tiling_.put(at[i], base, leaf.place, size, tiles.states[i]);
  };
  if (section.phases != nullptr) return section.phases->for_leaves(base, table, kernels_.tile, std::ref(on_run));
  for (std::uint64_t place = 0; place < tiling_.size(); place += size)
    on_run({.place = place, .next = place + size < tiling_.size() ? place + size : PhaseLeaf<Real>::kNone});
}

template <class Real>
void TileWork<Real>::on_tile(const Work& work, const Tiles& tiles, std::uint64_t base, std::span<double> values,
                             double* slots) const {
  const std::uint64_t num_blocks = tiling_.size() / kLanes<Real>;
  const std::span<Real* const> at = std::span(tiles.at).first(tiles.states.size());
  if (const auto* const readings = std::get_if<TileReadings<Real>>(&work))
    return readings->apply(at[0], at[1], base, values, kernels_.pauli, slots);
  if (const auto* const turns = std::get_if<BothTurns<Real>>(&work))
    return turns->apply(at[0], at[1], num_blocks, kernels_.both, slots);
  for (Real* const tile : at) {
    if (const auto* const turns = std::get_if<TurnWork<Real>>(&work))
      kernels_.tile.turn(tile, num_blocks, turns->turns.data(), turns->turns.size());
    else if (const auto* const dense = std::get_if<DenseWork<Real>>(&work))
      dense->apply(tile, num_blocks, kernels_.tile);
    else
      std::get<GateWork<Real>>(work).gate.apply(tile, num_blocks, base, kernels_.tile);
  }
}

template class TileWork<float>;
template class TileWork<double>;

}  // namespace tandem::statevector
