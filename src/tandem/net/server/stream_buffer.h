// tandem/net/server/stream_buffer.h - the bounded buffer between a writer on any thread and the loop that sends.
// Internal.
//
// Room: net. Knows nothing of sockets; says when a flush must be asked for, so that no write asks twice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/executor.h"
#include "tandem/net/server/server.h"

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
  /// A copy, which one with others that were not taken yet become.
  Appended append(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (const auto refused = refuse(bytes.size())) return *refused;
    if (own_ == nullptr && !bytes.empty()) {
      auto own = std::make_shared<Bytes>();
      own_ = own.get();
      pending_.push_back(std::move(own));
    }
    if (!bytes.empty()) own_->append(bytes);
    return take_in(bytes.size());
  }
  enum class Then : std::uint8_t {
    kMore,
    kFinish,  ///< no more bytes will come
  };
  Appended append(SharedBytes bytes, Then then) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t size = bytes->size();
    if (const auto refused = refuse(size)) return *refused;
    if (size > 0) {
      pending_.push_back(std::move(bytes));
      own_ = nullptr;
    }
    finished_ = then == Then::kFinish;
    return take_in(size);
  }
  /// Pending or in flight.
  std::uint64_t unsent() const {
    const std::lock_guard lock(mutex_);
    return unsent_;
  }

  /// No more bytes will come. True the first time: the caller asks for a flush.
  bool finish() {
    const std::lock_guard lock(mutex_);
    return !std::exchange(finished_, true) && !ended_;
  }

  struct Taken {
    SharedBytes bytes;  ///< null: nothing
    bool finished = false;  ///< and nothing follows these bytes
    bool cut = false;  ///< because the reader was too slow: what should follow is missing
    std::vector<Task> drained = {};  ///< those who waited for the buffer to be empty, when it is
  };
  /// What is to be sent now; what was taken before has been sent.
  Taken take() {
    const std::lock_guard lock(mutex_);
    unsent_ -= in_flight_;
    in_flight_ = 0;
    Taken taken;
    if (pending_.empty()) {
      taken.drained = std::exchange(drained_, {});
    } else {
      taken.bytes = std::move(pending_.front());
      pending_.pop_front();
      if (pending_.empty()) own_ = nullptr;
      in_flight_ = taken.bytes->size();
    }
    taken.finished = finished_ && pending_.empty();
    taken.cut = cut_;
    scheduled_ = taken.bytes != nullptr;
    return taken;
  }

  /// The response is over. Returns the tasks that waited for it, once.
  std::vector<Task> end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    pending_.clear();
    own_ = nullptr;
    unsent_ = in_flight_ = 0;
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
  std::optional<Appended> refuse(std::uint64_t size) {
    if (finished_ || ended_) return Appended::kRefused;
    if (size <= bytes_max_ - unsent_) return std::nullopt;
    finished_ = cut_ = true;
    return Appended::kTooSlow;
  }
  Appended take_in(std::uint64_t size) {
    unsent_ += size;
    return std::exchange(scheduled_, true) ? Appended::kScheduled : Appended::kFirst;
  }

  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;
  std::list<SharedBytes> pending_;  ///< none is empty
  Bytes* own_ = nullptr;  ///< the last of pending_, when it is a copy that may grow
  std::uint64_t unsent_ = 0;
  std::uint64_t in_flight_ = 0;
  bool scheduled_ = false;
  bool finished_ = false;
  bool cut_ = false;
  bool ended_ = false;
  std::vector<Task> tasks_;    ///< for the end
  std::vector<Task> drained_;  ///< for the next empty take()
};

}  // namespace tandem::server
