// tandem/api/http/event_session.h - what stays open after a request: event streams and waits for a job's end.
//
// Room: api. Neither holds a thread: both are woken by the engine's events and by timers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "tandem/base/executor.h"
#include "tandem/net/server/server.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::http {

/// The engine for as long as its server lives: streams and waits go on from the pool, where the server's destructor cannot see
/// them. Threads: safe to call concurrently.
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

/// Streams the events of `job` after `after` as server-sent events, first from the log, then as they come, and closes when the
/// job has ended and all that its log has by then was written. No gap and no repetition. The stream keeps what it needs alive.
void stream_events(const std::shared_ptr<ServedEngine>& engine, Executor& executor, const JobId& job,
                   std::uint64_t after, std::unique_ptr<server::Stream> stream);

/// Calls `answer` once, unless the server is gone by then: when the job has ended, when it cannot end because nothing can be
/// stored, or after `limit`. On the pool.
void when_ended(const std::shared_ptr<ServedEngine>& engine, Executor& executor, const JobId& job,
                std::chrono::milliseconds limit, std::function<void()> answer);

}  // namespace tandem::http
