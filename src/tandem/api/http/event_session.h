// tandem/api/http/event_session.h - what stays open after a request: event streams and waits for a job's end.
//
// Room: api. Neither holds a thread: both are woken by the engine's events and by timers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "tandem/base/executor.h"
#include "tandem/net/server/server.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::http {

/// Streams the events of `job` after `after` as server-sent events, first from the log, then as they come, and closes after
/// the one that ends the job. No gap and no repetition. The stream keeps what it needs alive.
void stream_events(engine::Engine& engine, Executor& executor, const JobId& job, std::uint64_t after,
                   std::unique_ptr<server::Stream> stream);

/// Calls `answer` once: when the job has ended, or after `limit`. On any thread.
void when_ended(engine::Engine& engine, Executor& executor, const JobId& job, std::chrono::milliseconds limit,
                std::function<void()> answer);

}  // namespace tandem::http
