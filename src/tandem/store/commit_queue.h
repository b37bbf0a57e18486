// tandem/store/commit_queue.h - CommitQueue: what waits together is written together, synced once, and answered in order.
//
// Room: store. For implementations of Store only; each brings a GroupWriter. Not here: what a transaction does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/meter.h"
#include "tandem/store/store.h"

namespace tandem::store {

/// One for each batch of a group, in its order.
using Answers = std::vector<Result<Committed>>;

/// What an engine does with a group. Threads: one at a time, the queue's.
class GroupWriter {
 public:
  virtual ~GroupWriter() = default;
  /// Writes the batches in their order, in one durable transaction, and adds an answer for each: 3004 precondition_failed leaves
  /// no trace of its batch and the others go on. After an error of the whole group the answers count for nothing.
  virtual Result<void> write(std::span<const Batch* const> group, Answers& answers) = 0;
  /// True when later groups may succeed after this error: nothing of the group was written, and no bytes are in doubt.
  virtual bool may_go_on(const Error& error) const = 0;
  /// Housekeeping after the answers of a group were given. `out_of_space`: that group found no room.
  virtual Result<void> maintain(bool out_of_space) = 0;
  /// Nothing has come for a while: what is kept in memory for speed may go.
  virtual void rest() {}
  /// The store acknowledges nothing any more; what is on disk is left for the next start.
  virtual void abandon() = 0;
};

struct CommitQueueOptions {
  std::size_t batches_max = 1024;  ///< in one group
  std::chrono::nanoseconds wait{0};  ///< how long a group waits for company
  /// Without `wait`, how long a small group waits at most for those who were answered with the last one, or came meanwhile: who
  /// commits in a loop is back at once, and what a transaction costs is shared.
  std::chrono::nanoseconds company_wait_max = std::chrono::milliseconds(1);
};

/// Threads: push() is safe to call concurrently, also from a `done`. One thread writes: the executor's loop "store-writer".
class CommitQueue {
 public:
  CommitQueue(std::unique_ptr<GroupWriter> writer, CommitQueueOptions options, Executor& executor, const Clock& clock,
              Meter& meter);
  ~CommitQueue();

  void push(Batch batch, CommitDone done);
  /// Finishes and answers what was pushed, refuses what is pushed from now on, and ends the thread. Once.
  void stop();

 private:
  struct Pending {
    Batch batch;
    CommitDone done;
    std::optional<Error> refusal;  // decided by push(); told in its turn
    std::size_t size_bytes = 0;
    Instant pushed;
  };
  using Group = std::vector<Pending>;

  void run(const std::stop_token& stop);
  /// Waits for work; an empty group means stopped and drained.
  Group take(const std::stop_token& stop);
  Answers commit(const Group& group);
  void give(Group& group, Answers& answers);
  void fail_for_ever(const Error& error);

  const CommitQueueOptions options_;
  const Clock& clock_;
  Meter& meter_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable pushed_;
  std::deque<Pending> queue_;
  static constexpr std::size_t kNobody = std::numeric_limits<std::size_t>::max();
  std::size_t wanted_ = kNobody;  ///< with so many the writer goes on
  bool stopping_ = false;

  // Only the writer thread uses these.
  std::unique_ptr<GroupWriter> writer_;
  std::optional<Error> failure_;
  bool out_of_space_ = false;  // the last group was
  std::size_t together_ = 0;  // batches of the last group and those that came while it was written
  std::chrono::nanoseconds took_{0};  // the last group

  std::unique_ptr<Timer> thread_;  // last: its body uses all of the above
};

}  // namespace tandem::store
