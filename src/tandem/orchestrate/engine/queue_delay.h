// tandem/orchestrate/engine/queue_delay.h - QueueDelay: whether the queue is too slow for new jobs.
//
// Room: orchestrate. Not here: the queue (schedule/fair_queue.h).
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "tandem/base/clock.h"
#include "tandem/base/meter.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// Who tells of the jobs in the queue.
enum class QueueSource : std::uint8_t {
  kEngine,  ///< came() and left(): a process that keeps a queue has an entry here for each job of it
  kStore,   ///< its index, looked at now and then: a process that runs nothing keeps no job in memory
};

/// Threads: every method is safe to call concurrently.
class QueueDelay {
 public:
  /// `limit`: how long the job that waits longest may have waited; 0: for ever, and nothing is kept.
  QueueDelay(store::Store& store, const Clock& clock, Meter& meter, std::chrono::milliseconds limit, QueueSource source)
      : store_(store), clock_(clock), meter_(meter), limit_(limit), source_(source) {}

  void came(const std::string& job, std::int64_t since_micros);  ///< nothing new where it is there already
  void left(const std::string& job);

  /// Cost: none but a look at the index of the store in a while, where that is the source.
  /// Errors: 5015 queue_delay_exceeded, with retry_after_s; those of reads.
  Result<void> check();

 private:
  struct Seen {  ///< of the store
    Instant until;  ///< then it is looked at again
    std::optional<std::int64_t> since_micros;
  };
  /// When the job came that waits longest.
  Result<std::optional<std::int64_t>> longest_since();

  store::Store& store_;
  const Clock& clock_;
  Meter& meter_;
  const std::chrono::milliseconds limit_;
  const QueueSource source_;
  std::mutex mutex_;  ///< guards what follows
  std::set<std::pair<std::int64_t, std::string>> by_age_;  ///< microseconds, job
  std::unordered_map<std::string, std::int64_t> since_;  ///< the same by job
  Seen seen_;
};

}  // namespace tandem::engine
