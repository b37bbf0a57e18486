#include "tandem/compute/statevector/ising_kernels.h"
#include "tandem/compute/statevector/leaf_kernels.h"
#include "tandem/compute/statevector/tile_kernels.h"
#include "tandem/compute/statevector/turn_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

inline void add_up(double* out, const double* terms, std::size_t count) {
  for (std::size_t step = 1; step < count; step *= 2, ++terms)
    for (std::size_t v = 0; v < step; ++v) out[v + step] = out[v] + terms[0];
}

template <class Real>
inline double sum_of(const Half<Real>& half) {
  alignas(64) Real lanes[kLanes<Real>];
  store(lanes, half);
  double sum = 0;
  for (std::size_t l = 0; l < kLanes<Real>; ++l) sum += lanes[l];
  return sum;
}

/// sum += term(l, C) over all blocks of a leaf; l: first lane, in numbers from the leaf's beginning.
template <class Real, class Term>
inline double sum_with_energy(const Real* pairs, const double* terms, std::uint64_t num_blocks, const Term& term) {
  double lanes[kLanes<Real>] = {}, blocks[kLeafBlocksMax];
  add_up(lanes, terms + 1, kLanes<Real>);
  blocks[0] = terms[0];
  add_up(blocks, terms + 1 + kLaneBits<Real>, num_blocks);
  alignas(64) Real lane[kLanes<Real>], block[kLeafBlocksMax];
  rounded(lane, lanes, kLanes<Real>);
  rounded(block, blocks, num_blocks);
  const Half<Real> of_lanes = load(lane);
  Half<Real> sum{};
  for (std::uint64_t b = 0; b < num_blocks; ++b) {
    const Vector<Real> of_block = all(block[b]);
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      const std::size_t l = k * kWidth<Real>;
      const Vector<Real> energy = at(pairs + b * kLanes<Real> + l) + of_block + of_lanes.v[k];
      sum.v[k] = fma(term(b * 2 * kLanes<Real> + l, energy), energy, sum.v[k]);
    }
  }
  return sum_of(sum);
}

template <class Real>
double energy(const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks) {
  return sum_with_energy(pairs, terms, num_blocks, [&](std::size_t l, Vector<Real>) {
    const Vector<Real> re = at(ket + l), im = at(ket + l + kLanes<Real>);
    return fma(im, im, re * re);
  });
}

template <class Real>
double weigh(Real* bra, const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks) {
  return sum_with_energy(pairs, terms, num_blocks, [&](std::size_t l, Vector<Real> energy) {
    const Vector<Real> re = at(ket + l), im = at(ket + l + kLanes<Real>);
    at(bra + l) = energy * re;
    at(bra + l + kLanes<Real>) = energy * im;
    return fma(im, im, re * re);
  });
}

template <class Real>
void tally(const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks, double low,
           double per_energy, std::uint64_t num_bins, double* bins) {
  const double last = static_cast<double>(num_bins) + 1;
  sum_with_energy(pairs, terms, num_blocks, [&](std::size_t l, Vector<Real> energy) {
    const Vector<Real> re = at(ket + l), im = at(ket + l + kLanes<Real>);
    const Vector<Real> weight = fma(im, im, re * re);
    for (std::size_t i = 0; i < kWidth<Real>; ++i) {
      const double value = energy[i];
      double bin = (value - low) * per_energy + 1;
      bin = bin < 0 ? 0 : bin > last ? last : bin;
      double* const to = bins + 2 * static_cast<std::uint64_t>(bin);
      to[0] += static_cast<double>(weight[i]);
      to[1] += static_cast<double>(weight[i]) * value;
    }
    return weight;
  });
}

template <class Real>
double slope(const Real* bra, const Real* ket, const Real* pairs, const double* terms, std::uint64_t num_blocks) {
  return sum_with_energy(pairs, terms, num_blocks, [&](std::size_t l, Vector<Real>) {
    return fms(at(bra + l), at(ket + l + kLanes<Real>), at(bra + l + kLanes<Real>) * at(ket + l));
  });
}

constexpr std::uint64_t kFlush = 64;  // blocks, or groups of them, whose sum is taken in the precision of the state

template <class Real>
double flip_lanes(const Real* bra, const Real* ket, std::uint64_t num_blocks, std::size_t count) {
  double sum = 0;
  for (std::uint64_t first = 0; first < num_blocks; first += kFlush) {
    Half<Real> plus{}, minus{};
    for (std::uint64_t b = first; b < first + kFlush && b < num_blocks; ++b) {
      const Half<Real> re = load(ket + b * 2 * kLanes<Real>), im = load(ket + b * 2 * kLanes<Real> + kLanes<Real>);
      const Half<Real> bra_re = load(bra + b * 2 * kLanes<Real>),
                       bra_im = load(bra + b * 2 * kLanes<Real> + kLanes<Real>);
      Half<Real> other_re{}, other_im{};
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kLaneBits<Real>; ++i) {
        if (i >= count) break;
        const Half<Real> r = swapped(re, std::size_t{1} << i), m = swapped(im, std::size_t{1} << i);
        for (std::size_t k = 0; k < kVectors<Real>; ++k) {
          other_re.v[k] += r.v[k];
          other_im.v[k] += m.v[k];
        }
      }
      for (std::size_t k = 0; k < kVectors<Real>; ++k) {
        plus.v[k] = fma(bra_re.v[k], other_im.v[k], plus.v[k]);
        minus.v[k] = fma(bra_im.v[k], other_re.v[k], minus.v[k]);
      }
    }
    sum += sum_of(plus) - sum_of(minus);
  }
  return sum;
}

/// As turns about x do (tile.isa.cc), flips couple the real parts of blocks with the imaginary ones of their neighbours.
template <class Real, std::size_t kCount, std::size_t kSystem>
inline void flip_system(const Real* bra, const Real* ket, const std::uint64_t* place, Vector<Real>& plus,
                        Vector<Real>& minus) {
  constexpr std::size_t kGroup = std::size_t{1} << kCount;
  Vector<Real> v[kGroup];
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kGroup; ++j) v[j] = at(ket + place[j] + (is_odd(j) != (kSystem == 1) ? kLanes<Real> : 0));
#pragma GCC unroll 8
  for (std::size_t j = 0; j < kGroup; ++j) {
    Vector<Real> others = v[j ^ 1];
#pragma GCC unroll 3
    for (std::size_t i = 1; i < kCount; ++i) others += v[j ^ std::size_t{1} << i];
    const bool imaginary = is_odd(j) != (kSystem == 1);
    const Vector<Real> own = at(bra + place[j] + (imaginary ? kLanes<Real> : 0));
    if (imaginary)
      minus = fma(own, others, minus);
    else
      plus = fma(own, others, plus);
  }
}

template <class Real, std::size_t kCount>
double flip_blocks(const Real* bra, const Real* ket, std::uint64_t num_blocks, const std::uint32_t* bits) {
  constexpr std::size_t kGroup = std::size_t{1} << kCount;
  std::uint64_t place[kGroup] = {};
  std::uint64_t below[kCount];
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::uint64_t step = std::uint64_t{1} << (bits[i] - kLaneBits<Real>);
    below[i] = step - 1;
    for (std::size_t j = 0; j < kGroup; ++j)
      if ((j >> i & 1) != 0) place[j] += step * 2 * kLanes<Real>;
  }
  double sum = 0;
  const std::uint64_t num_groups = num_blocks >> kCount;
  for (std::uint64_t begin = 0; begin < num_groups; begin += kFlush) {
    Half<Real> plus{}, minus{};
    for (std::uint64_t group = begin; group < begin + kFlush && group < num_groups; ++group) {
      std::uint64_t first = group;
      for (std::size_t i = 0; i < kCount; ++i) first = (first & ~below[i]) << 1 | (first & below[i]);
      const std::uint64_t at_block = first * 2 * kLanes<Real>;
      for (std::size_t k = 0; k < kVectors<Real>; ++k) {
        const std::uint64_t from = at_block + k * kWidth<Real>;
        flip_system<Real, kCount, 0>(bra + from, ket + from, place, plus.v[k], minus.v[k]);
        flip_system<Real, kCount, 1>(bra + from, ket + from, place, plus.v[k], minus.v[k]);
      }
    }
    sum += sum_of(plus) - sum_of(minus);
  }
  return sum;
}

template <class Real>
double flip(const Real* bra, const Real* ket, std::uint64_t num_blocks, const std::uint32_t* bits, std::size_t count) {
  double sum = 0;
  for (; count >= 3; count -= 3, bits += 3) sum += flip_blocks<Real, 3>(bra, ket, num_blocks, bits);
  if (count == 2) sum += flip_blocks<Real, 2>(bra, ket, num_blocks, bits);
  if (count == 1) sum += flip_blocks<Real, 1>(bra, ket, num_blocks, bits);
  return sum;
}

template <class Real>
double flip_mirror(const Real* bra_a, const Real* ket_a, const Real* bra_b, const Real* ket_b, std::uint64_t num_blocks,
                   std::uint64_t count) {
  double sum = 0;
  for (std::uint64_t first = 0; first < count; first += kFlush) {
    Half<Real> plus{}, minus{};
    for (std::uint64_t i = first; i < first + kFlush && i < count; ++i) {
      const std::uint64_t a = i * 2 * kLanes<Real>;
      const std::uint64_t b = (num_blocks - 1 - i) * 2 * kLanes<Real>;
      const Half<Real> re = reversed(load(ket_b + b)), im = reversed(load(ket_b + b + kLanes<Real>));
      const Half<Real> bra_re = reversed(load(bra_b + b)), bra_im = reversed(load(bra_b + b + kLanes<Real>));
      for (std::size_t k = 0; k < kVectors<Real>; ++k) {
        const std::uint64_t l = a + k * kWidth<Real>;
        plus.v[k] = fma(at(bra_a + l), im.v[k], plus.v[k]);
        minus.v[k] = fma(at(bra_a + l + kLanes<Real>), re.v[k], minus.v[k]);
        plus.v[k] = fma(bra_re.v[k], at(ket_a + l + kLanes<Real>), plus.v[k]);
        minus.v[k] = fma(bra_im.v[k], at(ket_a + l), minus.v[k]);
      }
    }
    sum += sum_of(plus) - sum_of(minus);
  }
  return sum;
}

template <class Real>
constexpr IsingKernels<Real> kKernels = {
    &phase<Real, false>, &phase_by<Real, false>, &phase<Real, true>, &phase_by<Real, true>,
    &turn_alike<Real>,   &energy<Real>,          &weigh<Real>,       &tally<Real>,
    &slope<Real>,        &flip_lanes<Real>,      &flip<Real>,        &flip_mirror<Real>};

}  // namespace

extern const AllIsingKernels kIsingKernels = {kKernels<float>, kKernels<double>};

}  // namespace tandem::statevector::TANDEM_ISA
