// tandem/orchestrate/resilience/shared_starts.h - SharedStarts: what began in the last minute, of all processes that share a store.
//
// Room: orchestrate; for gates.cc only. One row a gate, "starts/<gate>", so that a limit that is configured once holds once: however many
// processes there are, and whatever was restarted.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/result.h"
#include "tandem/store/store.h"

namespace tandem::resilience {

/// Threads: safe to call concurrently.
class SharedStarts {
 public:
  /// `clock`: whose wall time all processes agree on.
  SharedStarts(store::Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  /// Notes that one begins now, and returns 0; or, where so many have begun in the last 60 s, notes nothing and returns how long until
  /// the oldest of them is past. Cost: a read and a commit, once more for each start that was noted meanwhile. Errors: 3003 store_damaged;
  /// those of the store.
  Result<std::chrono::nanoseconds> begin(const std::string& gate, std::size_t per_minute_max);

 private:
  store::Store& store_;
  const Clock& clock_;
};

}  // namespace tandem::resilience
