#include "tandem/api/http/job_wait.h"

#include <mutex>

namespace tandem::http {

class JobWait : public std::enable_shared_from_this<JobWait> {
 public:
  JobWait(std::shared_ptr<JobWaits> all, JobId job, std::function<void()> answer)
      : all_(std::move(all)), job_(std::move(job)), answer_(std::move(answer)) {}

  void begin(std::chrono::milliseconds limit) {
    all_->engine_->with([&](engine::Engine& engine) { arm(engine, limit); });
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
    auto timer = all_->executor_.post_after(limit, [self] { self->finish(); });
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

  /// Once. On the pool: this may be the engine's own call or the timer thread, and letting go of the subscription waits for
  /// both.
  void reply() {
    all_->executor_.post([self = shared_from_this()] {
      self->subscription_.reset();
      self->timer_.reset();
      self->all_->engine_->with([&](engine::Engine&) { self->answer_(); });
      const std::lock_guard lock(self->all_->mutex_);
      self->all_->waits_.erase(std::weak_ptr(self));
    });
  }

  const std::shared_ptr<JobWaits> all_;
  const JobId job_;
  std::function<void()> answer_;
  std::mutex mutex_;
  bool armed_ = false;
  bool finished_ = false;
  std::unique_ptr<Timer> subscription_;
  std::unique_ptr<Timer> timer_;
};

JobWaits::JobWaits(std::shared_ptr<ServedEngine> engine, Executor& executor)
    : engine_(std::move(engine)), executor_(executor) {}

void JobWaits::add(const JobId& job, std::chrono::milliseconds limit, std::function<void()> answer) {
  const auto wait = std::make_shared<JobWait>(shared_from_this(), job, std::move(answer));
  bool at_once = false;
  {
    const std::lock_guard lock(mutex_);
    waits_.insert(wait);
    at_once = wound_up_;
  }
  wait->begin(at_once ? std::chrono::milliseconds(0) : limit);
}

void JobWaits::wind_up() {
  std::set<std::weak_ptr<JobWait>, std::owner_less<>> waits;
  {
    const std::lock_guard lock(mutex_);
    wound_up_ = true;
    waits.swap(waits_);
  }
  for (const auto& one : waits)
    if (const auto wait = one.lock()) wait->finish();
}

}  // namespace tandem::http
