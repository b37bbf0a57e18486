// tandem/compute/statevector/frame.h - Frame: which bit of an amplitude's place is which qubit.
//
// Room: compute, inside statevector. Exchanges of qubits and bit flips move no amplitude: they change the frame.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numeric>
#include <vector>

namespace tandem::statevector {

/// The lowest `bits` bits, 64 at most.
constexpr std::uint64_t ones(std::uint32_t bits) {
  return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

/// |z| and z / |z|, z being finite and, for the latter, not 0. By square roots alone, which are the same everywhere: the library's
/// arguments and sines are not (ADR 0005).
inline double size_of(std::complex<double> z) {
  const double most = std::max(std::abs(z.real()), std::abs(z.imag()));
  if (most == 0) return 0;
  const double re = z.real() / most;
  const double im = z.imag() / most;
  return most * std::sqrt(re * re + im * im);
}
inline std::complex<double> unit_of(std::complex<double> z) {
  const double most = std::max(std::abs(z.real()), std::abs(z.imag()));
  const double re = z.real() / most;
  const double im = z.imag() / most;
  const double size = std::sqrt(re * re + im * im);
  return {re / size, im / size};
}

/// The amplitude of basis state z is `scale` times what stands at place(z).
struct Frame {
  std::vector<std::uint32_t> bit_of;  ///< of each qubit
  std::uint64_t flipped = 0;  ///< bits that are 1 where their qubit is 0
  std::complex<double> scale = 1;

  explicit Frame(std::uint32_t num_qubits) : bit_of(num_qubits) { std::iota(bit_of.begin(), bit_of.end(), 0u); }

  /// Bits of qubits, moved to their places.
  std::uint64_t moved(std::uint64_t qubits) const {
    std::uint64_t out = 0;
    for (std::uint64_t rest = qubits; rest != 0; rest &= rest - 1)
      out |= std::uint64_t{1} << bit_of[static_cast<std::size_t>(std::countr_zero(rest))];
    return out;
  }
  std::uint64_t place(std::uint64_t state) const { return moved(state) ^ flipped; }
  std::uint64_t state(std::uint64_t place) const {
    std::uint64_t out = 0;
    for (std::size_t qubit = 0; qubit < bit_of.size(); ++qubit)
      out |= ((place ^ flipped) >> bit_of[qubit] & 1) << qubit;
    return out;
  }
  bool is_trivial() const { return flipped == 0 && std::ranges::is_sorted(bit_of); }
};

}  // namespace tandem::statevector
