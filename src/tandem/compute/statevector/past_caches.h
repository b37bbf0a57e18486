// tandem/compute/statevector/past_caches.h - copies to memory that is not read again soon.
//
// Room: compute; for the sources of this part only. What is written past the caches is not read from memory first, and takes nothing else's place
// there: two thirds of the bytes. It is worth it for states that caches do not hold.
#pragma once

#include <emmintrin.h>

#include <cstdint>

namespace tandem::statevector {

/// No more than this is taken for granted to stay in the caches of a machine.
inline constexpr std::uint64_t kCachedBytes = std::uint64_t{1} << 26;

/// `bytes`: whole cache lines, as both pointers are. Other threads see them behind fence_past_caches().
inline void copy_past_caches(void* to, const void* from, std::uint64_t bytes) {
  auto* out = static_cast<__m128i*>(to);
  const auto* in = static_cast<const __m128i*>(from);
  for (const __m128i* const end = in + bytes / sizeof(__m128i); in != end; ++in, ++out)
    _mm_stream_si128(out, _mm_load_si128(in));
}
inline void fence_past_caches() { _mm_sfence(); }

}  // namespace tandem::statevector
