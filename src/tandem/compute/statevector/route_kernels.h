// tandem/compute/statevector/route_kernels.h - Route: where a kernel reads the blocks of a tile and where it leaves them; and what it asks for meanwhile.
//
// Room: compute, inside statevector; for its kernels only (compute/simd/isa.h).
#pragma once

#include "tandem/compute/statevector/tile_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {

/// A tile that is worked on where it is.
template <class Real>
class Within {
 public:
  explicit Within(Real* tile) : tile_(tile) {}

  __attribute__((always_inline)) const Real* from(std::uint64_t block) const { return to(block); }
  __attribute__((always_inline)) Real* to(std::uint64_t block) const { return tile_ + block * 2 * kLanes<Real>; }
  __attribute__((always_inline)) void leave(Real* at_block, Vector<Real> v) const { at(at_block) = v; }

 private:
  Real* tile_;
};

/// A passage. Of several readings after each other the first one reads at `from`, and the last one leaves at `to`.
template <class Real>
class Route {
 public:
  Route(Real* tile, const Passage<Real>& passage, bool is_first, bool is_last)
      : from_{.first = tile, .at = &kStart, .block_bits = kWhole}, to_(from_) {
    if (is_first && passage.from.first != nullptr) from_ = passage.from;
    if (!is_last || passage.to.first == nullptr) return;
    to_ = passage.to;
    past_caches_ = passage.past_caches;
  }

  bool is_within_tile() const { return from_.block_bits == kWhole && to_.block_bits == kWhole; }
  __attribute__((always_inline)) const Real* from(std::uint64_t block) const { return from_.block(block); }
  __attribute__((always_inline)) Real* to(std::uint64_t block) const { return to_.block(block); }
  /// `at_block`: within a block of to().
  __attribute__((always_inline)) void leave(Real* at_block, Vector<Real> v) const {
    if (past_caches_)
      stream(at_block, v);
    else
      at(at_block) = v;
  }

 private:
  static constexpr std::uint64_t kStart = 0;
  static constexpr std::uint32_t kWhole = 63;  // one row, whatever it has

  Rows<Real> from_;
  Rows<Real> to_;
  bool past_caches_ = false;
};

/// Asks for what a passage says (null: nothing), as many blocks at a time as are said.
template <class Real>
class Asking {
 public:
  explicit Asking(const Passage<Real>* passage) {
    if (passage != nullptr && (passage->to_read.first != nullptr || passage->to_write.first != nullptr))
      passage_ = passage;
  }
  __attribute__((always_inline)) void blocks(std::uint64_t count) {
    if (passage_ == nullptr) return;
    for (const std::uint64_t end = next_ + count; next_ < end; ++next_) {
      one(passage_->to_read);
      one(passage_->to_write);
    }
  }

 private:
  __attribute__((always_inline)) void one(const Rows<Real>& rows) const {
    if (rows.first == nullptr) return;
    const Real* const block = rows.block(next_);
    __builtin_prefetch(block, 0, 2);  // a cache line of real parts and one of imaginary parts
    __builtin_prefetch(block + kLanes<Real>, 0, 2);
  }

  const Passage<Real>* passage_ = nullptr;
  std::uint64_t next_ = 0;
};

}  // namespace tandem::statevector::TANDEM_ISA
