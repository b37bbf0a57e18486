// tandem/base/testing/recording_tracer.h - a Tracer that keeps its spans.
//
// Room: base, tests only.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tandem/base/span.h"
#include "tandem/base/text.h"

namespace tandem {

/// Threads: safe to call concurrently. It outlives its spans.
class RecordingTracer final : public Tracer {
 public:
  struct Entry {
    std::string name;
    std::string job_id;
    std::map<std::string, std::string> attributes;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  [[nodiscard]] std::unique_ptr<Span> start(std::string_view name, std::string_view job_id) override {
    return std::make_unique<RecordingSpan>(*this, Entry{std::string(name), std::string(job_id), {}});
  }

  /// Spans that have ended, in the order of their ends.
  std::vector<Entry> ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  class RecordingSpan final : public Span {
   public:
    RecordingSpan(RecordingTracer& tracer, Entry entry) : tracer_(tracer), entry_(std::move(entry)) {}
    ~RecordingSpan() override {
      const std::lock_guard lock(tracer_.mutex_);
      tracer_.ended_.push_back(std::move(entry_));
    }
    void set(std::string_view key, std::string_view value) override { entry_.attributes[std::string(key)] = value; }
    void set(std::string_view key, double value) override { entry_.attributes[std::string(key)] = shortest(value); }

   private:
    RecordingTracer& tracer_;
    Entry entry_;
  };

  mutable std::mutex mutex_;
  std::vector<Entry> ended_;
};

}  // namespace tandem
