#include "tandem/compute/statevector/pauli_kernels.h"
#include "tandem/compute/statevector/vector_kernels.h"

namespace tandem::statevector::TANDEM_ISA {
namespace {

template <class Real>
constexpr std::size_t kBlock = 2 * kLanes<Real>;

/// `kMoved`: lanes change their place, which is slow where they do not.
template <class Real, Part kPart, bool kMoved>
void overlaps_of(const Real* ket, const Real* bra, std::uint64_t first, std::uint64_t count, std::uint64_t block,
                 std::uint32_t lane, double* out) {
  for (std::uint64_t i = first; i < first + count; ++i, out += kLanes<Real>) {
    const Real* const own = ket + i * kBlock<Real>;
    const Real* const other = bra + (i ^ block) * kBlock<Real>;
    Half<Real> br = load(other), bi = load(other + kLanes<Real>);
    if constexpr (kMoved) {
      br = moved(br, lane);
      bi = moved(bi, lane);
    }
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      const Vector<Real> re = at(own + k * kWidth<Real>), im = at(own + kLanes<Real> + k * kWidth<Real>);
      const Vector<Real> term = kPart == Part::kReal ? fma(bi.v[k], im, br.v[k] * re) : fnma(bi.v[k], re, br.v[k] * im);
      if constexpr (sizeof(Real) == sizeof(double)) {
        at(out + k * kWidth<Real>) = term;
      } else {
        at(out + k * kWidth<Real>) = widened<0>(term);
        at(out + k * kWidth<Real> + kWidth<double>) = widened<1>(term);
      }
    }
  }
}

template <class Real>
void overlaps(const Real* ket, const Real* bra, std::uint64_t first, std::uint64_t count, std::uint64_t block,
              std::uint32_t lane, Part part, double* out) {
  if (part == Part::kReal)
    (lane == 0 ? overlaps_of<Real, Part::kReal, false> : overlaps_of<Real, Part::kReal, true>)(ket, bra, first, count,
                                                                                               block, lane, out);
  else
    (lane == 0 ? overlaps_of<Real, Part::kImaginary, false>
               : overlaps_of<Real, Part::kImaginary, true>)(ket, bra, first, count, block, lane, out);
}

/// Numbers of one block's lanes.
template <class Real>
inline Half<Real> numbers_of(const double* from) {
  Half<Real> out;
  for (std::size_t k = 0; k < kVectors<Real>; ++k) {
    if constexpr (sizeof(Real) == sizeof(double))
      out.v[k] = at(from + k * kWidth<Real>);
    else
      out.v[k] = narrowed(at(from + k * kWidth<Real>), at(from + k * kWidth<Real> + kWidth<double>));
  }
  return out;
}

template <class Real, Part kPart, bool kMoved>
void add_image_of(const Real* ket, Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane,
                  const double* weights, std::uint64_t period) {
  for (std::uint64_t i = 0; i < num_blocks; ++i) {
    const Real* const own = ket + i * kBlock<Real>;
    Real* const other = bra + (i ^ block) * kBlock<Real>;
    const Half<Real> weight = numbers_of<Real>(weights + (i * kLanes<Real> & (period - 1)));
    Half<Real> re = load(own), im = load(own + kLanes<Real>);
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      re.v[k] *= weight.v[k];
      im.v[k] *= weight.v[k];
    }
    if constexpr (kMoved) {
      re = moved(re, lane);
      im = moved(im, lane);
    }
    for (std::size_t k = 0; k < kVectors<Real>; ++k) {
      Vector<Real>& to_re = at(other + k * kWidth<Real>);
      Vector<Real>& to_im = at(other + kLanes<Real> + k * kWidth<Real>);
      if constexpr (kPart == Part::kReal) {
        to_re += re.v[k];
        to_im += im.v[k];
      } else {
        to_re -= im.v[k];
        to_im += re.v[k];
      }
    }
  }
}

template <class Real>
void add_image(const Real* ket, Real* bra, std::uint64_t num_blocks, std::uint64_t block, std::uint32_t lane, Part part,
               const double* weights, std::uint64_t period) {
  if (part == Part::kReal)
    (lane == 0 ? add_image_of<Real, Part::kReal, false>
               : add_image_of<Real, Part::kReal, true>)(ket, bra, num_blocks, block, lane, weights, period);
  else
    (lane == 0 ? add_image_of<Real, Part::kImaginary, false>
               : add_image_of<Real, Part::kImaginary, true>)(ket, bra, num_blocks, block, lane, weights, period);
}

/// Vector `k` of numbers in double.
template <class Real>
inline Vector<double> wide(const Real* from, std::size_t k) {
  if constexpr (sizeof(Real) == sizeof(double)) {
    return at(from + k * kWidth<double>);
  } else {
    const Vector<float> both = at(from + k / 2 * kWidth<float>);
    return k % 2 == 0 ? widened<0>(both) : widened<1>(both);
  }
}

template <class Real>
void weights(const Real* ket, std::uint64_t num_blocks, double* out) {
  constexpr std::size_t kWide = kLanes<Real> / kWidth<double>;
  for (std::uint64_t block = 0; block < num_blocks; ++block, ket += kBlock<Real>) {
    Vector<double> line[kWide];
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kWide; ++k) {
      const Vector<double> re = wide(ket, k), im = wide(ket + kLanes<Real>, k);
      line[k] = re * re + im * im;
    }
#pragma GCC unroll 4
    for (std::size_t size = kWide; size > 1; size /= 2)
      for (std::size_t k = 0; k < size / 2; ++k) line[k] += line[k + size / 2];
    alignas(64) double lanes[kWidth<double>];
    at(lanes) = line[0];
    for (std::size_t size = kWidth<double>; size > 1; size /= 2)
      for (std::size_t lane = 0; lane < size / 2; ++lane) lanes[lane] += lanes[lane + size / 2];
    out[block] = lanes[0];
  }
}

/// Real times real parts, and imaginary ones, of numbers in double.
template <class Real>
double product(const Real* ket, const Real* bra, std::uint64_t num_blocks) {
  constexpr std::size_t kWide = kLanes<Real> / kWidth<double>;
  Vector<double> sums[2][kWide] = {};
  for (std::uint64_t block = 0; block < num_blocks * kBlock<Real>; block += kBlock<Real>) {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < kWide; ++k) {
      sums[0][k] = fma(wide(bra + block, k), wide(ket + block, k), sums[0][k]);
      sums[1][k] = fma(wide(bra + block + kLanes<Real>, k), wide(ket + block + kLanes<Real>, k), sums[1][k]);
    }
  }
  Sums<Real> all;
  for (std::size_t k = 0; k < kWide; ++k) at(all.lanes + k * kWidth<double>) = sums[0][k] + sums[1][k];
  return all.total();
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
    {&overlaps<float>, &add_image<float>, &product<float>, &weights<float>, {&butterfly, &add}},
    {&overlaps<double>, &add_image<double>, &product<double>, &weights<double>, {&butterfly, &add}}};

}  // namespace tandem::statevector::TANDEM_ISA
