// tandem/base/testing/peak_memory.h - how much memory something takes at most, measured in a child process.
//
// Room: base, tests only.
#pragma once

#include <malloc.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

#include "tandem/base/testing/forked.h"

namespace tandem {

/// Zero where the system does not say.
inline std::uint64_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib * 1024;
  }
  return 0;
}

/// Bytes that `body` makes resident beyond what is so before it; `body` returns whether it did what it should. Empty where it did not, or
/// where sanitizers take memory of their own.
///
/// Threads: the calling process has no others.
template <class Body>
std::optional<std::uint64_t> peak_bytes_of(const Body& body) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::nullopt;
#else
  Forked child([&](Forked& parent) {
    malloc_trim(0);                                // or it would take what is free and counted already
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins here, not at that of the parent
    const std::uint64_t before = peak_resident_bytes();
    const bool done = body();
    const std::uint64_t taken = peak_resident_bytes() - before;
    return done && before > 0 && parent.say(&taken, sizeof taken);
  });
  std::uint64_t taken = 0;
  return child.hear(&taken, sizeof taken) ? std::optional(taken) : std::nullopt;
#endif
}

/// Whether peak_bytes_of() can measure at all.
constexpr bool measures_memory() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

}  // namespace tandem
