#include "tandem/compute/statevector/ising_kernels.h"
#include "tandem/compute/statevector/lane_kernels.h"
#include "tandem/compute/statevector/tile_kernels.h"
#include "tandem/compute/statevector/turn_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

constexpr std::size_t kBlocksMax = std::size_t{1} << kLeafBlockBits;

/// Numbers of the blocks of a leaf, or of the lanes of a block, from those of their bits.
struct Complexes {
  alignas(64) double re[kBlocksMax];
  alignas(64) double im[kBlocksMax];
};

inline void multiply_out(Complexes& out, const double* terms, std::size_t count) {
  for (std::size_t step = 1; step < count; step *= 2, terms += 2) {
    const double re = terms[0], im = terms[1];
    if (step < kWidth<double>) {
      for (std::size_t v = 0; v < step; ++v) {
        out.re[v + step] = __builtin_fma(-out.im[v], im, out.re[v] * re);
        out.im[v + step] = __builtin_fma(out.im[v], re, out.re[v] * im);
      }
      continue;
    }
    const Vector<double> r = all(re), i = all(im);
    for (std::size_t v = 0; v < step; v += kWidth<double>) {
      const Vector<double> x = at(out.re + v), y = at(out.im + v);
      at(out.re + v + step) = fnma(y, i, x * r);
      at(out.im + v + step) = fma(y, r, x * i);
    }
  }
}

inline void add_up(double* out, const double* terms, std::size_t count) {
  for (std::size_t step = 1; step < count; step *= 2, ++terms)
    for (std::size_t v = 0; v < step; ++v) out[v + step] = out[v] + terms[0];
}

template <class Real>
inline void rounded(Real* out, const double* in, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<Real>(in[i]);
}

struct NoTurns {
  template <class Real>
  void apply(Half<Real>& /*re*/, Half<Real>& /*im*/) const {}
};
/// body(turns of the lanes, to be applied to each block): all of them about x, or none.
template <class Real, class Body>
inline void with_lanes(const Turn<Real>* lanes, const Body& body) {
  constexpr unsigned kAll = static_cast<unsigned>(kLanes<Real> - 1);
  if (lanes == nullptr) return body(NoTurns{});
  bool any_large = false;
  for (std::size_t i = 0; i < kLaneBits<Real>; ++i) any_large = any_large || lanes[i].large;
  if (any_large)
    body(LaneTurns<Real, kAll, true, true>(lanes));
  else
    body(LaneTurns<Real, kAll, true, false>(lanes));
}

/// A block times what factor(k, re, im) says of each vector, then turns of its lanes. `kBegins`: it holds ones.
template <class Real, bool kBegins, class Factor, class Turns>
inline void multiply_block(Real* block, const Factor& factor, const Turns& turns) {
  Half<Real> re, im;
#pragma GCC unroll 4
  for (std::size_t k = 0; k < kVectors<Real>; ++k) {
    Vector<Real> gr, gi;
    factor(k * kWidth<Real>, gr, gi);
    if constexpr (kBegins) {
      re.v[k] = gr;
      im.v[k] = gi;
      continue;
    }
    const Vector<Real> x = at(block + k * kWidth<Real>), y = at(block + kLanes<Real> + k * kWidth<Real>);
    re.v[k] = fnma(gi, y, gr * x);
    im.v[k] = fma(gi, x, gr * y);
  }
  turns.apply(re, im);
  store(block, re);
  store(block + kLanes<Real>, im);
}

/// `kBegins`: of ones.
template <class Real, bool kBegins>
void phase(Real* leaf, const Real* pairs, const double* terms, std::uint64_t num_blocks, const Turn<Real>* turns) {
  Complexes blocks, lanes;
  lanes.re[0] = 1;
  lanes.im[0] = 0;
  multiply_out(lanes, terms + 2, kLanes<Real>);
  blocks.re[0] = terms[0];
  blocks.im[0] = terms[1];
  multiply_out(blocks, terms + 2 + 2 * kLaneBits<Real>, num_blocks);
  alignas(64) Real block_re[kBlocksMax], block_im[kBlocksMax], lane_re[kLanes<Real>], lane_im[kLanes<Real>];
  rounded(block_re, blocks.re, num_blocks);
  rounded(block_im, blocks.im, num_blocks);
  rounded(lane_re, lanes.re, kLanes<Real>);
  rounded(lane_im, lanes.im, kLanes<Real>);
  with_lanes(turns, [&](const auto& after) {
    for (std::uint64_t b = 0; b < num_blocks; ++b, leaf += 2 * kLanes<Real>, pairs += 2 * kLanes<Real>) {
      const Vector<Real> br = all(block_re[b]), bi = all(block_im[b]);
      const auto factor = [&](std::size_t l, Vector<Real>& gr, Vector<Real>& gi) {
        const Vector<Real> lr = at(lane_re + l), li = at(lane_im + l);
        const Vector<Real> fr = fnma(bi, li, br * lr), fi = fma(bi, lr, br * li);
        const Vector<Real> pr = at(pairs + l), pi = at(pairs + kLanes<Real> + l);
        gr = fnma(fi, pi, fr * pr);
        gi = fma(fi, pr, fr * pi);
      };
      multiply_block<Real, kBegins>(leaf, factor, after);
    }
  });
}

// Taylor on [-pi/4, pi/4], whose remainders are below 4e-9 (float) and 5e-17; the largest power first.
template <class Real>
struct Series;
template <>
struct Series<float> {
  static constexpr float kSine[] = {2.7557319e-6f, -1.9841270e-4f, 8.3333333e-3f, -1.6666667e-1f};
  static constexpr float kCosine[] = {-2.7557319e-7f, 2.4801587e-5f, -1.3888889e-3f, 4.1666667e-2f};
};
template <>
struct Series<double> {
  static constexpr double kSine[] = {-7.6471637318198164759e-13, 1.6059043836821614599e-10, -2.5052108385441718775e-8,
                                     2.7557319223985890653e-6,   -1.9841269841269841270e-4, 8.3333333333333333333e-3,
                                     -1.6666666666666666667e-1};
  static constexpr double kCosine[] = {4.7794773323873852974e-14, -1.1470745597729724714e-11, 2.0876756987868098979e-9,
                                       -2.7557319223985890653e-7, 2.4801587301587301587e-5,   -1.3888888888888888889e-3,
                                       4.1666666666666666667e-2};
};
template <class Real, std::size_t kCount>
inline Vector<Real> series(const Real (&factors)[kCount], Vector<Real> x) {
  Vector<Real> sum = all(factors[0]);
#pragma GCC unroll 8
  for (std::size_t i = 1; i < kCount; ++i) sum = fma(sum, x, all(factors[i]));
  return sum;
}

/// Of energy (high + low) quarter turns.
template <class Real>
inline void turn_of(Vector<Real> energy, Vector<Real> high, Vector<Real> low, Vector<Real>& cosine,
                    Vector<Real>& sine) {
  using Index = typename VectorOf<Real>::Index;
  constexpr Real kRound =
      sizeof(Real) == 4 ? Real(0x1.8p23) : Real(0x1.8p52);  // leaves the nearest integer in the low bits
  constexpr int kToSign = static_cast<int>(8 * sizeof(Real)) - 2;
  constexpr Real kHalfPi = Real(1.57079632679489661923);
  const Vector<Real> turns = energy * high;
  const Vector<Real> shifted = turns + all(kRound);
  const Vector<Real> rest = (turns - (shifted - all(kRound))) + fma(energy, low, fms(energy, high, turns));
  const Vector<Real> x = rest * all(kHalfPi);
  const Vector<Real> square = x * x;
  const Vector<Real> s = fma(x * square, series<Real>(Series<Real>::kSine, square), x);
  const Vector<Real> c =
      fma(square * square, series<Real>(Series<Real>::kCosine, square), fma(square, all(Real(-0.5)), all(Real(1))));
  const Index quadrant = reinterpret_cast<Index>(shifted);
  const Index exchange = -(quadrant & 1);
  const Index s_bits = reinterpret_cast<Index>(s), c_bits = reinterpret_cast<Index>(c);
  sine = reinterpret_cast<Vector<Real>>(((s_bits & ~exchange) | (c_bits & exchange)) ^ (quadrant & 2) << kToSign);
  cosine =
      reinterpret_cast<Vector<Real>>(((c_bits & ~exchange) | (s_bits & exchange)) ^ ((quadrant + 1) & 2) << kToSign);
}

template <class Real, bool kBegins>
void phase_by(Real* leaf, const Real* energies, const EnergyPhase<Real>& phase, std::uint64_t num_blocks,
              const Turn<Real>* turns) {
  const Vector<Real> high = all(phase.high), low = all(phase.low), fr = all(phase.re), fi = all(phase.im);
  with_lanes(turns, [&](const auto& after) {
    for (std::uint64_t b = 0; b < num_blocks; ++b, leaf += 2 * kLanes<Real>, energies += kLanes<Real>) {
      const auto factor = [&](std::size_t l, Vector<Real>& gr, Vector<Real>& gi) {
        Vector<Real> cosine, sine;
        turn_of<Real>(at(energies + l), high, low, cosine, sine);
        gr = fnma(fi, sine, fr * cosine);
        gi = fma(fi, cosine, fr * sine);
      };
      multiply_block<Real, kBegins>(leaf, factor, after);
    }
  });
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
  double lanes[kLanes<Real>] = {}, blocks[kBlocksMax];
  add_up(lanes, terms + 1, kLanes<Real>);
  blocks[0] = terms[0];
  add_up(blocks, terms + 1 + kLaneBits<Real>, num_blocks);
  alignas(64) Real lane[kLanes<Real>], block[kBlocksMax];
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

// ---- turns about x that are alike

/// exp(-i b sum X) of bits that all turn by one angle needs only the sums over a group's blocks with an even and with an odd number of
/// ones. With t = tan b, c = t / (1 + t^2), a sum E over the blocks of the parity of x and O over the others, and the antipode a of x, all
/// of whose bits are flipped, it makes of x
///   two bits:    x - c (t E + i O)
///   three bits:  cos b (x + i t a - i c (O - i t E)).
/// With the parts of turn_registers() all is real. As many are sums and products, and as few fused operations, as there are ports (mul_add).
/// `shared`: c, by_ratio: c times the ratio.
template <class Real>
struct AlikeNumbers {
  Vector<Real> ratio;
  Vector<Real> shared;
  Vector<Real> by_ratio;
};
/// v: what load_system() gave.
template <class Real, std::size_t kCount, bool kLarge, std::size_t kSystem>
inline void alike_system(Real* block, const std::uint64_t* place, const Vector<Real>* v,
                         const AlikeNumbers<Real>& numbers) {
  static_assert(kCount == 2 || kCount == 3);
  const auto& [ratio, shared, by_ratio] = numbers;
  // The first block whose part is real, and the first one whose part is imaginary; those of its parity differ from it in two bits.
  constexpr std::size_t kReal = kSystem, kImaginary = 1 - kSystem;
  Vector<Real> real = v[kReal] + v[kReal ^ 3], imaginary = v[kImaginary] + v[kImaginary ^ 3];
  if constexpr (kCount == 3) {
    real += v[kReal ^ 5] + v[kReal ^ 6];
    imaginary += v[kImaginary ^ 5] + v[kImaginary ^ 6];
  }
  const Vector<Real> to_real = kLarge ? by_ratio * imaginary - shared * real : shared * imaginary - by_ratio * real;
  const Vector<Real> to_imaginary =
      kLarge ? by_ratio * real + shared * imaginary : shared * real + by_ratio * imaginary;
#pragma GCC unroll 8
  for (std::size_t j = 0; j < std::size_t{1} << kCount; ++j) {
    const bool is_real = !is_imaginary<true, kSystem>(j);
    Vector<Real> x = v[j];
    if constexpr (kCount == 3) {
      const Vector<Real> a = v[j ^ 7];
      if (is_real)
        x = kLarge ? fms(ratio, x, a) : fnma(ratio, a, x);
      else
        x = kLarge ? fma(ratio, x, a) : fma(ratio, a, x);
    }
    at(block + place[j] + (is_real ? 0 : kLanes<Real>)) = is_real ? x + to_real : x - to_imaginary;
  }
}

template <class Real, std::size_t kCount, bool kLarge>
void alike_blocks(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns) {
  const Group<Real, kCount> group(turns);
  const double ratio = turns[0].ratio;
  const double numerator = kCount == 2 && kLarge ? 1 : ratio;
  const AlikeNumbers<Real> numbers{group.ratio[0], all(static_cast<Real>(numerator / (1 + ratio * ratio))),
                                   all(static_cast<Real>(ratio * numerator / (1 + ratio * ratio)))};
  for (std::uint64_t number = 0; number < num_blocks >> kCount; number += group.run()) {
    Real* const begin = tile + group.first(number) * 2 * kLanes<Real>;
    for (Real* block = begin; block < begin + group.run() * 2 * kLanes<Real>; block += 2 * kLanes<Real>) {
      for (std::size_t k = 0; k < kLanes<Real>; k += kWidth<Real>) {
        if constexpr (kCount == 1) {
          turn_systems<Real, 1, kLarge, true>(block + k, group);
        } else {
          for_systems<Real, kCount, true>(block + k, group, [&](auto system, Vector<Real>* v) {
            alike_system<Real, kCount, kLarge, decltype(system)::value>(block + k, group.place, v, numbers);
          });
        }
      }
    }
  }
}

template <class Real, bool kLarge>
void turn_alike_by(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count) {
  while (count > 0) {
    const std::size_t now = alike_at_once(count);
    if (now == 1) alike_blocks<Real, 1, kLarge>(tile, num_blocks, turns);
    if (now == 2) alike_blocks<Real, 2, kLarge>(tile, num_blocks, turns);
    if (now == 3) alike_blocks<Real, 3, kLarge>(tile, num_blocks, turns);
    turns += now;
    count -= now;
  }
}

template <class Real>
void turn_alike(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count) {
  if (count == 0) return;
  (turns[0].large ? turn_alike_by<Real, true> : turn_alike_by<Real, false>)(tile, num_blocks, turns, count);
}

template <class Real>
constexpr IsingKernels<Real> kKernels = {
    &phase<Real, false>, &phase_by<Real, false>, &phase<Real, true>, &phase_by<Real, true>,
    &turn_alike<Real>,   &energy<Real>,          &weigh<Real>,       &tally<Real>,
    &slope<Real>,        &flip_lanes<Real>,      &flip<Real>,        &flip_mirror<Real>};

}  // namespace

extern const AllIsingKernels kIsingKernels = {kKernels<float>, kKernels<double>};

}  // namespace tandem::statevector::TANDEM_ISA
