#include "tandem/api/http/event_session.h"

#include <algorithm>
#include <mutex>

namespace tandem::http {
namespace {

constexpr auto kHeartbeat = std::chrono::seconds(15);  ///< a comment that keeps proxies from closing an idle stream
constexpr std::size_t kPage = 100;  ///< events written at once; well below what a stream may buffer

bool ends_job(const std::string& type) {
  return type == "job.succeeded" || type == "job.failed" || type == "job.cancelled" || type == "job.expired";
}

std::string event_text(const job::Event& event) {
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", event.sequence, event.type, event.numbered_document().dump());
}

/// Follows the log of one job. The engine's events only say that there is something to read: they are published by the threads
/// that made them, in no order.
class EventSession : public std::enable_shared_from_this<EventSession> {
 public:
  EventSession(std::shared_ptr<ServedEngine> engine, std::shared_ptr<OpenStreams> streams, Executor& executor,
               JobId job, std::uint64_t after, std::unique_ptr<server::Stream> stream)
      : engine_(std::move(engine)),
        streams_(std::move(streams)),
        executor_(executor),
        job_(std::move(job)),
        last_(after),
        stream_(std::move(stream)) {}

  void begin() {
    std::unique_ptr<Timer> subscription;
    engine_->with([&](engine::Engine& engine) {
      subscription = engine.subscribe(
          [weak = weak_from_this()](const job::Event& event) {
            const auto session = weak.lock();
            if (session != nullptr && event.job == session->job_) session->wake();
          },
          nullptr, nullptr);
    });
    {
      const std::lock_guard lock(mutex_);
      subscription_ = std::move(subscription);
    }
    streams_->add(this, [weak = weak_from_this()] {
      if (const auto session = weak.lock()) session->wake();
    });
    stream_->on_close([self = shared_from_this()] { self->end(); });
    wake();
    beat();
  }

 private:
  /// Reads on, unless somebody does already: then that one looks once more. Short: the reading is done on the pool.
  void wake() {
    {
      const std::lock_guard lock(mutex_);
      again_ = true;
      if (ended_ || reading_) return;
      reading_ = true;
    }
    executor_.post([self = shared_from_this()] { self->read_on(); });
  }

  enum class Page : std::uint8_t { kFull, kLast, kEnd };

  /// One reader at a time, so `last_` needs no lock.
  void read_on() {
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (ended_ || !again_) {
          reading_ = false;
          return;
        }
        again_ = false;
      }
      Page page = Page::kEnd;
      engine_->with([&](engine::Engine& engine) { page = write_page(engine); });
      if (page == Page::kEnd) return close();
      if (page == Page::kFull) {
        // The next page when this one is on its way: a long replay goes at the speed of its reader.
        return stream_->on_drained([self = shared_from_this()] {
          {
            const std::lock_guard lock(self->mutex_);
            self->again_ = true;
          }
          self->read_on();
        });
      }
    }
  }

  Page write_page(engine::Engine& engine) {
    // Asked before the log is read: the event that ends a job is in the log when its row says so.
    const bool winding_up = streams_->winding_up();
    const auto view = engine.job(job_);
    const auto events = engine.events(job_, last_, kPage);
    if (!view || !events) return Page::kEnd;
    for (const job::Event& event : *events) {
      last_ = event.sequence;
      if (!stream_->write(event_text(event))) return Page::kEnd;
    }
    if (events->size() == kPage) return Page::kFull;
    // All that the log has by now was written, also what came after the end of the job: an orphan.
    return winding_up || job::is_final(view->state) ? Page::kEnd : Page::kLast;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    stream_->close();
    streams_->remove(this);
  }

  void beat() {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    timer_ = executor_.post_after(kHeartbeat, [weak = weak_from_this()] {
      const auto session = weak.lock();
      if (session == nullptr) return;
      // Timers must be short: the write and the next timer go to the pool.
      session->executor_.post([session] {
        session->stream_->write(": alive\n\n");
        session->wake();
        session->beat();
      });
    });
  }

  void end() {
    streams_->remove(this);
    std::unique_ptr<Timer> subscription;
    std::unique_ptr<Timer> timer;
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      subscription = std::move(subscription_);
      timer = std::move(timer_);
    }
    // Destroyed outside the lock: the subscription waits for a call under way that may want it.
  }

  const std::shared_ptr<ServedEngine> engine_;
  const std::shared_ptr<OpenStreams> streams_;
  Executor& executor_;
  const JobId job_;
  std::uint64_t last_;  ///< sequence; the reader's
  std::mutex mutex_;
  bool reading_ = false;
  bool again_ = false;  ///< there may be more in the log
  bool ended_ = false;
  std::unique_ptr<server::Stream> stream_;
  std::unique_ptr<Timer> subscription_;
  std::unique_ptr<Timer> timer_;
};

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
        [weak = weak_from_this()](const job::Event& event) {
          const auto wait = weak.lock();
          if (wait != nullptr && event.job == wait->job_ && ends_job(event.type)) wait->finish();
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

void OpenStreams::wind_up(Deadline deadline, const Clock& clock) {
  std::unique_lock lock(mutex_);
  winding_up_ = true;
  const auto open = open_;
  lock.unlock();
  for (const auto& [stream, wake] : open) wake();
  lock.lock();
  while (!open_.empty()) {
    const auto left = deadline.left(clock);
    if (left <= std::chrono::nanoseconds::zero()) return;
    changed_.wait_for(lock, std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1)));
  }
}

void stream_events(const std::shared_ptr<ServedEngine>& engine, const std::shared_ptr<OpenStreams>& streams,
                   Executor& executor, const JobId& job, std::uint64_t after, std::unique_ptr<server::Stream> stream) {
  std::make_shared<EventSession>(engine, streams, executor, job, after, std::move(stream))->begin();
}

void when_ended(const std::shared_ptr<ServedEngine>& engine, Executor& executor, const JobId& job,
                std::chrono::milliseconds limit, std::function<void()> answer) {
  std::make_shared<Wait>(engine, executor, job, std::move(answer))->begin(limit);
}

}  // namespace tandem::http
