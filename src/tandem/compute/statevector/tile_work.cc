#include "tandem/compute/statevector/tile_work.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>
#include <variant>

namespace tandem::statevector {

template <class Real>
TileWork<Real>::TileWork(const Stage<Real>& stage, const Tiling& tiling, const WorkKernels<Real>& kernels,
                         std::size_t num_states, bool is_kept)
    : stage_(stage), tiling_(tiling), kernels_(kernels), num_states_(num_states) {
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
  // Dense gates read rows by themselves. Before quicker work they are copied run by run: a copy has more requests on their way at a time.
  const bool reads = !all.empty() && std::holds_alternative<DenseWork<Real>>(all.front());
  if (sections_.empty() || !(reads || sections_.front().by_runs))
    sections_.insert(sections_.begin(), Section{.by_runs = true});
  sections_.front().takes = !reads;
  const bool leaves = !is_kept && !all.empty() && leaves_rows(all.back());
  if (!(leaves || sections_.back().by_runs)) sections_.push_back({.by_runs = true});
  sections_.back().puts = !leaves;
}

/// Its kernels leave numbers in rows by themselves; past the caches only by whole lines, as halves would be written one by one.
template <class Real>
bool TileWork<Real>::leaves_rows(const Work& work) const {
  if (tiling_.template puts_past_caches<Real>() && !kernels_.tile.stores_lines) return false;
  return std::holds_alternative<DenseWork<Real>>(work) ||
         (num_states_ == 1 && std::holds_alternative<PhaseGroup<Real>>(work));
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
  Tiles tiles{.states = states, .base = base};
  for (std::size_t i = 0; i < num_states_; ++i)
    tiles.at[i] = tiling_.in_a_row() ? states[i] + 2 * base : desk->tiles[i].get();
  for (const Section& section : sections_) {
    tiles.are_taken = !tiling_.in_a_row() && &section == &sections_.front();
    tiles.are_put = !tiling_.in_a_row() && &section == &sections_.back();
    if (section.by_runs)
      on_runs(section, tiles, table);
    else
      on_tile(section.work.front(), tiles, desk != nullptr ? desk->values() : std::span<double>(), slots);
  }
  if (tiles.are_put && tiling_.template puts_past_caches<Real>()) fence_past_caches();
  return tiles.at[0];
}

template <class Real>
Passage<Real> TileWork<Real>::passage(const Tiles& tiles, std::size_t state, std::uint64_t place, bool reads,
                                      bool leaves) const {
  Passage<Real> out;
  const auto rows = [&] { return tiling_.rows(tiles.states[state], tiles.base, place); };
  if (reads) out.from = rows();
  if (leaves) out.to = rows();
  out.past_caches = tiling_.template puts_past_caches<Real>();
  return out;
}

template <class Real>
void TileWork<Real>::on_runs(const Section& section, const Tiles& tiles, Real* table) const {
  const std::uint64_t size = std::min(tiling_.size(), std::uint64_t{1} << kRunBits<Real>);
  const std::uint64_t num_blocks = size / kLanes<Real>;
  const bool takes = tiles.are_taken && section.takes, puts = tiles.are_put && section.puts;
  const bool reads = tiles.are_taken && !section.takes, leaves = tiles.are_put && !section.puts;
  const auto on_run = [&](const PhaseLeaf<Real>& leaf) {
    std::array<Real*, 2> at{};
    for (std::size_t i = 0; i < num_states_; ++i) {
      at[i] = tiles.at[i] + 2 * leaf.place;
      if (takes) tiling_.take(tiles.states[i], tiles.base, leaf.place, size, at[i]);
    }
    bool asks = tiles.are_taken || tiles.are_put;  // one piece of work, for the first state: once is enough
    Passage<Real> way;
    for (std::size_t w = 0; w < section.work.size(); ++w) {
      const bool from_rows = reads && w == 0, to_rows = leaves && w + 1 == section.work.size();
      const auto passing = [&](std::size_t i) -> const Passage<Real>* {
        if (!asks && !from_rows && !to_rows) return nullptr;
        way = passage(tiles, i, leaf.place, from_rows, to_rows);
        if (!std::exchange(asks, false)) return &way;
        if (tiles.are_taken && leaf.next != PhaseLeaf<Real>::kNone)
          way.to_read = tiling_.rows(tiles.states[0], tiles.base, leaf.next);
        if (tiles.are_put && !tiles.are_taken && !way.past_caches)
          way.to_write = tiling_.rows(tiles.states[0], tiles.base, leaf.place);
        return &way;
      };
      if (const auto* const turns = std::get_if<TurnWork<Real>>(&section.work[w])) {
        TANDEM_ASSERT(!from_rows && !to_rows);  // kernels of turns know no rows
        const RunPhases<Real> phases = section.joins_phases(w) ? leaf.phases : RunPhases<Real>{};
        for (std::size_t i = 0; i < num_states_; ++i) {
          if (turns->on_lanes)
            kernels_.tile.turn_lanes(at[i], num_blocks, turns->turns.data(), turns->turns.size(), phases, passing(i));
          else
            kernels_.tile.turn(at[i], num_blocks, turns->turns.data(), turns->turns.size());
        }
      } else if (const auto* const dense = std::get_if<DenseWork<Real>>(&section.work[w])) {
        for (std::size_t i = 0; i < num_states_; ++i) dense->apply(at[i], num_blocks, kernels_.tile, passing(i));
      } else if (section.joins_phases(w + 1) || (leaf.phases.table == nullptr && !to_rows)) {
        continue;
      } else if (num_states_ == 1) {
        kernels_.tile.turn_lanes(at[0], num_blocks, nullptr, 0, leaf.phases, passing(0));
      } else {
        kernels_.both.multiply(at[0], at[1], num_blocks, leaf.phases);
      }
    }
    for (std::size_t i = 0; i < num_states_ && puts; ++i)
      tiling_.put(at[i], tiles.base, leaf.place, size, tiles.states[i]);
  };
  if (section.phases != nullptr) return section.phases->for_leaves(tiles.base, table, kernels_.tile, std::ref(on_run));
  for (std::uint64_t place = 0; place < tiling_.size(); place += size)
    on_run({.place = place, .next = place + size < tiling_.size() ? place + size : PhaseLeaf<Real>::kNone});
}

template <class Real>
void TileWork<Real>::on_tile(const Work& work, const Tiles& tiles, std::span<double> values, double* slots) const {
  const std::uint64_t num_blocks = tiling_.size() / kLanes<Real>;
  if (const auto* const readings = std::get_if<TileReadings<Real>>(&work))
    return readings->apply(tiles.at[0], tiles.at[1], tiles.base, values, kernels_.pauli, slots);
  if (const auto* const turns = std::get_if<BothTurns<Real>>(&work))
    return turns->apply(tiles.at[0], tiles.at[1], num_blocks, kernels_.both, slots);
  for (std::size_t i = 0; i < num_states_; ++i) {
    if (const auto* const turns = std::get_if<TurnWork<Real>>(&work)) {
      kernels_.tile.turn(tiles.at[i], num_blocks, turns->turns.data(), turns->turns.size());
    } else if (const auto* const dense = std::get_if<DenseWork<Real>>(&work)) {
      const Passage<Real> way = passage(tiles, i, 0, tiles.are_taken, tiles.are_put);
      dense->apply(tiles.at[i], num_blocks, kernels_.tile, &way);
    } else {
      std::get<GateWork<Real>>(work).gate.apply(tiles.at[i], num_blocks, tiles.base, kernels_.tile);
    }
  }
}

template class TileWork<float>;
template class TileWork<double>;

}  // namespace tandem::statevector
