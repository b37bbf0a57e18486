#include "tandem/compute/statevector/ising_schedule.h"

#include <algorithm>

namespace tandem::statevector {
namespace {

/// Kinds beyond the first, each with `mixed` bits above rows of `row` bits.
struct Split {
  std::uint32_t row = 0;
  std::uint32_t kinds = 0;
};

Split split_of(std::uint32_t above, const IsingShape& shape) {
  TANDEM_ASSERT(shape.tile_bits > shape.lane_bits);
  for (std::uint32_t kinds = 1;; ++kinds)
    for (std::uint32_t row = std::min(shape.row_bits, shape.tile_bits - 1); row >= shape.lane_bits; --row)
      if (kinds * (shape.tile_bits - row) >= above) return {row, kinds};
}

/// Bits that tiles of the first kind do not mix. More than need be, where those of the others would be smaller than a leaf: beginning a
/// walk over a chunk costs as much as some hundred places.
std::uint32_t bits_above(std::uint32_t num_bits, const IsingShape& shape) {
  if (num_bits <= shape.tile_bits) return 0;
  const std::uint32_t wanted =
      std::min({shape.leaf_bits, shape.tile_bits, std::max(num_bits / 2, shape.lane_bits)}) - shape.lane_bits;
  return std::max(num_bits - shape.tile_bits, wanted);
}

/// Of a tile that has two or more levels: the highest bits are mixed by sweeps over the tile, one for three of them.
void divide(TileOrder& order, std::uint32_t leaf_bits) {
  order.leaf_bits = std::min(leaf_bits, order.tile_bits());
  const std::uint32_t above = order.tile_bits() - order.leaf_bits;
  order.part_bits = order.tile_bits() - (above <= kSweptBits ? 0 : std::min(above / 2, kSweptBits));
}

IsingShape with_fewest_kinds(std::uint32_t num_bits, const IsingShape& shape) {
  if (num_bits <= shape.tile_bits) return shape;
  IsingShape wider = shape;
  wider.tile_bits += kWiderBits;
  const auto kinds = [&](const IsingShape& one) { return split_of(bits_above(num_bits, one), one).kinds; };
  return kinds(wider) < kinds(shape) ? wider : shape;
}

}  // namespace

std::vector<TileKind> tile_kinds(std::uint32_t num_qubits, const IsingShape& given) {
  const std::uint32_t num_bits = std::max(num_qubits, given.lane_bits);
  const IsingShape shape = with_fewest_kinds(num_bits, given);
  std::vector<TileKind> out;
  TileKind low;
  low.in_a_row = true;
  const std::uint32_t above = bits_above(num_bits, shape);
  for (std::uint32_t bit = 0; bit < num_bits - above; ++bit) low.order.bits.push_back(bit);
  divide(low.order, shape.leaf_bits);
  low.last = std::min(num_qubits, low.order.tile_bits());
  out.push_back(low);
  if (above == 0) return out;
  const Split split = split_of(above, shape);
  std::uint32_t bit = num_bits - above;
  for (std::uint32_t i = 0; i < split.kinds; ++i) {
    TileKind high;
    high.row_bits = split.row;
    for (std::uint32_t lane = 0; lane < shape.lane_bits; ++lane) high.order.bits.push_back(lane);
    const std::uint32_t mixed = (num_bits - bit) / (split.kinds - i);
    for (std::uint32_t j = 0; j < mixed; ++j) high.order.bits.push_back(bit++);
    high.first = shape.lane_bits;
    high.last = high.order.tile_bits();
    divide(high.order, shape.leaf_bits);
    out.push_back(std::move(high));
  }
  return out;
}

std::vector<IsingPass> ising_passes(std::size_t num_kinds, std::uint32_t num_layers, bool mirrors) {
  constexpr std::uint32_t kNone = IsingWork::kNoLayer;
  std::vector<IsingPass> out;
  std::size_t mixed = num_kinds;  // kinds that have mixed the layer before `next`
  std::uint32_t next = 0;
  do {
    IsingPass pass{.kind = out.size() % num_kinds, .work = {}};
    const bool ends = mixed < num_kinds;
    const auto above = [&](std::uint32_t layer) {
      pass.work.push_back({.kind = IsingWork::Kind::kAbove, .after = layer});
      if (mirrors && pass.kind == 0) pass.work.push_back({.kind = IsingWork::Kind::kMirror, .after = layer});
    };
    if (ends) {
      above(next - 1);
      ++mixed;
    }
    IsingWork leaves{.before = ends ? next - 1 : kNone};
    while (mixed == num_kinds && next < num_layers) {
      leaves.phase = leaves.after = next;
      pass.work.push_back(leaves);
      above(next);
      leaves = {};
      mixed = 1;
      ++next;
    }
    if (leaves.before != kNone) pass.work.push_back(leaves);
    out.push_back(std::move(pass));
  } while (next < num_layers || mixed < num_kinds);
  return out;
}

}  // namespace tandem::statevector
