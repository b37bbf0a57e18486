#include "tandem/compute/statevector/spare_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

namespace tandem::statevector {

SpareMemory::~SpareMemory() { std::free(kept_); }

void* SpareMemory::take(std::uint64_t bytes) {
  if (bytes < kBytesMin) return nullptr;
  const std::lock_guard lock(mutex_);
  void* const out = std::exchange(kept_, nullptr);
  if (bytes_ == bytes) return out;
  std::free(out);
  return nullptr;
}

void SpareMemory::give(void* memory, std::uint64_t bytes) {
  if (bytes >= kBytesMin && bytes <= kBytesMax && ::madvise(memory, bytes, MADV_FREE) == 0) {
    const std::lock_guard lock(mutex_);
    std::swap(kept_, memory);
    bytes_ = bytes;
  }
  std::free(memory);
}

}  // namespace tandem::statevector
