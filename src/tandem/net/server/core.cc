#include "tandem/net/server/core.h"

#include <algorithm>

#include "tandem/base/allocator.h"
#include "tandem/base/assert.h"

namespace tandem::server {

bool Loop::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (!open_) return false;
  asio::post(io, std::move(task));
  return true;
}

void Loop::run() {
  bool rests = false;
  while (!io.stopped()) {
    sweeps = 0;
    const std::size_t handled = rests ? io.run_one() : io.run_for(kRestAfter);
    if (handled > sweeps) {
      rests = false;
    } else if (!rests && !io.stopped()) {
      give_back_memory();
      rests = true;
    }
  }
}

void Loop::finish() {
  const std::lock_guard lock(mutex_);
  open_ = false;
  guard_.reset();
}

void Core::run(const std::shared_ptr<Core>& core, Kind kind, Task task) {
  if (kind == Kind::kMustRun) {
    const std::lock_guard lock(core->mutex_);
    TANDEM_ASSERT(!core->closed_);
    ++core->running_;
  }
  core->seams.executor.post([core, kind, task = std::move(task)] {
    if (kind == Kind::kDroppable) {
      const std::lock_guard lock(core->mutex_);
      if (core->closed_) return;
      ++core->running_;
    }
    task();
    core->end_task();
  });
}

void Core::end_task() {
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();  // under the lock: close() may destroy what is waited on right after
}

void Core::remove_connection(std::atomic<std::size_t>& counter) {
  const std::lock_guard lock(mutex_);
  --counter;
  changed_.notify_all();
}

bool Core::wait_for_connections(Deadline deadline) {
  std::unique_lock lock(mutex_);
  while (connections > 0) {
    const auto left = deadline.left(seams.clock);
    if (left <= std::chrono::nanoseconds::zero()) return false;
    changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1)));
  }
  return true;
}

void Core::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.wait(lock, [this] { return running_ == 0; });
}

}  // namespace tandem::server
