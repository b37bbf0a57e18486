// tandem/compute/statevector/ising_form.h - quadratic forms of the bits of a place, walked leaf by leaf.
//
// Room: compute, inside statevector. A tile is walked as a tree over its bits above a leaf, which carries the value of the place and what
// the bits decided so far add to those below: so no place costs more than the kernel does, and nothing of the size of the state is stored.
#pragma once

#include <algorithm>
#include <array>
#include <complex>
#include <cstdint>
#include <vector>

#include "tandem/base/assert.h"

namespace tandem::statevector {

inline constexpr std::uint32_t kFormBitsMax = 40;  ///< as StateVector::kQubitsMax

/// Energies add up.
struct Adding {
  using Value = double;
  static Value none() { return 0; }
  static Value join(Value a, Value b) { return a + b; }
};
/// Phases multiply; without the library's care for infinities.
struct Multiplying {
  using Value = std::complex<double>;
  static Value none() { return 1.0; }
  static Value join(Value a, Value b) {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  }
};

/// The value of a place: whole, linear of its ones, pairs of its pairs of ones, joined.
template <class Law>
struct Form {
  using Value = typename Law::Value;
  std::uint32_t num_bits = 0;
  Value whole = Law::none();
  std::vector<Value> linear;
  std::vector<Value> pairs;  ///< [u * num_bits + v], symmetric; nothing on the diagonal

  Value pair(std::uint32_t u, std::uint32_t v) const { return pairs[u * num_bits + v]; }
};
using EnergyForm = Form<Adding>;
using PhaseForm = Form<Multiplying>;

/// Bits of a tile by position in it; those below `leaf_bits` make a leaf, those below `part_bits` a part of the tile.
struct TileOrder {
  std::vector<std::uint32_t> bits;
  std::uint32_t leaf_bits = 0;
  std::uint32_t part_bits = 0;

  std::uint32_t tile_bits() const { return static_cast<std::uint32_t>(bits.size()); }
};

/// The values of pairs within a leaf, by place in it. Bits that the form does not have are 0.
template <class Law>
std::vector<typename Law::Value> leaf_pairs(const Form<Law>& form, const TileOrder& order) {
  std::vector<typename Law::Value> out(std::size_t{1} << order.leaf_bits, Law::none());
  std::vector<typename Law::Value> row(out.size());
  for (std::uint32_t k = 1; k < order.leaf_bits && order.bits[k] < form.num_bits; ++k) {
    row[0] = Law::none();
    for (std::uint32_t j = 0; j < k; ++j)
      for (std::size_t v = 0; v < std::size_t{1} << j; ++v)
        row[v | std::size_t{1} << j] = Law::join(row[v], form.pair(order.bits[k], order.bits[j]));
    for (std::size_t v = 0; v < std::size_t{1} << k; ++v) out[v | std::size_t{1} << k] = Law::join(out[v], row[v]);
  }
  return out;
}

/// One form on the way through a tile.
template <class Law>
class FormWalk {
 public:
  using Value = typename Law::Value;
  /// Both outlive the walk.
  FormWalk(const Form<Law>& form, const TileOrder& order) : form_(&form), order_(&order) {
    TANDEM_ASSERT(order.tile_bits() <= kTileBitsMax && form.num_bits <= kFormBitsMax);
  }

  /// `base`: the bits outside of the tile.
  void begin(std::uint64_t base) {
    const std::uint32_t tile_bits = order_->tile_bits();
    now_.fill(Law::none());
    now_[0] = form_->whole;
    for (std::uint32_t j = 0; j < tile_bits && order_->bits[j] < form_->num_bits; ++j)
      now_[1 + j] = form_->linear[order_->bits[j]];
    for (std::uint32_t u = 0; u < form_->num_bits; ++u) {
      if ((base >> u & 1) == 0) continue;
      now_[0] = Law::join(now_[0], form_->linear[u]);
      for (std::uint32_t v = 0; v < u; ++v)
        if ((base >> v & 1) != 0) now_[0] = Law::join(now_[0], form_->pair(u, v));
      for (std::uint32_t j = 0; j < tile_bits && order_->bits[j] < form_->num_bits; ++j)
        now_[1 + j] = Law::join(now_[1 + j], form_->pair(u, order_->bits[j]));
    }
  }
  /// The bit of position k becomes 1; those above are decided, those below not.
  void set(std::uint32_t k) {
    auto& before = before_[k];
    std::copy_n(now_.begin(), k + 1, before.begin());
    now_[0] = Law::join(now_[0], now_[1 + k]);
    for (std::uint32_t j = 0; j < k; ++j)
      now_[1 + j] = Law::join(now_[1 + j], form_->pair(order_->bits[k], order_->bits[j]));
  }
  /// And 0 again.
  void clear(std::uint32_t k) { std::copy_n(before_[k].begin(), k + 1, now_.begin()); }

  /// Of the leaf, then of each of its bits.
  const double* terms() const { return reinterpret_cast<const double*>(now_.data()); }

 private:
  static constexpr std::size_t kTileBitsMax = 20;
  const Form<Law>* form_;
  const TileOrder* order_;
  std::array<Value, kTileBitsMax + 1> now_;
  std::array<std::array<Value, kTileBitsMax + 1>, kTileBitsMax> before_;
};

/// body(place in the tile) for all values of the bits from position `first` up to `k`, the walks being there.
template <class Body, class... Walks>
void for_values(std::uint32_t first, std::uint32_t k, std::uint64_t place, const Body& body, Walks&... walks) {
  if (k == first) return body(place);
  --k;
  for_values(first, k, place, body, walks...);
  (walks.set(k), ...);
  for_values(first, k, place | std::uint64_t{1} << k, body, walks...);
  (walks.clear(k), ...);
}
/// For each leaf of a tile.
template <class Body, class... Walks>
void for_leaves(const TileOrder& order, const Body& body, Walks&... walks) {
  for_values(order.leaf_bits, order.tile_bits(), 0, body, walks...);
}

}  // namespace tandem::statevector
