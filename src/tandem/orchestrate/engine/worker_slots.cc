#include "tandem/orchestrate/engine/worker_slots.h"

#include <optional>

#include "tandem/base/assert.h"

namespace tandem::engine {

bool WorkerSlots::try_take() {
  const std::lock_guard lock(mutex_);
  if (!has_free_locked()) return false;
  ++used_;
  return true;
}

std::size_t WorkerSlots::free() const {
  const std::lock_guard lock(mutex_);
  return has_free_locked() ? slots_ - used_ - coming_ : 0;
}

std::size_t WorkerSlots::outside() const {
  const std::lock_guard lock(mutex_);
  return outside_ + given_up_;
}

std::size_t WorkerSlots::hanging() const {
  const std::lock_guard lock(mutex_);
  return given_up_;
}

WorkerSlots::Place::~Place() {
  const std::lock_guard lock(slots_.mutex_);
  TANDEM_ASSERT(computing_ == 1 && !outside_);
  if (given_up_) {
    --slots_.given_up_;
    return;
  }
  --slots_.used_;
  slots_.changed_->notify_all();
}

std::chrono::nanoseconds WorkerSlots::Place::time_outside() const {
  const std::lock_guard lock(slots_.mutex_);
  return time_outside_;
}

void WorkerSlots::Place::give_up() {
  {
    const std::lock_guard lock(slots_.mutex_);
    if (std::exchange(given_up_, true)) return;
    ++slots_.given_up_;
    if (outside_)
      come_back_locked();
    else
      --slots_.used_;
    slots_.changed_->notify_all();
  }
  slots_.freed_();
}

void WorkerSlots::Place::come_back_locked() {
  --slots_.outside_;
  if (bounded_elsewhere_) --slots_.bounded_elsewhere_;
  outside_ = false;
  time_outside_ += slots_.clock_.monotonic() - left_at_;
}

void WorkerSlots::Place::bound_elsewhere() {
  const std::lock_guard lock(slots_.mutex_);
  if (outside_ && !bounded_elsewhere_) ++slots_.bounded_elsewhere_;
  bounded_elsewhere_ = true;
}

struct WorkerSlots::Place::LongWait::State {
  std::mutex mutex;  ///< held while the timer moves the run: the wait does not end in the middle of that
  bool over = false;
  std::optional<Move> outside;
};

WorkerSlots::Place::LongWait::LongWait(Place& place, std::chrono::nanoseconds patience, std::stop_token stop)
    : state_(std::make_shared<State>()),
      timer_(place.slots_.executor_.post_after(patience, [state = state_, &place, stop = std::move(stop)] {
        const std::lock_guard lock(state->mutex);
        if (!state->over) state->outside.emplace(place, Move::To::kOut, stop);
      })) {}

WorkerSlots::Place::LongWait::~LongWait() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
  }
  state_->outside.reset();
}

void WorkerSlots::Place::leave() {
  {
    const std::lock_guard lock(slots_.mutex_);
    TANDEM_ASSERT(computing_ != 0);
    if (--computing_ != 0 || given_up_) return;
    if (!bounded_elsewhere_ && slots_.outside_ - slots_.bounded_elsewhere_ >= kWaitingRunsMax) return;
    if (bounded_elsewhere_) ++slots_.bounded_elsewhere_;
    outside_ = true;
    left_at_ = slots_.clock_.monotonic();
    ++slots_.outside_;
    --slots_.used_;
    slots_.changed_->notify_all();
  }
  slots_.freed_();
}

void WorkerSlots::Place::enter(const std::stop_token& stop) {
  std::unique_lock lock(slots_.mutex_);
  if (++computing_ != 1) {  // another thread of the run may be on its way in
    slots_.changed_->wait(lock, [&] { return !outside_; });
    return;
  }
  if (!outside_) return;
  ++slots_.coming_;
  slots_.changed_->wait(lock, stop, [&] { return slots_.used_ < slots_.slots_; });
  --slots_.coming_;
  if (!given_up_) {
    ++slots_.used_;
    come_back_locked();
  }
  slots_.changed_->notify_all();
}

}  // namespace tandem::engine
