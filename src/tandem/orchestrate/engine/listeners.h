// tandem/orchestrate/engine/listeners.h - Listeners: who hears of events, progress and stalls, and the handle that ends it.
//
// Room: orchestrate.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::engine {

/// Listeners of one engine. A listener that unsubscribes is not called any more once its handle is gone.
/// Threads: safe to call concurrently.
class Listeners {
 public:
  struct Entry {
    std::function<void(const job::Event&)> on_event;
    std::function<void(const Progress&)> on_progress;
    std::function<void()> on_unstored;
    std::mutex mutex;  ///< held while calling, so that removing waits for a call under way
    bool removed = false;
  };
  std::shared_ptr<Entry> add(std::function<void(const job::Event&)> on_event,
                             std::function<void(const Progress&)> on_progress, std::function<void()> on_unstored) {
    auto entry = std::make_shared<Entry>();
    entry->on_event = std::move(on_event);
    entry->on_progress = std::move(on_progress);
    entry->on_unstored = std::move(on_unstored);
    const std::lock_guard lock(mutex_);
    entries_.insert(entry);
    return entry;
  }
  void remove(const std::shared_ptr<Entry>& entry) {
    {
      const std::lock_guard lock(mutex_);
      entries_.erase(entry);
    }
    const std::lock_guard lock(entry->mutex);
    entry->removed = true;
  }
  void publish(const job::Event& event) {
    each([&](const Entry& entry) {
      if (entry.on_event) entry.on_event(event);
    });
  }
  template <typename Call>
  void each(const Call& call) {
    std::vector<std::shared_ptr<Entry>> copy;
    {
      const std::lock_guard lock(mutex_);
      copy.assign(entries_.begin(), entries_.end());
    }
    for (const auto& entry : copy) {
      const std::lock_guard lock(entry->mutex);
      if (!entry->removed) call(*entry);
    }
  }

 private:
  std::mutex mutex_;
  std::set<std::shared_ptr<Entry>> entries_;
};

class Subscription final : public Timer {
 public:
  Subscription(std::shared_ptr<Listeners> listeners, std::shared_ptr<Listeners::Entry> entry)
      : listeners_(std::move(listeners)), entry_(std::move(entry)) {}
  ~Subscription() override { cancel(); }
  void cancel() override {
    if (entry_ == nullptr) return;
    listeners_->remove(entry_);
    entry_ = nullptr;
  }

 private:
  std::shared_ptr<Listeners> listeners_;
  std::shared_ptr<Listeners::Entry> entry_;
};

}  // namespace tandem::engine
