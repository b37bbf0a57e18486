#include "tandem/orchestrate/engine/log_follower.h"

#include <algorithm>
#include <utility>

#include "tandem/base/pause.h"

namespace tandem::engine {
namespace {
constexpr std::size_t kPage = 1000;

// Who tells of so many at once will have as many again soon: what comes within the pause is read, and told, together. Each reading
// wakes the server.
constexpr std::size_t kMany = 8;
constexpr auto kPause = std::chrono::milliseconds(1);
}  // namespace

Result<std::unique_ptr<LogFollower>> LogFollower::start(store::Store& store, Executor& executor, Log& log,
                                                        std::chrono::milliseconds interval, Glance glance,
                                                        OnEvent on_event) {
  std::unique_ptr<LogFollower> out(
      new LogFollower(store, executor, log, interval, std::move(glance), std::move(on_event)));
  TANDEM_TRY_ASSIGN(out->seen_, store.last_sequence());
  out->watching_ = store.watch([follower = out.get()] { follower->look(); });
  out->thread_ =
      executor.start_loop("log-follower", [follower = out.get()](const std::stop_token& stop) { follower->run(stop); });
  return out;
}

LogFollower::~LogFollower() {
  watching_.reset();
  thread_.reset();
}

void LogFollower::look() {
  const std::lock_guard lock(mutex_);
  look_ = true;
  if (std::exchange(waiting_, false)) poked_->notify_all();  // once is enough
}

void LogFollower::made(job::Event event) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t sequence = event.sequence;
  if (made_.size() < kMadeMax)
    made_.emplace_hint(made_.end(), sequence, std::move(event));
  else
    look_ = true;
  if (std::exchange(waiting_, false)) poked_->notify_all();  // once is enough
}

void LogFollower::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { look(); });
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      waiting_ = true;
      if (!look_ && made_.empty() && !poked_->wait_for(lock, interval_)) look_ = true;
      waiting_ = false;
    }
    if (stop.stop_requested()) return;
    // A store that cannot be read now is looked at again; nothing is skipped.
    const std::uint64_t before = seen_;
    if (const auto done = go_on(); done) {
      if (seen_ - before >= kMany && !pause(executor_, kPause, stop)) return;
    } else {
      log_.write(LogLevel::kWarning, "log.not_read", {{"error", done.error().to_string()}});
      std::unique_lock lock(mutex_);
      look_ = true;
      if (!stop.stop_requested()) (void)poked_->wait_for(lock, interval_);
    }
  }
}

void LogFollower::tell(const job::Event& event) {
  seen_ = event.sequence;
  on_event_(event);
}

std::vector<job::Event> LogFollower::take_made() {
  std::vector<job::Event> out;
  const std::lock_guard lock(mutex_);
  made_.erase(made_.begin(), made_.upper_bound(seen_));
  while (!made_.empty() && made_.begin()->first == seen_ + out.size() + 1)
    out.push_back(std::move(made_.extract(made_.begin()).mapped()));
  return out;
}

std::optional<job::Event> LogFollower::take_made(std::uint64_t sequence) {
  const std::lock_guard lock(mutex_);
  auto found = made_.extract(sequence);
  return found.empty() ? std::nullopt : std::optional(std::move(found.mapped()));
}

bool LogFollower::has_gap() {
  const std::lock_guard lock(mutex_);
  return !made_.empty() && made_.begin()->first > seen_ + 1;
}

std::size_t LogFollower::num_to_read() {
  const std::lock_guard lock(mutex_);
  if (made_.empty() || made_.begin()->first <= seen_ + 1) return std::exchange(look_, false) ? kPage : 0;
  // One gap alone, so that what was made here is not read; several at once, since each reading takes a trip.
  const std::uint64_t first_gap = made_.begin()->first - seen_ - 1;
  const std::uint64_t all_gaps = made_.rbegin()->first - seen_ - made_.size();
  return std::min<std::size_t>(kPage, all_gaps == first_gap ? first_gap : made_.rbegin()->first - seen_ - 1);
}

Result<void> LogFollower::go_on() {
  while (true) {
    for (const job::Event& event : take_made()) tell(event);
    const bool gap = has_gap();
    const std::size_t limit = num_to_read();
    if (limit == 0) return {};
    TANDEM_TRY_ASSIGN(const std::vector<store::LogEntry> entries, store_.read_log(seen_, limit));
    if (entries.empty() && gap)
      return fail(errors::kStoreDamaged, "the log has no entry {} and has a later one", seen_ + 1);
    for (const store::LogEntry& entry : entries) {
      seen_ = entry.sequence;
      std::optional<job::Event> event = take_made(entry.sequence);
      if (!event) {
        const job::EventHead head = job::EventHead::of(entry.value);
        if (!head.type.empty() && !glance_(head, entry)) continue;
        auto read = job::Event::parse(entry.value, entry.sequence);
        if (!read) {  // `tandem store check` names it; what comes after it is heard all the same
          log_.write(LogLevel::kError, "log.damaged", {{"error", read.error().to_string()}});
          continue;
        }
        event = *std::move(read);
      }
      tell(*event);
    }
    if (entries.size() == kPage) look();
  }
}

}  // namespace tandem::engine
