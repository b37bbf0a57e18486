#include "tandem/compute/statevector/reductions.h"

#include <array>

namespace tandem::statevector {
namespace {

/// One stage between two halves: (a, b) -> (a + b, a - b).
void walsh_hadamard_stage(std::span<double> a, std::span<double> b) {
  double* __restrict x = a.data();
  double* __restrict y = b.data();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double sum = x[i] + y[i];
    y[i] = x[i] - y[i];
    x[i] = sum;
  }
}

}  // namespace

template <class Real>
double sum_of_squares(const Real* amplitudes, std::uint64_t first, std::uint64_t count) {
  constexpr std::size_t kWide = kLanes<Real>;
  // The compiler may not reorder a sum, so the lanes that vectorise are written down.
  std::array<double, kWide> sums{};
  for (const Real* block = amplitudes + 2 * first; block < amplitudes + 2 * (first + count); block += 2 * kWide)
    for (std::size_t lane = 0; lane < kWide; ++lane) {
      const double re = block[lane];
      const double im = block[lane + kWide];
      sums[lane] += re * re + im * im;
    }
  // Neighbours first.
  for (std::size_t size = kWide; size > 1; size /= 2)
    for (std::size_t lane = 0; lane < size / 2; ++lane) sums[lane] = sums[2 * lane] + sums[2 * lane + 1];
  return sums[0];
}

template <class Real>
void overlaps(const Real* bra, const Real* ket, std::uint64_t flip, bool imaginary, std::span<double> out) {
  constexpr std::size_t kWide = kLanes<Real>;
  const std::uint64_t lanes = flip % kWide;
  for (std::uint64_t first = 0; first < out.size(); first += kWide) {
    const Real* const other = bra + 2 * (first ^ (flip - lanes));
    const Real* const own = ket + 2 * first;
    for (std::size_t lane = 0; lane < kWide; ++lane) {
      const double re = other[lane ^ lanes];
      const double im = other[(lane ^ lanes) + kWide];
      const double own_re = own[lane];
      const double own_im = own[lane + kWide];
      out[first + lane] = imaginary ? re * own_im - im * own_re : re * own_re + im * own_im;
    }
  }
}

template double sum_of_squares<float>(const float*, std::uint64_t, std::uint64_t);
template double sum_of_squares<double>(const double*, std::uint64_t, std::uint64_t);
template void overlaps<float>(const float*, const float*, std::uint64_t, bool, std::span<double>);
template void overlaps<double>(const double*, const double*, std::uint64_t, bool, std::span<double>);

void walsh_hadamard(std::span<double> values) {
  for (std::size_t half = 1; half < values.size(); half *= 2) {
    for (std::size_t i = 0; i < values.size(); i += 2 * half) {
      walsh_hadamard_stage(values.subspan(i, half), values.subspan(i + half, half));
    }
  }
}

}  // namespace tandem::statevector
