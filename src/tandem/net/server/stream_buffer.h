// tandem/net/server/stream_buffer.h - the bounded buffer between a writer on any thread and the loop that sends.
// Internal.
//
// Room: net. Knows nothing of sockets; says when a flush must be asked for, so that no write asks twice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/executor.h"

namespace tandem::server {

/// Threads: every method is safe to call concurrently. on_end() may run its task on the caller's thread.
class StreamBuffer {
 public:
  explicit StreamBuffer(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  enum class Appended : std::uint8_t {
    kFirst,  ///< taken; the caller asks for a flush
    kScheduled,  ///< taken; a flush is on its way
    kRefused,  ///< the stream is finished or ended
    kTooSlow,  ///< the buffer is full and the stream takes no more; the caller asks for a flush
  };
  Appended append(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (finished_ || ended_) return Appended::kRefused;
    if (bytes.size() > bytes_max_ - pending_.size() - in_flight_) {
      finished_ = cut_ = true;
      return Appended::kTooSlow;
    }
    pending_ += bytes;
    return std::exchange(scheduled_, true) ? Appended::kScheduled : Appended::kFirst;
  }

  /// No more bytes will come. True the first time: the caller asks for a flush.
  bool finish() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(finished_, true) && !ended_;
  }

  struct Taken {
    Bytes bytes;
    bool finished = false;  ///< and nothing follows these bytes
    bool cut = false;  ///< because the reader was too slow: what should follow is missing
    std::vector<Task> drained = {};  ///< those who waited for the buffer to be empty, when it is
  };
  /// What is to be sent now; what was taken before has been sent.
  Taken take() {
    const std::lock_guard lock(mutex_);
    Taken taken{.bytes = std::exchange(pending_, {}), .finished = finished_, .cut = cut_};
    in_flight_ = taken.bytes.size();
    scheduled_ = !taken.bytes.empty();
    if (taken.bytes.empty()) taken.drained = std::exchange(drained_, {});
    return taken;
  }

  /// The response is over. Returns the tasks that waited for it, once.
  std::vector<Task> end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    pending_ = {};
    std::vector<Task> tasks = std::exchange(tasks_, {});
    std::move(drained_.begin(), drained_.end(), std::back_inserter(tasks));
    drained_.clear();
    return tasks;
  }
  /// Keeps `task` for the take() that finds nothing, or runs it here and now when the response is over. True: the
  /// caller asks for a flush.
  bool on_drained(Task task) {
    {
      const std::lock_guard lock(mutex_);
      if (!ended_) {
        drained_.push_back(std::move(task));
        return !std::exchange(scheduled_, true);
      }
    }
    task();
    return false;
  }
  /// Keeps `task` for end(), or runs it here and now when the response is over.
  void on_end(Task task) {
    {
      const std::lock_guard lock(mutex_);
      if (!ended_) {
        tasks_.push_back(std::move(task));
        return;
      }
    }
    task();
  }

 private:
  const std::uint64_t bytes_max_;
  std::mutex mutex_;
  Bytes pending_;
  std::uint64_t in_flight_ = 0;
  bool scheduled_ = false;
  bool finished_ = false;
  bool cut_ = false;
  bool ended_ = false;
  std::vector<Task> tasks_;    ///< for the end
  std::vector<Task> drained_;  ///< for the next empty take()
};

}  // namespace tandem::server
