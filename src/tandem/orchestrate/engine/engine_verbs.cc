// What clients do to a job.
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/engine_impl.h"
#include "tandem/orchestrate/engine/removal.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kReasonMax = 4096;  ///< a sentence or two, as in a job document

}  // namespace

Result<void> check_words(std::string place, std::string_view words, std::size_t bytes_max) {
  if (words.size() > bytes_max)
    return fail_at(std::move(place), errors::kValueOutOfRange, "it has {} bytes, the limit is {}", words.size(),
                   bytes_max);
  if (const std::size_t at = invalid_utf8_at(words); at != std::string_view::npos)
    return fail_at(std::move(place), errors::kValueOutOfRange, "byte {} of it is not UTF-8", at);
  return {};
}

Result<void> check_reason(std::string_view reason) { return check_words("/reason", reason, kReasonMax); }

Result<void> EngineImpl::cancel(const JobId& id, std::string_view actor, std::string_view reason) {
  TANDEM_TRY(check_reason(reason));
  auto done =
      ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& record, Change& change) -> Result<void> {
        const bool was_running = record.view.state == job::JobState::kRunning;
        const job::JobState before = record.view.state;
        record.view.cancel_requested = true;
        record.cancel_reason = std::string(reason);
        change.events.push_back({job::EventData("job.cancel_requested").member("reason", reason)});
        // Its worker ends it, so that what is under way at a provider is seen to. Without workers here it has none: its process
        // ended, and what it left at a provider is the next reconciler's.
        if (was_running && (options_.workers != 0 || services_.store.shared())) return {};
        return move_without_result(services_.store, record, change, job::JobEvent::kCancel,
                                   make_error(errors::kCancelled, "cancelled by the client {}",
                                              was_running ? "after the process that ran it had ended"
                                              : before == job::JobState::kAwaitingReview   ? "while it awaited review"
                                              : before == job::JobState::kAwaitingApproval ? "while it awaited approval"
                                                                                           : "before it ran"));
      });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  TANDEM_TRY(done);
  stop_running(id, StopReason::kCancelled);
  return {};
}

Result<void> EngineImpl::suspend(const JobId& id, std::string_view actor, std::string_view reason) {
  TANDEM_TRY(check_reason(reason));
  auto done =
      ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& record, Change& change) -> Result<void> {
        const bool was_running = record.view.state == job::JobState::kRunning;
        TANDEM_TRY(job::require_transition(record.view.state, job::JobEvent::kSuspend));
        change.events.push_back({job::EventData("job.suspend_requested").member("reason", reason)});
        record.suspend_requested = true;
        if (was_running && (options_.workers != 0 || services_.store.shared())) return {};
        return move_without_result(services_.store, record, change, job::JobEvent::kSuspend,
                                   make_error(errors::kCancelled, "suspended by the client before it ran"));
      });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  TANDEM_TRY(done);
  stop_running(id, StopReason::kSuspended);
  return {};
}

Result<void> EngineImpl::resume(const JobId& id, std::string_view actor) {
  auto done =
      ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& record, Change& change) -> Result<void> {
        TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kResume));
        record.suspend_requested = false;
        change.events.push_back({job::EventData("job.resumed").member("starts", record.starts)});
        return {};
      });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  TANDEM_TRY(done);
  if (options_.runs == Runs::kEveryJob) enqueue(queued_of(*done));
  return {};
}

Result<Admission> EngineImpl::retry(const JobId& id, std::string_view idempotency_key, std::string_view actor) {
  TANDEM_TRY_ASSIGN(const JobRecord record, ledger_.load(id));
  if (!job::is_final(record.view.state)) {
    return fail(errors::kJobNotFinal, "job {} is {}; only a job that has ended can be tried again", id.value,
                job::to_string(record.view.state));
  }
  auto spec = load_spec(services_.store, record, services_.problems);
  if (!spec) {
    TANDEM_TRY(ledger_.load(id));  // it may have been removed meanwhile
    return tl::unexpected(std::move(spec).error());
  }
  spec->retry_of = id;
  return admit(*spec, record.view.tenant, idempotency_key, actor);
}

Result<void> EngineImpl::remove(const JobId& id, std::string_view actor, std::string_view reason) {
  TANDEM_TRY(check_reason(reason));
  while (true) {
    TANDEM_TRY_ASSIGN(const JobRecord record, ledger_.load(id));
    auto removal = prepare_removal(services_.store, services_.submitter, record, actor, reason, services_.clock.now());
    auto done = removal ? ledger_.remove({&*removal, 1}) : tl::unexpected(std::move(removal).error());
    if (done) {
      services_.meter.add("tandem_jobs_removed_total", 1);
      return {};
    }
    if (is_store_trouble(done.error())) cannot_store(done.error());
    // Another one removed it meanwhile, or a row that it shares was written.
    if (done.error().number != errors::kPreconditionFailed) return done;
  }
}

void EngineImpl::stop_running(const JobId& id, StopReason reason) {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    unqueue_locked(id.value);
    const auto found = running_.find(id);
    if (found != running_.end()) {
      running = found->second;
      running->reason = std::max(running->reason, reason);
      running->look_again = true;  // it may be resumed while it stops
    }
  }
  if (running != nullptr) running->stop.request_stop();
  wake(id);
  if (running != nullptr || reason != StopReason::kSuspended || options_.runs != Runs::kEveryJob) return;
  // Somebody may have resumed it before it left the queue.
  const auto record = ledger_.load(id);
  if (record && record->view.state == job::JobState::kQueued) enqueue(queued_of(*record));
}

Result<job::Plan> EngineImpl::plan(const job::JobSpec& spec, std::string_view tenant) {
  return runner_.make_plan(spec, tenant);
}

Result<std::vector<budget::UsageGroup>> EngineImpl::usage(const budget::UsageQuery& query, budget::UsageBy by) {
  return budget::usage(services_.store, query, by);
}

Result<budget::ChargePage> EngineImpl::charges(const budget::UsageQuery& query, std::size_t limit,
                                               std::string_view page_token) {
  return budget::charges(services_.store, query, limit, page_token);
}

std::unique_ptr<Timer> EngineImpl::subscribe(std::function<void(const job::Event&)> on_event,
                                             std::function<void(const Progress&)> on_progress,
                                             std::function<void()> on_unstored) {
  return listeners_->add(JobId(), std::move(on_event), std::move(on_progress), std::move(on_unstored));
}

std::unique_ptr<Timer> EngineImpl::subscribe(const JobId& id, std::function<void(const job::Event&)> on_event,
                                             std::function<void(const Progress&)> on_progress,
                                             std::function<void()> on_unstored) {
  return listeners_->add(id, std::move(on_event), std::move(on_progress), std::move(on_unstored));
}

}  // namespace tandem::engine
