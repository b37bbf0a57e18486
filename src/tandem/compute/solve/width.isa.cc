#include <immintrin.h>

#include "tandem/compute/solve/width_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

#if defined(__AVX512BW__)
constexpr std::size_t kBlock = 64;
#elif defined(__AVX2__)
constexpr std::size_t kBlock = 32;
#else
constexpr std::size_t kBlock = 16;
#endif
constexpr std::size_t kLane = 16;  // within which bytes are shuffled

using Block = std::uint8_t __attribute__((vector_size(kBlock)));

constexpr std::size_t count_bits(std::size_t word) { return static_cast<std::size_t>(__builtin_popcountll(word)); }

/// Spreads the first bytes of a table over a block: byte i comes from the byte whose index is i without the bits outside the mask.
/// First dwords into lanes, then bytes within them: a lane's source lies within 16 bytes from a dword's beginning.
struct Spread {
  alignas(kBlock) std::uint32_t dwords[kBlock / 4];
  alignas(kBlock) std::uint8_t bytes[kBlock];
};
struct Spreads {
  Spread of[kBlock];  ///< by mask
};

constexpr std::size_t extract(std::size_t index, std::size_t mask) {
  std::size_t out = 0;
  std::size_t place = 0;
  for (std::size_t bit = 0; bit < 8; ++bit) {
    if ((mask >> bit & 1) == 0) continue;
    out |= (index >> bit & 1) << place++;
  }
  return out;
}

constexpr Spreads make_spreads() {
  Spreads out{};
  for (std::size_t mask = 0; mask < kBlock; ++mask) {
    Spread& spread = out.of[mask];
    for (std::size_t lane = 0; lane < kBlock / kLane; ++lane) {
      const std::size_t first = extract(lane * kLane, mask) / 4;
      for (std::size_t k = 0; k < 4; ++k) {
        spread.dwords[lane * 4 + k] = static_cast<std::uint32_t>((first + k) % (kBlock / 4));
      }
      for (std::size_t i = lane * kLane; i < (lane + 1) * kLane; ++i) {
        spread.bytes[i] = static_cast<std::uint8_t>(extract(i, mask) - first * 4);
      }
    }
  }
  return out;
}

constexpr Spreads kSpreads = make_spreads();

inline Block load_spread(const unsigned char* from, const Spread& spread) {
#if defined(__AVX512BW__)
  const __m512i dwords =
      _mm512_maskz_permutexvar_epi32(0xffff, _mm512_load_si512(spread.dwords), _mm512_loadu_si512(from));
  return reinterpret_cast<Block>(_mm512_shuffle_epi8(dwords, _mm512_load_si512(spread.bytes)));
#elif defined(__AVX2__)
  const __m256i dwords =
      _mm256_permutevar8x32_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)),
                                  _mm256_load_si256(reinterpret_cast<const __m256i*>(spread.dwords)));
  return reinterpret_cast<Block>(
      _mm256_shuffle_epi8(dwords, _mm256_load_si256(reinterpret_cast<const __m256i*>(spread.bytes))));
#else
  return reinterpret_cast<Block>(_mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)),
                                                  _mm_load_si128(reinterpret_cast<const __m128i*>(spread.bytes))));
#endif
}

template <class Value>
struct Vectors;
template <>
struct Vectors<std::int8_t> {
  using Unsigned = std::uint8_t;
  using Words = std::uint8_t __attribute__((vector_size(kBlock)));
  using Values = std::int8_t __attribute__((vector_size(kBlock)));
};
template <>
struct Vectors<std::int16_t> {
  using Unsigned = std::uint16_t;
  using Words = std::uint16_t __attribute__((vector_size(kBlock)));
  using Values = std::int16_t __attribute__((vector_size(kBlock)));
};
template <>
struct Vectors<std::int32_t> {
  using Unsigned = std::uint32_t;
  using Words = std::uint32_t __attribute__((vector_size(kBlock)));
  using Values = std::int32_t __attribute__((vector_size(kBlock)));
};
template <>
struct Vectors<std::int64_t> {
  using Unsigned = std::uint64_t;
  using Words = std::uint64_t __attribute__((vector_size(kBlock)));
  using Values = std::int64_t __attribute__((vector_size(kBlock)));
};

// Sums wrap on the way and fit in the end: they are taken on unsigned words.
template <class Value>
void eliminate(const WidthStep<Value>& it) {
  using Unsigned = typename Vectors<Value>::Unsigned;
  using Words = typename Vectors<Value>::Words;
  using Values = typename Vectors<Value>::Values;
  constexpr std::size_t kWords = kBlock / sizeof(Value);
  constexpr std::size_t kLow = count_bits(kWords - 1);  // index bits within a block
  constexpr std::size_t kValueMask = sizeof(Value) - 1;

  const std::size_t blocks = it.bits <= kLow ? 1 : std::size_t{1} << (it.bits - kLow);
  for (std::size_t c = 0; c < it.num_children; ++c) {
    WidthChild& child = it.children[c];
    const std::size_t low_mask = child.mask & (kWords - 1);
    child.shuffle = static_cast<std::uint32_t>(low_mask * sizeof(Value) | kValueMask);
    child.offset = 0;
    auto stride = static_cast<std::ptrdiff_t>(sizeof(Value) << count_bits(low_mask));
    std::ptrdiff_t below = 0;
    for (std::size_t bit = kLow; bit < it.bits; ++bit) {
      const std::ptrdiff_t step = (child.mask >> bit & 1) != 0 ? stride : 0;
      child.delta[bit - kLow] = step - below;
      below += step;
      stride += step;
    }
  }
  Unsigned delta[kWidthBits];
  Unsigned below = 0;
  for (std::size_t bit = kLow; bit < it.bits; ++bit) {
    const auto coupling = static_cast<Unsigned>(it.couplings[bit]);
    delta[bit - kLow] = static_cast<Unsigned>(coupling - below);
    below = static_cast<Unsigned>(below + coupling);
  }
  Words index;
  for (std::size_t i = 0; i < kWords; ++i) index[i] = static_cast<Unsigned>(i);
  const Words none = Words{} - static_cast<Unsigned>(it.base);
  Words lane = none + static_cast<Unsigned>(it.field);
  for (std::size_t bit = 0; bit < it.bits && bit < kLow; ++bit) {
    const auto raised = reinterpret_cast<Words>((index & static_cast<Unsigned>(Unsigned{1} << bit)) != 0);
    lane += raised & (Words{} + static_cast<Unsigned>(it.couplings[bit]));
  }

  auto* out = reinterpret_cast<unsigned char*>(it.out);
  for (std::size_t block = 0;; ++block) {
    Words low = none;
    Words high = lane;
    for (std::size_t c = 0; c < it.num_children; ++c) {
      const WidthChild& child = it.children[c];
      const Spread& spread = kSpreads.of[child.shuffle];
      low += reinterpret_cast<Words>(load_spread(static_cast<const unsigned char*>(child.low) + child.offset, spread));
      high +=
          reinterpret_cast<Words>(load_spread(static_cast<const unsigned char*>(child.high) + child.offset, spread));
    }
    const auto a = reinterpret_cast<Values>(low);
    const auto b = reinterpret_cast<Values>(high);
    const Values least = a < b ? a : b;
    __builtin_memcpy(out + block * kBlock, &least, kBlock);
    if (block + 1 == blocks) return;
    const auto turned = static_cast<std::size_t>(__builtin_ctzll(block + 1));
    lane += delta[turned];
    for (std::size_t c = 0; c < it.num_children; ++c) it.children[c].offset += it.children[c].delta[turned];
  }
}

}  // namespace

extern const WidthKernels kWidthKernels = {&eliminate<std::int8_t>, &eliminate<std::int16_t>, &eliminate<std::int32_t>,
                                           &eliminate<std::int64_t>};

}  // namespace tandem::solve::TANDEM_ISA
