#include "tandem/middleware/backend/local_task.h"

#include <new>

namespace tandem::backend {

Result<Quote> LocalBackend::quote(const Work& work, const CallContext& /*context*/) {
  TANDEM_TRY(validate(work));
  return Quote{.cost = {}, .cost_basis = job::Basis::kComputed, .source = "runs on this machine"};
}

tl::expected<Handle, SubmitFailure> LocalBackend::submit(const Work& work, std::string_view token,
                                                         const CallContext& /*context*/) {
  if (auto valid = validate(work); !valid) return tl::unexpected(SubmitFailure{.error = valid.error()});
  auto task = std::make_shared<Task>();
  task->work = work;
  task->token = token;
  const std::lock_guard lock(mutex_);
  Handle handle = fmt::format("{}/{}", info_.id.value, next_++);
  tasks_.emplace(handle, std::move(task));
  return handle;
}

Result<std::shared_ptr<LocalBackend::Task>> LocalBackend::find(const WorkRef& work) {
  const std::lock_guard lock(mutex_);
  const auto found = tasks_.find(work.handle);
  if (found != tasks_.end() && found->second->token == work.token) return found->second;
  return fail(errors::kUnknownHandle, "{} knows no work '{}' of this submission", info_.id.value, work.handle);
}

Result<PollStatus> LocalBackend::poll(const WorkRef& work, const CallContext& context) {
  TANDEM_TRY_ASSIGN(const auto task, find(work));
  const std::lock_guard running(task->running);
  if (!task->answer) {
    const std::stop_callback forward(context.stop, [&] { task->stop.request_stop(); });
    try {
      task->answer = compute(task->work, context, task->stop.get_token());
    } catch (const std::bad_alloc&) {
      task->answer = fail(errors::kOutOfMemory,
                          "{} got no memory for this work; use a smaller problem or free some memory", info_.id.value);
    }
  }
  if (*task->answer) return PollStatus{.state = WorkState::kSucceeded, .detail = "done", .progress = 1.0};
  const Error& error = task->answer->error();
  const bool cancelled = error.number == errors::kCancelled;
  return PollStatus{.state = cancelled ? WorkState::kCancelled : WorkState::kFailed, .detail = error.to_string()};
}

Result<RawResult> LocalBackend::fetch(const WorkRef& work, const CallContext& /*context*/) {
  TANDEM_TRY_ASSIGN(const auto task, find(work));
  const std::lock_guard running(task->running);
  if (!task->answer) {
    return fail(errors::kResultNotReady, "{} has not finished '{}'; poll it first", info_.id.value, work.handle);
  }
  if (!*task->answer) return tl::unexpected(task->answer->error());
  return RawResult{.bytes = **task->answer, .media_type = "application/json"};
}

Result<void> LocalBackend::cancel(const WorkRef& work, const CallContext& /*context*/) {
  TANDEM_TRY_ASSIGN(const auto task, find(work));
  task->stop.request_stop();
  return {};
}

Result<Reconciled> LocalBackend::reconcile(const LostWork& /*lost*/, const CallContext& /*context*/) {
  return Reconciled{};  // local work dies with the process: there is never anything to find
}

Result<Availability> LocalBackend::availability(const CallContext& /*context*/) {
  return Availability{.ready_in_ms = 0, .observed_at = clock_.now(), .detail = "this machine"};
}

Result<std::optional<device::Calibration>> LocalBackend::calibration(const CallContext& /*context*/) {
  return std::optional<device::Calibration>();
}

Result<std::optional<device::Target>> LocalBackend::target(const CallContext& /*context*/) {
  return std::optional<device::Target>();
}

void LocalBackend::forget(const Handle& handle) {
  const std::lock_guard lock(mutex_);
  tasks_.erase(handle);
}

}  // namespace tandem::backend
