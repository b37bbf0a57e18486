// tandem/api/http/served_engine.h - ServedEngine: the engine for as long as its server lives.
//
// Room: api.
#pragma once

#include <shared_mutex>

#include "tandem/orchestrate/engine/engine.h"

namespace tandem::http {

/// Streams and waits go on from the pool, where the server's destructor cannot see them. Threads: safe to call concurrently.
class ServedEngine {
 public:
  explicit ServedEngine(engine::Engine& engine) : engine_(engine) {}
  /// Runs `use` with the engine, unless the server is gone.
  template <typename Use>
  void with(const Use& use) {
    const std::shared_lock lock(mutex_);
    if (!ended_) use(engine_);
  }
  /// Waits for what is using it; nothing uses it afterwards.
  void end() {
    const std::unique_lock lock(mutex_);
    ended_ = true;
  }

 private:
  engine::Engine& engine_;
  std::shared_mutex mutex_;
  bool ended_ = false;
};

}  // namespace tandem::http
