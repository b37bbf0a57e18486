// tandem/api/http/job_wait.h - JobWaits: clients that wait for a job's end, without a thread held for them.
//
// Room: api.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "tandem/api/http/served_engine.h"
#include "tandem/base/executor.h"

namespace tandem::http {

class JobWait;

/// Threads: safe to call concurrently. What it needs it keeps alive until its last client is answered, but not the Executor, which
/// outlives it.
class JobWaits : public std::enable_shared_from_this<JobWaits> {
 public:
  JobWaits(std::shared_ptr<ServedEngine> engine, Executor& executor);

  /// Calls `answer` once, unless the server is gone by then: when the job has ended, when it cannot end because nothing can be
  /// stored, after `limit`, or when the waits are wound up. On the pool.
  void add(const JobId& job, std::chrono::milliseconds limit, std::function<void()> answer);

  /// Has all answered that wait, and who comes later at once.
  void wind_up();

 private:
  friend class JobWait;
  const std::shared_ptr<ServedEngine> engine_;
  Executor& executor_;
  std::mutex mutex_;
  bool wound_up_ = false;
  std::set<std::weak_ptr<JobWait>, std::owner_less<>> waits_;  ///< not answered yet
};

}  // namespace tandem::http
