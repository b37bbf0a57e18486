#include "tandem/orchestrate/engine/errands.h"

#include <utility>

namespace tandem::engine {

Errands::Errands(Executor& executor, const char* name)
    : added_(executor.make_condition()), running_(executor.start_loop(name, [this](const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (added_->wait(lock, stop, [this] { return !waiting_.empty(); })) {
          const std::function<void()> next = std::move(waiting_.front());
          waiting_.pop_front();
          lock.unlock();
          next();
          lock.lock();
        }
      })) {}

Errands::~Errands() { running_.reset(); }

void Errands::add(std::function<void()> errand) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(errand));
  added_->notify_one();
}

}  // namespace tandem::engine
