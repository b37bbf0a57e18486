// tandem/compute/statevector/spare_memory.h - SpareMemory: the memory of the last large state, kept for the next one of its size.
//
// Room: compute, inside statevector. The kernel clears every page that it gives: of a circuit of 24 qubits and depth 30 that may be a fifth of
// the time. What is kept is the kernel's to take whenever it runs short (MADV_FREE), and goes before memory of another size is asked for.
#pragma once

#include <cstdint>
#include <mutex>

namespace tandem::statevector {

/// Threads: safe to call concurrently. What is taken holds anything.
class SpareMemory {
 public:
  static constexpr std::uint64_t kBytesMin = 4 << 20;  ///< smaller blocks are the allocator's own business
  static constexpr std::uint64_t kBytesMax = 1 << 30;

  SpareMemory() = default;
  SpareMemory(const SpareMemory&) = delete;
  SpareMemory& operator=(const SpareMemory&) = delete;
  ~SpareMemory();

  /// Null where none of so many bytes is kept; what is kept of another size is freed then.
  void* take(std::uint64_t bytes);
  /// Of std::aligned_alloc.
  void give(void* memory, std::uint64_t bytes);

 private:
  std::mutex mutex_;
  void* kept_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::statevector
