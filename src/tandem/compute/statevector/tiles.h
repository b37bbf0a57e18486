// tandem/compute/statevector/tiles.h - Tiling: how a state in memory falls apart into tiles, and how one gets to a thread's desk.
//
// Room: compute, inside statevector.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/desks.h"
#include "tandem/compute/statevector/past_caches.h"
#include "tandem/compute/statevector/plan.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Immutable after its making; every method is safe to call concurrently.
class Tiling {
 public:
  /// `row_bits`: the lowest ones, which are in the tile as far as there are so many. `beside`: bits that are 0 in all tiles (Stage::beside).
  Tiling(const TileBits& tile_bits, std::uint32_t row_bits, std::uint32_t num_bits, std::uint64_t beside = 0)
      : tile_bits_(static_cast<std::uint32_t>(tile_bits.size())),
        row_(std::uint64_t{1} << std::min(row_bits, tile_bits_)),
        num_amplitudes_(std::uint64_t{1} << num_bits) {
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

  /// Where amplitude `at` of the tile has its place.
  std::uint64_t place(std::uint64_t base, std::uint64_t at) const {
    return in_a_row() ? base + at : base | row_at_[at / row_] | (at & (row_ - 1));
  }

  /// Where those of a tile that does not lie in a row have their places, from amplitude `at` of it on, at which a row begins.
  template <class Real>
  Rows<Real> rows(Real* amplitudes, std::uint64_t base, std::uint64_t at) const {
    TANDEM_ASSERT(at % row_ == 0);
    return {.first = amplitudes + 2 * base,
            .at = row_at_.data() + at / row_,
            .block_bits = static_cast<std::uint32_t>(std::countr_zero(row_)) - kLaneBits<Real>};
  }

  /// Where the tile is to be worked on: where it lies if that is in a row, else at `desk`, to where it is copied.
  template <class Real>
  Real* take(Real* amplitudes, std::uint64_t base, std::remove_const_t<Real>* desk) const {
    if (in_a_row()) return amplitudes + 2 * base;
    take(amplitudes, base, 0, size(), desk);
    return desk;
  }
  /// Puts back what take() copied.
  template <class Real>
  void put(const Real* desk, std::uint64_t base, Real* amplitudes) const {
    put(desk, base, 0, size(), amplitudes);
    if (puts_past_caches<Real>()) fence_past_caches();
  }
  /// Of a large state: then rows are not asked for before they are put, and a fence is due behind the last one of a tile.
  template <class Real>
  bool puts_past_caches() const {
    return row_ >= kLanes<Real> && 2 * num_amplitudes_ * sizeof(Real) > kCachedBytes;
  }

  /// The same of `count` amplitudes from `first` on, `desk` being where those lie; both are powers of two or 0.
  template <class Real>
  void take(const Real* amplitudes, std::uint64_t base, std::uint64_t first, std::uint64_t count, Real* desk) const {
    for (std::uint64_t at = 0, piece = std::min(row_, count); at < count; at += piece)
      std::memcpy(desk + 2 * at, amplitudes + 2 * place(base, first + at), 2 * piece * sizeof(Real));
  }
  template <class Real>
  void put(const Real* desk, std::uint64_t base, std::uint64_t first, std::uint64_t count, Real* amplitudes) const {
    const bool past_caches = puts_past_caches<Real>();
    for (std::uint64_t at = 0, piece = std::min(row_, count); at < count; at += piece) {
      Real* const to = amplitudes + 2 * place(base, first + at);
      if (past_caches)
        copy_past_caches(to, desk + 2 * at, 2 * piece * sizeof(Real));
      else
        std::memcpy(to, desk + 2 * at, 2 * piece * sizeof(Real));
    }
  }

 private:
  std::uint32_t tile_bits_;
  std::uint64_t row_;
  std::uint64_t num_amplitudes_;  ///< of the state
  std::uint64_t outside_ = 0;
  std::vector<std::uint64_t> row_at_;  ///< empty when tiles lie in a row
};

/// What a thread works in.
template <class Real>
struct Desk {
  std::array<Memory<Real>, 2> tiles;  ///< those that are not in a row in memory, of the first state and of the second
  Memory<double> numbers;  ///< for readings
  std::uint64_t num_values = 0;
  std::span<double> values() const { return {numbers.get(), num_values}; }
};

/// Null where the machine refuses `tile_numbers` numbers for a tile of each of `num_states` states, or `num_values` for readings.
template <class Real>
std::unique_ptr<Desk<Real>> new_desk(std::uint64_t tile_numbers, std::size_t num_states, std::uint64_t num_values) {
  auto out = std::make_unique<Desk<Real>>();
  out->num_values = num_values;
  if (num_values != 0) {
    out->numbers = allocate<double>(num_values);
    if (!out->numbers) return nullptr;
  }
  for (std::size_t i = 0; i < num_states && tile_numbers != 0; ++i) {
    out->tiles[i] = allocate<Real>(tile_numbers);
    if (!out->tiles[i]) return nullptr;
  }
  return out;
}

}  // namespace tandem::statevector
