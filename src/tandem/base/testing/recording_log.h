// tandem/base/testing/recording_log.h - a Log that keeps what was written.
//
// Room: base, tests only.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tandem/base/log.h"

namespace tandem {

/// Threads: safe to call concurrently.
class RecordingLog final : public Log {
 public:
  struct Entry {
    LogLevel level = LogLevel::kInfo;
    std::string event;
    std::map<std::string, std::string> fields;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  void write(LogLevel level, std::string_view event, LogFields fields) override {
    Entry entry{.level = level, .event = std::string(event), .fields = {}};
    for (const auto& [key, value] : fields) entry.fields[std::string(key)] = value;
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(entry));
  }

  std::vector<Entry> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  std::size_t count(std::string_view event) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.event == event; }));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace tandem
