#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tandem/base/allocator.h"
#include "tandem/base/assert.h"
#include "tandem/base/executor.h"

namespace tandem {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kThreadNameMax = 15;  // pthread_setname_np(3)

void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, kThreadNameMax).c_str());
}

/// A task that throws has broken the rule of Executor; the process ends here and not in a half-done state.
void run_task(const Task& task) noexcept { task(); }

/// Whether this thread waits for news, and gave back what it had freed: once, until there is news again. What it does by the clock alone
/// counts for none.
struct Idleness {
  std::chrono::nanoseconds waited{0};
  bool rests = false;

  void hear() { *this = {}; }
  /// A wait has ended without news.
  void add(std::chrono::nanoseconds duration, std::unique_lock<std::mutex>& lock) {
    waited += duration;
    if (rests || waited < kRestAfter) return;
    rests = true;
    lock.unlock();
    give_back_memory();
    lock.lock();
  }
};
thread_local Idleness idleness;

/// May return early; false when `duration` has passed.
bool wait_for(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds duration) {
  const bool whole = idleness.rests || duration <= kRestAfter;
  const auto first = whole ? duration : kRestAfter;
  if (changed.wait_for(lock, first) == std::cv_status::no_timeout) {
    idleness.hear();
    return true;
  }
  idleness.add(first, lock);
  return !whole;
}

/// May return early.
void wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock) {
  if (!idleness.rests) {
    wait_for(changed, lock, kRestAfter);
    return;
  }
  changed.wait(lock);
  idleness.hear();
}

/// The timers that wait, by time and then by the order they were made in. Shared with the handles, which may live longer than the
/// executor.
struct TimerQueue {
  using Key = std::pair<SteadyClock::time_point, std::uint64_t>;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<Key, Task> waiting;
  std::uint64_t next_number = 0;
  bool stopping = false;

  void run() {
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (waiting.empty()) {
        changed.wait(lock);
      } else if (const auto at = waiting.begin()->first.first; SteadyClock::now() < at) {
        changed.wait_until(lock, at);
      } else {
        const auto node = waiting.extract(waiting.begin());
        lock.unlock();
        run_task(node.mapped());
        lock.lock();
      }
    }
  }
};

class QueuedTimer final : public Timer {
 public:
  QueuedTimer(std::shared_ptr<TimerQueue> queue, TimerQueue::Key key) : queue_(std::move(queue)), key_(key) {}
  ~QueuedTimer() override { cancel(); }
  void cancel() override {
    Task dropped;  // destroyed after the lock is released: what it holds may itself own timers
    const std::lock_guard lock(queue_->mutex);
    if (const auto found = queue_->waiting.find(key_); found != queue_->waiting.end()) {
      dropped = std::move(found->second);
      queue_->waiting.erase(found);
    }
  }

 private:
  std::shared_ptr<TimerQueue> queue_;
  TimerQueue::Key key_;
};

class Loop final : public Timer {
 public:
  Loop(std::string name, std::function<void(std::stop_token)> body)
      : thread_([name = std::move(name), body = std::move(body)](std::stop_token stop) noexcept {
          name_this_thread(name);
          body(std::move(stop));
        }) {}
  void cancel() override { thread_.request_stop(); }

 private:
  std::jthread thread_;  // requests stop and joins when destroyed
};

/// The state of one parallel(). Helpers hold it, for they may start after the call has returned; then no index is left for them.
struct Parallel {
  Parallel(std::size_t n, const std::function<void(std::size_t)>& f) : count(n), body(&f) {}

  const std::size_t count;
  const std::function<void(std::size_t)>* body;  // valid while an index is out
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::condition_variable all_done;
  std::size_t done = 0;  // under mutex
  std::exception_ptr thrown;  // the first; under mutex

  void work() {
    std::size_t mine = 0;
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      try {
        (*body)(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!thrown) thrown = std::current_exception();
      }
      ++mine;
    }
    if (mine == 0) return;
    const std::lock_guard lock(mutex);
    done += mine;
    if (done == count) all_done.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex);
    all_done.wait(lock, [&] { return done == count; });
    if (thrown) std::rethrow_exception(thrown);
  }
};

}  // namespace

namespace {

class ThreadCondition final : public Condition {
 public:
  void notify_one() override { changed_.notify_one(); }
  void notify_all() override { changed_.notify_all(); }
  void wait(std::unique_lock<std::mutex>& lock) override { tandem::wait(changed_, lock); }
  bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds duration) override {
    return tandem::wait_for(changed_, lock, duration);
  }

 private:
  std::condition_variable changed_;
};

}  // namespace

std::unique_ptr<Condition> Executor::make_condition() { return std::make_unique<ThreadCondition>(); }

struct ThreadExecutor::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> queue;
  bool stopping = false;
  std::vector<std::thread> workers;
  std::shared_ptr<TimerQueue> timers = std::make_shared<TimerQueue>();
  std::thread timer_thread;

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      while (!stopping && queue.empty()) wait(changed, lock);
      if (queue.empty()) return;
      {
        idleness.hear();  // also where nobody had to be woken
        const Task task = std::move(queue.front());
        queue.pop_front();
        lock.unlock();
        run_task(task);
      }
      lock.lock();
    }
  }
};

ThreadExecutor::ThreadExecutor(std::size_t threads) : state_(std::make_unique<State>()) {
  const std::size_t wanted = threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
  for (std::size_t i = 0; i < wanted; ++i) {
    state_->workers.emplace_back([state = state_.get(), i] {
      name_this_thread(fmt::format("tandem-{}", i));
      state->work();
    });
  }
  state_->timer_thread = std::thread([timers = state_->timers] {
    name_this_thread("tandem-timer");
    timers->run();
  });
}

ThreadExecutor::~ThreadExecutor() {
  // Timers first, so that none posts into a pool that is gone; those that have not fired are dropped.
  std::map<TimerQueue::Key, Task> dropped;
  {
    const std::lock_guard lock(state_->timers->mutex);
    state_->timers->stopping = true;
    dropped.swap(state_->timers->waiting);
  }
  state_->timers->changed.notify_all();
  state_->timer_thread.join();
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

void ThreadExecutor::post(Task task) {
  {
    const std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(task));
  }
  state_->changed.notify_one();
}

std::unique_ptr<Timer> ThreadExecutor::post_after(std::chrono::nanoseconds delay, Task task) {
  TimerQueue& timers = *state_->timers;
  TimerQueue::Key key;
  {
    const std::lock_guard lock(timers.mutex);
    key = {SteadyClock::now() + delay, timers.next_number++};
    if (!timers.stopping) timers.waiting.emplace(key, std::move(task));
  }
  timers.changed.notify_all();
  return std::make_unique<QueuedTimer>(state_->timers, key);
}

void ThreadExecutor::parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& body) {
  if (count == 0) return;
  const std::size_t at_once = std::min({count, this->threads(), threads > 0 ? threads : count});
  const auto state = std::make_shared<Parallel>(count, body);
  for (std::size_t helper = 1; helper < at_once; ++helper) post([state] { state->work(); });
  // The caller works too and then waits only for indices that other threads are running, so nesting cannot deadlock.
  state->work();
  state->wait();
}

std::unique_ptr<Timer> ThreadExecutor::start_loop(const char* name, std::function<void(std::stop_token)> body) {
  return std::make_unique<Loop>(name, std::move(body));
}

std::size_t ThreadExecutor::threads() const { return state_->workers.size(); }

}  // namespace tandem
