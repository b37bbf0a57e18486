// tandem/orchestrate/resilience/shared_starts.h - SharedStarts: what began in the last minute, of all processes that share a store.
//
// Room: orchestrate; for gates.cc only. One row a gate, "starts/<gate>", so that a limit that is configured once holds once: however many
// processes there are, and whatever was restarted. It counts by half seconds, so that it stays small whatever the limit is.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/log.h"
#include "tandem/base/result.h"
#include "tandem/store/store.h"

namespace tandem::resilience {

/// Threads: safe to call concurrently.
class SharedStarts {
 public:
  /// A start counts until its half second has been over for a minute: never for less than that, and for half a second more at most.
  static constexpr std::chrono::microseconds kStep{500'000};

  /// `clock`: whose wall time all processes agree on.
  SharedStarts(store::Store& store, const Clock& clock, Log& log) : store_(store), clock_(clock), log_(log) {}

  struct Begun {
    std::chrono::nanoseconds left{0};  ///< until the oldest of too many is past; 0: one was noted
    std::int64_t step = 0;  ///< where it was noted
  };
  /// Notes that one begins now; or, where so many have begun in the last 60 s, notes nothing. A row that cannot be read is taken for one
  /// that is full, and written anew. Cost: a read and a commit, once more for each start that was noted meanwhile. Errors: those of the
  /// store.
  Result<Begun> begin(const std::string& gate, std::size_t per_minute_max);
  /// What was noted did not begin after all. Errors: those of the store; it counts for its minute then.
  Result<void> give_back(const std::string& gate, std::int64_t step);

 private:
  store::Store& store_;
  const Clock& clock_;
  Log& log_;
};

}  // namespace tandem::resilience
