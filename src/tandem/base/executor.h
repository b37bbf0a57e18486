// tandem/base/executor.h - the Executor seam: threads and timers. Nothing starts a thread but through it.
//
// Room: base. ThreadExecutor stands in executor_real.cc; testing/manual_executor.h runs tasks when told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>

namespace tandem {

using Task = std::function<void()>;

/// Cancels a timer when destroyed or told so; a timer that already fired is left alone.
class Timer {
 public:
  virtual ~Timer() = default;
  virtual void cancel() = 0;
};

/// What a thread waits on until another one has news, with the rules of std::condition_variable. Code that a simulation runs waits
/// on nothing else.
class Condition {
 public:
  virtual ~Condition() = default;
  virtual void notify_one() = 0;
  virtual void notify_all() = 0;
  /// May return early.
  virtual void wait(std::unique_lock<std::mutex>& lock) = 0;
  /// The same, until `duration` has passed at the latest; false when it has.
  virtual bool wait_for(std::unique_lock<std::mutex>& lock, std::chrono::nanoseconds duration) = 0;

  template <typename Predicate>
  void wait(std::unique_lock<std::mutex>& lock, const Predicate& predicate) {
    while (!predicate()) wait(lock);
  }
  /// Also ends when `stop` is requested; whether `predicate` holds.
  template <typename Predicate>
  bool wait(std::unique_lock<std::mutex>& lock, const std::stop_token& stop, const Predicate& predicate) {
    lock.unlock();  // the callback takes the mutex, here or on the thread that stops
    {
      const std::stop_callback wake(stop, [&] {
        const std::lock_guard guard(*lock.mutex());
        notify_all();
      });
      lock.lock();
      wait(lock, [&] { return stop.stop_requested() || predicate(); });
      lock.unlock();
    }
    lock.lock();
    return predicate();
  }
};

/// Threads: every method is safe to call concurrently. Tasks must not throw.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `task` on one of the pool's threads, in no promised order.
  virtual void post(Task task) = 0;
  /// Runs `task` on the timer thread once `delay` has passed; the task must be short.
  [[nodiscard]] virtual std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) = 0;
  /// Runs body(0..count-1), the caller taking part, and returns when all are done. Nested calls are allowed.
  /// At most `threads` run at once (0: as many as the pool has). What a body throws, which only a lack of memory may make it do,
  /// the call throws when all are done.
  virtual void parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& body) = 0;
  /// A named thread of its own for a loop that blocks (store writer, scheduler); `body` must return when stopped.
  [[nodiscard]] virtual std::unique_ptr<Timer> start_loop(const char* name,
                                                          std::function<void(std::stop_token)> body) = 0;
  virtual std::size_t threads() const = 0;
  virtual std::unique_ptr<Condition>
  make_condition();  ///< for threads of the operating system, unless a simulation says otherwise
};

/// A pool of `threads` threads (0: one per processor) and one timer thread. The destructor runs what is queued and joins.
class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(std::size_t threads);
  ~ThreadExecutor() override;
  void post(Task task) override;
  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) override;
  void parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& body) override;
  /// Destroying the handle requests stop and joins.
  std::unique_ptr<Timer> start_loop(const char* name, std::function<void(std::stop_token)> body) override;
  std::size_t threads() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tandem
