#include "tandem/orchestrate/resilience/gates.h"

#include <algorithm>

#include "tandem/orchestrate/resilience/provider_name.h"

namespace tandem::resilience {
namespace {
constexpr auto kForLong = std::chrono::hours(1);  ///< until somebody leaves
}  // namespace

Gates::Gates(Executor& executor, const Clock& clock, store::Store& store,
             std::map<std::string, GateLimits, std::less<>> limits)
    : clock_(clock), starts_(store, clock), changed_(executor.make_condition()) {
  for (auto& [backend, limit] : limits) gates_[backend].limits = limit;
}

std::string Gates::name_of(const std::string& backend) const {
  if (gates_.contains(backend)) return backend;
  std::string shared = all_of_vendor(backend);
  return gates_.contains(shared) ? shared : std::string();
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
  const auto turn = wait_to_begin(lock, gate, number, name, stop, deadline);
  gate.line.erase(number);
  changed_->notify_all();  // whoever is first now may have been woken before
  TANDEM_TRY(turn);
  ++gate.under_way;
  return Pass(this, name);
}

Result<void> Gates::wait_to_begin(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number,
                                  const std::string& name, const std::stop_token& stop, Deadline deadline) {
  Instant not_before = clock_.monotonic();
  while (true) {
    TANDEM_TRY(wait_for_turn(lock, gate, number, not_before, name, stop, deadline));
    if (gate.limits.starts_per_minute_max == 0) return {};
    // It stays the first in line meanwhile, so nobody else passes.
    lock.unlock();
    const auto left = starts_.begin(name, gate.limits.starts_per_minute_max);
    lock.lock();
    if (!left) return tl::unexpected(left.error());
    if (left->count() == 0) return {};
    not_before = clock_.monotonic() + *left;
  }
}

Result<void> Gates::wait_for_turn(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number,
                                  Instant not_before, const std::string& name, const std::stop_token& stop,
                                  Deadline deadline) {
  while (true) {
    const bool full = gate.limits.calls_max != 0 && gate.under_way >= gate.limits.calls_max;
    const std::chrono::nanoseconds wait =
        number != *gate.line.begin() || full ? kForLong : not_before - clock_.monotonic();
    if (wait.count() <= 0) return {};
    if (stop.stop_requested()) return fail(errors::kCancelled, "stopped while waiting for {}", name);
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(clock_), kForLong);
    if (left.count() <= 0) {
      return fail(errors::kBackendBusy,
                  "{} has {} submissions of this process under way (of {}), and {} may begin in a minute; 0: no limit",
                  name, gate.under_way, gate.limits.calls_max, gate.limits.starts_per_minute_max);
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
