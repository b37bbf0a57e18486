// tandem/store/postgres/presence.h - Presence: a bounded memory of which rows are there, good enough to guess by.
//
// Room: store. Not here: who finds out that a guess was wrong (group_writer.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_set>

#include "tandem/store/store.h"

namespace tandem::postgres {

/// Hashes of keys in two generations: when the young one is full it becomes the old one, and what the old one held is forgotten
/// unless it was asked for since. A wrong answer costs its asker a round trip, so equal hashes do no harm.
/// Threads: one at a time.
class Presence {
 public:
  /// Keys in a generation: some MiB, and more than a group can name.
  static constexpr std::size_t kKeysMax = 65'536;
  explicit Presence(std::size_t keys_max = kKeysMax) : keys_max_(keys_max) {}

  /// Cost: O(1).
  bool contains(store::Table table, std::string_view key) {
    const std::size_t hash = hash_of(table, key);
    if (young_.contains(hash)) return true;
    if (old_.erase(hash) == 0) return false;
    insert(hash);
    return true;
  }
  void insert(store::Table table, std::string_view key) { insert(hash_of(table, key)); }
  void erase(store::Table table, std::string_view key) {
    const std::size_t hash = hash_of(table, key);
    young_.erase(hash);
    old_.erase(hash);
  }

 private:
  static std::size_t hash_of(store::Table table, std::string_view key) {
    constexpr std::size_t kSpread = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio: tables apart from each other
    return std::hash<std::string_view>{}(key) + kSpread * static_cast<std::size_t>(table);
  }
  void insert(std::size_t hash) {
    if (young_.size() >= keys_max_) {
      old_ = std::move(young_);
      young_.clear();
    }
    young_.insert(hash);
  }

  const std::size_t keys_max_;
  std::unordered_set<std::size_t> young_;
  std::unordered_set<std::size_t> old_;
};

}  // namespace tandem::postgres
