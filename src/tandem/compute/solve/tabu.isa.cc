#include <immintrin.h>

#include "tandem/compute/solve/tabu_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kRegister = 64;
#elif defined(__AVX2__)
constexpr std::size_t kRegister = 32;
#else
constexpr std::size_t kRegister = 16;
#endif

/// As many elements as a register holds fields.
template <class T, class Field>
struct LanesOf {
  typedef T Type __attribute__((vector_size(kRegister / sizeof(Field) * sizeof(T)), may_alias));
};
template <class T, class Field>
using Lanes = typename LanesOf<T, Field>::Type;

template <class Field>
constexpr Field kNever = static_cast<Field>(~(Field{1} << (8 * sizeof(Field) - 1)));  // the greatest

template <class Field>
inline Lanes<Field, Field> less_of(Lanes<Field, Field> a, Lanes<Field, Field> b) {
  return a < b ? a : b;
}

template <class Field>
inline Field least_lane(Lanes<Field, Field> lanes) {
  Field out = lanes[0];
  for (std::size_t k = 1; k < kRegister / sizeof(Field); ++k) out = lanes[k] < out ? lanes[k] : out;
  return out;
}

enum class Pass : std::uint8_t { kAdd, kScore };

template <Pass kPass, class Weight, class Field>
Field pass(const TabuRow<Weight, Field>& it) {
  using Fields = Lanes<Field, Field>;
  using Weights = Lanes<Weight, Field>;
  using Bits = Lanes<std::int8_t, Field>;
  constexpr std::size_t kLanes = kRegister / sizeof(Field);
  static_assert(kLanes <= kTabuLanes);
  // Copies: the compiler cannot know that writing an energy leaves these alone.
  Field* const flips = it.flip;
  const Weight* const row = it.row;
  const std::int8_t* const high = it.bits;
  Field* const lanes = it.least;
  const std::size_t num_blocks = it.num_blocks;
  const Bits down = Bits{} + it.down;
  const int shift = it.shift;
  Fields least = Fields{} + kNever<Field>;
  for (std::size_t block = 0; block < num_blocks; ++block) {
    Fields of_block = Fields{} + kNever<Field>;
#pragma GCC unroll 16
    for (std::size_t k = 0; k < kTabuBlock; k += kLanes) {
      const std::size_t at = block * kTabuBlock + k;
      auto& flip = *reinterpret_cast<Fields*>(flips + at);
      if constexpr (kPass == Pass::kAdd) {
        const Bits bits = -*reinterpret_cast<const Bits*>(high + at) ^ down;
        const Weights sign = __builtin_convertvector(bits, Weights);
        const Weights weights = (*reinterpret_cast<const Weights*>(row + at) ^ sign) - sign;
        Fields change = __builtin_convertvector(weights, Fields);
        if constexpr (sizeof(Weight) == 1) change <<= shift;
        flip += change;
      }
      of_block = less_of<Field>(of_block, flip);
    }
    *reinterpret_cast<Fields*>(lanes + block * kTabuLanes) = of_block;
    least = less_of<Field>(least, of_block);
  }
  return least_lane<Field>(least);
}

template <class Field>
std::size_t find(const Field* least, std::size_t num_blocks, std::size_t start, Field energy) {
  for (std::size_t block = start;; block = block + 1 == num_blocks ? 0 : block + 1) {
    const auto lanes = *reinterpret_cast<const Lanes<Field, Field>*>(least + block * kTabuLanes);
    const auto equal = lanes == energy;
#if defined(__AVX512F__)
    if (_mm512_test_epi32_mask((__m512i)equal, (__m512i)equal) != 0) return block;
#elif defined(__AVX2__)
    if (_mm256_testz_si256((__m256i)equal, (__m256i)equal) == 0) return block;
#else
    if (_mm_testz_si128((__m128i)equal, (__m128i)equal) == 0) return block;
#endif
  }
}

template <class Weight, class Field>
constexpr DenseTabuKernels<Weight, Field> kDense = {&pass<Pass::kAdd, Weight, Field>,
                                                    &pass<Pass::kScore, Weight, Field>, &find<Field>};

}  // namespace

extern const TabuKernels kTabuKernels = {kDense<std::int8_t, std::int32_t>, kDense<std::int16_t, std::int32_t>,
                                         kDense<std::int32_t, std::int32_t>, kDense<std::int64_t, std::int64_t>};

}  // namespace tandem::solve::TANDEM_ISA
