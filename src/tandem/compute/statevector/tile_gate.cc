#include "tandem/compute/statevector/tile_gate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/signed_sums.h"

namespace tandem::statevector {
namespace {

PairKind kind_of(std::span<const std::complex<double>, 4> m) {
  if (m[0] == 0.0 && m[1] == 1.0 && m[2] == 1.0 && m[3] == 0.0) return PairKind::kExchange;
  if (m[0].imag() != 0 || m[3].imag() != 0) return PairKind::kGeneral;
  if (m[1].imag() == 0 && m[2].imag() == 0) return PairKind::kReal;
  return m[1].real() == 0 && m[2].real() == 0 ? PairKind::kImaginaryMix : PairKind::kGeneral;
}

/// Those of `bits` that are in the tile, by position there.
std::uint64_t inside(std::uint64_t bits, std::span<const std::uint32_t> position) {
  std::uint64_t out = 0;
  for (; bits != 0; bits &= bits - 1) {
    const std::uint32_t at = position[static_cast<std::size_t>(std::countr_zero(bits))];
    if (at != kOutside) out |= std::uint64_t{1} << at;
  }
  return out;
}

}  // namespace

template <class Real>
TileGate<Real>::TileGate(const PreparedGate& gate, std::span<const std::uint32_t> position) {
  take_operands(gate.operands, position);
  TANDEM_ASSERT((gate.mixing & outside_) == 0);
  for (const Phase& phase : std::span(gate.phases).first(gate.num_phases))
    add(inside(phase.pattern, position), inside(phase.pattern, position), phase.pattern & outside_);
  for (const Pair& pair : std::span(gate.pairs).first(gate.num_pairs))
    add(inside(pair.a, position), inside(pair.b, position), pair.a & outside_);
}

template <class Real>
TileGate<Real> TileGate<Real>::of_parity(std::uint64_t bits, std::span<const std::uint32_t> position) {
  TileGate out;
  out.take_operands(bits, position);
  out.of_parity_ = true;
  out.coefficients_.resize(std::size_t{4} << kRunBits<Real>);
  return out;
}

template <class Real>
void TileGate<Real>::take_operands(std::uint64_t bits, std::span<const std::uint32_t> position) {
  for (std::uint64_t rest = bits; rest != 0; rest &= rest - 1)
    if (position[static_cast<std::size_t>(std::countr_zero(rest))] == kOutside) outside_ |= rest & (0 - rest);
  const std::uint64_t operands = inside(bits, position);
  block_operands_ = operands >> kLaneBits<Real>;
  lane_operands_ = static_cast<std::uint32_t>(operands & (kLanes<Real> - 1));
}

template <class Real>
void TileGate<Real>::bind_parity(std::complex<double> factor) {
  constexpr std::uint64_t kRun = std::uint64_t{1} << kRunBits<Real>;
  const std::uint64_t operands = block_operands_ << kLaneBits<Real> | lane_operands_;
  for (std::uint64_t at = 0; at < 2 * kRun; ++at) {
    const bool is_odd = odd(at % kRun & operands) != (at >= kRun);
    coefficients_[re_at<Real>(at)] = static_cast<Real>(is_odd ? factor.real() : 1);
    coefficients_[re_at<Real>(at) + kLanes<Real>] = static_cast<Real>(is_odd ? factor.imag() : 0);
  }
}

template <class Real>
void TileGate<Real>::add(std::uint64_t a, std::uint64_t b, std::uint64_t outside) {
  constexpr std::uint64_t kLaneMask = kLanes<Real> - 1;
  Part part{.outside = outside,
            .coefficients = coefficients_.size(),
            .lane_a = static_cast<std::uint32_t>(a & kLaneMask),
            .lane_b = static_cast<std::uint32_t>(b & kLaneMask)};
  part.work.operands = block_operands_;
  part.work.a = a >> kLaneBits<Real>;
  part.work.b = b >> kLaneBits<Real>;
  part.work.lanes = part.lane_a ^ part.lane_b;
  // Coefficients that keep and that mix, of one block or of two.
  coefficients_.resize(coefficients_.size() + (part.work.a == part.work.b ? 4 : 8) * kLanes<Real>);
  parts_.push_back(part);
}

template <class Real>
void TileGate<Real>::bind(const PreparedGate& gate) {
  for (std::size_t i = 0; i < gate.num_phases; ++i) {
    const std::complex<double> factor = gate.phases[i].factor;
    write(parts_[i], std::array<std::complex<double>, 4>{factor, 0, 0, factor});
  }
  for (std::size_t i = 0; i < gate.num_pairs; ++i) write(parts_[gate.num_phases + i], gate.pairs[i].matrix);
}

template <class Real>
void TileGate<Real>::write(Part& part, std::span<const std::complex<double>, 4> matrix) {
  part.work.kind = kind_of(matrix);
  const bool one_block = part.work.a == part.work.b;
  Real* to = coefficients_.data() + part.coefficients;
  // In lanes of other patterns amplitudes stay what they are.
  const auto fill = [&](double elsewhere, std::complex<double> at_a, std::complex<double> at_b, bool has_a,
                        bool has_b) {
    for (std::uint32_t lane = 0; lane < kLanes<Real>; ++lane) {
      std::complex<double> value = elsewhere;
      if (has_a && (lane & lane_operands_) == part.lane_a) value = at_a;
      if (has_b && (lane & lane_operands_) == part.lane_b) value = at_b;
      to[lane] = static_cast<Real>(value.real());
      to[kLanes<Real> + lane] = static_cast<Real>(value.imag());
    }
    to += 2 * kLanes<Real>;
  };
  fill(1, matrix[0], matrix[3], true, one_block);
  fill(0, matrix[1], matrix[2], true, one_block);
  if (one_block) return;
  fill(1, matrix[0], matrix[3], false, true);
  fill(0, matrix[1], matrix[2], false, true);
}

template <class Real>
void TileGate<Real>::apply(Real* tile, std::uint64_t num_blocks, std::uint64_t base,
                           const TileKernels<Real>& kernels) const {
  if (of_parity_) {
    constexpr std::uint64_t kRun = std::uint64_t{1} << (kRunBits<Real> - kLaneBits<Real>);  // blocks
    for (std::uint64_t first = 0; first < num_blocks; first += kRun) {
      const bool is_odd = odd((first & block_operands_)) != odd(base & outside_);
      const RunPhases<Real> phases{.table = coefficients_.data() + (is_odd ? kRun * 2 * kLanes<Real> : 0)};
      kernels.turn_lanes(tile + first * 2 * kLanes<Real>, std::min(kRun, num_blocks), nullptr, 0, phases, nullptr);
    }
    return;
  }
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

template <class Real>
std::size_t TileGate<Real>::bytes() const {
  return sizeof(TileGate) + parts_.size() * sizeof(Part) + coefficients_.size() * sizeof(Real);
}

template <class Real>
double TileGate<Real>::share() const {
  if (of_parity_) return 1;
  const int fixed = std::popcount(block_operands_) + std::popcount(outside_);
  double parts = 0;
  for (const Part& part : parts_) parts += part.work.a == part.work.b ? 1 : 2;
  return std::ldexp(parts, -fixed);
}

template <class Real>
double TileGate<Real>::fused() const {
  if (of_parity_) return 4;
  const int fixed = std::popcount(block_operands_) + std::popcount(lane_operands_) + std::popcount(outside_);
  double out = 0;
  for (const Part& part : parts_) {
    const bool is_phase = part.work.a == part.work.b && part.lane_a == part.lane_b;
    if (is_phase)
      out += 4;
    else if (part.work.kind != PairKind::kExchange)
      out += 2 * (part.work.kind == PairKind::kGeneral ? 8 : 4);
  }
  return std::ldexp(out, -fixed);
}

template class TileGate<float>;
template class TileGate<double>;

}  // namespace tandem::statevector
