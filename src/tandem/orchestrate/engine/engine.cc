#include "tandem/orchestrate/engine/engine.h"

#include <algorithm>

#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/engine_impl.h"
#include "tandem/orchestrate/engine/take_over.h"
#include "tandem/orchestrate/route/route.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kIdempotencyKeyMax = 255;  ///< bytes; the header's usual limit
constexpr std::uint32_t kBackOffMax = 6;  ///< doublings of the time between two tries to store what one job does

}  // namespace

/// From "running" back to "queued", or to its end when the client was promised that.
Result<void> EngineImpl::requeue(const JobId& id, const std::string& reason) {
  auto done = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    if (membership_ != nullptr && record.owner != membership_->id())
      return fail(errors::kStaleFence, "job {} has another owner by now", id.value);
    if (!record.view.cancel_requested)
      return move_without_result(services_.store, record, change, job::JobEvent::kRequeue, Error{.message = reason});
    // The client was told so: the job ends here, and the reconciler follows what is under way at a provider.
    return move_without_result(services_.store, record, change, job::JobEvent::kCancel,
                               make_error(errors::kCancelled, "cancelled by the client; {}", reason));
  });
  return done.map([](const JobRecord&) {});
}

Result<void> EngineImpl::recover_and_start() {
  if (services_.store.shared()) TANDEM_TRY(join_others());
  if (options_.workers == 0) {  // it must not touch what it does not mean to run
    if (follower_ != nullptr)  // an API for other workers, whose readiness depends on the store
      healing_ = services_.executor.start_loop("store-watch", [this](const std::stop_token& stop) { heal(stop); });
    return {};
  }
  if (membership_ != nullptr) {
    TANDEM_TRY(take_over(*membership_, services_.store, ledger_, services_.log));
  } else {
    TANDEM_TRY_ASSIGN(const std::vector<JobId> interrupted, jobs_in_state(services_.store, job::JobState::kRunning));
    for (const JobId& id : interrupted) TANDEM_TRY(requeue(id, "the process that ran it ended"));
  }
  if (options_.runs == Runs::kEveryJob) {
    TANDEM_TRY_ASSIGN(const std::vector<JobId> queued, jobs_in_state(services_.store, job::JobState::kQueued));
    for (const JobId& id : queued) enqueue(id, nullptr);
  }
  for (std::size_t i = 0; i < options_.workers; ++i)
    workers_.push_back(
        services_.executor.start_loop("worker", [this](std::stop_token stop) { work(std::move(stop)); }));
  sweeping_ = reconciler_.start(services_.executor, options_.reconcile_interval);
  healing_ = services_.executor.start_loop("store-watch", [this](const std::stop_token& stop) { heal(stop); });
  if (membership_ != nullptr) {
    beating_ = services_.executor.start_loop("membership", [this](const std::stop_token& stop) { beat(stop); });
    guarding_ = services_.executor.start_loop("lease-guard", [this](const std::stop_token& stop) { guard(stop); });
  }
  return {};
}

Result<void> EngineImpl::refuse_when_draining() {
  const std::lock_guard lock(mutex_);
  if (!draining_) return {};
  return fail(errors::kDraining, "the server is shutting down and takes no new jobs; send it again in a moment");
}

Result<Admission> EngineImpl::admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                                    std::string_view actor) {
  TANDEM_TRY(refuse_when_draining());
  if (idempotency_key.size() > kIdempotencyKeyMax) {
    return fail_at("Idempotency-Key", errors::kValueOutOfRange, "the idempotency key has {} bytes, the limit is {}",
                   idempotency_key.size(), kIdempotencyKeyMax);
  }
  const Bytes document = canonical_json(spec.document());
  const std::string fingerprint = sha256(document).hex();
  const std::string key = fmt::format("{}/{}", tenant, idempotency_key);
  if (!idempotency_key.empty()) {
    TANDEM_TRY_ASSIGN(const std::optional<Admission> earlier, reads_.earlier_admission(key, fingerprint));
    if (earlier) return *earlier;
  }

  if (spec.retry_of) {
    auto original = load_job(services_.store, *spec.retry_of);
    if (!original) {
      original.error().place = "/retry_of";
      return tl::unexpected(std::move(original).error());
    }
  }
  TANDEM_TRY(route::check_names(spec, services_.backends.all()));
  TANDEM_TRY(route::check_memory(spec, options_.memory_bytes_max));
  JobRecord record;
  record.view = {.id = new_job_id(services_.clock, services_.rng), .name = spec.name, .tenant = std::string(tenant)};
  record.view.problem_type = spec.is_program() ? "program" : std::string(spec.problem()->type());
  record.view.created_at = record.view.updated_at = services_.clock.now();
  record.spec_sha256 = fingerprint;
  record.actor = std::string(actor);
  if (spec.limits.total_time_ms != 0)
    record.deadline_micros = record.view.created_at.micros + spec.limits.total_time_ms * 1000;
  Change change;
  if (!idempotency_key.empty()) {
    change.batch.put(store::Table::kIdempotency, key,
                     Json{{"fingerprint", fingerprint},
                          {"job_id", record.view.id.value},
                          {"created_at", format_rfc3339(record.view.created_at)}}
                         .dump(),
                     store::Expect::absent());
  }
  change.batch.put(store::Table::kBlob, fingerprint, document);
  budget::hold(change.batch, record.view.id, tenant, spec.limits.cost_max);
  change.events.push_back({"job.queued",
                           {{"name", spec.name},
                            {"problem_type", record.view.problem_type},
                            {"spec_sha256", fingerprint},
                            {"cost_max_usd_micros", spec.limits.cost_max.usd_micros},
                            {"retry_of", spec.retry_of ? Json(spec.retry_of->value) : Json()}}});
  // Refused as long as the jobs that were taken before cannot go on; one without workers finds out by trying.
  if (options_.workers != 0) TANDEM_TRY(watch_.writable());
  auto stored = ledger_.insert(record, std::move(change));
  if (!stored) {
    if (is_store_trouble(stored.error())) cannot_store(stored.error());
    // Two requests with one key at the same time: the other one won, and its job is the answer.
    if (stored.error().number == errors::kPreconditionFailed && !idempotency_key.empty()) {
      TANDEM_TRY_ASSIGN(const std::optional<Admission> earlier, reads_.earlier_admission(key, fingerprint));
      if (earlier) return *earlier;
    }
    return tl::unexpected(std::move(stored).error());
  }
  services_.meter.add("tandem_jobs_admitted_total", 1);
  if (options_.runs == Runs::kEveryJob && options_.workers != 0)
    enqueue(record.view.id, std::make_shared<const job::JobSpec>(spec));
  return Admission{.id = record.view.id};
}

void EngineImpl::enqueue(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  const std::lock_guard lock(mutex_);
  enqueue_locked(id, std::move(spec));
}

void EngineImpl::enqueue_locked(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  if (options_.workers == 0 || running_.contains(id) || parked_.contains(id)) return;
  if (!waiting_.emplace(id, std::move(spec)).second) return;
  queue_.push_back(id);
  changed_->notify_all();
}

Result<std::size_t> EngineImpl::attend(const JobId& id) {
  TANDEM_TRY_ASSIGN(const JobView view, job(id));
  {
    const std::lock_guard lock(mutex_);
    if (!job::is_final(view.state)) attended_.insert(id);
    if (view.state == job::JobState::kQueued) {
      if (options_.runs == Runs::kAttended) enqueue_locked(id, nullptr);
      const auto waits = std::find(queue_.begin(), queue_.end(), id);
      if (waits != queue_.end()) std::rotate(queue_.begin(), waits, waits + 1);
    }
  }
  TANDEM_TRY_ASSIGN(const std::vector<JobId> queued, jobs_in_state(services_.store, job::JobState::kQueued));
  return queued.size() - static_cast<std::size_t>(std::count(queued.begin(), queued.end(), id));
}

void EngineImpl::work(std::stop_token stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    changed_->notify_all();
  });
  while (true) {
    std::pair<JobId, std::shared_ptr<const job::JobSpec>> next;
    {
      std::unique_lock lock(mutex_);
      changed_->wait(lock, [&] {
        return stop.stop_requested() || draining_ ||
               (!waiting_.empty() && watch_.writable().has_value() && may_start());
      });
      if (stop.stop_requested() || draining_) return;
      while (!waiting_.contains(queue_.front())) queue_.pop_front();
      next = {queue_.front(), std::move(waiting_.at(queue_.front()))};
      queue_.pop_front();
      waiting_.erase(next.first);
      running_.emplace(next.first, std::make_shared<Running>());
    }
    const std::optional<Error> unstored = run_one(next.first, next.second);
    {
      const std::lock_guard lock(mutex_);
      running_.erase(next.first);
      if (unstored)
        park(next.first, std::move(next.second));
      else
        parkings_.erase(next.first);
      ++ended_;
      changed_->notify_all();
    }
    // A lease that ran out says nothing of the store: the job waits until there is one again.
    if (unstored && unstored->number != errors::kLeaseLost && unstored->number != errors::kStaleFence)
      cannot_store(*unstored);
  }
}

std::optional<Error> EngineImpl::run_one(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_.at(id);
  }
  auto started = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    if (record.view.cancel_requested && record.view.state == job::JobState::kQueued)
      return move_without_result(services_.store, record, change, job::JobEvent::kCancel,
                                 make_error(errors::kCancelled, "cancelled by the client before it ran"));
    TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kStart));
    ++record.view.fence;
    ++record.starts;
    if (membership_ != nullptr) record.owner = membership_->id();
    change.events.push_back({"job.started", {{"fence", record.view.fence}, {"start", record.starts}}});
    return {};
  });
  if (!started) {
    // Ended while it waited, or another process was faster: nothing to do. Anything else is worth a line.
    const bool usual = started.error().number == errors::kJobFinal ||
                       (membership_ != nullptr && started.error().number == errors::kIllegalTransition);
    if (!usual)
      services_.log.write(LogLevel::kWarning, "job.not_started",
                          {{"job_id", id.value}, {"error", started.error().to_string()}});
    if (is_store_trouble(started.error())) return started.error();
    return std::nullopt;
  }
  if (started->view.state != job::JobState::kRunning) return std::nullopt;
  const RunControl control{.stop = running->stop.get_token(),
                           .cancelled =
                               [&] {
                                 const std::lock_guard lock(mutex_);
                                 return running->cancel_requested;
                               },
                           .draining =
                               [&] {
                                 const std::lock_guard lock(mutex_);
                                 return draining_;
                               },
                           .lost =
                               [&] {
                                 const std::lock_guard lock(mutex_);
                                 return running->lost;
                               },
                           .on_progress =
                               [&](const Progress& progress) {
                                 listeners_->each([&](const Listeners::Entry& entry) {
                                   if (entry.on_progress) entry.on_progress(progress);
                                 });
                               }};
  RunOutcome outcome = runner_.run(id, started->view.fence, std::move(spec), control);
  services_.meter.add("tandem_jobs_ended_total", outcome.end == RunEnd::kFinal ? 1 : 0);
  if (outcome.end == RunEnd::kUnstored) return std::move(outcome.error);
  if (outcome.end != RunEnd::kLost) return std::nullopt;
  // Somebody else's by now, as a rule. If it still is ours nobody else would ever come back to it.
  const auto owner = owner_under(services_.store, id, started->view.fence);
  const bool ours = !owner || (*owner && **owner == (membership_ != nullptr ? membership_->id() : ""));
  return ours ? std::move(outcome.error) : std::nullopt;
}

void EngineImpl::cannot_store(const Error& error) {
  watch_.note(error);
  {
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_->notify_all();
  }
  listeners_->each([](const Listeners::Entry& entry) {
    if (entry.on_unstored) entry.on_unstored();
  });
}

void EngineImpl::park(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  const std::uint32_t times = parkings_[id]++;
  parked_[id] = {.spec = std::move(spec), .looks_left = 1u << std::min(times, kBackOffMax)};
}

void EngineImpl::heal(const std::stop_token& stop) {
  while (pause(services_.executor, options_.store_retry_interval, stop)) {
    {
      const std::lock_guard lock(mutex_);
      if (draining_) return;
    }
    if (watch_.may_recover() && watch_.probe()) {
      const std::lock_guard lock(mutex_);
      changed_->notify_all();
    }
    if (watch_.writable()) unpark();
  }
}

void EngineImpl::unpark() {
  std::vector<std::pair<JobId, Parked>> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = parked_.begin(); it != parked_.end();) {
      if (--it->second.looks_left > 0) {
        ++it;
        continue;
      }
      due.emplace_back(it->first, std::move(it->second));
      it = parked_.erase(it);
    }
  }
  for (auto& [id, parked] : due) {
    const auto view = job(id);
    if (view && view->state == job::JobState::kRunning) {
      const auto done = requeue(id, "its progress could not be stored");
      if (!done && done.error().number == errors::kStaleFence) continue;  // another process has it by now
      if (!done && is_store_trouble(done.error())) {
        {
          const std::lock_guard lock(mutex_);
          park(id, std::move(parked.spec));
        }
        cannot_store(done.error());
        continue;
      }
    }
    // One that is cancelled or gone by now says so when it is started.
    enqueue(id, std::move(parked.spec));
  }
}

Result<void> EngineImpl::cancel(const JobId& id, std::string_view actor, std::string_view reason) {
  auto done =
      ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& record, Change& change) -> Result<void> {
        const bool was_running = record.view.state == job::JobState::kRunning;
        const bool awaited_review = record.view.state == job::JobState::kAwaitingReview;
        record.view.cancel_requested = true;
        record.cancel_reason = std::string(reason);
        change.events.push_back({"job.cancel_requested", {{"reason", std::string(reason)}}});
        // Its worker ends it, so that what is under way at a provider is seen to. Without workers here it has none: its process
        // ended, and what it left at a provider is the next reconciler's.
        if (was_running && (options_.workers != 0 || services_.store.shared())) return {};
        return move_without_result(services_.store, record, change, job::JobEvent::kCancel,
                                   make_error(errors::kCancelled, "cancelled by the client {}",
                                              was_running      ? "after the process that ran it had ended"
                                              : awaited_review ? "while it awaited review"
                                                               : "before it ran"));
      });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  TANDEM_TRY(done);
  stop_cancelled(id);
  return {};
}

void EngineImpl::stop_cancelled(const JobId& id) {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found != running_.end()) {
      found->second->cancel_requested = true;
      running = found->second;
    }
    ++ended_;
    changed_->notify_all();
  }
  if (running != nullptr) running->stop.request_stop();
}

Result<JobView> EngineImpl::wait(const JobId& id, Deadline deadline) {
  while (true) {
    std::uint64_t seen = 0;
    {
      const std::lock_guard lock(mutex_);
      seen = ended_;
    }
    TANDEM_TRY_ASSIGN(const JobView view, job(id));
    if (job::is_final(view.state) || view.state == job::JobState::kAwaitingReview) return view;
    if (const auto writable = watch_.writable(); !writable) {
      Error error = writable.error();
      error.message =
          fmt::format("job {} is {} and goes on from its last checkpoint {}: {}", id.value, job::to_string(view.state),
                      watch_.may_recover() ? "when the store takes it again" : "after a restart", error.message);
      return tl::unexpected(std::move(error));
    }
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(services_.clock), std::chrono::hours(1));
    if (left.count() <= 0)
      return fail(errors::kResultNotReady, "job {} is still {}", id.value, job::to_string(view.state));
    std::unique_lock lock(mutex_);
    if (ended_ == seen) changed_->wait_for(lock, left);
  }
}

Result<void> EngineImpl::ready() {
  TANDEM_TRY(refuse_when_draining());
  return watch_.writable();
}

void EngineImpl::drain(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const bool first = !draining_;
  draining_ = true;
  changed_->notify_all();
  // Running steps get until the deadline; what is not done by then goes back into the queue with its checkpoints.
  const auto idle = [&] { return running_.empty(); };
  while (!idle() && !deadline.expired(services_.clock))
    changed_->wait_for(lock, std::min<std::chrono::nanoseconds>(deadline.left(services_.clock), std::chrono::hours(1)));
  if (idle()) return;
  std::vector<std::shared_ptr<Running>> rest;
  for (const auto& [id, running] : running_) rest.push_back(running);
  lock.unlock();
  if (first) services_.log.write(LogLevel::kInfo, "engine.draining", {{"running", std::to_string(rest.size())}});
  for (const auto& running : rest) running->stop.request_stop();
  lock.lock();
  changed_->wait(lock, idle);
}

Result<std::unique_ptr<Engine>> Engine::start(EngineServices services, EngineOptions options) {
  auto engine = std::make_unique<EngineImpl>(services, std::move(options));
  TANDEM_TRY(engine->recover_and_start());
  return engine;
}

}  // namespace tandem::engine
