// tandem/api/http/event_feed.h - EventFeeds: the event streams of a server, one feed for each job that somebody follows.
//
// Room: api. A feed reads and formats each page of its job's log once for all streams that stand at the same place, and holds no
// thread: it is woken by the engine's events and by timers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "tandem/api/http/served_engine.h"
#include "tandem/base/executor.h"
#include "tandem/net/server/server.h"

namespace tandem::http {

class EventFeed;

/// Threads: safe to call concurrently. What it needs it keeps alive until its last stream has ended, but not the Executor, which
/// outlives it.
/// Cost: a stream holds some hundred bytes, and what its client has not taken: at most a page and kUnsentBytes.
class EventFeeds : public std::enable_shared_from_this<EventFeeds> {
 public:
  /// A page of the log that is written at once ends with the event that reaches one of these; of a stream's own limit
  /// (ServerOptions::stream_bytes_max) two fit in by far.
  static constexpr std::size_t kPageEvents = 100;
  static constexpr std::size_t kPageBytes = 64u << 10;
  /// A stream with more that its client has not taken gets nothing new until all is taken; then it reads on from where it stands.
  static constexpr std::uint64_t kUnsentBytes = 64u << 10;

  EventFeeds(std::shared_ptr<ServedEngine> engine, Executor& executor);

  /// Streams the events of `job` after `after` as server-sent events, first from the log, then as they come, and closes when the
  /// job has ended or the streams are wound up, and all that its log has by then was written. No gap and no repetition. Closes as
  /// well when the log cannot be read: the client comes back with Last-Event-ID.
  void follow(const JobId& job, std::uint64_t after, std::unique_ptr<server::Stream> stream);

  /// Lets every stream, also one that is opened meanwhile, write what its log has by now and close. At most until the deadline.
  void wind_up(Deadline deadline, const Clock& clock);

 private:
  friend class EventFeed;
  /// One of the feed's streams is over. True: it was the last one, and no other will come.
  bool leave(const JobId& job);

  struct Member {
    std::shared_ptr<EventFeed> feed;
    std::size_t streams = 0;
  };
  const std::shared_ptr<ServedEngine> engine_;
  Executor& executor_;
  const server::SharedBytes heartbeat_;
  std::atomic<bool> winding_up_ = false;  ///< streams close when they have written all that their log has
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<JobId, Member> feeds_;  ///< that have streams
};

}  // namespace tandem::http
