// tandem/compute/simd/aligned.h - AlignedVector: a vector whose elements begin on a cache line.
//
// Room: compute. For what kernels stream through: a vector register as wide as a line then never reads two.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace tandem::simd {

template <class T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  AlignedAllocator() = default;
  template <class Other>
  AlignedAllocator(const AlignedAllocator<Other>&) {}

  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* memory, std::size_t) { ::operator delete(memory, kAlignment); }
  friend bool operator==(const AlignedAllocator&, const AlignedAllocator&) { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace tandem::simd
