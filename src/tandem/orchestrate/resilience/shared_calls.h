// tandem/orchestrate/resilience/shared_calls.h - SharedCalls: what is under way at a backend, of all processes that share a store.
//
// Room: orchestrate; for gates.cc only. One row a gate, "calls/<gate>": how many each process has under way, and whose turn is next. What
// a process has there comes back when its lease is over, so nobody who dies keeps a place.
// Source: Gray and Cheriton 1989, "Leases"; places in the order of arrival as in Lamport 1974, the bakery.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "tandem/base/log.h"
#include "tandem/base/result.h"
#include "tandem/store/store.h"

namespace tandem::resilience {

/// This process among those that share a store.
struct AmongOthers {
  std::string node;  ///< its name among them
  std::function<Result<bool>(const std::string& node)> has_lease;
};

/// Threads: safe to call concurrently.
class SharedCalls {
 public:
  using Count = std::function<std::size_t()>;

  SharedCalls(store::Store& store, Log& log, AmongOthers among) : store_(store), log_(log), among_(std::move(among)) {}

  /// Whether one more call of this process may begin, and notes it if so. If not, the process has a turn from then on: of those that wait
  /// each gets one place after the other, however many calls wait in it. `held`: what it has under way, that call included; asked again
  /// for each try. Cost: a read, and a commit unless it waits already. Errors: those of the store.
  Result<bool> take(const std::string& gate, std::size_t calls_max, const Count& held);
  /// Notes what the process has under way now, and gives up its turn where none of its calls waits any more. Errors: those of the store;
  /// the next note of this process mends it, or the end of its lease.
  Result<void> note(const std::string& gate, const Count& held, const std::function<bool()>& waits);

 private:
  struct Places;
  Result<Places> read(const std::string& gate);
  Result<bool> write(const Places& places);  ///< false: another process was faster
  /// Those whose lease is over have nothing and wait for nothing.
  Result<void> drop_dead(Places& places);

  store::Store& store_;
  Log& log_;
  const AmongOthers among_;
};

}  // namespace tandem::resilience
