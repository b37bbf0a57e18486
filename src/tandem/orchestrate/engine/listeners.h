// tandem/orchestrate/engine/listeners.h - Listeners: who hears of events, progress and stalls, and the handle that ends it.
//
// Room: orchestrate.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::engine {

/// Listeners of one engine, to one job or to all of them. A listener that unsubscribes is not called any more once its handle is gone.
/// Threads: safe to call concurrently. Cost: telling of a job is linear in its own listeners and those to every job.
class Listeners : public std::enable_shared_from_this<Listeners> {
 public:
  /// Destroying the handle unsubscribes. An empty `job`: every job; a stall is told to everybody.
  std::unique_ptr<Timer> add(const JobId& job, std::function<void(const job::Event&)> on_event,
                             std::function<void(const Progress&)> on_progress, std::function<void()> on_unstored) {
    auto entry = std::make_shared<Entry>();
    entry->job = job;
    entry->on_event = std::move(on_event);
    entry->on_progress = std::move(on_progress);
    entry->on_unstored = std::move(on_unstored);
    {
      const std::lock_guard lock(mutex_);
      entries_[job].insert(entry);
    }
    return std::make_unique<Subscription>(shared_from_this(), std::move(entry));
  }
  bool listen_to(const JobId& job) const {
    const std::lock_guard lock(mutex_);
    return entries_.contains(JobId()) || entries_.contains(job);
  }
  void publish(const job::Event& event) {
    tell(of(event.job), [&](const Entry& entry) {
      if (entry.on_event) entry.on_event(event);
    });
  }
  void publish(const Progress& progress) {
    tell(of(progress.job), [&](const Entry& entry) {
      if (entry.on_progress) entry.on_progress(progress);
    });
  }
  /// Nothing can be stored, so jobs cannot go on.
  void publish_stall() {
    tell(all(), [](const Entry& entry) {
      if (entry.on_unstored) entry.on_unstored();
    });
  }

 private:
  struct Entry {
    JobId job;
    std::function<void(const job::Event&)> on_event;
    std::function<void(const Progress&)> on_progress;
    std::function<void()> on_unstored;
    std::mutex mutex;  ///< held while calling, so that removing waits for a call under way
    bool removed = false;
  };
  using Entries = std::vector<std::shared_ptr<Entry>>;

  class Subscription final : public Timer {
   public:
    Subscription(std::shared_ptr<Listeners> listeners, std::shared_ptr<Entry> entry)
        : listeners_(std::move(listeners)), entry_(std::move(entry)) {}
    ~Subscription() override { cancel(); }
    void cancel() override {
      if (entry_ == nullptr) return;
      listeners_->remove(entry_);
      entry_ = nullptr;
    }

   private:
    std::shared_ptr<Listeners> listeners_;
    std::shared_ptr<Entry> entry_;
  };

  void remove(const std::shared_ptr<Entry>& entry) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = entries_.find(entry->job);
      found->second.erase(entry);
      if (found->second.empty()) entries_.erase(found);
    }
    const std::lock_guard lock(entry->mutex);
    entry->removed = true;
  }
  Entries of(const JobId& job) const {
    Entries out;
    const std::lock_guard lock(mutex_);
    for (const JobId& key : {JobId(), job})
      if (const auto found = entries_.find(key); found != entries_.end())
        out.insert(out.end(), found->second.begin(), found->second.end());
    return out;
  }
  Entries all() const {
    Entries out;
    const std::lock_guard lock(mutex_);
    for (const auto& [job, entries] : entries_) out.insert(out.end(), entries.begin(), entries.end());
    return out;
  }
  template <typename Call>
  static void tell(const Entries& entries, const Call& call) {
    for (const auto& entry : entries) {
      const std::lock_guard lock(entry->mutex);
      if (!entry->removed) call(*entry);
    }
  }

  mutable std::mutex mutex_;
  std::map<JobId, std::set<std::shared_ptr<Entry>>> entries_;  ///< by job; of every job under the empty one
};

}  // namespace tandem::engine
