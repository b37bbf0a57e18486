#include "tandem/compute/statevector/tile_gate.h"

#include <bit>

#include "tandem/base/assert.h"

namespace tandem::statevector {

/// One state of a pair.
template <class Real>
struct TileGate<Real>::Side {
  std::uint64_t pattern;  ///< bits of the tile
  std::complex<double> keep;
  std::complex<double> mix;
};

template <class Real>
TileGate<Real>::TileGate(const PreparedGate& gate, std::span<const std::uint32_t> position) {
  std::uint64_t operands = 0;
  const auto inside = [&](std::uint64_t bits) {
    std::uint64_t out = 0;
    for (; bits != 0; bits &= bits - 1) {
      const std::uint32_t at = position[static_cast<std::size_t>(std::countr_zero(bits))];
      if (at != kOutside) out |= std::uint64_t{1} << at;
    }
    return out;
  };
  for (std::uint64_t rest = gate.operands; rest != 0; rest &= rest - 1)
    if (position[static_cast<std::size_t>(std::countr_zero(rest))] == kOutside) outside_ |= rest & (0 - rest);
  TANDEM_ASSERT((gate.mixing & outside_) == 0);
  operands = inside(gate.operands);
  block_operands_ = operands >> kLaneBits<Real>;
  lane_operands_ = static_cast<std::uint32_t>(operands & (kLanes<Real> - 1));
  for (const Phase& phase : std::span(gate.phases).first(gate.num_phases)) {
    const Side side{.pattern = inside(phase.pattern), .keep = phase.factor, .mix = 0};
    add(side, side, phase.pattern & outside_);
  }
  for (const Pair& pair : std::span(gate.pairs).first(gate.num_pairs)) {
    add({.pattern = inside(pair.a), .keep = pair.matrix[0], .mix = pair.matrix[1]},
        {.pattern = inside(pair.b), .keep = pair.matrix[3], .mix = pair.matrix[2]}, pair.a & outside_);
  }
}

template <class Real>
void TileGate<Real>::add(const Side& a, const Side& b, std::uint64_t outside) {
  const auto lane_of = [](const Side& side) { return static_cast<std::uint32_t>(side.pattern & (kLanes<Real> - 1)); };
  Part part{.outside = outside, .coefficients = coefficients_.size()};
  part.work.operands = block_operands_;
  part.work.a = a.pattern >> kLaneBits<Real>;
  part.work.b = b.pattern >> kLaneBits<Real>;
  part.work.lanes = lane_of(a) ^ lane_of(b);
  const bool one_block = part.work.a == part.work.b;
  const auto write = [&](bool mix, std::initializer_list<const Side*> sides) {
    const std::size_t at = coefficients_.size();
    coefficients_.resize(at + 2 * kLanes<Real>);
    for (std::uint32_t lane = 0; lane < kLanes<Real>; ++lane) {
      std::complex<double> value = mix ? 0 : 1;
      for (const Side* side : sides)
        if ((lane & lane_operands_) == lane_of(*side)) value = mix ? side->mix : side->keep;
      coefficients_[at + lane] = static_cast<Real>(value.real());
      coefficients_[at + kLanes<Real> + lane] = static_cast<Real>(value.imag());
    }
  };
  for (const bool mix : {false, true}) {
    if (one_block)
      write(mix, {&a, &b});
    else
      write(mix, {&a});
  }
  for (const bool mix : {false, true})
    if (!one_block) write(mix, {&b});
  parts_.push_back(part);
}

template <class Real>
void TileGate<Real>::apply(Real* tile, std::uint64_t num_blocks, std::uint64_t base,
                           const TileKernels<Real>& kernels) const {
  for (const Part& part : parts_) {
    if ((base & outside_) != part.outside) continue;
    PairWork<Real> work = part.work;
    const Real* const first = coefficients_.data() + part.coefficients;
    work.a_keep = first;
    work.a_mix = first + 2 * kLanes<Real>;
    work.b_keep = first + 4 * kLanes<Real>;
    work.b_mix = first + 6 * kLanes<Real>;
    kernels.pair(tile, num_blocks, work);
  }
}

template class TileGate<float>;
template class TileGate<double>;

}  // namespace tandem::statevector
