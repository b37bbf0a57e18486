#include "tandem/api/http/job_wait.h"

#include <mutex>

namespace tandem::http {
namespace {

class Wait : public std::enable_shared_from_this<Wait> {
 public:
  Wait(std::shared_ptr<ServedEngine> engine, Executor& executor, JobId job, std::function<void()> answer)
      : engine_(std::move(engine)), executor_(executor), job_(std::move(job)), answer_(std::move(answer)) {}

  void begin(std::chrono::milliseconds limit) {
    engine_->with([&](engine::Engine& engine) { arm(engine, limit); });
  }

 private:
  void arm(engine::Engine& engine, std::chrono::milliseconds limit) {
    // The timer keeps this alive until the limit, the engine does not.
    auto self = shared_from_this();
    auto subscription = engine.subscribe(
        job_,
        [weak = weak_from_this()](const job::Event& event) {
          const auto wait = weak.lock();
          if (wait != nullptr && job::ends_job(event.type)) wait->finish();
        },
        nullptr,
        [weak = weak_from_this()] {
          if (const auto wait = weak.lock()) wait->finish();
        });
    auto timer = executor_.post_after(limit, [self] { self->finish(); });
    bool early = false;
    {
      const std::lock_guard lock(mutex_);
      subscription_ = std::move(subscription);
      timer_ = std::move(timer);
      armed_ = true;
      early = finished_;
    }
    if (early) return reply();
    // It may have ended, or stopped being able to, before we listened.
    const auto now = engine.wait(job_, Deadline(Instant{0}));
    if (now || now.error().number != errors::kResultNotReady) finish();
  }

  void finish() {
    {
      const std::lock_guard lock(mutex_);
      if (finished_) return;
      finished_ = true;
      if (!armed_) return;  // begin() sees it and replies
    }
    reply();
  }

  /// Once. On the pool: this may be the engine's own call or the timer thread, and letting go of the subscription waits for
  /// both.
  void reply() {
    executor_.post([self = shared_from_this()] {
      self->subscription_.reset();
      self->timer_.reset();
      self->engine_->with([&](engine::Engine&) { self->answer_(); });
    });
  }

  const std::shared_ptr<ServedEngine> engine_;
  Executor& executor_;
  const JobId job_;
  std::function<void()> answer_;
  std::mutex mutex_;
  bool armed_ = false;
  bool finished_ = false;
  std::unique_ptr<Timer> subscription_;
  std::unique_ptr<Timer> timer_;
};

}  // namespace

void when_ended(const std::shared_ptr<ServedEngine>& engine, Executor& executor, const JobId& job,
                std::chrono::milliseconds limit, std::function<void()> answer) {
  std::make_shared<Wait>(engine, executor, job, std::move(answer))->begin(limit);
}

}  // namespace tandem::http
