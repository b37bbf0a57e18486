#include "tandem/compute/statevector/pauli_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

// Half a block, whatever the registers: the compiler splits it.
template <class Real>
struct LineOf;
template <>
struct LineOf<float> {
  typedef float Type __attribute__((vector_size(64), may_alias));
  typedef std::int32_t Index __attribute__((vector_size(64)));
  typedef double Wide __attribute__((vector_size(128)));
};
template <>
struct LineOf<double> {
  typedef double Type __attribute__((vector_size(64), may_alias));
  typedef std::int64_t Index __attribute__((vector_size(64)));
  typedef double Wide __attribute__((vector_size(64)));
};
template <class Real>
using Line = typename LineOf<Real>::Type;
template <class Real>
using Wide = typename LineOf<Real>::Wide;

template <class Real>
constexpr std::size_t kBlock = 2 * kLanes<Real>;

template <class Real>
const Line<Real>& at(const Real* p) {
  return *reinterpret_cast<const Line<Real>*>(p);
}
template <class Real>
Line<Real>& at(Real* p) {
  return *reinterpret_cast<Line<Real>*>(p);
}

/// Neighbours first.
template <class Real>
double sum_of(Wide<Real>& lanes) {
  for (std::size_t size = kLanes<Real>; size > 1; size /= 2)
    for (std::size_t lane = 0; lane < size / 2; ++lane) lanes[lane] = lanes[2 * lane] + lanes[2 * lane + 1];
  return lanes[0];
}

/// Lane l gets what lane l ^ kStep has.
template <class Real, std::size_t kStep>
inline void swap_lanes(Line<Real>& line) {
  typename LineOf<Real>::Index from;
  for (std::size_t l = 0; l < kLanes<Real>; ++l) from[l] = static_cast<decltype(from[0] + 0)>(l ^ kStep);
  line = __builtin_shuffle(line, from);
}
/// The same for any set of bits below kLanes.
template <class Real>
inline void move_lanes(Line<Real>& line, std::uint32_t lanes) {
  if ((lanes & 1) != 0) swap_lanes<Real, 1>(line);
  if ((lanes & 2) != 0) swap_lanes<Real, 2>(line);
  if ((lanes & 4) != 0) swap_lanes<Real, 4>(line);
  if constexpr (kLaneBits<Real> == 4)
    if ((lanes & 8) != 0) swap_lanes<Real, 8>(line);
}

// Im <bra|X|ket> is the sum of Im conj(bra[j]) ket[j ^ bit]; Im <bra|Y|ket> that of Re conj(bra[j]) ket[j ^ bit], negated where j has not
// the bit, for Y takes |0> to i|1> and |1> to -i|0>.
template <class Real, std::size_t kCount, bool kAboutY>
void cross_blocks(const Real* ket, const Real* bra, std::uint64_t num_blocks, const std::uint32_t* bits, double* out) {
  constexpr std::size_t kGroup = std::size_t{1} << kCount;
  std::uint64_t place[kGroup] = {};
  std::uint64_t below[kCount];
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::uint64_t step = std::uint64_t{1} << (bits[i] - kLaneBits<Real>);
    below[i] = step - 1;
    for (std::size_t j = 0; j < kGroup; ++j)
      if ((j >> i & 1) != 0) place[j] += step * kBlock<Real>;
  }
  Wide<Real> sums[kCount] = {};
  const std::uint64_t run = below[0] + 1;
  for (std::uint64_t group = 0; group < num_blocks >> kCount; group += run) {
    std::uint64_t first = group;
    for (std::size_t i = 0; i < kCount; ++i) first = (first & ~below[i]) << 1 | (first & below[i]);
    for (std::uint64_t block = first * kBlock<Real>; block < (first + run) * kBlock<Real>; block += kBlock<Real>) {
      Line<Real> re[kGroup], im[kGroup];
      for (std::size_t j = 0; j < kGroup; ++j) {
        re[j] = at(ket + block + place[j]);
        im[j] = at(ket + block + place[j] + kLanes<Real>);
      }
      Line<Real> plus[kCount] = {}, minus[kCount] = {};
#pragma GCC unroll 8
      for (std::size_t j = 0; j < kGroup; ++j) {
        const Line<Real> br = at(bra + block + place[j]);
        const Line<Real> bi = at(bra + block + place[j] + kLanes<Real>);
#pragma GCC unroll 3
        for (std::size_t i = 0; i < kCount; ++i) {
          const std::size_t other = j ^ std::size_t{1} << i;
          if constexpr (!kAboutY) {
            plus[i] += br * im[other];
            minus[i] += bi * re[other];
          } else if ((j >> i & 1) != 0) {
            plus[i] += br * re[other];
            plus[i] += bi * im[other];
          } else {
            minus[i] += br * re[other];
            minus[i] += bi * im[other];
          }
        }
      }
      for (std::size_t i = 0; i < kCount; ++i) sums[i] += __builtin_convertvector(plus[i] - minus[i], Wide<Real>);
    }
  }
  for (std::size_t i = 0; i < kCount; ++i) out[i] = sum_of<Real>(sums[i]);
}

template <class Real, bool kAboutY>
void cross_as(const Real* ket, const Real* bra, std::uint64_t num_blocks, const std::uint32_t* bits, std::size_t count,
              double* out) {
  if (count == 1) cross_blocks<Real, 1, kAboutY>(ket, bra, num_blocks, bits, out);
  if (count == 2) cross_blocks<Real, 2, kAboutY>(ket, bra, num_blocks, bits, out);
  if (count == 3) cross_blocks<Real, 3, kAboutY>(ket, bra, num_blocks, bits, out);
}

template <class Real>
void cross(const Real* ket, const Real* bra, std::uint64_t num_blocks, const std::uint32_t* bits, std::size_t count,
           bool about_y, double* out) {
  (about_y ? cross_as<Real, true> : cross_as<Real, false>)(ket, bra, num_blocks, bits, count, out);
}

template <class Real, std::uint32_t kBit, bool kAboutY>
double cross_within(const Real* ket, const Real* bra, std::uint64_t num_blocks) {
  constexpr std::size_t kStep = std::size_t{1} << kBit;
  Wide<Real> sums = {};
  for (std::uint64_t block = 0; block < num_blocks * kBlock<Real>; block += kBlock<Real>) {
    const Line<Real> br = at(bra + block), bi = at(bra + block + kLanes<Real>);
    Line<Real> re = at(ket + block), im = at(ket + block + kLanes<Real>);
    swap_lanes<Real, kStep>(re);
    swap_lanes<Real, kStep>(im);
    const Line<Real> term = kAboutY ? br * re + bi * im : br * im - bi * re;
    sums += __builtin_convertvector(term, Wide<Real>);
  }
  if constexpr (kAboutY)
    for (std::size_t lane = 0; lane < kLanes<Real>; ++lane)
      if ((lane & kStep) == 0) sums[lane] = -sums[lane];
  return sum_of<Real>(sums);
}

template <class Real, bool kAboutY>
double cross_lane_as(const Real* ket, const Real* bra, std::uint64_t num_blocks, std::uint32_t bit) {
  if (bit == 0) return cross_within<Real, 0, kAboutY>(ket, bra, num_blocks);
  if (bit == 1) return cross_within<Real, 1, kAboutY>(ket, bra, num_blocks);
  if (bit == 2) return cross_within<Real, 2, kAboutY>(ket, bra, num_blocks);
  return cross_within<Real, kLaneBits<Real> - 1, kAboutY>(ket, bra, num_blocks);
}

template <class Real>
double cross_lane(const Real* ket, const Real* bra, std::uint64_t num_blocks, std::uint32_t bit, bool about_y) {
  return (about_y ? cross_lane_as<Real, true> : cross_lane_as<Real, false>)(ket, bra, num_blocks, bit);
}

template <class Real>
void overlaps(const Real* ket, const Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane,
              Part part, double* out) {
  for (std::uint64_t i = 0; i < num_blocks; ++i, out += kLanes<Real>) {
    const Real* const own = ket + i * kBlock<Real>;
    const Real* const other = bra + (i ^ block) * kBlock<Real>;
    const Line<Real> re = at(own), im = at(own + kLanes<Real>);
    Line<Real> br = at(other), bi = at(other + kLanes<Real>);
    move_lanes<Real>(br, lane);
    move_lanes<Real>(bi, lane);
    const Line<Real> term = part == Part::kReal ? br * re + bi * im : br * im - bi * re;
    const Wide<Real> wide = __builtin_convertvector(term, Wide<Real>);
    __builtin_memcpy(out, &wide, sizeof wide);
  }
}

template <class Real>
void add_image(const Real* ket, Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane, Part part,
               const double* weights, std::uint64_t period) {
  for (std::uint64_t i = 0; i < num_blocks; ++i) {
    const Real* const own = ket + i * kBlock<Real>;
    Real* const other = bra + (i ^ block) * kBlock<Real>;
    Wide<Real> wide;
    __builtin_memcpy(&wide, weights + (i * kLanes<Real> & (period - 1)), sizeof wide);
    const Line<Real> weight = __builtin_convertvector(wide, Line<Real>);
    Line<Real> re = at(own) * weight, im = at(own + kLanes<Real>) * weight;
    move_lanes<Real>(re, lane);
    move_lanes<Real>(im, lane);
    if (part == Part::kReal) {
      at(other) += re;
      at(other + kLanes<Real>) += im;
    } else {
      at(other) -= im;
      at(other + kLanes<Real>) += re;
    }
  }
}

template <class Real>
double product(const Real* ket, const Real* bra, std::uint64_t num_blocks) {
  Wide<Real> sums = {};
  for (std::uint64_t block = 0; block < num_blocks * kBlock<Real>; block += kBlock<Real>) {
    const Wide<Real> re = __builtin_convertvector(at(ket + block), Wide<Real>);
    const Wide<Real> im = __builtin_convertvector(at(ket + block + kLanes<Real>), Wide<Real>);
    const Wide<Real> br = __builtin_convertvector(at(bra + block), Wide<Real>);
    const Wide<Real> bi = __builtin_convertvector(at(bra + block + kLanes<Real>), Wide<Real>);
    sums += br * re + bi * im;
  }
  return sum_of<Real>(sums);
}

void butterfly(double* __restrict a, double* __restrict b, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const double sum = a[i] + b[i];
    b[i] = a[i] - b[i];
    a[i] = sum;
  }
}

void add(double* __restrict to, const double* __restrict from, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

extern const AllPauliKernels kPauliKernels = {
    {&cross<float>, &cross_lane<float>, &overlaps<float>, &add_image<float>, &product<float>, {&butterfly, &add}},
    {&cross<double>, &cross_lane<double>, &overlaps<double>, &add_image<double>, &product<double>, {&butterfly, &add}}};

}  // namespace tandem::statevector::TANDEM_ISA
