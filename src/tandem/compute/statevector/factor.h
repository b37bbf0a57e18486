// tandem/compute/statevector/factor.h - Factor: a complex number that costs nothing until it is set.
//
// Room: compute, inside statevector. Products without the library's care for infinities, in one order; arrays without zeros first.
#pragma once

#include <complex>

namespace tandem::statevector {

struct Factor {
  double re;
  double im;

  static constexpr Factor one() { return {.re = 1, .im = 0}; }
  friend constexpr Factor operator*(Factor a, Factor b) {
    return {.re = a.re * b.re - a.im * b.im, .im = a.re * b.im + a.im * b.re};
  }
  constexpr bool is_one() const { return re == 1 && im == 0; }
};

inline Factor factor_of(std::complex<double> z) { return {.re = z.real(), .im = z.imag()}; }

inline std::complex<double> times(std::complex<double> a, std::complex<double> b) {
  const Factor product = factor_of(a) * factor_of(b);
  return {product.re, product.im};
}

}  // namespace tandem::statevector
