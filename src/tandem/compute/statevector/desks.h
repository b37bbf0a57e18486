// tandem/compute/statevector/desks.h - what a thread works at while it has a tile.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"

namespace tandem::statevector {

/// Desks that are free. Work with count() threads at most.
template <class Desk>
class Desks {
 public:
  /// As many of `count` as `make` gives, which returns null where the machine refuses the memory.
  template <class Make>
  Desks(std::size_t count, const Make& make) {
    while (free_.size() < count) {
      std::unique_ptr<Desk> desk = make();
      if (!desk) break;
      free_.push_back(std::move(desk));
    }
    count_ = free_.size();
  }
  std::size_t count() const { return count_; }

  std::unique_ptr<Desk> take() {
    const std::lock_guard lock(mutex_);
    TANDEM_ASSERT(!free_.empty());  // no more threads work than there are desks
    auto out = std::move(free_.back());
    free_.pop_back();
    return out;
  }
  void give(std::unique_ptr<Desk> desk) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(desk));
  }

 private:
  std::size_t count_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Desk>> free_;
};

inline std::size_t threads_of(const Executor& executor) { return std::max<std::size_t>(1, executor.threads()); }

/// The bits of `value`, in order, at the places where `mask` has ones.
inline std::uint64_t deposit(std::uint64_t value, std::uint64_t mask) {
  std::uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1, value >>= 1)
    if ((value & 1) != 0) out |= mask & (0 - mask);
  return out;
}

}  // namespace tandem::statevector
