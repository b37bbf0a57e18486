// tandem/base/testing/peak_memory.h - how much memory something takes at most, measured in a child process.
//
// Room: base, tests only.
#pragma once

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>

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
  int ends[2];
  if (pipe(ends) != 0) return std::nullopt;
  const pid_t child = fork();
  if (child == 0) {
    malloc_trim(0);                                // or it would take what is free and counted already
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins here, not at that of the parent
    const std::uint64_t before = peak_resident_bytes();
    const bool done = body();
    const std::uint64_t taken = peak_resident_bytes() - before;
    const bool told = done && before > 0 && write(ends[1], &taken, sizeof taken) == sizeof taken;
    _exit(told ? 0 : 1);
  }
  std::uint64_t taken = 0;
  close(ends[1]);
  const bool told = child > 0 && read(ends[0], &taken, sizeof taken) == sizeof taken;
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return told ? std::optional(taken) : std::nullopt;
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
