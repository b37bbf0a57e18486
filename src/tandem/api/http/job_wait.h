// tandem/api/http/job_wait.h - waits for a job's end without holding a thread.
//
// Room: api.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "tandem/api/http/served_engine.h"
#include "tandem/base/executor.h"

namespace tandem::http {

/// Calls `answer` once, unless the server is gone by then: when the job has ended, when it cannot end because nothing can be
/// stored, or after `limit`. On the pool.
void when_ended(const std::shared_ptr<ServedEngine>& engine, Executor& executor, const JobId& job,
                std::chrono::milliseconds limit, std::function<void()> answer);

}  // namespace tandem::http
