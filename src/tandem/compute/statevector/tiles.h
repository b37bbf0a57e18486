// tandem/compute/statevector/tiles.h - Tiling: how a state in memory falls apart into tiles, and how one gets to a thread's desk.
//
// Room: compute, inside statevector.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/plan.h"

namespace tandem::statevector {

/// The bits of `value`, in order, at the places where `mask` has ones.
inline std::uint64_t deposit(std::uint64_t value, std::uint64_t mask) {
  std::uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1, value >>= 1)
    if ((value & 1) != 0) out |= mask & (0 - mask);
  return out;
}

/// Immutable after its making; every method is safe to call concurrently.
class Tiling {
 public:
  /// `row_bits`: the lowest ones, which are in the tile as far as there are so many. `beside`: bits that are 0 in all tiles (Stage::beside).
  Tiling(const TileBits& tile_bits, std::uint32_t row_bits, std::uint32_t num_bits, std::uint64_t beside = 0)
      : tile_bits_(static_cast<std::uint32_t>(tile_bits.size())),
        row_(std::uint64_t{1} << std::min(row_bits, tile_bits_)) {
    std::uint64_t inside = 0;
    for (const std::uint32_t bit : tile_bits) inside |= std::uint64_t{1} << bit;
    outside_ = ((std::uint64_t{1} << num_bits) - 1) & ~inside & ~beside;
    if (tile_bits.back() == tile_bits_ - 1) return;
    row_at_.resize((std::uint64_t{1} << tile_bits_) / row_);
    for (std::uint64_t i = 0; i < row_at_.size(); ++i) row_at_[i] = deposit(i, inside & ~(row_ - 1));
  }

  bool in_a_row() const { return row_at_.empty(); }
  std::uint64_t size() const { return std::uint64_t{1} << tile_bits_; }  ///< amplitudes of a tile
  std::uint64_t num_tiles() const { return std::uint64_t{1} << std::popcount(outside_); }
  /// The bits of tile `number` outside of it.
  std::uint64_t base(std::uint64_t number) const { return deposit(number, outside_); }

  /// Where the tile is to be worked on: where it lies if that is in a row, else at `desk`, to where it is copied.
  template <class Real>
  Real* take(Real* amplitudes, std::uint64_t base, std::remove_const_t<Real>* desk) const {
    if (in_a_row()) return amplitudes + 2 * base;
    for (std::uint64_t i = 0; i < row_at_.size(); ++i)
      std::memcpy(desk + 2 * row_ * i, amplitudes + 2 * (base | row_at_[i]), 2 * row_ * sizeof(Real));
    return desk;
  }
  /// Puts back what take() copied.
  template <class Real>
  void put(const Real* desk, std::uint64_t base, Real* amplitudes) const {
    for (std::uint64_t i = 0; i < row_at_.size(); ++i)
      std::memcpy(amplitudes + 2 * (base | row_at_[i]), desk + 2 * row_ * i, 2 * row_ * sizeof(Real));
  }

 private:
  std::uint32_t tile_bits_;
  std::uint64_t row_;
  std::uint64_t outside_ = 0;
  std::vector<std::uint64_t> row_at_;  ///< empty when tiles lie in a row
};

/// What a thread works in.
template <class Real>
struct Desk {
  std::array<Memory<Real>, 2> tiles;  ///< those that are not in a row in memory, of the first state and of the second
  std::vector<double> values;  ///< for readings
};

/// Desks that are free. Work on them with count() threads at most.
template <class Real>
class Desks {
 public:
  /// As many of `count` desks as the machine allows, perhaps none: with numbers for a tile of each of `num_states` states, and values for
  /// readings.
  Desks(std::size_t count, std::uint64_t tile_numbers, std::size_t num_states, std::uint64_t num_values) {
    while (free_.size() < count) {
      auto desk = std::make_unique<Desk<Real>>();
      desk->values.resize(num_values);
      bool whole = true;
      for (std::size_t i = 0; i < num_states && tile_numbers != 0; ++i) {
        desk->tiles[i] = allocate<Real>(tile_numbers);
        whole = whole && desk->tiles[i] != nullptr;
      }
      if (!whole) break;
      free_.push_back(std::move(desk));
    }
    count_ = free_.size();
  }
  std::size_t count() const { return count_; }

  std::unique_ptr<Desk<Real>> take() {
    const std::lock_guard lock(mutex_);
    TANDEM_ASSERT(!free_.empty());  // no more threads work than there are desks
    auto out = std::move(free_.back());
    free_.pop_back();
    return out;
  }
  void give(std::unique_ptr<Desk<Real>> desk) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(desk));
  }

 private:
  std::size_t count_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Desk<Real>>> free_;
};

}  // namespace tandem::statevector
