#include "tandem/orchestrate/engine/engine.h"

#include <algorithm>
#include <chrono>

#include "tandem/base/pause.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/engine_impl.h"
#include "tandem/orchestrate/engine/take_over.h"
#include "tandem/orchestrate/route/route.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kIdempotencyKeyMax = 255;  ///< bytes; the header's usual limit
constexpr std::size_t kFreshMax = 4096;  ///< jobs whose row and document stay in memory until they start
// How long the process that admitted a job has it for itself: where another one has had nothing to do for so long, and otherwise. Two
// that are both busy would refuse each other's groups for a few jobs that were about to be begun.
constexpr auto kGuestWait = std::chrono::milliseconds(50);
constexpr auto kGuestWaitMax = std::chrono::seconds(1);
constexpr std::size_t kGuestsMovedMax = 64;  ///< at once: each is read with the engine locked
constexpr std::string_view kAtWork = "at_work";  ///< a row of kMeta: a process runs jobs in a store that it has alone
constexpr std::string_view kAttending = "attending";  ///< its value where that process runs some jobs only
constexpr std::string_view kAttendingAfterLoss =
    "attending after a loss";  ///< and the one before it ran all, and was lost

/// Every conflict means that another admission or settlement of the same payer was stored.
/// For an admission whose payer's accounts others change before it, again and again. A client waits no longer, and asks again.
constexpr std::chrono::seconds kContentionMax{10};
constexpr std::uint64_t kContentionPauseMaxMs = 32;  ///< between two tries: a few commits of somebody else

/// What a callback will be told.
template <typename Value>
class Awaited {
 public:
  explicit Awaited(Executor& executor) : answer_(std::make_shared<Answer>()) {
    answer_->came = executor.make_condition();
  }
  std::function<void(Result<Value>)> take() {
    return [answer = answer_](Result<Value> result) {
      const std::lock_guard lock(answer->mutex);
      answer->result = std::move(result);
      answer->came->notify_all();
    };
  }
  Result<Value> wait() {
    std::unique_lock lock(answer_->mutex);
    answer_->came->wait(lock, [&] { return answer_->result.has_value(); });
    return *std::move(answer_->result);
  }

 private:
  struct Answer {
    std::mutex mutex;
    std::unique_ptr<Condition> came;
    std::optional<Result<Value>> result;
  };
  std::shared_ptr<Answer> answer_;
};

/// Between the look at the key and the commit another request with it was committed, or the key expired.
Error in_flight(std::string_view key) {
  return make_error_at("Idempotency-Key", errors::kIdempotencyInFlight,
                       "another request with the key {} was being carried out at the same time; send this one again in "
                       "a moment, and it is answered with the job of the other one",
                       quote(key));
}

}  // namespace

/// Somebody who waits for one job.
class EngineImpl::Waiter {
 public:
  explicit Waiter(Executor& executor) : news(executor.make_condition()) {}
  const std::unique_ptr<Condition> news;
  bool woken = false;
};

EngineImpl::EngineImpl(EngineServices services, EngineOptions options)
    : services_(services),
      options_(std::move(options)),
      listeners_(std::make_shared<Listeners>()),
      outlet_(std::make_shared<Outlet>(listeners_)),
      ledger_(services_.store, services_.clock, services_.crash_points,
              [this](job::Event event) {
                note_put_aside(event.type);
                outlet_->publish(std::move(event));
              }),
      bulkheads_(services_.executor, services_.clock, std::move(options_.provider_runs_max),
                 [this] {
                   const std::lock_guard lock(mutex_);
                   let_in_locked();
                 }),
      runner_(services_, ledger_, bulkheads_,
              {.threads = options_.threads == 0 ? services_.executor.threads() : options_.threads,
               .memory_bytes_max = options_.memory_bytes_max,
               .remote_deadline = options_.remote_deadline,
               .versions = options_.versions}),
      reads_(services_.store, services_.submitter, services_.log),
      reconciler_(services_.submitter, services_.backends,
                  [this](const JobId& id, std::uint64_t fence) { return runs_elsewhere(id, fence); }),
      watch_(services_.store, services_.log, services_.meter),
      queue_delay_(services_.store, services_.clock, services_.meter, options_.queue_delay_max,
                   takes_part() ? QueueSource::kEngine : QueueSource::kStore),
      slots_(services_.executor, services_.clock, options_.workers, [this] { add_worker(); }),
      queue_(options_.weights),
      work_(services_.executor.make_condition()),
      chore_(services_.executor.make_condition()),
      changed_(services_.executor.make_condition()),
      healed_(services_.executor.make_condition()),
      readmissions_(services_.limits == nullptr ? nullptr
                                                : std::make_unique<Errands>(services_.executor, "readmissions")) {
  services_.submitter.publish_to([outlet = outlet_](const job::Event& event) { outlet->publish(event); });
}

EngineImpl::~EngineImpl() {
  EngineImpl::drain(Deadline::after(services_.clock, std::chrono::nanoseconds(0)), Deadline::never());
  workers_.clear();
  doing_chores_.reset();
  readmissions_.reset();
  leave_others();
  if (follower_ != nullptr) outlet_->follow(nullptr);
  follower_.reset();
}

Result<void> EngineImpl::recover_and_start() {
  doing_chores_ = services_.executor.start_loop("chores", [this](const std::stop_token& stop) { do_chores(stop); });
  if (services_.store.shared()) {
    TANDEM_TRY(keep_time());
    TANDEM_TRY(join_others());
  }
  if (takes_part()) TANDEM_TRY(take_part());
  // Also of an API without workers the readiness depends on the store.
  if (takes_part() || follower_ != nullptr || options_.schedules)
    healing_ = services_.executor.start_loop("store-watch", [this](const std::stop_token& stop) { heal(stop); });
  return {};
}

void EngineImpl::add_worker() {
  const std::lock_guard lock(mutex_);
  work_->notify_one();
  if (workers_.size() >= options_.workers + slots_.outside()) return;
  try {
    workers_.push_back(services_.executor.start_loop("worker", [this](const std::stop_token& stop) { work(stop); }));
  } catch (const std::exception& error) {
    if (workers_.size() < options_.workers) throw;  // beyond as many as were asked for, those that there are do it
    services_.log.write(LogLevel::kWarning, "worker.not_started", {{"error", error.what()}});
  }
}

Result<void> EngineImpl::take_part() {
  reach(one_of(kPoints, "engine.before_recovery"));
  if (membership_ != nullptr) {
    TANDEM_TRY(lead());
  } else {
    TANDEM_TRY(begin_to_work());
  }
  reach(one_of(kPoints, "engine.after_recovery"));
  if (options_.runs == Runs::kEveryJob) TANDEM_TRY(enqueue_queued());
  for (std::size_t i = 0; i < options_.workers; ++i) add_worker();
  if (options_.workers != 0) sweeping_ = reconciler_.start(services_.executor, options_.reconcile_interval);
  keeping_house_ =
      services_.executor.start_loop("retention", [this](const std::stop_token& stop) { keep_house(stop); });
  if (membership_ != nullptr) {
    beating_ = services_.executor.start_loop("membership", [this](const std::stop_token& stop) { beat(stop); });
    guarding_ = services_.executor.start_loop("lease-guard", [this](const std::stop_token& stop) { guard(stop); });
  }
  return {};
}

Result<void> EngineImpl::begin_to_work() {
  TANDEM_TRY_ASSIGN(const auto mark, services_.store.get(store::Table::kMeta, kAtWork));
  // Who runs some jobs only is ended by its user as often as not, which says nothing of them.
  TANDEM_TRY(take_over_all(services_.store, ledger_, mark && mark->value.empty()));
  const bool after_loss = mark && mark->value != kAttending;
  const std::string_view mine = options_.runs == Runs::kEveryJob ? "" : after_loss ? kAttendingAfterLoss : kAttending;
  after_loss_ = after_loss && options_.runs == Runs::kEveryJob;  // the others see to their users' jobs only
  at_work_ = mine != kAttendingAfterLoss;
  if (mark && mark->value == mine) return {};
  const auto done =
      services_.store.commit_and_wait(store::Batch().put(store::Table::kMeta, std::string(kAtWork), std::string(mine)));
  if (done) return {};
  if (!is_store_trouble(done.error())) return tl::unexpected(done.error());
  cannot_store(done.error());  // what is stored can be read, and the rest when there is room again
  after_loss_ = true;  // without the mark nobody knows by it what this one leaves
  return {};
}

void EngineImpl::end_work() {
  // Who runs some jobs only leaves it to the next to see to the others.
  if (!std::exchange(at_work_, false)) return;
  (void)services_.store.commit_and_wait(store::Batch().erase(store::Table::kMeta, std::string(kAtWork)));
}

Result<void> EngineImpl::refuse_when_draining() {
  const std::lock_guard lock(mutex_);
  if (!draining_) return {};
  return fail(errors::kDraining, "the server is shutting down and takes no new jobs; send it again in a moment");
}

Result<Admission> EngineImpl::admit(const job::JobSpec& spec, std::string_view tenant, std::string_view idempotency_key,
                                    std::string_view actor) {
  Awaited<Admission> answer(services_.executor);
  admit(std::make_shared<const job::JobSpec>(spec), tenant, idempotency_key, actor, answer.take());
  return answer.wait();
}

void EngineImpl::admit(SpecPtr spec, std::string_view tenant, std::string_view idempotency_key, std::string_view actor,
                       Admitted done) {
  auto made = make_candidate(*spec, tenant, idempotency_key, actor);
  if (!made) return done(tl::unexpected(std::move(made).error()));
  if (made->earlier) return done(*std::move(made->earlier));
  Candidate candidate = *std::move(made);
  ledger_.insert(
      std::move(candidate.record), std::move(candidate.change),
      [this, admitting = count_admission(), spec = std::move(spec), key = std::string(idempotency_key),
       payer = std::pair(std::string(tenant), std::string(actor)),
       done = std::move(done)](Result<JobRecord> row) mutable {
        if (row) {
          const JobId id = row->view.id;
          admitted(*std::move(row), std::move(spec));
          done(Admission{.id = id});
          return admitting.reset();
        }
        const bool conflict = row.error().number == errors::kPreconditionFailed;
        if (conflict && readmissions_ != nullptr) {
          return readmissions_->add([this, admitting = std::move(admitting), spec = std::move(spec),
                                     key = std::move(key), payer = std::move(payer), done = std::move(done)]() mutable {
            done(admit_again(*spec, payer.first, key, payer.second));
            admitting.reset();
          });
        }
        // What it means may take a look at the store, and this is no thread to look from.
        chore([this, conflict, admitting = std::move(admitting), key = std::move(key), error = std::move(row).error(),
               done = std::move(done)]() mutable {
          if (is_store_trouble(error)) cannot_store(error);
          done(tl::unexpected(conflict && !key.empty() ? in_flight(key) : error));
          admitting.reset();
        });
      });
}

Result<Admission> EngineImpl::admit_again(const job::JobSpec& spec, std::string_view tenant,
                                          std::string_view idempotency_key, std::string_view actor) {
  const Instant begin = services_.clock.monotonic();
  for (std::uint64_t pause_max_ms = 1;; pause_max_ms = std::min(2 * pause_max_ms, kContentionPauseMaxMs)) {
    TANDEM_TRY_ASSIGN(Candidate candidate, make_candidate(spec, tenant, idempotency_key, actor));
    if (candidate.earlier) return *std::move(candidate.earlier);
    Awaited<JobRecord> answer(services_.executor);
    ledger_.insert(std::move(candidate.record), std::move(candidate.change), answer.take());
    auto row = answer.wait();
    if (row) {
      Admission out{.id = row->view.id};
      admitted(*std::move(row), std::make_shared<const job::JobSpec>(spec));
      return out;
    }
    if (row.error().number != errors::kPreconditionFailed) {
      if (is_store_trouble(row.error())) cannot_store(row.error());
      return tl::unexpected(std::move(row).error());
    }
    if (services_.clock.monotonic() - begin >= kContentionMax) {
      return fail(errors::kAccountsContended,
                  "the accounts of tenant '{}' were changed by others for {} s before this job could take from them; "
                  "send it again in a moment, with the same Idempotency-Key if it has one",
                  tenant, kContentionMax.count());
    }
    const std::chrono::milliseconds jitter(1 + services_.rng.next_u64() % pause_max_ms);
    (void)pause(services_.executor, jitter, drain_.get_token());  // when it goes down the next try says so
  }
}

Result<std::vector<job::Event>> EngineImpl::events(const JobId& id, std::uint64_t after, std::size_t limit) {
  return reads_.events(id, after, limit);
}

Result<std::vector<budget::Standing>> EngineImpl::standings(std::string_view tenant) {
  if (services_.limits == nullptr) return std::vector<budget::Standing>();
  return budget::standings(services_.store, *services_.limits, tenant, services_.clock.now());
}

Result<EngineImpl::Candidate> EngineImpl::make_candidate(const job::JobSpec& spec, std::string_view tenant,
                                                         std::string_view idempotency_key, std::string_view actor) {
  TANDEM_TRY(check_words("Idempotency-Key", idempotency_key, kIdempotencyKeyMax));
  Candidate out;
  const Bytes document = spec.text().text();
  out.fingerprint = sha256(document).hex();
  JobReads::KeyUse key_use;
  const std::string key = IdempotencyEntry::row_key(tenant, idempotency_key);
  if (!idempotency_key.empty()) {
    const Timestamp since{services_.clock.now().micros - std::chrono::microseconds(options_.idempotency_age).count()};
    TANDEM_TRY_ASSIGN(key_use, reads_.key_use(key, out.fingerprint, since));
    out.earlier = key_use.admission;
    if (out.earlier) return out;  // also while this process goes down: that job is there
  }

  TANDEM_TRY(refuse_when_draining());
  JobRecord& record = out.record;
  if (spec.retry_of) {
    auto original = ledger_.load(*spec.retry_of);
    if (original && original->view.tenant != tenant) original = tl::unexpected(no_such_job(*spec.retry_of));
    if (!original) {
      original.error().place = "/retry_of";
      return tl::unexpected(std::move(original).error());
    }
    record.submitted_before = std::move(original->submitted_before);
    if (std::ranges::find(record.submitted_before, original->view.submitted_by) == record.submitted_before.end())
      record.submitted_before.push_back(original->view.submitted_by);
  }
  TANDEM_TRY(queue_delay_.check());
  TANDEM_TRY(route::check_names(spec, services_.backends.all()));
  TANDEM_TRY(route::check_memory(spec, options_.memory_bytes_max));
  record.view = {.id = new_job_id(services_.clock, services_.rng), .name = spec.name, .tenant = std::string(tenant)};
  record.view.problem_type = spec.is_program() ? "program" : std::string(spec.problem()->type());
  record.view.created_at = record.view.updated_at = services_.clock.now();
  record.spec_sha256 = out.fingerprint;
  record.view.submitted_by = std::string(actor);
  const std::int64_t now_micros = record.view.created_at.micros;
  if (spec.limits.total_time_ms != 0) record.deadline_micros = now_micros + spec.limits.total_time_ms * 1000;
  if (spec.limits.queue_wait_ms != 0) record.queue_until_micros = now_micros + spec.limits.queue_wait_ms * 1000;
  record.view.project = spec.schedule.project;
  record.view.priority = spec.schedule.priority;
  record.serial_key = spec.schedule.serial_key;
  // Solve and baseline run at once; as much again for what comes after them.
  const auto latest_start = record.deadline_micros == 0
                                ? std::nullopt
                                : std::optional(record.deadline_micros / 1000 - 2 * spec.limits.time_ms);
  record.rank = schedule::rank_of(now_micros / 1000, spec.schedule.priority, latest_start);
  Change& change = out.change;
  if (!idempotency_key.empty()) {
    const IdempotencyEntry entry{out.fingerprint, record.view.id, record.view.created_at};
    change.batch.put(store::Table::kIdempotency, key, entry.value(), key_use.row);
  }
  change.batch.put(store::Table::kBlob, out.fingerprint, document);
  TANDEM_TRY_ASSIGN(budget::Alerts alerts, budget::Budget(services_.store, services_.limits)
                                               .admit(change.batch, {.job = record.view.id,
                                                                     .payer = payer_of(record),
                                                                     .owner = spec.business.owner,
                                                                     .cost_max = spec.limits.cost_max,
                                                                     .bytes = document.size(),
                                                                     .now = record.view.created_at}));
  change.events.push_back({job::EventData("job.queued")
                               .member("cost_max_usd_micros", spec.limits.cost_max.usd_micros)
                               .member("home", keeps_fresh() && membership_ != nullptr ? membership_->id() : "")
                               .member("name", spec.name)
                               .member("problem_type", record.view.problem_type)
                               .member("project", record.view.project)
                               .member("rank", record.rank)
                               .member("retry_of", spec.retry_of ? std::optional(spec.retry_of->value) : std::nullopt)
                               .member("serial_key", record.serial_key)
                               .member("spec_sha256", out.fingerprint)
                               .member("start_by", queued_of(record).until_micros)
                               .member("tenant", record.view.tenant)});
  for (job::EventData& alert : alerts) change.events.push_back({std::move(alert)});
  // Refused as long as the jobs that were taken before cannot go on; one without workers finds out by trying.
  if (options_.workers != 0) TANDEM_TRY(watch_.writable());
  return out;
}

/// On a thread of the store.
void EngineImpl::admitted(JobRecord row, SpecPtr spec) {
  services_.meter.add("tandem_jobs_admitted_total", 1);
  if (!keeps_fresh()) return;
  const Queued queued = queued_of(row);
  const std::lock_guard lock(mutex_);
  if (fresh_.size() < kFreshMax)
    fresh_.emplace(queued.ticket.job, Fresh{.record = std::move(row), .spec = std::move(spec)});
  enqueue_locked(queued);
}

std::shared_ptr<void> EngineImpl::count_admission() {
  {
    const std::lock_guard lock(mutex_);
    ++admitting_;
  }
  return {nullptr, [this](void*) {
            const std::lock_guard lock(mutex_);  // held to the end: nothing here is touched after an engine may be gone
            --admitting_;
            if (draining_) changed_->notify_all();
          }};
}

void EngineImpl::enqueue(const Queued& queued) {
  const std::lock_guard lock(mutex_);
  enqueue_locked(queued);
}

bool EngineImpl::waits_locked(const std::string& job) const {
  return queue_.contains(job) || guests_.contains(job) || lines_.contains(job);
}

void EngineImpl::enqueue_guest_locked(const JobId& job, const store::LogEntry& entry) {
  const bool runs_here = takes_part() && (options_.runs == Runs::kEveryJob || attended_.contains(job));
  if (!runs_here || is_at_home(entry.value, membership_->id())) return;
  if (parked_.contains(job) || running_.contains(job) || waits_locked(job.value)) return;
  // Most are gone before anybody asks for more than their names.
  if (options_.queue_delay_max.count() != 0 || may_expire(entry.value)) {
    const std::optional<Queued> queued = queued_by(entry);
    if (!queued) return;
    note_wait_locked(*queued);
  }
  const Instant now = services_.clock.monotonic();
  guests_.emplace(job.value, Guest{.entry = entry, .heard = now});
  guests_by_age_.emplace_hint(guests_by_age_.end(), now, job.value);
  (void)move_guests_locked();  // no more of them than come, so that a busy process does not get far behind
  work_->notify_one();
}

std::optional<Queued> EngineImpl::queued_by(const store::LogEntry& entry) const {
  const auto event = job::Event::parse(entry.value, entry.sequence);
  if (event) return announced_by(*event);
  services_.log.write(LogLevel::kError, "log.damaged", {{"error", event.error().to_string()}});
  return std::nullopt;
}

std::optional<Instant> EngineImpl::move_guests_locked() {
  for (std::size_t moved = 0; !guests_by_age_.empty(); ++moved) {
    const auto& [heard, job] = *guests_by_age_.begin();
    const Instant latest = heard + kGuestWaitMax;
    const Instant due = queue_.ready() ? latest : std::min(std::max(heard, own_taken_) + kGuestWait, latest);
    if (services_.clock.monotonic() < due || moved == kGuestsMovedMax) return due;
    if (const auto queued = queued_by(guests_.extract(job).mapped().entry)) queue_.push(queued->ticket);
    guests_by_age_.erase(guests_by_age_.begin());
  }
  return std::nullopt;
}

void EngineImpl::forget_guest_locked(const std::string& job) {
  const auto guest = guests_.find(job);
  if (guest == guests_.end()) return;
  guests_by_age_.erase({guest->second.heard, job});
  guests_.erase(guest);
}

void EngineImpl::note_limit_locked(const Queued& queued) {
  if (queued.until_micros == 0) return;
  waiting_until_.emplace(queued.until_micros, queued.ticket.job);
  heal_by_locked(at_of(queued.until_micros));
}

void EngineImpl::note_wait_locked(const Queued& queued) {
  note_limit_locked(queued);
  queue_delay_.came(queued.ticket.job, queued.since_micros);
}

void EngineImpl::enqueue_locked(const Queued& queued) {
  const JobId id(queued.ticket.job);
  if (!takes_part() || parked_.contains(id) || lines_.contains(id.value)) return;
  if (const auto found = running_.find(id); found != running_.end()) {
    found->second->look_again = true;  // it is on its way out of this process's hands
    return;
  }
  if (!queue_.push(queued.ticket)) return;
  forget_guest_locked(queued.ticket.job);
  note_wait_locked(queued);
  work_->notify_one();
}

void EngineImpl::unqueue_locked(const std::string& job) {
  queue_delay_.left(job);
  fresh_.erase(job);
  forget_guest_locked(job);
  queue_.erase(job);
  lines_.erase(job);
  let_in_locked();
}

Result<void> EngineImpl::enqueue_queued() {
  return each_queued(services_.store, [this](const Queued& queued) { enqueue(queued); });
}

Result<std::size_t> EngineImpl::attend(const JobId& id) {
  // Counted before it can start, so that it is either in both figures or in none.
  TANDEM_TRY_ASSIGN(const std::uint64_t all,
                    services_.store.count(store::Table::kJobIndex, state_index_key(job::JobState::kQueued, JobId())));
  TANDEM_TRY_ASSIGN(const JobRecord record, ledger_.load(id));
  const bool queued = record.view.state == job::JobState::kQueued;
  const std::lock_guard lock(mutex_);
  if (!job::is_final(record.view.state)) attended_.insert(id);
  if (queued && options_.runs == Runs::kAttended) enqueue_locked(queued_of(record));
  queue_.hurry(id.value);
  return all - std::min<std::uint64_t>(all, queued ? 1 : 0);
}

void EngineImpl::wake(const JobId& id) {
  const std::lock_guard lock(mutex_);
  wake_locked(id);
}

void EngineImpl::wake_locked(const JobId& id) {
  for (auto [at, end] = waiters_.equal_range(id); at != end; ++at) {
    at->second->woken = true;
    at->second->news->notify_all();
  }
}

void EngineImpl::wake_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& [id, waiter] : waiters_) {
    waiter->woken = true;
    waiter->news->notify_all();
  }
}

Result<JobView> EngineImpl::job(const JobId& id) {
  TANDEM_TRY_ASSIGN(JobRecord record, ledger_.load(id));
  JobView view = std::move(record.view);
  if (view.state != job::JobState::kRunning) return view;
  view.progress = progress_.of(id);
  if (!view.progress && !record.owner.empty()) {
    TANDEM_TRY_ASSIGN(const Json told, Membership::jobs_of(services_.store, record.owner));
    view.progress = told_progress(told, id);
  }
  return view;
}

Result<JobView> EngineImpl::wait(const JobId& id, Deadline deadline) {
  Waiter waiter(services_.executor);
  std::unique_lock lock(mutex_);
  const auto place = waiters_.emplace(id, &waiter);
  const auto look = [&]() -> Result<std::optional<JobView>> {
    TANDEM_TRY_ASSIGN(JobView view, ledger_.load(id).map([](const JobRecord& row) { return row.view; }));
    if (job::is_final(view.state) || awaits_people(view.state)) return view;
    if (const auto writable = watch_.writable(); !writable) {
      Error error = writable.error();
      error.message =
          fmt::format("job {} is {} and goes on from its last checkpoint {}: {}", id.value, job::to_string(view.state),
                      watch_.may_recover() ? "when the store takes it again" : "after a restart", error.message);
      return tl::unexpected(std::move(error));
    }
    if (deadline.expired(services_.clock))
      return fail(errors::kResultNotReady, "job {} is still {}", id.value, job::to_string(view.state));
    return std::optional<JobView>();
  };
  while (true) {
    waiter.woken = false;
    lock.unlock();
    auto seen = look();
    lock.lock();
    if (!seen || *seen) {
      waiters_.erase(place);
      return seen.map([](std::optional<JobView> view) { return *std::move(view); });
    }
    const auto left = std::min<std::chrono::nanoseconds>(deadline.left(services_.clock), std::chrono::hours(1));
    if (!waiter.woken && left.count() > 0) waiter.news->wait_for(lock, left);
  }
}

Result<void> EngineImpl::ready() {
  TANDEM_TRY(refuse_when_draining());
  return watch_.writable();
}

Result<std::unique_ptr<Engine>> Engine::start(EngineServices services, EngineOptions options) {
  auto engine = std::make_unique<EngineImpl>(services, std::move(options));
  TANDEM_TRY(engine->recover_and_start());
  return engine;
}

}  // namespace tandem::engine
