// tandem/base/trig.h - sine and cosine with the same bytes on every machine, in loops that vectorise.
//
// Room: base. libm picks its kernels by processor, so its last bit differs between machines; gate matrices and phase
// layers must not (style.md 9). Only +, -, * and bit operations are used here, and the build forbids contraction.
// Not here: any other function; accuracy beyond 2 ulp of 1.
// Source: reduction by pi/2 in three parts (Cody, Waite 1980) and the Taylor series on [-pi/4, pi/4], whose remainders
// there are below 5e-17 (sine to x^15) and 3e-18 (cosine to x^16).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace tandem {

struct SinCos {
  double sin = 0;
  double cos = 0;
};

/// Largest |x| of sin_cos_reduced(): up to here the multiple of pi/2 has 20 bits and its products below are exact.
inline constexpr double kTrigReducedMax = 1.0e6;

/// Sine and cosine of |x| <= kTrigReducedMax, absolute error below 3e-16. Branch-free.
inline SinCos sin_cos_reduced(double x) {
  constexpr double kTwoOverPi = 0.63661977236758134308;
  constexpr double kRound = 0x1.8p52;  // adding it leaves the nearest integer in the low bits
  // pi/2 = head + middle + tail; head and middle have 33 bits, so that 20-bit multiples of them are exact.
  constexpr double kHead = 0x1.921fb544p0;
  constexpr double kMiddle = 0x1.0b4611a6p-34;
  constexpr double kTail = 0x1.3198a2e037073p-69;
  const double shifted = x * kTwoOverPi + kRound;
  const std::uint64_t quadrant = std::bit_cast<std::uint64_t>(shifted);
  const double multiple = shifted - kRound;
  const double r = ((x - multiple * kHead) - multiple * kMiddle) - multiple * kTail;
  const double s = r * r;
  // Horner from the smallest term: the coefficients are 1/n!.
  double sine = -7.6471637318198164759e-13;        // -1/15!
  sine = sine * s + 1.6059043836821614599e-10;     //  1/13!
  sine = sine * s - 2.5052108385441718775e-8;      // -1/11!
  sine = sine * s + 2.7557319223985890653e-6;      //  1/9!
  sine = sine * s - 1.9841269841269841270e-4;      // -1/7!
  sine = sine * s + 8.3333333333333333333e-3;      //  1/5!
  sine = sine * s - 1.6666666666666666667e-1;      // -1/3!
  sine = r + r * (s * sine);
  double cosine = 4.7794773323873852974e-14;       //  1/16!
  cosine = cosine * s - 1.1470745597729724714e-11; // -1/14!
  cosine = cosine * s + 2.0876756987868098979e-9;  //  1/12!
  cosine = cosine * s - 2.7557319223985890653e-7;  // -1/10!
  cosine = cosine * s + 2.4801587301587301587e-5;  //  1/8!
  cosine = cosine * s - 1.3888888888888888889e-3;  // -1/6!
  cosine = cosine * s + 4.1666666666666666667e-2;  //  1/4!
  cosine = 1.0 - (0.5 * s - s * (s * cosine));
  // Quadrants 1 and 3 exchange the two; the signs follow from the two low bits.
  const std::uint64_t sine_bits = std::bit_cast<std::uint64_t>(sine);
  const std::uint64_t cosine_bits = std::bit_cast<std::uint64_t>(cosine);
  const std::uint64_t exchange = 0 - (quadrant & 1);
  const std::uint64_t sine_sign = (quadrant & 2) << 62;
  const std::uint64_t cosine_sign = ((quadrant + 1) & 2) << 62;
  return {.sin = std::bit_cast<double>(((sine_bits & ~exchange) | (cosine_bits & exchange)) ^ sine_sign),
          .cos = std::bit_cast<double>(((cosine_bits & ~exchange) | (sine_bits & exchange)) ^ cosine_sign)};
}

/// Any finite x. Above kTrigReducedMax libm answers, whose last bit depends on the machine.
inline SinCos sin_cos(double x) {
  if (std::abs(x) <= kTrigReducedMax) return sin_cos_reduced(x);
  return {.sin = std::sin(x), .cos = std::cos(x)};
}

}  // namespace tandem
