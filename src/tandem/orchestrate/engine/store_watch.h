// tandem/orchestrate/engine/store_watch.h - StoreWatch: whether what the engine does can be stored, and since when not.
//
// Room: orchestrate. A job that cannot be stored is not lost: it waits for the store. Not here: which jobs wait (engine.cc).
#pragma once

#include <mutex>
#include <optional>

#include "tandem/base/log.h"
#include "tandem/base/meter.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// True for errors that say something about the store and nothing about the job: a full disk, a store without memory or locked
/// by a database shell, one that cannot be reached, a failed or closed one. Memory that a job itself does not get (1004 out_of_memory) is the job's trouble.
bool is_store_trouble(const Error& error);

/// The trouble that the last failed write met. A full disk passes: probe() finds out when. A store that stopped acknowledging
/// stays so until the process is started again.
///
/// Threads: safe to call concurrently.
class StoreWatch {
 public:
  StoreWatch(store::Store& store, Log& log, Meter& meter) : store_(store), log_(log), meter_(meter) {}

  /// Remembers why something could not be stored.
  void note(const Error& error);
  /// Errors: 1041 disk_full, 3007 store_out_of_memory, 1045 lock_held, 3008 store_unreachable - it may pass; 3005 store_closed - restart needed.
  Result<void> writable() const;
  /// True while there is trouble that may pass.
  bool may_recover() const;
  /// Writes and erases a row that is larger than what a usual job writes at once; forgets the trouble when both are durable.
  Result<void> probe();

 private:
  store::Store& store_;
  Log& log_;
  Meter& meter_;
  mutable std::mutex mutex_;
  std::optional<Error> trouble_;
};

}  // namespace tandem::engine
