// tandem/orchestrate/engine/errands.h - Errands: what waits for the store in its turn, on a thread of its own, so that nothing else waits.
//
// Room: orchestrate. Not here: the engine's chores, which are short.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "tandem/base/executor.h"

namespace tandem::engine {

/// Threads: add() is safe to call concurrently and does not block.
class Errands {
 public:
  Errands(Executor& executor, const char* name);
  ~Errands();  ///< after whoever adds has stopped, and what was added is done

  void add(std::function<void()> errand);

 private:
  std::mutex mutex_;
  const std::unique_ptr<Condition> added_;
  std::deque<std::function<void()>> waiting_;
  std::unique_ptr<Timer> running_;
};

}  // namespace tandem::engine
