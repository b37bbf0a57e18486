// tandem/base/pause.h - pause: waits on the timers of an Executor, so that a simulated clock can pass the time.
//
// Room: base. For loops that poll something remote. Not for waiting on our own threads: use a condition variable.
#pragma once

#include <chrono>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"

namespace tandem {

/// Blocks the calling thread until `duration` has passed or `stop` is requested; not on the executor's timer thread.
/// Errors: 1002 cancelled.
Result<void> pause(Executor& executor, std::chrono::nanoseconds duration, std::stop_token stop);

}  // namespace tandem
