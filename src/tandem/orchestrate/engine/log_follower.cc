#include "tandem/orchestrate/engine/log_follower.h"

namespace tandem::engine {
namespace {
constexpr std::size_t kPage = 1000;
}  // namespace

Result<std::unique_ptr<LogFollower>> LogFollower::start(store::Store& store, Executor& executor, Log& log,
                                                        std::chrono::milliseconds interval,
                                                        std::function<void(const job::Event&)> on_event) {
  std::unique_ptr<LogFollower> out(new LogFollower(store, executor, log, interval, std::move(on_event)));
  TANDEM_TRY_ASSIGN(out->seen_, store.last_sequence());
  out->watching_ = store.watch([follower = out.get()] { follower->poke(); });
  out->thread_ =
      executor.start_loop("log-follower", [follower = out.get()](const std::stop_token& stop) { follower->run(stop); });
  return out;
}

LogFollower::~LogFollower() {
  watching_.reset();
  thread_.reset();
}

void LogFollower::poke() {
  const std::lock_guard lock(mutex_);
  look_ = true;
  poked_->notify_all();
}

void LogFollower::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { poke(); });
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!look_) poked_->wait_for(lock, interval_);
      look_ = false;
    }
    if (stop.stop_requested()) return;
    // A store that cannot be read now is looked at again; nothing is skipped.
    if (const auto done = read_on(); !done)
      log_.write(LogLevel::kWarning, "log.not_read", {{"error", done.error().to_string()}});
  }
}

Result<void> LogFollower::read_on() {
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::LogEntry> entries, store_.read_log(seen_, kPage));
    for (const store::LogEntry& entry : entries) {
      seen_ = entry.sequence;
      TANDEM_TRY_ASSIGN(const Json document, parse_json(entry.value, fmt::format("event {}", entry.sequence)));
      TANDEM_TRY_ASSIGN(job::Event event, job::Event::parse(document));
      event.sequence = entry.sequence;
      on_event_(event);
    }
    if (entries.size() < kPage) return {};
  }
}

}  // namespace tandem::engine
