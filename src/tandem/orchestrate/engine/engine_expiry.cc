// What ends because it waited too long.
#include "tandem/orchestrate/engine/engine_impl.h"

namespace tandem::engine {

bool waited_too_long(const JobRecord& row, std::int64_t now_micros) {
  const std::int64_t until = queued_of(row).until_micros;
  return until != 0 && until <= now_micros;
}

Result<void> expire_wait(store::Store& store, JobRecord& row, Change& change) {
  const bool of_queue = row.starts == 0 && row.queue_until_micros == queued_of(row).until_micros;
  const std::int64_t until = of_queue ? row.queue_until_micros : row.deadline_micros;
  return move_without_result(
      store, row, change, job::JobEvent::kExpire,
      make_error(of_queue ? errors::kQueueWaitExpired : errors::kExpired,
                 "no worker took it within the {} ms of limits.{}", (until - row.view.created_at.micros) / 1000,
                 of_queue ? "queue_wait" : "total_time"));
}

std::optional<JobId> EngineImpl::next_expired(std::int64_t now_micros) {
  const std::lock_guard lock(mutex_);
  auto at = waiting_until_.begin();
  while (at != waiting_until_.end() && at->first <= now_micros) {
    const JobId id(at->second);
    const bool waits = waits_locked(id.value);
    if (waits && !leads_) {  // the leader's; this process may be the next one
      ++at;
      continue;
    }
    at = waiting_until_.erase(at);
    if (waits) return id;
  }
  return std::nullopt;
}

void EngineImpl::expire_waiting() {
  const std::int64_t now_micros = services_.clock.now().micros;
  while (const std::optional<JobId> due = next_expired(now_micros)) {
    const JobId& id = *due;
    const auto done = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& row, Change& change) -> Result<void> {
      if (row.view.state != job::JobState::kQueued || !waited_too_long(row, now_micros))
        return fail(errors::kIllegalTransition, "it does not wait any more");
      return expire_wait(services_.store, row, change);
    });
    if (!done && is_store_trouble(done.error())) {
      {
        const std::lock_guard lock(mutex_);
        waiting_until_.emplace(now_micros, id.value);
      }
      return cannot_store(done.error());
    }
    if (!done) continue;
    {
      const std::lock_guard lock(mutex_);
      unqueue_locked(id.value);
    }
    wake(id);
  }
}

/// The total time of a job also counts while nobody works on it, and who is to approve its plan has his own.
void EngineImpl::expire_put_aside() {
  const std::int64_t now_micros = services_.clock.now().micros;
  {
    const std::lock_guard lock(mutex_);
    if (!leads_ || !takes_part() || !put_aside_until_ || *put_aside_until_ > now_micros) return;
    put_aside_until_.reset();  // whatever is put aside from now on is noted
  }
  const auto due = due_put_aside(services_.store, now_micros);
  const auto look_again_at = [this](std::int64_t micros) {
    const std::lock_guard lock(mutex_);
    put_aside_until_ = std::min(micros, put_aside_until_.value_or(INT64_MAX));
  };
  const std::int64_t later = now_micros + std::chrono::microseconds(options_.store_retry_interval).count();
  if (!due) return look_again_at(later);
  for (const JobId& id : *due) {
    const auto done = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& row, Change& change) -> Result<void> {
      const std::int64_t until = put_aside_until(row, row.view.state);
      if (!is_put_aside(row.view.state) || until == 0 || until > now_micros)
        return fail(errors::kIllegalTransition, "it is not put aside any more");
      if (until != row.deadline_micros)
        return move_without_result(services_.store, row, change, job::JobEvent::kExpire,
                                   make_error(errors::kApprovalExpired, "its plan was not approved by {}",
                                              format_rfc3339(Timestamp{row.approval_until_micros})));
      return move_without_result(
          services_.store, row, change, job::JobEvent::kExpire,
          make_error(errors::kExpired, "the {} ms of limits.total_time were over while it was {}",
                     (row.deadline_micros - row.view.created_at.micros) / 1000, job::to_string(row.view.state)));
    });
    if (!done && is_store_trouble(done.error())) {
      look_again_at(now_micros);
      return cannot_store(done.error());
    }
    if (done) wake(id);
  }
  const auto next = next_put_aside(services_.store);
  // One that is due and could not be ended is left for a while; others are ended when they are due.
  if (!next || *next) look_again_at(next && **next > now_micros ? **next : later);
}

void EngineImpl::note_put_aside(std::string_view event) {
  if (event != "job.suspended" && event != "job.awaiting_approval" && event != "job.awaiting_review") return;
  const std::lock_guard lock(mutex_);
  put_aside_until_ = 0;
  if (leads_ && takes_part()) heal_by_locked(services_.clock.monotonic());
}

}  // namespace tandem::engine
