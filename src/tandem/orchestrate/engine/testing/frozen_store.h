// tandem/orchestrate/engine/testing/frozen_store.h - FrozenStore: a shared store as a process sees it that SIGSTOP stops.
//
// Room: orchestrate, tests only. What it had sent stays on the wire until it goes on, and arrives late.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/store/testing/passing_store.h"

namespace tandem::engine {

/// Stores of one process are shared by the fronts of this process.
class FrozenStore final : public store::PassingStore {
 public:
  FrozenStore(store::Store& store, Clock& clock) : PassingStore(store), clock_(clock) {}

  /// From now on every commit that tells one of these events stays on the wire.
  void keep_each(std::set<std::string> types) {
    const std::lock_guard lock(mutex_);
    wanted_ = std::move(types);
  }
  /// From now on the first commit does that tells it, of each of these events; one commit stays for one of them.
  void keep_first(std::set<std::string> types) {
    keep_each(std::move(types));
    const std::lock_guard lock(mutex_);
    once_ = true;
  }
  /// From now on every commit does.
  void freeze() {
    const std::lock_guard lock(mutex_);
    frozen_ = true;
  }
  void wait_for_kept(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return num_kept_ >= count; });
  }
  /// What was kept goes out in its order, and everything later at once. Returns for which of the events it was taken.
  std::vector<std::string> thaw() {
    std::deque<Kept> kept;
    {
      const std::lock_guard lock(mutex_);
      frozen_ = false;
      wanted_.clear();
      kept.swap(kept_);
      unanswered_ = kept.size();
    }
    for (Kept& one : kept) {
      PassingStore::commit(std::move(one.batch), [this, event = std::move(one.event),
                                                  done = std::move(one.done)](Result<store::Committed> answer) {
        const bool taken = !event.empty() && answer.has_value();
        done(std::move(answer));
        const std::lock_guard lock(mutex_);
        if (taken) taken_.push_back(event);
        --unanswered_;
        changed_.notify_all();
      });
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return unanswered_ == 0; });
    return std::exchange(taken_, {});
  }

  void commit(store::Batch batch, store::CommitDone done) override {
    {
      const std::lock_guard lock(mutex_);
      std::string event = wanted_event(batch);
      if (frozen_ || !event.empty()) {
        num_kept_ += event.empty() ? 0 : 1;
        if (once_) wanted_.erase(event);
        kept_.push_back({.batch = std::move(batch), .done = std::move(done), .event = std::move(event)});
        changed_.notify_all();
        return;
      }
    }
    PassingStore::commit(std::move(batch), std::move(done));
  }
  bool shared() const override { return true; }
  Result<Timestamp> now() override { return PassingStore::shared() ? PassingStore::now() : clock_.now(); }

 private:
  struct Kept {
    store::Batch batch;
    store::CommitDone done;
    std::string event;  ///< that it was kept for; empty: it came later
  };
  std::string wanted_event(const store::Batch& batch) const {
    for (const store::Operation& operation : batch.operations) {
      const auto* append = std::get_if<store::Append>(&operation);
      if (append == nullptr) continue;
      for (const std::string& type : wanted_)
        if (append->value.find('"' + type + '"') != Bytes::npos) return type;
    }
    return "";
  }

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool frozen_ = false;
  bool once_ = false;
  std::set<std::string> wanted_;
  std::deque<Kept> kept_;
  std::size_t num_kept_ = 0;
  std::size_t unanswered_ = 0;
  std::vector<std::string> taken_;
};

}  // namespace tandem::engine
