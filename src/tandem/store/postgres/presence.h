// tandem/store/postgres/presence.h - Presence: a bounded memory of which rows are there, good enough to guess by.
//
// Room: store. Not here: who finds out that a guess was wrong (group_writer.h).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "tandem/store/store.h"

namespace tandem::postgres {

/// Hashes of keys in places for two each: a new one takes that of the one that was asked for longest ago. A wrong answer costs its asker a
/// round trip, so equal hashes, and 0, do no harm.
/// Threads: one at a time.
class Presence {
 public:
  /// Keys: 256 KiB of them.
  static constexpr std::size_t kKeysMax = 32'768;
  explicit Presence(std::size_t keys_max = kKeysMax)
      : num_places_((keys_max + 1) / 2), places_(static_cast<Place*>(std::calloc(num_places_, sizeof(Place)))) {
    if (places_ == nullptr) throw std::bad_alloc();
  }

  /// Cost: O(1).
  bool contains(store::Table table, std::string_view key) { return is_last(hash_of(table, key)); }
  void insert(store::Table table, std::string_view key) {
    const std::size_t hash = hash_of(table, key);
    if (is_last(hash)) return;
    Place& place = place_of(hash);
    place = {.last = hash, .before = place.last};
  }
  void erase(store::Table table, std::string_view key) {
    const std::size_t hash = hash_of(table, key);
    Place& place = place_of(hash);
    if (is_last(hash)) place = {.last = place.before, .before = 0};
  }

 private:
  struct Place {
    std::size_t last;  ///< asked for, or inserted
    std::size_t before;
  };
  struct Free {
    void operator()(Place* places) const { std::free(places); }
  };
  static std::size_t hash_of(store::Table table, std::string_view key) {
    constexpr std::size_t kSpread = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio: tables apart from each other
    return std::hash<std::string_view>{}(key) + kSpread * static_cast<std::size_t>(table);
  }
  Place& place_of(std::size_t hash) { return places_.get()[hash % num_places_]; }
  /// Whether it is there; then it is the last one of its place.
  bool is_last(std::size_t hash) {
    Place& place = place_of(hash);
    if (place.before == hash) std::swap(place.last, place.before);
    return place.last == hash;
  }

  const std::size_t num_places_;
  const std::unique_ptr<Place, Free> places_;  ///< its pages are there when they are used
};

}  // namespace tandem::postgres
