#include "tandem/store/postgres/signals.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/pause.h"
#include "tandem/store/postgres/connection.h"

namespace tandem::postgres {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(500);  ///< between two tries to get a session
constexpr std::string_view kWhoIsThere = "who";          ///< what a notification says that asks for an answer

/// Ends a wait for notifications.
struct Wake {
  int file = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  ///< -1: there is none, and the wait ends with the next hello
  Wake() = default;
  Wake(const Wake&) = delete;
  Wake& operator=(const Wake&) = delete;
  ~Wake() {
    if (file >= 0) ::close(file);
  }
};

}  // namespace

class Signals::Watch final : public Timer {
 public:
  Watch(std::shared_ptr<Watchers> watchers, std::list<std::function<void()>>::iterator call)
      : watchers_(std::move(watchers)), call_(call) {}
  ~Watch() override { cancel(); }
  void cancel() override {
    if (watchers_ == nullptr) return;
    {
      const std::lock_guard lock(watchers_->mutex);
      watchers_->calls.erase(call_);
    }
    watchers_ = nullptr;
  }

 private:
  std::shared_ptr<Watchers> watchers_;
  std::list<std::function<void()>>::iterator call_;
};

Signals::Signals(Address address, std::chrono::milliseconds answer_wait, Executor& executor, const Clock& clock)
    : address_(std::move(address)), answer_wait_(answer_wait), executor_(executor), clock_(clock) {}

Signals::~Signals() {
  listening_.reset();
  notifying_.reset();
}

std::unique_ptr<Timer> Signals::watch(std::function<void()> on_change) {
  std::unique_ptr<Timer> out;
  {
    const std::lock_guard lock(watchers_->mutex);
    out = std::make_unique<Watch>(watchers_, watchers_->calls.insert(watchers_->calls.end(), std::move(on_change)));
  }
  const std::lock_guard lock(mutex_);
  if (listening_ == nullptr) {
    listening_ = executor_.start_loop("store-listen", [this](const std::stop_token& stop) { hear(stop); });
    notifying_ = executor_.start_loop("store-notify", [this](const std::stop_token& stop) { notify(stop); });
  }
  return out;
}

void Signals::changed() {
  {
    const std::lock_guard lock(mutex_);
    if (!heard_ || clock_.monotonic() - *heard_ > kAlone) return;
  }
  say();
}

void Signals::say(bool ask) {
  const std::lock_guard lock(mutex_);
  dirty_ = true;
  ask_ = ask_ || ask;
  dirtied_.notify_one();
}

void Signals::know_of_another(bool asked) {
  const Instant now = clock_.monotonic();
  std::unique_lock lock(mutex_);
  const std::optional<Instant> before = std::exchange(heard_, now);
  lock.unlock();
  // He may not have heard of us yet, nor of what we did since he began to listen.
  if (asked || !before || now - *before > kAlone) say();
}

void Signals::tell() {
  const std::lock_guard lock(watchers_->mutex);
  for (const auto& call : watchers_->calls) call();
}

void Signals::hear(const std::stop_token& stop) {
  const Wake wake;
  const std::stop_callback stopped(stop, [&wake] { (void)::eventfd_write(wake.file, 1); });
  while (!stop.stop_requested()) {
    auto session = Connection::open(address_, answer_wait_, clock_);
    if (session && !(*session)->script("LISTEN tandem")) session = unexpected<Error>(Error{});
    if (!session) {
      if (!pause(executor_, kRetry, stop)) return;
      continue;
    }
    tell();  // what was said while nobody listened
    say(true);
    Deadline hello = Deadline::after(clock_, kHello);
    while (!stop.stop_requested()) {
      if (hello.expired(clock_)) {
        say();
        hello = Deadline::after(clock_, kHello);
      }
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(hello.left(clock_));
      const auto news = (*session)->wait_for_notification(left, notifier_, wake.file);
      if (!news) break;
      if (news->empty()) continue;
      know_of_another(std::ranges::find(*news, kWhoIsThere) != news->end());
      tell();
    }
  }
}

void Signals::notify(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { say(); });
  std::unique_ptr<Connection> session;
  while (true) {
    bool ask = false;
    {
      std::unique_lock lock(mutex_);
      dirtied_.wait(lock, [this] { return dirty_; });
      dirty_ = false;
      ask = std::exchange(ask_, false);
    }
    if (stop.stop_requested()) return;
    if (session == nullptr) {
      auto opened = Connection::open(address_, answer_wait_, clock_);
      if (opened && (*opened)->script("SET synchronous_commit = off")) session = *std::move(opened);
    }
    if (session != nullptr) notifier_ = session->server_process();
    const std::string words = ask ? fmt::format("NOTIFY tandem, '{}'", kWhoIsThere) : "NOTIFY tandem";
    if (session == nullptr || !session->script(words)) {
      session.reset();
      say(ask);  // when there is a session again
      if (!pause(executor_, kRetry, stop)) return;
    } else if (!pause(executor_, kQuiet, stop)) {
      return;
    }
  }
}

}  // namespace tandem::postgres
