#include "tandem/compute/statevector/reductions.h"

#include <array>

namespace tandem::statevector {
namespace {

constexpr std::size_t kWide = kLanes<double>;

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

double sum_of_squares(const double* amplitudes, std::uint64_t first, std::uint64_t count) {
  // The compiler may not reorder a sum, so the lanes that vectorise are written down.
  std::array<double, kWide> sums{};
  for (const double* block = amplitudes + 2 * first; block < amplitudes + 2 * (first + count); block += 2 * kWide)
    for (std::size_t lane = 0; lane < kWide; ++lane)
      sums[lane] += block[lane] * block[lane] + block[lane + kWide] * block[lane + kWide];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

void overlaps(const double* bra, const double* ket, std::uint64_t flip, bool imaginary, std::span<double> out) {
  const std::uint64_t lanes = flip % kWide;
  for (std::uint64_t first = 0; first < out.size(); first += kWide) {
    const double* const other = bra + 2 * (first ^ (flip - lanes));
    const double* const own = ket + 2 * first;
    for (std::size_t lane = 0; lane < kWide; ++lane) {
      const double re = other[lane ^ lanes];
      const double im = other[(lane ^ lanes) + kWide];
      out[first + lane] = imaginary ? re * own[lane + kWide] - im * own[lane] : re * own[lane] + im * own[lane + kWide];
    }
  }
}

void walsh_hadamard(std::span<double> values) {
  for (std::size_t half = 1; half < values.size(); half *= 2) {
    for (std::size_t i = 0; i < values.size(); i += 2 * half) {
      walsh_hadamard_stage(values.subspan(i, half), values.subspan(i + half, half));
    }
  }
}

}  // namespace tandem::statevector
