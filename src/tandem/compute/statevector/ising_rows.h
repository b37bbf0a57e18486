// tandem/compute/statevector/ising_rows.h - tiles of Ising layers whose rows lie apart: gathered block by block, and put back.
//
// Room: compute; for ising_runner.cc only.
#pragma once

#include <cstdint>
#include <cstring>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_schedule.h"
#include "tandem/compute/statevector/past_caches.h"

namespace tandem::statevector {

/// body(offset of a block in memory, and in chunks, which hold one block of each row).
template <class Real, std::size_t kNumbers, class Body>
void for_rows(const TileKind& kind, const Body& body) {
  constexpr std::size_t kBlock = kNumbers * kLanes<Real>;
  const std::uint32_t chunk_bits = kind.order.tile_bits();
  const std::uint64_t num_rows = std::uint64_t{1} << (chunk_bits - kLaneBits<Real>);
  const std::uint64_t row_blocks = std::uint64_t{1} << (kind.row_bits - kLaneBits<Real>);
  const std::uint32_t row_at = kind.order.bits[kLaneBits<Real>];
  for (std::uint64_t row = 0; row < num_rows; ++row)
    for (std::uint64_t c = 0; c < row_blocks; ++c)
      body((row << row_at) * kNumbers + c * kBlock, (c * num_rows + row) * kBlock);
}
/// Of a block that is needed soon. Rows lie megabytes apart, so no hardware foresees them, nor their pages.
template <class Real, std::size_t kNumbers, bool kToWrite>
void ask_ahead(const TileKind& kind, const Real* block) {
  // Rows of a tile share their places in the caches, which have eight of each; those to be written were read not long ago.
  constexpr std::uint64_t kRowsAhead = kToWrite ? 2 : 8;
  constexpr std::size_t kLineBytes = 64;
  // As a number: behind the last rows it is no place of the state, and nothing is read there.
  const auto ahead = reinterpret_cast<std::uintptr_t>(block) +
                     (kRowsAhead << kind.order.bits[kLaneBits<Real>]) * kNumbers * sizeof(Real);
  for (std::size_t i = 0; i < kNumbers * kLanes<Real> * sizeof(Real); i += kLineBytes)
    __builtin_prefetch(reinterpret_cast<const void*>(ahead + i), kToWrite ? 1 : 0);
}
/// `kNumbers` of a place.
template <class Real, std::size_t kNumbers>
void gather_rows(const TileKind& kind, const Real* memory, Real* tile) {
  for_rows<Real, kNumbers>(kind, [&](std::uint64_t from, std::uint64_t to) {
    ask_ahead<Real, kNumbers, false>(kind, memory + from);
    std::memcpy(tile + to, memory + from, kNumbers * kLanes<Real> * sizeof(Real));
  });
}
/// The other way, of a state of 2^`num_bits` places.
template <class Real>
void scatter_rows(const TileKind& kind, const Real* tile, Real* amplitudes, std::uint32_t num_bits) {
  constexpr std::size_t kBytes = 2 * kLanes<Real> * sizeof(Real);
  if ((kBytes << (num_bits - kLaneBits<Real>)) > kCachedBytes) {
    for_rows<Real, 2>(
        kind, [&](std::uint64_t to, std::uint64_t from) { copy_past_caches(amplitudes + to, tile + from, kBytes); });
    return fence_past_caches();
  }
  for_rows<Real, 2>(kind, [&](std::uint64_t to, std::uint64_t from) {
    ask_ahead<Real, 2, true>(kind, amplitudes + to);
    std::memcpy(amplitudes + to, tile + from, kBytes);
  });
}

}  // namespace tandem::statevector
