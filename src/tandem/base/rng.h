// tandem/base/rng.h - the Rng seam (entropy for ids and jitter) and the seeded generator of all algorithms.
//
// Room: base. Algorithms take a seed and own a Xoshiro256; ids and jitter take an Rng&.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace tandem {

/// Entropy. Threads: implementations are safe to call concurrently.
class Rng {
 public:
  virtual ~Rng() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;
  std::uint64_t next_u64();
};

/// getrandom(2).
class SystemRng final : public Rng {
 public:
  void fill(std::span<std::uint8_t> bytes) override;
};

/// SplitMix64 (Steele, Lea, Flood 2014): spreads a seed over generator states and derives independent streams.
constexpr std::uint64_t split_mix64(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

/// The seed of stream `index` of `seed`: every strand, arm and round draws from its own stream.
constexpr std::uint64_t derive_seed(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t state = seed ^ (0xa0761d6478bd642full * (index + 1));
  split_mix64(state);
  return split_mix64(state);
}

/// xoshiro256** 1.0 (Blackman, Vigna 2018). Same seed, same stream, on every machine. Not for secrets.
class Xoshiro256 {
 public:
  using result_type = std::uint64_t;
  explicit constexpr Xoshiro256(std::uint64_t seed) {
    for (auto& word : state_) word = split_mix64(seed);
  }
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~0ull; }
  constexpr result_type operator()() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  /// Uniform in [0, 1) with 53 bits.
  constexpr double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  /// Uniform in [0, bound) without division on the usual path (Lemire 2019); bound > 0.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace tandem
