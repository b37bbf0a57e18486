// tandem/base/testing/seeded_rng.h - an Rng that gives the same "entropy" for the same seed.
//
// Room: base, tests only.
#pragma once

#include <mutex>

#include "tandem/base/rng.h"

namespace tandem {

/// Threads: safe to call concurrently; the order of the calls decides who gets which bytes.
class SeededRng final : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : generator_(seed) {}

  void fill(std::span<std::uint8_t> bytes) override {
    const std::lock_guard lock(mutex_);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(generator_() >> 56);
  }

 private:
  std::mutex mutex_;
  Xoshiro256 generator_;
};

}  // namespace tandem
