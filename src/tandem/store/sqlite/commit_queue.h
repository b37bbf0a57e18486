// tandem/store/sqlite/commit_queue.h - the writer thread: what waits together is synced together, then answered in
// order.
//
// Room: store. Not here: what a transaction does (writer.h), reading (sqlite_store.cc).
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/meter.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/sqlite/writer.h"

namespace tandem::sqlite {

/// Threads: push() is safe to call concurrently, also from a `done`.
class CommitQueue {
 public:
  CommitQueue(std::unique_ptr<Writer> writer, const SqliteOptions& options, Executor& executor, Clock& clock,
              Meter& meter);
  ~CommitQueue();

  void push(store::Batch batch, store::CommitDone done);
  /// Finishes and answers what was pushed, refuses what is pushed from now on, and ends the thread. Once.
  void stop();

 private:
  struct Pending {
    store::Batch batch;
    store::CommitDone done;
    std::optional<Error> refusal;  // decided by push(); told in its turn
    std::size_t size_bytes = 0;
    Instant pushed;
  };
  using Group = std::vector<Pending>;
  using Answers = std::vector<Result<store::Committed>>;

  void run(const std::stop_token& stop);
  /// Waits for work; an empty group means stopped and drained.
  Group take(const std::stop_token& stop);
  Answers commit(const Group& group);
  /// One transaction. After an error nothing of the group was written, whatever `answers` says.
  Result<void> transact(const Group& group, Answers& answers);
  void give(Group& group, Answers& answers);
  void checkpoint();
  void fail_for_ever(const Error& error);

  const SqliteOptions options_;
  const Clock& clock_;
  Meter& meter_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable pushed_;
  std::deque<Pending> queue_;
  bool waiting_ = false;
  bool stopping_ = false;

  // Only the writer thread uses these.
  std::unique_ptr<Writer> writer_;
  std::optional<Error> failure_;
  bool out_of_space_ = false;  // the last group was; copying the log may make room in it

  std::unique_ptr<Timer> thread_;  // last: its body uses all of the above
};

}  // namespace tandem::sqlite
