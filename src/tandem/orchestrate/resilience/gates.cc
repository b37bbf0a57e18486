#include "tandem/orchestrate/resilience/gates.h"

#include <algorithm>

#include "tandem/orchestrate/resilience/provider_name.h"

namespace tandem::resilience {
namespace {
constexpr auto kForLong = std::chrono::hours(1);  ///< until somebody leaves
/// Between looks whether another process has made room, twice as long each time.
constexpr std::chrono::nanoseconds kLookMin = std::chrono::milliseconds(5);
constexpr std::chrono::nanoseconds kLookMax = std::chrono::milliseconds(160);
}  // namespace

Gates::Gates(Executor& executor, const Clock& clock, store::Store& store, Log& log,
             std::map<std::string, GateLimits, std::less<>> limits, std::optional<AmongOthers> among)
    : clock_(clock), log_(log), starts_(store, clock, log), changed_(executor.make_condition()) {
  for (auto& [backend, limit] : limits) gates_[backend].limits = limit;
  if (among) calls_.emplace(store, log, *std::move(among));
}

std::string Gates::name_of(const std::string& backend) const {
  if (gates_.contains(backend)) return backend;
  std::string shared = all_of_vendor(backend);
  return gates_.contains(shared) ? shared : std::string();
}

std::size_t Gates::held(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const Gate& gate = gates_.find(name)->second;
  return gate.under_way + gate.asking;
}

Result<Gates::Pass> Gates::enter(const std::string& backend, const std::stop_token& stop, Deadline deadline) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    changed_->notify_all();
  });
  std::unique_lock lock(mutex_);
  const std::string name = name_of(backend);
  if (name.empty()) return Pass(nullptr, "", std::nullopt);
  Gate& gate = gates_.find(name)->second;
  const std::uint64_t number = gate.next_number++;
  gate.line.insert(number);
  const auto start = wait_to_begin(lock, gate, number, name, stop, deadline);
  gate.line.erase(number);
  changed_->notify_all();  // whoever is first now may have been woken before
  if (start) return Pass(this, name, *start);
  lock.unlock();
  if (counts_with_others(gate)) tell_others(name);  // it may have had a turn, or a place
  return tl::unexpected(start.error());
}

Gates::Pass Gates::resume(const std::string& backend) {
  const std::string name = name_of(backend);
  if (name.empty()) return {nullptr, "", std::nullopt};
  Gate& gate = gates_.find(name)->second;
  {
    const std::lock_guard lock(mutex_);
    ++gate.under_way;
  }
  if (counts_with_others(gate)) tell_others(name);
  return {this, name, std::nullopt};
}

Result<bool> Gates::try_start(const std::string& backend) {
  const std::string name = name_of(backend);
  if (name.empty()) return true;
  const std::size_t per_minute_max = gates_.find(name)->second.limits.starts_per_minute_max;
  if (per_minute_max == 0) return true;
  TANDEM_TRY_ASSIGN(const SharedStarts::Begun begun, starts_.begin(name, per_minute_max));
  return begun.left.count() == 0;
}

Result<std::optional<std::int64_t>> Gates::wait_to_begin(std::unique_lock<std::mutex>& lock, Gate& gate,
                                                         std::uint64_t number, const std::string& name,
                                                         const std::stop_token& stop, Deadline deadline) {
  Instant not_before = clock_.monotonic();
  const bool asks = counts_with_others(gate);
  bool has_place = false;
  std::chrono::nanoseconds look = kLookMin;
  const auto begins = [&](std::optional<std::int64_t> start) {
    gate.asking = 0;
    ++gate.under_way;
    return start;
  };
  const auto failed = [&](const Error& error) {
    if (has_place) gate.asking = 0;
    return tl::unexpected(error);
  };
  while (true) {
    const auto turn = wait_for_turn(lock, gate, number, not_before, name, stop, deadline);
    if (!turn) return failed(turn.error());
    // It stays the first in line meanwhile, so nobody else passes.
    if (asks && !has_place) {
      gate.asking = 1;
      lock.unlock();
      const auto taken = calls_->take(name, gate.limits.calls_max, [&] { return held(name); });
      lock.lock();
      has_place = taken && *taken;
      if (!has_place) {
        gate.asking = 0;
        if (!taken) return tl::unexpected(taken.error());
        not_before = clock_.monotonic() + look;
        look = std::min(2 * look, kLookMax);
        continue;
      }
    }
    if (gate.limits.starts_per_minute_max == 0) return begins(std::nullopt);
    lock.unlock();
    const auto begun = starts_.begin(name, gate.limits.starts_per_minute_max);
    lock.lock();
    if (!begun) return failed(begun.error());
    if (begun->left.count() == 0) return begins(begun->step);
    not_before = clock_.monotonic() + begun->left;
  }
}

Result<void> Gates::wait_for_turn(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number,
                                  Instant not_before, const std::string& name, const std::stop_token& stop,
                                  Deadline deadline) {
  const std::uint64_t departures = gate.departures;
  while (true) {
    const bool full = gate.limits.calls_max != 0 && gate.under_way >= gate.limits.calls_max;
    const bool first = number == *gate.line.begin();
    if (first && !full && gate.departures != departures) return {};
    const std::chrono::nanoseconds wait = !first || full ? kForLong : not_before - clock_.monotonic();
    if (wait.count() <= 0) return {};
    if (stop.stop_requested()) return fail(errors::kCancelled, "stopped while waiting for {}", name);
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(clock_), kForLong);
    if (left.count() <= 0) {
      return fail(errors::kBackendBusy,
                  "{} takes {} submissions at once and {} in a minute, of all processes that share the store (0: no "
                  "limit), and this process has {} under way there",
                  name, gate.limits.calls_max, gate.limits.starts_per_minute_max, gate.under_way);
    }
    changed_->wait_for(lock, std::min(left, wait));
  }
}

void Gates::leave(const std::string& name, std::optional<std::int64_t> start) {
  Gate& gate = gates_.find(name)->second;
  // The place is given up before anybody here is woken who asks for it.
  {
    const std::lock_guard lock(mutex_);
    --gate.under_way;
  }
  if (counts_with_others(gate)) tell_others(name);
  if (start) (void)starts_.give_back(name, *start);
  const std::lock_guard lock(mutex_);
  ++gate.departures;
  changed_->notify_all();
}

void Gates::tell_others(const std::string& name) {
  const auto waits = [&] {
    const std::lock_guard lock(mutex_);
    return !gates_.find(name)->second.line.empty();
  };
  if (const auto told = calls_->note(name, [&] { return held(name); }, waits); !told)
    log_.write(LogLevel::kWarning, "gate.calls_not_told", {{"gate", name}, {"error", told.error().to_string()}});
}

}  // namespace tandem::resilience
