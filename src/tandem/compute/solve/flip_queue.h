// tandem/compute/solve/flip_queue.h - variables by what flipping them would add, so that one of least is found without a look at all.
//
// Room: compute, inside solve. Source: bucket queues as in Fiduccia, Mattheyses 1982, "A linear-time heuristic for improving network
// partitions" (Design Automation Conference 19), here for numbers of any size.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace tandem::solve {

/// Two queues, of which every variable is in one. A bucket holds one number below 32, above that a sixteenth of a power of two; among
/// those in the lowest bucket the least is searched for.
///
/// Threads: one. Cost: put() is O(1); least() passes buckets that have become empty, and the lowest one where its numbers differ.
class FlipQueue {
 public:
  enum Side : std::uint8_t { kFree, kTabu };
  /// A place, and a slot in a bucket that has doubled beside the one that it grew from.
  static constexpr std::uint64_t bytes(std::size_t size) {
    return 24 * size + 4 * kKeys * sizeof(std::vector<std::uint32_t>);
  }

  explicit FlipQueue(std::size_t size) : places_(size), buckets_{Buckets(2 * kKeys), Buckets(2 * kKeys)} { clear(); }

  /// No variable is in any.
  void clear() {
    for (Buckets& buckets : buckets_)
      for (auto& bucket : buckets) bucket.clear();
    places_.assign(places_.size(), {});
    lowest_[kFree] = lowest_[kTabu] = 2 * kKeys;
  }

  /// Where the variable is from now on.
  void put(std::uint32_t variable, Side side, std::int64_t value) {
    const std::uint32_t key = key_of(value);
    Place& place = places_[variable];
    if (place.key == key && place.side == side) return;
    if (place.key != kNowhere) {
      auto& old = buckets_[place.side][place.key];
      const std::uint32_t last = old.back();
      old[place.slot] = last;
      places_[last].slot = place.slot;
      old.pop_back();
    }
    auto& bucket = buckets_[side][key];
    place = {.slot = static_cast<std::uint32_t>(bucket.size()), .key = static_cast<std::uint16_t>(key), .side = side};
    bucket.push_back(variable);
    if (key < lowest_[side]) lowest_[side] = key;
  }

  /// The least of `values`, by variable, on a side; the greatest number where none is there.
  template <class Value>
  std::int64_t least(Side side, std::span<const Value> values) {
    std::uint32_t& lowest = lowest_[side];
    while (lowest < 2 * kKeys && buckets_[side][lowest].empty()) ++lowest;
    if (lowest == 2 * kKeys) return std::numeric_limits<std::int64_t>::max();
    const auto& bucket = buckets_[side][lowest];
    std::int64_t out = values[bucket.front()];
    if (holds_one_number(lowest)) return out;
    for (const std::uint32_t variable : bucket) out = std::min<std::int64_t>(out, values[variable]);
    return out;
  }

  /// One of those whose value is the least, which least() has given, drawn by a random number below 2^32.
  template <class Value>
  std::uint32_t draw(Side side, std::span<const Value> values, std::int64_t least, std::uint64_t random) const {
    const auto& bucket = buckets_[side][lowest_[side]];
    std::size_t k = (random * bucket.size()) >> 32;
    while (values[bucket[k]] != least) k = k + 1 == bucket.size() ? 0 : k + 1;
    return bucket[k];
  }

 private:
  using Buckets = std::vector<std::vector<std::uint32_t>>;
  static constexpr std::uint32_t kKeys = 1024;  // more than 64-bit numbers of one sign have
  static constexpr std::uint16_t kNowhere = UINT16_MAX;
  static constexpr int kDigits = 5;  // leading bits that a key keeps, the first of which is set

  struct Place {
    std::uint32_t slot = 0;
    std::uint16_t key = kNowhere;
    Side side = kFree;
  };

  static std::uint32_t key_of(std::int64_t value) {
    const auto size = value < 0 ? -static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    auto key = static_cast<std::uint32_t>(size);
    if (size >> kDigits != 0) {
      const int shift = static_cast<int>(std::bit_width(size)) - kDigits;
      key = (static_cast<std::uint32_t>(shift) << (kDigits - 1)) + static_cast<std::uint32_t>(size >> shift);
    }
    return value < 0 ? kKeys - key : kKeys + key;
  }
  static bool holds_one_number(std::uint32_t key) {
    return key > kKeys - (1u << kDigits) && key < kKeys + (1u << kDigits);
  }

  std::vector<Place> places_;
  Buckets buckets_[2];
  std::uint32_t lowest_[2];  ///< no bucket below it has any
};

}  // namespace tandem::solve
