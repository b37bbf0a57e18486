#include "tandem/compute/statevector/peak_kernels.h"

#include <immintrin.h>

#include <cstddef>

namespace tandem::statevector::TANDEM_ISA {
namespace {

#if defined(__AVX512F__)
typedef __m512 Narrow;
typedef __m512d Wide;
Narrow fma(Narrow a, Narrow b, Narrow c) { return _mm512_fmadd_ps(a, b, c); }
Wide fma(Wide a, Wide b, Wide c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__AVX2__)
typedef __m256 Narrow;
typedef __m256d Wide;
Narrow fma(Narrow a, Narrow b, Narrow c) { return _mm256_fmadd_ps(a, b, c); }
Wide fma(Wide a, Wide b, Wide c) { return _mm256_fmadd_pd(a, b, c); }
#else
typedef __m128 Narrow;
typedef __m128d Wide;
Narrow fma(Narrow a, Narrow b, Narrow c) {
  return a * b + c;
}  // without the instruction a product and a sum are what there is
Wide fma(Wide a, Wide b, Wide c) { return a * b + c; }
#endif

constexpr std::size_t kChains = 10;  // more than the product of latency and units of the cores of today

/// Chains that wait for nothing but themselves.
template <class Vector, class Real>
double chains(std::uint64_t rounds) {
  const Vector factor = Vector{} + static_cast<Real>(0.999);
  const Vector added = Vector{} + static_cast<Real>(1e-3);
  Vector chain[kChains];
  for (std::size_t i = 0; i < kChains; ++i) chain[i] = Vector{} + static_cast<Real>(i);
  for (std::uint64_t round = 0; round < rounds; ++round)
#pragma GCC unroll 10
    for (std::size_t i = 0; i < kChains; ++i) chain[i] = fma(chain[i], factor, added);
  Vector sum{};
  for (std::size_t i = 0; i < kChains; ++i) sum += chain[i];
  return sum[0];
}

}  // namespace

extern const PeakKernels kPeakKernels = {&chains<Narrow, float>, &chains<Wide, double>,
                                         kChains * sizeof(Narrow) / sizeof(float),
                                         kChains * sizeof(Wide) / sizeof(double)};

}  // namespace tandem::statevector::TANDEM_ISA
