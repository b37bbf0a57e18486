#include "tandem/orchestrate/engine/engine.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "tandem/orchestrate/engine/job_runner.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kPageMax = 1000;           ///< jobs in one answer
constexpr std::size_t kRecoverPage = 1000;       ///< queued jobs read at once at start-up
constexpr std::size_t kIdempotencyKeyMax = 255;  ///< bytes; the header's usual limit

/// Listeners of one engine. A listener that unsubscribes is not called any more once its handle is gone.
class Listeners {
 public:
  struct Entry {
    std::function<void(const job::Event&)> on_event;
    std::function<void(const Progress&)> on_progress;
    std::mutex mutex;  ///< held while calling, so that removing waits for a call under way
    bool removed = false;
  };
  std::shared_ptr<Entry> add(std::function<void(const job::Event&)> on_event,
                             std::function<void(const Progress&)> on_progress) {
    auto entry = std::make_shared<Entry>();
    entry->on_event = std::move(on_event);
    entry->on_progress = std::move(on_progress);
    const std::lock_guard lock(mutex_);
    entries_.insert(entry);
    return entry;
  }
  void remove(const std::shared_ptr<Entry>& entry) {
    {
      const std::lock_guard lock(mutex_);
      entries_.erase(entry);
    }
    const std::lock_guard lock(entry->mutex);
    entry->removed = true;
  }
  template <typename Call>
  void each(const Call& call) {
    std::vector<std::shared_ptr<Entry>> copy;
    {
      const std::lock_guard lock(mutex_);
      copy.assign(entries_.begin(), entries_.end());
    }
    for (const auto& entry : copy) {
      const std::lock_guard lock(entry->mutex);
      if (!entry->removed) call(*entry);
    }
  }

 private:
  std::mutex mutex_;
  std::set<std::shared_ptr<Entry>> entries_;
};

class Subscription final : public Timer {
 public:
  Subscription(std::shared_ptr<Listeners> listeners, std::shared_ptr<Listeners::Entry> entry)
      : listeners_(std::move(listeners)), entry_(std::move(entry)) {}
  ~Subscription() override { cancel(); }
  void cancel() override {
    if (entry_ == nullptr) return;
    listeners_->remove(entry_);
    entry_ = nullptr;
  }

 private:
  std::shared_ptr<Listeners> listeners_;
  std::shared_ptr<Listeners::Entry> entry_;
};

class EngineImpl final : public Engine {
 public:
  EngineImpl(EngineServices services, EngineOptions options)
      : services_(services),
        options_(std::move(options)),
        listeners_(std::make_shared<Listeners>()),
        ledger_(services_.store, services_.clock,
                [listeners = listeners_](const job::Event& event) {
                  listeners->each([&](const Listeners::Entry& entry) {
                    if (entry.on_event) entry.on_event(event);
                  });
                }),
        runner_(services_, ledger_,
                {.threads = options_.threads == 0 ? services_.executor.threads() : options_.threads,
                 .remote_deadline = options_.remote_deadline,
                 .versions = options_.versions}),
        reconciler_(services_.submitter, services_.backends) {}

  ~EngineImpl() override {
    drain(Deadline::after(services_.clock, std::chrono::nanoseconds(0)));
    sweeping_.reset();
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
                                   std::function<void(const Progress&)> on_progress) override {
    return std::make_unique<Subscription>(listeners_, listeners_->add(std::move(on_event), std::move(on_progress)));
  }
  Result<JobView> wait(const JobId& id, Deadline deadline) override;
  void drain(Deadline deadline) override;

 private:
  struct Running {
    std::stop_source stop;
    bool cancel_requested = false;
  };
  Result<std::optional<Admission>> earlier_admission(const std::string& key, const std::string& fingerprint);
  void enqueue(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  void work(std::stop_token stop);
  void run_one(const JobId& id, std::shared_ptr<const job::JobSpec> spec);
  Result<void> requeue_running();

  EngineServices services_;
  EngineOptions options_;
  std::shared_ptr<Listeners> listeners_;
  JobLedger ledger_;
  JobRunner runner_;
  submit::Reconciler reconciler_;

  std::mutex mutex_;
  std::condition_variable changed_;  ///< queue, running, draining, ended jobs
  std::deque<std::pair<JobId, std::shared_ptr<const job::JobSpec>>> queue_;
  std::map<JobId, std::shared_ptr<Running>> running_;
  std::uint64_t ended_ = 0;  ///< counts jobs that reached a final state here, so that waiters look again
  bool draining_ = false;
  std::vector<std::unique_ptr<Timer>> workers_;
  std::unique_ptr<Timer> sweeping_;
};

/// Ids of all jobs in a state, oldest first.
Result<std::vector<JobId>> jobs_in_state(store::Store& store, job::JobState state) {
  const std::string prefix = fmt::format("state/{}/", job::to_string(state));
  store::Scan scan = store::Scan::prefix(store::Table::kJobIndex, prefix, kRecoverPage);
  std::vector<JobId> out;
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store.scan(scan));
    for (const store::Row& row : rows) out.emplace_back(row.key.substr(prefix.size()));
    if (rows.size() < kRecoverPage) return out;
    scan.from = rows.back().key + '\0';
  }
}

Result<void> EngineImpl::requeue_running() {
  TANDEM_TRY_ASSIGN(const std::vector<JobId> interrupted, jobs_in_state(services_.store, job::JobState::kRunning));
  const budget::Budget budget(services_.store);
  for (const JobId& id : interrupted) {
    auto done = ledger_.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
      if (record.view.cancel_requested) {
        // The client was told so: the job ends here, and the reconciler follows what is under way at a provider.
        TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kCancel));
        record.view.error = "cancelled by the client; the process that ran it ended";
        record.view.error_number = static_cast<std::uint16_t>(errors::kCancelled);
        TANDEM_TRY(budget.release(change.batch, id));
        change.events.push_back(
            {"job.cancelled", {{"error", record.view.error}, {"number", record.view.error_number}}});
        return {};
      }
      TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kRequeue));
      change.events.push_back({"job.requeued", {{"error", "the process that ran it ended"}, {"number", 0}}});
      return {};
    });
    TANDEM_TRY(done);
  }
  return {};
}

Result<void> EngineImpl::recover_and_start() {
  if (options_.workers == 0) return {};  // a reader: it must not touch what it does not mean to run
  TANDEM_TRY(reconciler_.sweep(std::stop_token()));
  TANDEM_TRY(requeue_running());
  TANDEM_TRY_ASSIGN(const std::vector<JobId> queued, jobs_in_state(services_.store, job::JobState::kQueued));
  for (const JobId& id : queued) queue_.push_back({id, nullptr});
  for (std::size_t i = 0; i < options_.workers; ++i)
    workers_.push_back(
        services_.executor.start_loop("worker", [this](std::stop_token stop) { work(std::move(stop)); }));
  sweeping_ = reconciler_.start(services_.executor, options_.reconcile_interval);
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

Result<Admission> EngineImpl::admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                                    std::string_view actor) {
  {
    const std::lock_guard lock(mutex_);
    if (draining_)
      return fail(errors::kDraining, "the server is shutting down and takes no new jobs; send it again in a moment");
  }
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
  auto stored = ledger_.insert(record, std::move(change));
  if (!stored) {
    // Two requests with one key at the same time: the other one won, and its job is the answer.
    if (stored.error().number == errors::kPreconditionFailed && !idempotency_key.empty()) {
      TANDEM_TRY_ASSIGN(const std::optional<Admission> earlier, earlier_admission(key, fingerprint));
      if (earlier) return *earlier;
    }
    return tl::unexpected(std::move(stored).error());
  }
  services_.meter.add("tandem_jobs_admitted_total", 1);
  enqueue(record.view.id, std::make_shared<const job::JobSpec>(spec));
  return Admission{.id = record.view.id};
}

void EngineImpl::enqueue(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({id, std::move(spec)});
  changed_.notify_all();
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
      changed_.wait(lock, [&] { return stop.stop_requested() || draining_ || !queue_.empty(); });
      if (stop.stop_requested() || draining_) return;
      next = std::move(queue_.front());
      queue_.pop_front();
      running_.emplace(next.first, std::make_shared<Running>());
    }
    run_one(next.first, std::move(next.second));
    const std::lock_guard lock(mutex_);
    running_.erase(next.first);
    ++ended_;
    changed_.notify_all();
  }
}

void EngineImpl::run_one(const JobId& id, std::shared_ptr<const job::JobSpec> spec) {
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
    return;
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
  const RunEnd end = runner_.run(id, started->view.fence, std::move(spec), control);
  services_.meter.add("tandem_jobs_ended_total", end == RunEnd::kFinal ? 1 : 0);
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
  return lineage::LineageRecord::parse(document);
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
  const budget::Budget budget(services_.store);
  bool was_running = false;
  auto done =
      ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& record, Change& change) -> Result<void> {
        was_running = record.view.state == job::JobState::kRunning;
        record.view.cancel_requested = true;
        record.cancel_reason = std::string(reason);
        change.events.push_back({"job.cancel_requested", {{"reason", std::string(reason)}}});
        if (was_running) return {};  // its worker ends it, so that what is under way at a provider is seen to
        TANDEM_TRY_ASSIGN(record.view.state, job::require_transition(record.view.state, job::JobEvent::kCancel));
        record.view.error = "cancelled by the client before it ran";
        record.view.error_number = static_cast<std::uint16_t>(errors::kCancelled);
        TANDEM_TRY(budget.release(change.batch, id));
        change.events.push_back(
            {"job.cancelled", {{"error", record.view.error}, {"number", record.view.error_number}}});
        return {};
      });
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
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(services_.clock), std::chrono::hours(1));
    if (left.count() <= 0)
      return fail(errors::kResultNotReady, "job {} is still {}", id.value, job::to_string(view.state));
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, left, [&] { return ended_ != seen; });
  }
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
