// tandem/api/http/event_session.h - what stays open after a request: event streams and waits for a job's end.
//
// Room: api. Neither holds a thread: both are woken by the engine's events and by timers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
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

/// The event streams that are open, so that a server can end without cutting one off before the last event of its job.
/// Threads: safe to call concurrently.
class OpenStreams {
 public:
  /// `wake` makes the stream look at its log, and at winding_up(), once more; it must not block.
  void add(const void* stream, std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    open_.emplace(stream, std::move(wake));
  }
  void remove(const void* stream) {
    const std::lock_guard lock(mutex_);
    open_.erase(stream);
    changed_.notify_all();
  }
  /// Whether a stream closes when it has written all that its log has.
  bool winding_up() const {
    const std::lock_guard lock(mutex_);
    return winding_up_;
  }
  /// Lets every stream, also one that is opened meanwhile, write what its log has by now and close. At most until the deadline.
  void wind_up(Deadline deadline, const Clock& clock);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<const void*, std::function<void()>> open_;
  bool winding_up_ = false;
};

/// Streams the events of `job` after `after` as server-sent events, first from the log, then as they come, and closes when the
/// job has ended or the streams are wound up, and all that its log has by then was written. No gap and no repetition. The stream keeps what it needs alive.
void stream_events(const std::shared_ptr<ServedEngine>& engine, const std::shared_ptr<OpenStreams>& streams,
                   Executor& executor, const JobId& job, std::uint64_t after, std::unique_ptr<server::Stream> stream);

/// Calls `answer` once, unless the server is gone by then: when the job has ended, when it cannot end because nothing can be
/// stored, or after `limit`. On the pool.
void when_ended(const std::shared_ptr<ServedEngine>& engine, Executor& executor, const JobId& job,
                std::chrono::milliseconds limit, std::function<void()> answer);

}  // namespace tandem::http
