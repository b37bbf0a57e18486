// tandem/store/testing/ledger.h - what a test has committed and what was acknowledged, to hold a store to it after a
// crash.
//
// Room: store, tests only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tandem/store/store.h"

namespace tandem::store {

/// Numbered batches that each write a job, its index row, a shared counter and an event: whole or not at all. Threads:
/// one.
class Ledger {
 public:
  static Batch batch(int number) {
    const std::string key = std::to_string(number);
    return Batch()
        .put(Table::kJob, key, value(number), Expect::absent())
        .put(Table::kJobIndex, key, "")
        .put(Table::kBudget, "counter", key)
        .append(key, key);
  }
  void hand_in(int number) { states_.try_emplace(number, State::kUnknown); }
  void acknowledge(int number) { states_[number] = State::kPresent; }
  /// The store said that nothing of it was written.
  void refuse(int number) { states_[number] = State::kAbsent; }

  /// What is wrong with the store after a crash, or "". What it holds is the truth from then on: it may neither vanish
  /// nor appear later.
  std::string compare(Store& store) {
    constexpr std::size_t kAll = 10'000'000;
    const auto rows = store.scan({.table = Table::kJob, .from = "", .until = "", .limit = kAll});
    const auto index = store.scan({.table = Table::kJobIndex, .from = "", .until = "", .limit = kAll});
    const auto log = store.read_log(0, kAll);
    const auto counter = store.get(Table::kBudget, "counter");
    const auto count = store.count(Table::kJob, "");
    if (!rows || !index || !log || !counter || !count) return "cannot be read";

    std::map<std::string, Bytes> jobs;
    for (const Row& row : *rows) jobs[row.key] = row.value;
    std::set<std::string> indexed;
    for (const Row& row : *index) indexed.insert(row.key);
    std::map<std::string, int> events;
    for (const LogEntry& entry : *log) ++events[entry.subject];

    std::string wrong;
    for (auto& [number, state] : states_) {
      const std::string key = std::to_string(number);
      const bool there = jobs.contains(key);
      if (state == State::kPresent && !there) wrong += " lost " + key;
      if (state == State::kAbsent && there) wrong += " risen " + key;
      if (there && jobs[key] != value(number)) wrong += " changed " + key;
      if (indexed.contains(key) != there || events[key] != (there ? 1 : 0)) wrong += " half " + key;
      state = there ? State::kPresent : State::kAbsent;
    }
    for (std::size_t i = 0; i < log->size(); ++i) {
      if ((*log)[i].sequence != i + 1) wrong += " gap in the log";
    }
    if (log->size() != jobs.size() || indexed.size() != jobs.size() || *count != jobs.size()) wrong += " counts differ";
    if ((*counter ? (*counter)->version : 0) != jobs.size()) wrong += " counter";
    return wrong;
  }
  std::size_t num_present() const {
    std::size_t present = 0;
    for (const auto& [number, state] : states_) present += state == State::kPresent ? 1 : 0;
    return present;
  }

 private:
  enum class State : std::uint8_t { kUnknown, kPresent, kAbsent };
  static Bytes value(int number) {
    return Bytes(static_cast<std::size_t>(number * 997 % 3001), static_cast<char>('a' + number % 26));
  }
  std::map<int, State> states_;
};

}  // namespace tandem::store
