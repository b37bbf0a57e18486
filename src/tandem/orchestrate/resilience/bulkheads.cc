#include "tandem/orchestrate/resilience/bulkheads.h"

#include <algorithm>

#include "tandem/orchestrate/resilience/provider_name.h"

namespace tandem::resilience {
namespace {
constexpr auto kForLong = std::chrono::hours(1);  ///< until somebody leaves
}  // namespace

Bulkheads::Bulkheads(Executor& executor, const Clock& clock, Limits limits, std::function<void()> freed)
    : clock_(clock), limits_(std::move(limits)), freed_(std::move(freed)), changed_(executor.make_condition()) {}

std::string Bulkheads::compartment_of(const std::string& backend) const {
  if (limits_.contains(backend)) return backend;
  return all_of_vendor(backend);
}

std::size_t Bulkheads::limit_of(const std::string& compartment) const {
  const auto limit = limits_.find(compartment);
  return limit == limits_.end() ? kProviderRunsMax : limit->second;
}

bool Bulkheads::is_full(const std::string& compartment) const {
  const std::lock_guard lock(mutex_);
  const auto runs = runs_.find(compartment);
  return runs != runs_.end() && runs->second >= limit_of(compartment);
}

bool Bulkheads::take_locked(const std::string& compartment) {
  std::size_t& runs = runs_[compartment];
  if (runs >= limit_of(compartment)) return false;
  ++runs;
  return true;
}

Bulkheads::Stay::~Stay() {
  {
    const std::lock_guard lock(bulkheads_.mutex_);
    if (compartments_.empty()) return;
    for (const std::string& compartment : compartments_) --bulkheads_.runs_[compartment];
    bulkheads_.changed_->notify_all();
  }
  bulkheads_.freed_();
}

bool Bulkheads::Stay::try_enter(const std::string& backend) {
  const std::string compartment = bulkheads_.compartment_of(backend);
  const std::lock_guard lock(bulkheads_.mutex_);
  if (compartments_.contains(compartment)) return true;
  if (!bulkheads_.take_locked(compartment)) return false;
  compartments_.insert(compartment);
  return true;
}

Result<void> Bulkheads::Stay::enter(const std::string& backend, const std::stop_token& stop, Deadline deadline) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(bulkheads_.mutex_);
    bulkheads_.changed_->notify_all();
  });
  const std::string compartment = bulkheads_.compartment_of(backend);
  std::unique_lock lock(bulkheads_.mutex_);
  while (!compartments_.contains(compartment) && !bulkheads_.take_locked(compartment)) {
    if (stop.stop_requested()) return fail(errors::kCancelled, "stopped while waiting for room at {}", compartment);
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(bulkheads_.clock_), kForLong);
    if (left.count() <= 0) {
      return fail(errors::kBackendBusy, "{} runs of this process use {} already, as many as may",
                  bulkheads_.limit_of(compartment), compartment);
    }
    bulkheads_.changed_->wait_for(lock, left);
  }
  compartments_.insert(compartment);
  return {};
}

bool Bulkheads::Stay::is_anywhere() const {
  const std::lock_guard lock(bulkheads_.mutex_);
  return !compartments_.empty();
}

}  // namespace tandem::resilience
