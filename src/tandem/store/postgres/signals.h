// tandem/store/postgres/signals.h - Signals: processes that share a store tell each other that they committed.
//
// Room: store. A hint, not a promise: who must know looks by himself now and then.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/store/postgres/address.h"

namespace tandem::postgres {

/// Two sessions of its own, one that listens and one that notifies: a notification takes a lock that all commits of the server go
/// through, so there is none in the transactions that matter, and at most one in kQuiet. Each wakes two threads and two sessions of the server,
/// so who is alone says only that he is there, every kHello, and asks who else is when he begins to listen; whoever hears that answers him. Nothing is
/// opened before somebody watches.
/// Threads: safe to call concurrently.
class Signals {
 public:
  static constexpr std::chrono::milliseconds kQuiet{2};
  static constexpr std::chrono::seconds kHello{10};
  static constexpr std::chrono::seconds kAlone{35};  ///< without a word from another process: three may get lost

  Signals(Address address, std::chrono::milliseconds answer_wait, Executor& executor, const Clock& clock);
  ~Signals();

  /// This process has committed.
  void changed();
  /// See Store::watch().
  std::unique_ptr<Timer> watch(std::function<void()> on_change);

 private:
  struct Watchers {
    std::mutex mutex;  ///< held while calling, so that ending waits for a call under way
    std::list<std::function<void()>> calls;
  };
  class Watch;
  void hear(const std::stop_token& stop);
  void notify(const std::stop_token& stop);
  void tell();
  /// Another process was heard, which may have asked who is there.
  void know_of_another(bool asked);
  /// Has the others notified, and asked for an answer.
  void say(bool ask = false);

  const Address address_;
  const std::chrono::milliseconds answer_wait_;
  Executor& executor_;
  const Clock& clock_;
  std::shared_ptr<Watchers> watchers_ = std::make_shared<Watchers>();
  std::atomic<int> notifier_ = 0;  ///< the server's process of our notifying session: what it says is no news to us
  std::mutex mutex_;
  std::condition_variable dirtied_;
  bool dirty_ = false;
  bool ask_ = false;  ///< with the next word
  std::optional<Instant> heard_;  ///< another process
  std::unique_ptr<Timer> listening_;
  std::unique_ptr<Timer> notifying_;
};

}  // namespace tandem::postgres
