#include "tandem/compute/statevector/leaf_kernels.h"

#include "tandem/compute/statevector/lane_kernels.h"
#include "tandem/compute/statevector/turn_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

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

  /// `two_large`: of two that leave out the sine.
  AlikeNumbers(Real turn_ratio, bool two_large) : ratio(all(turn_ratio)) {
    const double t = turn_ratio;
    const double numerator = two_large ? 1 : t;
    shared = all(static_cast<Real>(numerator / (1 + t * t)));
    by_ratio = all(static_cast<Real>(t * numerator / (1 + t * t)));
  }
};
/// v: what load_system() gave; put(j, number) takes what it becomes.
template <class Real, std::size_t kCount, bool kLarge, std::size_t kSystem, class Put>
__attribute__((always_inline)) inline void alike_system(const Vector<Real>* v, const AlikeNumbers<Real>& numbers,
                                                        const Put& put) {
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
    put(j, is_real ? x + to_real : x - to_imaginary);
  }
}

template <class Real, std::size_t kCount, bool kLarge>
void alike_blocks(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns) {
  const Group<Real, kCount> group(turns, num_blocks);
  const AlikeNumbers<Real> numbers(turns[0].ratio, kCount == 2 && kLarge);
  std::uint64_t run = 0;
  for (std::uint64_t left = group.num_runs; left > 0; --left, run = group.after(run)) {
    Real* const begin = tile + run;
    for (Real* block = begin; block < begin + group.length; block += group.step) {
      for (std::size_t k = 0; k < kLanes<Real>; k += kWidth<Real>) {
        if constexpr (kCount == 1) {
          turn_systems<Real, 1, kLarge, true>(block + k, group);
        } else {
          for_systems<Real, kCount, true>(block + k, group, [&](auto system, Vector<Real>* v) {
            alike_system<Real, kCount, kLarge, decltype(system)::value>(v, numbers, [&](std::size_t j, Vector<Real> x) {
              const bool imaginary = is_imaginary<true, decltype(system)::value>(j);
              at(block + k + group.place[j] + (imaginary ? kLanes<Real> : 0)) = x;
            });
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

/// The three lowest bits above the lanes, where they turn alike, in registers that hold a part of a block each.
template <class Real>
class AlikeThree {
 public:
  explicit AlikeThree(const Turn<Real>* turns)
      : any_(turns != nullptr), large_(any_ && turns[0].large), numbers_(any_ ? turns[0].ratio : Real(0), false) {}
  __attribute__((always_inline)) void apply(Half<Real> (&re)[8], Half<Real> (&im)[8]) const {
    if (!any_) return;
    if (large_)
      by<true>(re, im);
    else
      by<false>(re, im);
  }

 private:
  template <bool kLarge>
  __attribute__((always_inline)) void by(Half<Real> (&re)[8], Half<Real> (&im)[8]) const {
    one<kLarge, 0>(re, im);
    one<kLarge, 1>(re, im);
  }
  template <bool kLarge, std::size_t kSystem>
  __attribute__((always_inline)) void one(Half<Real> (&re)[8], Half<Real> (&im)[8]) const {
    const auto part = [&](std::size_t j) -> Vector<Real>& {
      return is_imaginary<true, kSystem>(j) ? im[j].v[0] : re[j].v[0];
    };
    Vector<Real> v[8];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) v[j] = part(j);
    alike_system<Real, 3, kLarge, kSystem>(v, numbers_, [&](std::size_t j, Vector<Real> x) { part(j) = x; });
  }

  bool any_;
  bool large_;
  AlikeNumbers<Real> numbers_;
};

/// Numbers of the blocks of a leaf, or of the lanes of a block, from those of their bits.
struct Complexes {
  alignas(64) double re[kLeafBlocksMax];
  alignas(64) double im[kLeafBlocksMax];
};

/// Beside the first number, which is there. The lowest bits stay in registers: what is written by parts is not read as a whole.
inline void multiply_out(Complexes& out, const double* terms, std::size_t count) {
  constexpr std::size_t kAtOnce = kWidth<double>;
  using Index = typename VectorOf<double>::Index;
  const auto times = [](Vector<double> x, Vector<double> y, const double* term, Vector<double>& re,
                        Vector<double>& im) {
    const Vector<double> r = all(term[0]), i = all(term[1]);
    re = fnma(y, i, x * r);
    im = fma(y, r, x * i);
  };
  Vector<double> re = all(out.re[0]), im = all(out.im[0]);
#pragma GCC unroll 4
  for (std::size_t step = 1; step < kAtOnce; step *= 2, terms += 2) {
    if (step >= count) break;
    Index is_one;
    for (std::size_t l = 0; l < kAtOnce; ++l) is_one[l] = (l & step) != 0 ? -1 : 0;
    Vector<double> x, y;
    times(re, im, terms, x, y);
    re = is_one ? x : re;
    im = is_one ? y : im;
  }
  at(out.re) = re;
  at(out.im) = im;
  for (std::size_t step = kAtOnce; step < count; step *= 2, terms += 2)
    for (std::size_t v = 0; v < step; v += kAtOnce)
      times(at(out.re + v), at(out.im + v), terms, at(out.re + v + step), at(out.im + v + step));
}

/// Turns of all lanes about x, or none.
template <class Real>
class AllLanes {
 public:
  explicit AllLanes(const Turn<Real>* turns) : any_(turns != nullptr) {
    if (turns == nullptr) return;
    for (std::size_t i = 0; i < kLaneBits<Real>; ++i) any_large_ = any_large_ || turns[i].large;
    turns_ = Turns(turns);
  }
  template <std::size_t kBlocks>
  __attribute__((always_inline)) void apply(Half<Real> (&re)[kBlocks], Half<Real> (&im)[kBlocks]) const {
    if (!any_) return;
    if (any_large_)
      turns_.template apply<true>(re, im);
    else
      turns_.template apply<false>(re, im);
  }

 private:
  using Turns = LaneTurns<Real, static_cast<unsigned>(kLanes<Real> - 1), true>;
  bool any_;
  bool any_large_ = false;
  Turns turns_;
};

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

// ---- phases

/// factor(block, k, re, im) says what vector k of a block is multiplied by.
template <class Real, bool kBegins, class Factor>
class Phases {
 public:
  Phases(const Factor& factor, const BesidePhases<Real>& beside)
      : factor_(factor), beside_(beside), lanes_before_(beside.lanes_before), lanes_after_(beside.lanes_after) {}

  void apply(Real* leaf, std::uint64_t num_blocks) const {
    if (beside_.turns_before == nullptr && beside_.turns_after == nullptr) return by_blocks(leaf, num_blocks);
    if constexpr (kVectors<Real> == 1) {
      by_groups(leaf, num_blocks);
    } else {
      // A group would not find room in the registers.
      if (beside_.turns_before != nullptr) turn_alike(leaf, num_blocks, beside_.turns_before, kLowestBits);
      by_blocks(leaf, num_blocks);
      if (beside_.turns_after != nullptr) turn_alike(leaf, num_blocks, beside_.turns_after, kLowestBits);
    }
  }

 private:
  static constexpr std::size_t kBlock = 2 * kLanes<Real>;

  /// Blocks from `first` on, in registers.
  template <std::size_t kBlocks>
  __attribute__((always_inline)) void some(std::uint64_t first, Half<Real> (&re)[kBlocks],
                                           Half<Real> (&im)[kBlocks]) const {
    if constexpr (!kBegins) lanes_before_.apply(re, im);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kBlocks; ++j) {
#pragma GCC unroll 4
      for (std::size_t k = 0; k < kVectors<Real>; ++k) {
        Vector<Real> gr, gi;
        factor_(first + j, k, gr, gi);
        const Vector<Real> x = re[j].v[k], y = im[j].v[k];
        re[j].v[k] = kBegins ? gr : fnma(gi, y, gr * x);
        im[j].v[k] = kBegins ? gi : fma(gi, x, gr * y);
      }
    }
    lanes_after_.apply(re, im);
  }
  template <std::size_t kBlocks>
  __attribute__((always_inline)) static void read(const Real* leaf, Half<Real> (&re)[kBlocks],
                                                  Half<Real> (&im)[kBlocks]) {
    if constexpr (kBegins) return;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kBlocks; ++j) {
      re[j] = load(leaf + j * kBlock);
      im[j] = load(leaf + j * kBlock + kLanes<Real>);
    }
  }
  template <std::size_t kBlocks>
  __attribute__((always_inline)) static void write(Real* leaf, const Half<Real> (&re)[kBlocks],
                                                   const Half<Real> (&im)[kBlocks]) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kBlocks; ++j) {
      store(leaf + j * kBlock, re[j]);
      store(leaf + j * kBlock + kLanes<Real>, im[j]);
    }
  }
  void by_blocks(Real* leaf, std::uint64_t num_blocks) const {
    for (std::uint64_t b = 0; b < num_blocks; ++b, leaf += kBlock) {
      Half<Real> re[1] = {}, im[1] = {};
      read(leaf, re, im);
      some(b, re, im);
      write(leaf, re, im);
    }
  }
  /// Turns before and after with them, so that a leaf is read and written once.
  void by_groups(Real* leaf, std::uint64_t num_blocks) const {
    const AlikeThree<Real> before(beside_.turns_before), after(beside_.turns_after);
    for (std::uint64_t b = 0; b < num_blocks; b += 8, leaf += 8 * kBlock) {
      Half<Real> re[8] = {}, im[8] = {};
      read(leaf, re, im);
      if constexpr (!kBegins) before.apply(re, im);
      some(b, re, im);
      after.apply(re, im);
      write(leaf, re, im);
    }
  }

  const Factor& factor_;
  const BesidePhases<Real>& beside_;
  AllLanes<Real> lanes_before_;
  AllLanes<Real> lanes_after_;
};

}  // namespace

template <class Real, bool kBegins>
void phase(Real* leaf, const Real* pairs, const double* terms, std::uint64_t num_blocks,
           const BesidePhases<Real>& beside) {
  Complexes blocks, lanes;
  lanes.re[0] = 1;
  lanes.im[0] = 0;
  multiply_out(lanes, terms + 2, kLanes<Real>);
  blocks.re[0] = terms[0];
  blocks.im[0] = terms[1];
  multiply_out(blocks, terms + 2 + 2 * kLaneBits<Real>, num_blocks);
  alignas(64) Real block_re[kLeafBlocksMax], block_im[kLeafBlocksMax], lane_re[kLanes<Real>], lane_im[kLanes<Real>];
  rounded(block_re, blocks.re, num_blocks);
  rounded(block_im, blocks.im, num_blocks);
  rounded(lane_re, lanes.re, kLanes<Real>);
  rounded(lane_im, lanes.im, kLanes<Real>);
  const auto factor = [&](std::uint64_t block, std::size_t k, Vector<Real>& gr, Vector<Real>& gi) {
    const std::size_t l = k * kWidth<Real>;
    const Real* const pair = pairs + block * 2 * kLanes<Real> + l;
    const Vector<Real> br = all(block_re[block]), bi = all(block_im[block]);
    const Vector<Real> lr = at(lane_re + l), li = at(lane_im + l);
    const Vector<Real> fr = fnma(bi, li, br * lr), fi = fma(bi, lr, br * li);
    const Vector<Real> pr = at(pair), pi = at(pair + kLanes<Real>);
    gr = fnma(fi, pi, fr * pr);
    gi = fma(fi, pr, fr * pi);
  };
  Phases<Real, kBegins, decltype(factor)>(factor, beside).apply(leaf, num_blocks);
}

template <class Real, bool kBegins>
void phase_by(Real* leaf, const Real* energies, const EnergyPhase<Real>& phase, std::uint64_t num_blocks,
              const BesidePhases<Real>& beside) {
  const Vector<Real> high = all(phase.high), low = all(phase.low), fr = all(phase.re), fi = all(phase.im);
  const auto factor = [&](std::uint64_t block, std::size_t k, Vector<Real>& gr, Vector<Real>& gi) {
    Vector<Real> cosine, sine;
    turn_of<Real>(at(energies + block * kLanes<Real> + k * kWidth<Real>), high, low, cosine, sine);
    gr = fnma(fi, sine, fr * cosine);
    gi = fma(fi, cosine, fr * sine);
  };
  Phases<Real, kBegins, decltype(factor)>(factor, beside).apply(leaf, num_blocks);
}

template <class Real>
void turn_alike(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count) {
  if (count == 0) return;
  (turns[0].large ? turn_alike_by<Real, true> : turn_alike_by<Real, false>)(tile, num_blocks, turns, count);
}

template void phase<float, false>(float*, const float*, const double*, std::uint64_t, const BesidePhases<float>&);
template void phase_by<float, false>(float*, const float*, const EnergyPhase<float>&, std::uint64_t,
                                     const BesidePhases<float>&);
template void phase<float, true>(float*, const float*, const double*, std::uint64_t, const BesidePhases<float>&);
template void phase_by<float, true>(float*, const float*, const EnergyPhase<float>&, std::uint64_t,
                                    const BesidePhases<float>&);
template void turn_alike<float>(float*, std::uint64_t, const Turn<float>*, std::size_t);
template void phase<double, false>(double*, const double*, const double*, std::uint64_t, const BesidePhases<double>&);
template void phase_by<double, false>(double*, const double*, const EnergyPhase<double>&, std::uint64_t,
                                      const BesidePhases<double>&);
template void phase<double, true>(double*, const double*, const double*, std::uint64_t, const BesidePhases<double>&);
template void phase_by<double, true>(double*, const double*, const EnergyPhase<double>&, std::uint64_t,
                                     const BesidePhases<double>&);
template void turn_alike<double>(double*, std::uint64_t, const Turn<double>*, std::size_t);

}  // namespace tandem::statevector::TANDEM_ISA
