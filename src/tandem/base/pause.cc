#include "tandem/base/pause.h"

#include <memory>
#include <mutex>

namespace tandem {

Result<void> pause(Executor& executor, std::chrono::nanoseconds duration, std::stop_token stop) {
  struct State {
    std::mutex mutex;
    std::unique_ptr<Condition> changed;
    bool over = false;
  };
  const auto state = std::make_shared<State>();  // shared: a timer that fires late must not meet a dead frame
  state->changed = executor.make_condition();
  const auto timer = executor.post_after(duration, [state] {
    const std::lock_guard lock(state->mutex);
    state->over = true;
    state->changed->notify_all();
  });
  std::unique_lock lock(state->mutex);
  if (state->changed->wait(lock, stop, [&] { return state->over; })) return {};
  return fail(errors::kCancelled, "stopped while waiting");
}

}  // namespace tandem
