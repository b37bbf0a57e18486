// tandem/orchestrate/engine/outlet.h - Outlet: where the events go that this process made.
//
// Room: orchestrate.
#pragma once

#include <memory>
#include <mutex>

#include "tandem/orchestrate/engine/listeners.h"
#include "tandem/orchestrate/engine/log_follower.h"

namespace tandem::engine {

/// At once to the listeners; or, of a shared store, in their place in the log, so that there is one order for what all processes make. It
/// outlives the engine in the hands of the submitter.
/// Threads: safe to call concurrently.
class Outlet {
 public:
  explicit Outlet(std::shared_ptr<Listeners> listeners) : listeners_(std::move(listeners)) {}
  void follow(LogFollower* follower) {
    const std::lock_guard lock(mutex_);
    follower_ = follower;
    by_log_ = true;
  }
  void publish(job::Event event) {
    {
      const std::lock_guard lock(mutex_);
      if (follower_ != nullptr) follower_->made(std::move(event));
      if (by_log_) return;
    }
    listeners_->publish(event);
  }

 private:
  std::shared_ptr<Listeners> listeners_;
  std::mutex mutex_;
  LogFollower* follower_ = nullptr;
  bool by_log_ = false;
};

}  // namespace tandem::engine
