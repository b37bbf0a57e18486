#include "tandem/orchestrate/engine/engine.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/job_runner.h"
#include "tandem/orchestrate/engine/listeners.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kPageMax = 1000;           ///< jobs in one answer
constexpr std::size_t kIdempotencyKeyMax = 255;  ///< bytes; the header's usual limit
constexpr std::uint32_t kBackOffMax = 6;  ///< doublings of the time between two tries to store what one job does

class EngineImpl final : public Engine {
 public:
  EngineImpl(EngineServices services, EngineOptions options)
      : services_(services),
        options_(std::move(options)),
        listeners_(std::make_shared<Listeners>()),
        ledger_(services_.store, services_.clock,
                [listeners = listeners_](const job::Event& event) { listeners->publish(event); }),
        runner_(services_, ledger_,
                {.threads = options_.threads == 0 ? services_.executor.threads() : options_.threads,
                 .memory_bytes_max = options_.memory_bytes_max,
                 .remote_deadline = options_.remote_deadline,
                 .versions = options_.versions}),
        reconciler_(services_.submitter, services_.backends),
        watch_(services_.store, services_.log, services_.meter) {
    services_.submitter.publish_to([listeners = listeners_](const job::Event& event) { listeners->publish(event); });
  }

  ~EngineImpl() override {
    drain(Deadline::after(services_.clock, std::chrono::nanoseconds(0)));
    sweeping_.reset();
    healing_.reset();
    workers_.clear();
  }

  Result<void> recover_and_start();

  Result<Admission> admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                          std::string_view actor) override;
  Result<job::Plan> plan(const job::JobSpec& spec) override { return runner_.make_plan(spec); }
  Result<JobView> job(const JobId& id) override {
    return load_job(services_.store, id).map([](const JobRecord& record) { return record.view; });
  }
  Result<JobPage> jobs(std::optional<job::JobState> state, std::size_t limit, std::string_view page_token) override;
  Result<Json> spec_document(const JobId& id) override;
  Result<Json> plan_document(const JobId& id) override;
  Result<Bytes> result(const JobId& id) override;
  Result<lineage::LineageRecord> lineage(const JobId& id) override;
  Result<lineage::ReplayPackage> replay_package(const JobId& id) override;
  Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) override;
  Result<void> cancel(const JobId& id, std::string_view actor, std::string_view reason) override;
  std::unique_ptr<Timer> subscribe(std::function<void(const job::Event&)> on_event,
                                   std::function<void(const Progress&)> on_progress,
                                   std::function<void()> on_unstored) override {
    return std::make_unique<Subscription>(
        listeners_, listeners_->add(std::move(on_event), std::move(on_progress), std::move(on_unstored)));
  }
  Result<std::size_t> attend(const JobId& id) override;
  Result<JobView> wait(const JobId& id, Deadline deadline) override;
  Result<void> ready() override;
  void drain(Deadline deadline) override;

 private:
  struct Running {
    std::stop_source stop;
    bool cancel_requested = false;
  };
  Result<void> refuse_when_draining();
  Result<std::optional<Admission>> earlier_admission(const std::string& key, const std::string& fingerprint);
  void enqueue(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  void work(std::stop_token stop);
  /// The error that kept its start, a checkpoint or its end from being stored.
  std::optional<Error> run_one(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  Result<void> requeue(const JobId& id, const std::string& reason);
  /// Called when `error` kept something from being stored: jobs wait now, and whoever waits for them hears it.
  void cannot_store(const Error& error);
  void park(const JobId& id, std::shared_ptr<const job::JobSpec> spec);  ///< under the lock
  void heal(const std::stop_token& stop);
  void unpark();

  EngineServices services_;
  EngineOptions options_;
  std::shared_ptr<Listeners> listeners_;
  JobLedger ledger_;
  JobRunner runner_;
  submit::Reconciler reconciler_;
  StoreWatch watch_;

  /// A job whose start, checkpoint or end could not be stored.
  struct Parked {
    std::shared_ptr<const job::JobSpec> spec;
    std::uint32_t looks_left = 0;  ///< of heal(), before it is tried again
  };

  std::mutex mutex_;
  std::condition_variable changed_;  ///< queue, running, draining, ended jobs, what can be stored
  std::deque<std::pair<JobId, std::shared_ptr<const job::JobSpec>>> queue_;
  std::map<JobId, std::shared_ptr<Running>> running_;
  std::map<JobId, Parked> parked_;
  std::map<JobId, std::uint32_t> parkings_;  ///< how often in a row; a job that keeps failing is tried less and less
  std::uint64_t ended_ = 0;  ///< counts jobs that ended or were parked here, so that waiters look again
  bool draining_ = false;
  std::vector<std::unique_ptr<Timer>> workers_;
  std::unique_ptr<Timer> sweeping_;
  std::unique_ptr<Timer> healing_;
};

lineage::OrphanRecord orphan_record(const submit::SubmissionRecord& submission) {
  return {.token = submission.token,
          .step = submission.step,
          .attempt = submission.attempt,
          .backend = submission.backend,
          .emulated = submission.emulated,
          .handle = submission.handle,
          .reason = submission.reason,
          .billed = submission.billed,
          .raw_sha256 = submission.raw_sha256,
          .raw_media_type = submission.media_type,
          .calibration_id = submission.calibration_id,
          .intent_at = format_rfc3339(submission.intent_at),
          .found_at = format_rfc3339(submission.updated_at)};
}

/// From "running" back to "queued", or to its end when the client was promised that.
Result<void> EngineImpl::requeue(const JobId& id, const std::string& reason) {
  auto done = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    if (!record.view.cancel_requested)
      return move_without_result(services_.store, record, change, job::JobEvent::kRequeue, Error{.message = reason});
    // The client was told so: the job ends here, and the reconciler follows what is under way at a provider.
    return move_without_result(services_.store, record, change, job::JobEvent::kCancel,
                               make_error(errors::kCancelled, "cancelled by the client; {}", reason));
  });
  return done.map([](const JobRecord&) {});
}

Result<void> EngineImpl::recover_and_start() {
  if (options_.workers == 0) return {};  // a reader: it must not touch what it does not mean to run
  TANDEM_TRY_ASSIGN(const std::vector<JobId> interrupted, jobs_in_state(services_.store, job::JobState::kRunning));
  for (const JobId& id : interrupted) TANDEM_TRY(requeue(id, "the process that ran it ended"));
  if (options_.runs == Runs::kEveryJob) {
    TANDEM_TRY_ASSIGN(const std::vector<JobId> queued, jobs_in_state(services_.store, job::JobState::kQueued));
    for (const JobId& id : queued) queue_.push_back({id, nullptr});
  }
  for (std::size_t i = 0; i < options_.workers; ++i)
    workers_.push_back(
        services_.executor.start_loop("worker", [this](std::stop_token stop) { work(std::move(stop)); }));
  sweeping_ = reconciler_.start(services_.executor, options_.reconcile_interval);
  healing_ = services_.executor.start_loop("store-watch", [this](const std::stop_token& stop) { heal(stop); });
  return {};
}

Result<std::optional<Admission>> EngineImpl::earlier_admission(const std::string& key, const std::string& fingerprint) {
  TANDEM_TRY_ASSIGN(const auto row, services_.store.get(store::Table::kIdempotency, key));
  if (!row) return std::optional<Admission>();
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, "idempotency row"));
  if (document.value("fingerprint", "") != fingerprint) {
    return fail(errors::kIdempotencyConflict, "this idempotency key was used for another job document; use a new key");
  }
  return std::optional<Admission>(Admission{.id = JobId(document.value("job_id", "")), .replayed = true});
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
    return fail(errors::kValueOutOfRange, "the idempotency key has {} bytes, the limit is {}", idempotency_key.size(),
                kIdempotencyKeyMax);
  }
  const Bytes document = canonical_json(spec.document());
  const std::string fingerprint = sha256(document).hex();
  const std::string key = fmt::format("{}/{}", tenant, idempotency_key);
  if (!idempotency_key.empty()) {
    TANDEM_TRY_ASSIGN(const std::optional<Admission> earlier, earlier_admission(key, fingerprint));
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
      TANDEM_TRY_ASSIGN(const std::optional<Admission> earlier, earlier_admission(key, fingerprint));
      if (earlier) return *earlier;
    }
    return tl::unexpected(std::move(stored).error());
  }
  services_.meter.add("tandem_jobs_admitted_total", 1);
  if (options_.runs == Runs::kEveryJob) enqueue(record.view.id, std::make_shared<const job::JobSpec>(spec));
  return Admission{.id = record.view.id};
}

void EngineImpl::enqueue(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({id, std::move(spec)});
  changed_.notify_all();
}

Result<std::size_t> EngineImpl::attend(const JobId& id) {
  TANDEM_TRY_ASSIGN(const JobView view, job(id));
  if (view.state == job::JobState::kQueued) {
    const std::lock_guard lock(mutex_);
    const auto waits = std::find_if(queue_.begin(), queue_.end(), [&](const auto& entry) { return entry.first == id; });
    if (waits != queue_.end()) {
      std::rotate(queue_.begin(), waits, waits + 1);
    } else if (options_.runs == Runs::kAttended && !running_.contains(id) && !parked_.contains(id)) {
      queue_.push_front({id, nullptr});
      changed_.notify_all();
    }
  }
  TANDEM_TRY_ASSIGN(const std::vector<JobId> queued, jobs_in_state(services_.store, job::JobState::kQueued));
  return queued.size() - static_cast<std::size_t>(std::count(queued.begin(), queued.end(), id));
}

void EngineImpl::work(std::stop_token stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  while (true) {
    std::pair<JobId, std::shared_ptr<const job::JobSpec>> next;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        return stop.stop_requested() || draining_ || (!queue_.empty() && watch_.writable().has_value());
      });
      if (stop.stop_requested() || draining_) return;
      next = std::move(queue_.front());
      queue_.pop_front();
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
      changed_.notify_all();
    }
    if (unstored) cannot_store(*unstored);
  }
}

std::optional<Error> EngineImpl::run_one(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    running = running_.at(id);
  }
  auto started = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kStart));
    ++record.view.fence;
    ++record.starts;
    change.events.push_back({"job.started", {{"fence", record.view.fence}, {"start", record.starts}}});
    return {};
  });
  if (!started) {
    // Cancelled while it waited: nothing to do. Anything else is worth a line.
    if (started.error().number != errors::kJobFinal)
      services_.log.write(LogLevel::kWarning, "job.not_started",
                          {{"job_id", id.value}, {"error", started.error().to_string()}});
    if (is_store_trouble(started.error())) return started.error();
    return std::nullopt;
  }
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
                           .on_progress =
                               [&](const Progress& progress) {
                                 listeners_->each([&](const Listeners::Entry& entry) {
                                   if (entry.on_progress) entry.on_progress(progress);
                                 });
                               }};
  RunOutcome outcome = runner_.run(id, started->view.fence, std::move(spec), control);
  services_.meter.add("tandem_jobs_ended_total", outcome.end == RunEnd::kFinal ? 1 : 0);
  if (outcome.end == RunEnd::kUnstored) return std::move(outcome.error);
  return std::nullopt;
}

void EngineImpl::cannot_store(const Error& error) {
  watch_.note(error);
  {
    const std::lock_guard lock(mutex_);
    ++ended_;
    changed_.notify_all();
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
      changed_.notify_all();
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

Result<JobPage> EngineImpl::jobs(std::optional<job::JobState> state, std::size_t limit, std::string_view page_token) {
  limit = std::clamp<std::size_t>(limit, 1, kPageMax);
  const std::string prefix = state ? fmt::format("state/{}/", job::to_string(*state)) : "";
  store::Scan scan = store::Scan::prefix(state ? store::Table::kJobIndex : store::Table::kJob, prefix, limit + 1);
  scan.descending = true;
  if (!page_token.empty()) {
    TANDEM_TRY_ASSIGN(const JobId last, parse_job_id(page_token));
    scan.until = prefix + last.value;
  }
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, services_.store.scan(scan));
  JobPage out;
  for (const store::Row& row : rows) {
    if (out.jobs.size() == limit) {
      out.next_page_token = out.jobs.back().id.value;
      break;
    }
    auto record = state ? load_job(services_.store, JobId(row.key.substr(prefix.size()))) : JobRecord::parse(row);
    TANDEM_TRY(record);
    out.jobs.push_back(std::move(record->view));
  }
  return out;
}

Result<Json> EngineImpl::spec_document(const JobId& id) {
  TANDEM_TRY_ASSIGN(const JobRecord record, load_job(services_.store, id));
  TANDEM_TRY_ASSIGN(const auto blob, services_.store.get(store::Table::kBlob, record.spec_sha256));
  if (!blob) return fail(errors::kStoreDamaged, "the document of job {} is gone", id.value);
  return parse_json(blob->value, "job " + id.value, {.bytes_max = UINT64_MAX});
}

Result<Json> EngineImpl::plan_document(const JobId& id) {
  TANDEM_TRY_ASSIGN(const JobRecord record, load_job(services_.store, id));
  if (!record.plan)
    return fail(errors::kResultNotReady, "job {} is {} and has no plan yet", id.value,
                job::to_string(record.view.state));
  return *record.plan;
}

Result<Bytes> EngineImpl::result(const JobId& id) {
  TANDEM_TRY_ASSIGN(const JobRecord record, load_job(services_.store, id));
  if (record.result_sha256.empty()) {
    if (!record.view.error.empty()) {
      return tl::unexpected(Error{
          .number = static_cast<ErrorNumber>(record.view.error_number),
          .message = fmt::format("job {} {}: {}", id.value, job::to_string(record.view.state), record.view.error)});
    }
    return fail(errors::kResultNotReady, "job {} is {} and has no result", id.value, job::to_string(record.view.state));
  }
  TANDEM_TRY_ASSIGN(const auto blob, services_.store.get(store::Table::kBlob, record.result_sha256));
  if (!blob) return fail(errors::kStoreDamaged, "the result {} of job {} is gone", record.result_sha256, id.value);
  return blob->value;
}

Result<lineage::LineageRecord> EngineImpl::lineage(const JobId& id) {
  TANDEM_TRY_ASSIGN(const JobRecord record, load_job(services_.store, id));
  if (record.view.lineage_id.empty()) {
    return fail(errors::kResultNotReady, "job {} is {}: lineage is written with the result", id.value,
                job::to_string(record.view.state));
  }
  TANDEM_TRY_ASSIGN(const auto row, services_.store.get(store::Table::kLineage, record.view.lineage_id));
  if (!row) return fail(errors::kStoreDamaged, "the lineage of job {} is gone", id.value);
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, "lineage " + row->key));
  TANDEM_TRY_ASSIGN(lineage::LineageRecord out, lineage::LineageRecord::parse(document));
  TANDEM_TRY_ASSIGN(const std::vector<submit::SubmissionRecord> submissions, services_.submitter.submissions(id));
  for (const submit::SubmissionRecord& submission : submissions)
    if (submission.state == submit::SubmissionState::kOrphan) out.orphans.push_back(orphan_record(submission));
  return out;
}

Result<lineage::ReplayPackage> EngineImpl::replay_package(const JobId& id) {
  TANDEM_TRY_ASSIGN(lineage::LineageRecord record, lineage(id));
  lineage::ReplayPackage out{.plan = std::move(record.plan), .work = std::move(record.work)};
  TANDEM_TRY_ASSIGN(out.spec, spec_document(id));
  for (const lineage::WorkRecord& work : out.work) {
    if (work.local || work.raw_sha256.empty()) continue;
    TANDEM_TRY_ASSIGN(const auto blob, services_.store.get(store::Table::kBlob, work.raw_sha256));
    if (!blob) return fail(errors::kStoreDamaged, "the raw result {} of job {} is gone", work.raw_sha256, id.value);
    out.raw.emplace(work.raw_sha256, blob->value);
  }
  return out;
}

Result<std::vector<job::Event>> EngineImpl::events(const JobId& id, std::uint64_t after, std::size_t limit) {
  TANDEM_TRY(load_job(services_.store, id));
  TANDEM_TRY_ASSIGN(const std::vector<store::LogEntry> entries,
                    services_.store.read_log(after, std::clamp<std::size_t>(limit, 1, kPageMax), id.value));
  std::vector<job::Event> out;
  for (const store::LogEntry& entry : entries) {
    TANDEM_TRY_ASSIGN(const Json document, parse_json(entry.value, fmt::format("event {}", entry.sequence)));
    TANDEM_TRY_ASSIGN(job::Event event, job::Event::parse(document));
    event.sequence = entry.sequence;
    out.push_back(std::move(event));
  }
  return out;
}

Result<void> EngineImpl::cancel(const JobId& id, std::string_view actor, std::string_view reason) {
  auto done =
      ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& record, Change& change) -> Result<void> {
        const bool was_running = record.view.state == job::JobState::kRunning;
        record.view.cancel_requested = true;
        record.cancel_reason = std::string(reason);
        change.events.push_back({"job.cancel_requested", {{"reason", std::string(reason)}}});
        // Its worker ends it, so that what is under way at a provider is seen to. Without workers here it has none: its process
        // ended, and what it left at a provider is the next reconciler's.
        if (was_running && options_.workers != 0) return {};
        return move_without_result(
            services_.store, record, change, job::JobEvent::kCancel,
            make_error(errors::kCancelled, "cancelled by the client {}",
                       was_running ? "after the process that ran it had ended" : "before it ran"));
      });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  TANDEM_TRY(done);
  std::shared_ptr<Running> running;
  {
    const std::lock_guard lock(mutex_);
    const auto found = running_.find(id);
    if (found != running_.end()) {
      found->second->cancel_requested = true;
      running = found->second;
    }
    ++ended_;
    changed_.notify_all();
  }
  if (running != nullptr) running->stop.request_stop();
  return {};
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
    changed_.wait_for(lock, left, [&] { return ended_ != seen; });
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
  changed_.notify_all();
  // Running steps get until the deadline; what is not done by then goes back into the queue with its checkpoints.
  const auto idle = [&] { return running_.empty(); };
  const auto left = std::min<std::chrono::nanoseconds>(deadline.left(services_.clock), std::chrono::hours(1));
  if (changed_.wait_for(lock, left, idle)) return;
  std::vector<std::shared_ptr<Running>> rest;
  for (const auto& [id, running] : running_) rest.push_back(running);
  lock.unlock();
  if (first) services_.log.write(LogLevel::kInfo, "engine.draining", {{"running", std::to_string(rest.size())}});
  for (const auto& running : rest) running->stop.request_stop();
  lock.lock();
  changed_.wait(lock, idle);
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(EngineServices services, EngineOptions options) {
  auto engine = std::make_unique<EngineImpl>(services, std::move(options));
  TANDEM_TRY(engine->recover_and_start());
  return engine;
}

}  // namespace tandem::engine
