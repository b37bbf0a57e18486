// tandem/compute/statevector/vector_kernels.h - Vector: the registers of the instruction set that a kernel is compiled for.
//
// Room: compute, inside statevector; for its kernels only (compute/simd/isa.h).
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector::TANDEM_ISA {

#if defined(__AVX512F__)
inline constexpr std::size_t kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t kVectorBytes = 32;
#else
inline constexpr std::size_t kVectorBytes = 16;
#endif

template <class Real>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(kVectorBytes), may_alias));
  typedef std::int32_t Index __attribute__((vector_size(kVectorBytes)));
};
template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(kVectorBytes), may_alias));
  typedef std::int64_t Index __attribute__((vector_size(kVectorBytes)));
};
template <class Real>
using Vector = typename VectorOf<Real>::Type;
template <class Real>
inline constexpr std::size_t kWidth = kVectorBytes / sizeof(Real);
template <class Real>
inline constexpr std::size_t kVectors = kLanes<Real> / kWidth<Real>;  // of one half of a block

template <class Real>
Vector<Real>& at(Real* p) {
  return *reinterpret_cast<Vector<Real>*>(p);
}
template <class Real>
const Vector<Real>& at(const Real* p) {
  return *reinterpret_cast<const Vector<Real>*>(p);
}
template <class Real>
Vector<Real> all(Real value) {
  return value - Vector<Real>{};
}

/// `value` in a register: what several operations use is read once, and not by each of them.
template <class V>
inline V held(V value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#else
  asm("" : "+x"(value));
#endif
  return value;
}

// a b + c, a b - c and c - a b, rounded once.
#if defined(__AVX512F__)
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline Vector<double> fma(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm512_fmadd_pd(a, b, c); }
inline Vector<float> fms(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm512_fmsub_ps(a, b, c); }
inline Vector<double> fms(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm512_fmsub_pd(a, b, c); }
inline Vector<float> fnma(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm512_fnmadd_ps(a, b, c); }
inline Vector<double> fnma(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm512_fnmadd_pd(a, b, c); }
#elif defined(__AVX2__)
inline Vector<float> fma(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline Vector<double> fma(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm256_fmadd_pd(a, b, c); }
inline Vector<float> fms(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm256_fmsub_ps(a, b, c); }
inline Vector<double> fms(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm256_fmsub_pd(a, b, c); }
inline Vector<float> fnma(Vector<float> a, Vector<float> b, Vector<float> c) { return _mm256_fnmadd_ps(a, b, c); }
inline Vector<double> fnma(Vector<double> a, Vector<double> b, Vector<double> c) { return _mm256_fnmadd_pd(a, b, c); }
#else
template <class V>
V fma(V a, V b, V c) {
  V out;
  for (std::size_t i = 0; i < sizeof(V) / sizeof(a[0]); ++i) {
    if constexpr (sizeof(a[0]) == 4)
      out[i] = __builtin_fmaf(a[i], b[i], c[i]);
    else
      out[i] = __builtin_fma(a[i], b[i], c[i]);
  }
  return out;
}
template <class V>
V fms(V a, V b, V c) {
  return fma(a, b, -c);
}
template <class V>
V fnma(V a, V b, V c) {
  return fma(-a, b, c);
}
#endif

/// As fma, fms and fnma, where `kStored` is not set. What is stored next is a product and a sum, rounded twice: on some cores (Zen) a store and
/// the third operand of a fused operation want the same port, and the adders are idle. Turns take a fifth less time by it.
template <bool kStored, class V>
inline V mul_add(V a, V b, V c) {
  return kStored ? c + a * b : fma(a, b, c);
}
template <bool kStored, class V>
inline V mul_sub(V a, V b, V c) {
  return kStored ? a * b - c : fms(a, b, c);
}
template <bool kStored, class V>
inline V sub_mul(V a, V b, V c) {
  return kStored ? c - a * b : fnma(a, b, c);
}

/// Past the caches (past_caches.h).
#if defined(__AVX512F__)
inline void stream(float* to, Vector<float> v) { _mm512_stream_ps(to, v); }
inline void stream(double* to, Vector<double> v) { _mm512_stream_pd(to, v); }
#elif defined(__AVX2__)
inline void stream(float* to, Vector<float> v) { _mm256_stream_ps(to, v); }
inline void stream(double* to, Vector<double> v) { _mm256_stream_pd(to, v); }
#else
inline void stream(float* to, Vector<float> v) { _mm_stream_ps(to, v); }
inline void stream(double* to, Vector<double> v) { _mm_stream_pd(to, v); }
#endif

/// The lower numbers (`kHalf` 0) or the upper ones in double.
#if defined(__AVX512F__)
typedef float Octet __attribute__((vector_size(32)));
template <std::size_t kHalf>
inline Vector<double> widened(Vector<float> v) {
  constexpr int k = kHalf * 8;  // intrinsics warn of what they leave undefined
  return __builtin_convertvector(__builtin_shufflevector(v, v, k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6, k + 7),
                                 Vector<double>);
}
#elif defined(__AVX2__)
template <std::size_t kHalf>
inline Vector<double> widened(Vector<float> v) {
  return _mm256_cvtps_pd(_mm256_extractf128_ps(v, kHalf));
}
#else
template <std::size_t kHalf>
inline Vector<double> widened(Vector<float> v) {
  return _mm_cvtps_pd(kHalf == 0 ? v : _mm_movehl_ps(v, v));
}
#endif

/// Both halves in single precision.
inline Vector<float> narrowed(Vector<double> lower, Vector<double> upper) {
#if defined(__AVX512F__)
  return __builtin_shufflevector(__builtin_convertvector(lower, Octet), __builtin_convertvector(upper, Octet), 0, 1, 2,
                                 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif defined(__AVX2__)
  return _mm256_set_m128(_mm256_cvtpd_ps(upper), _mm256_cvtpd_ps(lower));
#else
  return _mm_movelh_ps(_mm_cvtpd_ps(lower), _mm_cvtpd_ps(upper));
#endif
}

/// Half a block in registers.
template <class Real>
struct Half {
  Vector<Real> v[kVectors<Real>];
};
template <class Real>
inline Half<Real> load(const Real* p) {
  Half<Real> out;
  for (std::size_t k = 0; k < kVectors<Real>; ++k) out.v[k] = held(at(p + k * kWidth<Real>));
  return out;
}
template <class Real>
inline void store(Real* p, const Half<Real>& half) {
  for (std::size_t k = 0; k < kVectors<Real>; ++k) at(p + k * kWidth<Real>) = half.v[k];
}

/// A number in double for each lane of a block.
template <class Real>
struct Sums {
  alignas(64) double lanes[kLanes<Real>] = {};

  /// To lanes `first` and following.
  void add(std::size_t first, Vector<Real> values) {
    if constexpr (sizeof(Real) == sizeof(double)) {
      at(lanes + first) += values;
    } else {
      at(lanes + first) += widened<0>(values);
      at(lanes + first + kWidth<double>) += widened<1>(values);
    }
  }
  /// Neighbours first.
  double total() {
    for (std::size_t size = kLanes<Real>; size > 1; size /= 2)
      for (std::size_t l = 0; l < size / 2; ++l) lanes[l] = lanes[2 * l] + lanes[2 * l + 1];
    return lanes[0];
  }
};

/// Lane l gets what lane l ^ `step` has; `step` is a power of two, known to the compiler once it is inlined. Vector `k` of that.
template <class Real>
__attribute__((always_inline)) inline Vector<Real> swapped(const Half<Real>& half, std::size_t step, std::size_t k) {
  if (step >= kWidth<Real>) return half.v[k ^ step / kWidth<Real>];
  typename VectorOf<Real>::Index from;
  for (std::size_t l = 0; l < kWidth<Real>; ++l) from[l] = static_cast<decltype(from[0] + 0)>(l ^ step);
  return __builtin_shuffle(half.v[k], from);
}

/// All of them.
template <class Real>
__attribute__((always_inline)) inline Half<Real> swapped(const Half<Real>& half, std::size_t step) {
  Half<Real> out;
  for (std::size_t k = 0; k < kVectors<Real>; ++k) out.v[k] = swapped(half, step, k);
  return out;
}

/// As swapped(), for any set of bits below kLanes.
template <class Real>
inline Half<Real> moved(Half<Real> half, std::uint32_t lanes) {
#pragma GCC unroll 4
  for (std::uint32_t bit = 0; bit < kLaneBits<Real>; ++bit)
    if ((lanes >> bit & 1) != 0) half = swapped(half, std::size_t{1} << bit);
  return half;
}

/// Lane l gets what the last lane but l has.
template <class Real>
inline Half<Real> reversed(const Half<Real>& half) {
  typename VectorOf<Real>::Index from;
  for (std::size_t l = 0; l < kWidth<Real>; ++l) from[l] = static_cast<decltype(from[0] + 0)>(kWidth<Real> - 1 - l);
  Half<Real> out;
  for (std::size_t k = 0; k < kVectors<Real>; ++k) out.v[k] = __builtin_shuffle(half.v[kVectors<Real> - 1 - k], from);
  return out;
}

}  // namespace tandem::statevector::TANDEM_ISA
