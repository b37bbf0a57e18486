#include "tandem/orchestrate/resilience/gates.h"

#include <algorithm>

#include "tandem/orchestrate/resilience/provider_name.h"

namespace tandem::resilience {
namespace {
constexpr auto kMinute = std::chrono::seconds(60);
constexpr auto kForLong = std::chrono::hours(1);  ///< until somebody leaves
}  // namespace

Gates::Gates(Executor& executor, const Clock& clock, std::map<std::string, GateLimits, std::less<>> limits)
    : clock_(clock), changed_(executor.make_condition()) {
  for (auto& [backend, limit] : limits) gates_[backend].limits = limit;
}

std::string Gates::name_of(const std::string& backend) const {
  if (gates_.contains(backend)) return backend;
  std::string shared = all_of_vendor(backend);
  return gates_.contains(shared) ? shared : std::string();
}

std::chrono::nanoseconds Gates::wait_of(Gate& gate) const {
  const Instant now = clock_.monotonic();
  while (!gate.starts.empty() && now - gate.starts.front() >= kMinute) gate.starts.pop_front();
  if (gate.limits.calls_max != 0 && gate.under_way >= gate.limits.calls_max) return kForLong;
  const std::size_t per_minute = gate.limits.starts_per_minute_max;
  if (per_minute == 0 || gate.starts.size() < per_minute) return std::chrono::nanoseconds(0);
  return kMinute - (now - gate.starts.front());
}

Result<Gates::Pass> Gates::enter(const std::string& backend, const std::stop_token& stop, Deadline deadline) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    changed_->notify_all();
  });
  std::unique_lock lock(mutex_);
  const std::string name = name_of(backend);
  if (name.empty()) return Pass(nullptr, "");
  Gate& gate = gates_.find(name)->second;
  const std::uint64_t number = gate.next_number++;
  gate.line.insert(number);
  const auto turn = wait_for_turn(lock, gate, number, name, stop, deadline);
  gate.line.erase(number);
  changed_->notify_all();  // whoever is first now may have been woken before
  TANDEM_TRY(turn);
  ++gate.under_way;
  if (gate.limits.starts_per_minute_max != 0) gate.starts.push_back(clock_.monotonic());
  return Pass(this, name);
}

Result<void> Gates::wait_for_turn(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number,
                                  const std::string& name, const std::stop_token& stop, Deadline deadline) {
  while (true) {
    const std::chrono::nanoseconds wait = number == *gate.line.begin() ? wait_of(gate) : kForLong;
    if (wait.count() == 0) return {};
    if (stop.stop_requested()) return fail(errors::kCancelled, "stopped while waiting for {}", name);
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(clock_), kForLong);
    if (left.count() <= 0) {
      return fail(errors::kBackendBusy,
                  "{} has {} submissions under way (of {}) and {} began in the last minute (of {}); 0: no limit", name,
                  gate.under_way, gate.limits.calls_max, gate.starts.size(), gate.limits.starts_per_minute_max);
    }
    changed_->wait_for(lock, std::min(left, wait));
  }
}

void Gates::leave(const std::string& name) {
  const std::lock_guard lock(mutex_);
  --gates_.find(name)->second.under_way;
  changed_->notify_all();
}

}  // namespace tandem::resilience
