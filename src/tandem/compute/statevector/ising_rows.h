// tandem/compute/statevector/ising_rows.h - tiles of Ising layers whose rows lie apart: gathered block by block, and put back.
//
// Room: compute; for ising_runner.cc only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_schedule.h"
#include "tandem/compute/statevector/past_caches.h"

namespace tandem::statevector {

inline constexpr std::uint64_t kLineBytes = 64;  ///< of a cache

/// Of a gathered tile.
template <class Real>
std::uint64_t num_rows(const TileKind& kind) {
  return std::uint64_t{1} << (kind.order.tile_bits() - kLaneBits<Real>);
}

/// body(offset of a block in memory, and in chunks, which hold one block of each row).
template <class Real, std::size_t kNumbers, class Body>
void for_rows(const TileKind& kind, const Body& body) {
  constexpr std::size_t kBlock = kNumbers * kLanes<Real>;
  const std::uint64_t in_chunk = num_rows<Real>(kind);
  const std::uint64_t row_blocks = std::uint64_t{1} << (kind.row_bits - kLaneBits<Real>);
  const std::uint32_t row_at = kind.order.bits[kLaneBits<Real>];
  for (std::uint64_t row = 0; row < in_chunk; ++row)
    for (std::uint64_t c = 0; c < row_blocks; ++c)
      body((row << row_at) * kNumbers + c * kBlock, (c * in_chunk + row) * kBlock);
}
/// Of a block that is needed soon. Rows lie megabytes apart, so no hardware foresees them, nor their pages.
template <class Real, std::size_t kNumbers, bool kToWrite>
void ask_ahead(const TileKind& kind, const Real* block) {
  // Rows of a tile share their places in the caches, which have eight of each; those to be written were read not long ago.
  constexpr std::uint64_t kRowsAhead = kToWrite ? 2 : 8;
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

/// What is known of the places from one on. Null: there is none.
template <class Real>
struct Places {
  Real* ket = nullptr;
  Real* bra = nullptr;
  const Real* energies = nullptr;  ///< one a place

  Places from(std::uint64_t place) const {
    return {.ket = ket == nullptr ? nullptr : ket + 2 * place,
            .bra = bra == nullptr ? nullptr : bra + 2 * place,
            .energies = energies == nullptr ? nullptr : energies + place};
  }
};

/// What a thread gathers tiles into.
template <class Real>
class RowDesk {
 public:
  /// For what `memory` holds. Null where the machine refuses the memory.
  static std::unique_ptr<RowDesk> make(const Places<Real>& memory, std::uint32_t tile_bits) {
    auto out = std::make_unique<RowDesk>();
    const auto take = [&](Memory<Real>& own, const Real* wanted, std::uint64_t numbers) {
      if (wanted != nullptr) own = allocate<Real>(numbers << tile_bits);
      return wanted == nullptr || own != nullptr;
    };
    if (!take(out->ket_, memory.ket, 2) || !take(out->bra_, memory.bra, 2) || !take(out->energies_, memory.energies, 1))
      out = nullptr;
    return out;
  }
  Places<Real> places() const { return {.ket = ket_.get(), .bra = bra_.get(), .energies = energies_.get()}; }

  /// The tile whose first place is the first one of `memory`.
  void gather(const TileKind& kind, const Places<Real>& memory) {
    if (memory.ket != nullptr) gather_rows<Real, 2>(kind, memory.ket, ket_.get());
    if (memory.bra != nullptr) gather_rows<Real, 2>(kind, memory.bra, bra_.get());
    if (memory.energies != nullptr) gather_rows<Real, 1>(kind, memory.energies, energies_.get());
  }
  void put_back(const TileKind& kind, const Places<Real>& memory, std::uint32_t num_bits) const {
    if (memory.ket != nullptr) scatter_rows(kind, ket_.get(), memory.ket, num_bits);
    if (memory.bra != nullptr) scatter_rows(kind, bra_.get(), memory.bra, num_bits);
  }

 private:
  Memory<Real> ket_;
  Memory<Real> bra_;
  Memory<Real> energies_;
};

/// Asks for the rows of a tile that is gathered next, some at a time, while another one is worked on. They come as far as the second
/// level, and where rows share their places there, to the third.
template <class Real>
class NextRows {
 public:
  /// `times`: of ask(), that take them all.
  NextRows(const TileKind& kind, const Places<Real>& memory, std::uint64_t times)
      : memory_(memory),
        row_at_(kind.order.bits[kLaneBits<Real>]),
        row_(std::uint64_t{1} << kind.row_bits),
        num_rows_(num_rows<Real>(kind)),
        at_once_(std::max<std::uint64_t>(1, num_rows_ / times)) {}

  void ask() {
    for (const std::uint64_t end = std::min(next_ + at_once_, num_rows_); next_ < end; ++next_) {
      const Places<Real> row = memory_.from(next_ << row_at_);
      ask_for(row.ket, 2 * row_);
      ask_for(row.bra, 2 * row_);
      ask_for(row.energies, row_);
    }
  }

 private:
  static void ask_for(const Real* row, std::uint64_t numbers) {
    constexpr std::uint64_t kLine = kLineBytes / sizeof(Real);
    if (row == nullptr) return;
    // Not __builtin_prefetch: a function that does nothing else has no effect for GCC, which leaves out its calls.
    for (std::uint64_t i = 0; i < numbers; i += kLine) asm volatile("prefetcht1 %0" : : "m"(row[i]));
  }

  Places<Real> memory_;
  std::uint32_t row_at_;
  std::uint64_t row_;
  std::uint64_t num_rows_;
  std::uint64_t at_once_;
  std::uint64_t next_ = 0;
};

}  // namespace tandem::statevector
