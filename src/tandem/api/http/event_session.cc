#include "tandem/api/http/event_session.h"

#include <mutex>
#include <vector>

namespace tandem::http {
namespace {

constexpr auto kHeartbeat = std::chrono::seconds(15);  ///< a comment that keeps proxies from closing an idle stream
constexpr std::size_t kCatchUpPage = 500;

bool ends_job(const std::string& type) {
  return type == "job.succeeded" || type == "job.failed" || type == "job.cancelled" || type == "job.expired";
}

std::string event_text(const job::Event& event) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.sequence, event.type, event.document().dump());
}

class EventSession : public std::enable_shared_from_this<EventSession> {
 public:
  EventSession(engine::Engine& engine, Executor& executor, JobId job, std::uint64_t after,
               std::unique_ptr<server::Stream> stream)
      : engine_(engine), executor_(executor), job_(std::move(job)), last_(after), stream_(std::move(stream)) {}

  void begin() {
    // Subscribed before the log is read: what happens meanwhile is kept aside, so nothing falls between the two.
    auto self = shared_from_this();
    auto subscription = engine_.subscribe(
        [weak = weak_from_this()](const job::Event& event) {
          if (const auto session = weak.lock()) session->on_event(event);
        },
        nullptr);
    {
      const std::lock_guard lock(mutex_);
      subscription_ = std::move(subscription);
    }
    stream_->on_close([self] { self->end(); });
    catch_up();
    beat();
  }

 private:
  void catch_up() {
    while (true) {
      const auto events = engine_.events(job_, last_, kCatchUpPage);
      if (!events) return end();
      const std::lock_guard lock(mutex_);
      for (const job::Event& event : *events)
        if (!send(event)) return close();
      if (events->size() < kCatchUpPage) {
        live_ = true;
        for (const job::Event& event : aside_)
          if (!send(event)) return close();
        aside_.clear();
        return;
      }
    }
  }

  void on_event(const job::Event& event) {
    if (event.job != job_) return;
    const std::lock_guard lock(mutex_);
    if (!live_)
      aside_.push_back(event);
    else if (!send(event))
      close();
  }

  /// False when the stream is over. Under the lock.
  bool send(const job::Event& event) {
    if (ended_) return false;
    if (event.sequence <= last_) return true;
    last_ = event.sequence;
    return stream_->write(event_text(event)) && !ends_job(event.type);
  }

  /// Under the lock.
  void close() {
    if (ended_) return;
    ended_ = true;
    stream_->close();
  }

  void beat() {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    timer_ = executor_.post_after(kHeartbeat, [weak = weak_from_this()] {
      const auto session = weak.lock();
      if (session == nullptr) return;
      // Timers must be short: the write and the next timer go to the pool.
      session->executor_.post([session] {
        {
          const std::lock_guard inner(session->mutex_);
          if (!session->ended_ && !session->stream_->write(": alive\n\n")) session->close();
        }
        session->beat();
      });
    });
  }

  void end() {
    std::unique_ptr<Timer> subscription;
    std::unique_ptr<Timer> timer;
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      subscription = std::move(subscription_);
      timer = std::move(timer_);
    }
    // Destroyed outside the lock: the subscription waits for a call of on_event that may want it.
  }

  engine::Engine& engine_;
  Executor& executor_;
  const JobId job_;
  std::mutex mutex_;
  std::uint64_t last_;
  bool live_ = false;
  bool ended_ = false;
  std::vector<job::Event> aside_;
  std::unique_ptr<server::Stream> stream_;
  std::unique_ptr<Timer> subscription_;
  std::unique_ptr<Timer> timer_;
};

class Wait : public std::enable_shared_from_this<Wait> {
 public:
  Wait(engine::Engine& engine, Executor& executor, JobId job, std::function<void()> answer)
      : engine_(engine), executor_(executor), job_(std::move(job)), answer_(std::move(answer)) {}

  void begin(std::chrono::milliseconds limit) {
    auto self = shared_from_this();
    auto subscription = engine_.subscribe(
        [self](const job::Event& event) {
          if (event.job == self->job_ && ends_job(event.type)) self->finish();
        },
        nullptr);
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
    // It may have ended before we listened.
    const auto view = engine_.job(job_);
    if (!view || job::is_final(view->state)) finish();
  }

 private:
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
      self->answer_();
    });
  }

  engine::Engine& engine_;
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

void stream_events(engine::Engine& engine, Executor& executor, const JobId& job, std::uint64_t after,
                   std::unique_ptr<server::Stream> stream) {
  std::make_shared<EventSession>(engine, executor, job, after, std::move(stream))->begin();
}

void when_ended(engine::Engine& engine, Executor& executor, const JobId& job, std::chrono::milliseconds limit,
                std::function<void()> answer) {
  std::make_shared<Wait>(engine, executor, job, std::move(answer))->begin(limit);
}

}  // namespace tandem::http
