// tandem/compute/statevector/desks.h - what a thread works at while it has a tile.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace tandem::statevector {

/// Desks that are free; there are as many as threads worked at once. Threads: take() and give() from any.
template <class Desk>
class Desks {
 public:
  template <class Make>
  std::unique_ptr<Desk> take(const Make& make) {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        auto out = std::move(free_.back());
        free_.pop_back();
        return out;
      }
    }
    return make();
  }
  void give(std::unique_ptr<Desk> desk) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(desk));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Desk>> free_;
};

/// The bits of `value`, in order, at the places where `mask` has ones.
inline std::uint64_t deposit(std::uint64_t value, std::uint64_t mask) {
  std::uint64_t out = 0;
  for (; mask != 0; mask &= mask - 1, value >>= 1)
    if ((value & 1) != 0) out |= mask & (0 - mask);
  return out;
}

}  // namespace tandem::statevector
