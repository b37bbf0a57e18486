// tandem/base/allocator.h - what the allocator that the programs link offers beyond malloc.
//
// Room: base. Not here: which allocator that is (docs/adr/0009-admission-starts-and-allocator.md).
#pragma once

#include <chrono>
#include <functional>

namespace tandem {

/// A thread that has had nothing to do for so long is likely to have nothing to do for longer: what it keeps for speed may go.
inline constexpr std::chrono::seconds kRestAfter{2};

/// Calls `release`, and gives what this thread has freed in it and before back to the operating system; the allocator keeps it for the next
/// allocations otherwise, as it does where it is not mimalloc (tests, sanitizers). One thread at a time. Cost: tens of microseconds, and a
/// millisecond where it is 10 MB.
void give_back_memory(const std::function<void()>& release = [] {});

}  // namespace tandem
