// How jobs get to workers, and from them to their end.
//
// A worker takes a turn: it claims jobs ahead where they are known to be short, walks one that is claimed, and hands its end to the
// store without waiting for the answer. So commits of many jobs are under way at once, and the store syncs them together.
#include <algorithm>

#include "tandem/orchestrate/engine/engine_impl.h"
#include "tandem/orchestrate/engine/take_over.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kClaimedAheadMax = 64;
constexpr double kClaimedAheadS = 0.005;  ///< work that may lie claimed and not begun
constexpr std::size_t kEndingMax = 512;  ///< ends under way to the store; beyond it workers wait
/// The same for jobs that were read from the store: their starts wait with their ends, and those of a long queue would all wait for
/// each other, and behind a checkpoint. Few more than one group of the store shares: more of them wait longer and end no faster.
constexpr std::size_t kFoundEndingMax = 12;
constexpr double kMeanShare = 0.1;  ///< weight of the last run in the mean
/// A run is charged with so much at least: below it a measured time is a page that was read, or a processor that was away. Projects whose
/// jobs are alike then take turns, and what they store of jobs that were admitted side by side lies side by side.
constexpr double kChargedMinS = 0.001;

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

/// Of a claim: why the job was not started, where that is no trouble.
bool is_usual(const Error& error) { return is_too_late(error) || error.number == errors::kPreconditionFailed; }

/// Where its wait has a limit, others may end it as long as it waits in the store.
bool may_wait(const JobRecord& row) { return queued_of(row).until_micros == 0; }

/// Its start needs no look at anything but the row, as it is. Of what was lost with a process before it is to be known that it was
/// begun, should that happen again.
bool is_ready(const JobRecord& row) {
  return row.view.state == job::JobState::kQueued && !row.view.cancel_requested && !row.suspend_requested &&
         row.lost_leases == 0 && may_wait(row);
}

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

bool EngineImpl::may_start_more_locked(std::size_t free) const {
  const auto ahead =
      static_cast<std::size_t>(std::min<double>(kClaimedAheadMax, kClaimedAheadS / std::max(mean_run_s_, 1e-9)));
  return claiming_ + claimed_.size() < free + ahead && ending_ < kEndingMax && found_ending_ < kFoundEndingMax &&
         may_start() && watch_.writable().has_value();
}

std::shared_ptr<Running> EngineImpl::pop_locked() {
  const double charged_s = std::max(mean_run_s_, kChargedMinS);
  std::optional<schedule::Ticket> ticket = queue_.pop(charged_s);
  queue_delay_.left(ticket->job);
  auto running = std::make_shared<Running>();
  running_.emplace(JobId(ticket->job), running);
  running->ticket = *std::move(ticket);
  running->charged_s = charged_s;
  ++claiming_;
  return running;
}

std::optional<Run> EngineImpl::take_unclaimed_locked(Running& running) {
  const schedule::Ticket& ticket = running.ticket;
  if (!ticket.serial_key.empty()) return std::nullopt;  // its key has to be taken first
  Run run{.record = {}, .spec = nullptr, .start = {}};
  run.record.view.id = JobId(ticket.job);
  const auto fresh = fresh_.find(ticket.job);
  if (fresh != fresh_.end()) {
    if (!is_ready(fresh->second.record)) return std::nullopt;
    run.record = std::move(fresh->second.record);
    run.spec = std::move(fresh->second.spec);
    fresh_.erase(fresh);
    own_taken_ = services_.clock.monotonic();
  } else if (membership_ != nullptr || after_loss_) {
    // Others may be about to take it; or it took the last process down, before anything of it was stored.
    return std::nullopt;
  } else {
    running.found = true;
  }
  // `running` is there as long as the run, and what it makes.
  run.start = [this, &running, at = services_.clock.now()](JobRecord& row, Change& change) -> Result<void> {
    {
      const std::lock_guard lock(mutex_);
      if (running.left)
        return fail(errors::kStaleFence, "job {} goes on without this run, which did not stop", row.view.id.value);
    }
    return start(row, change, at);
  };
  return run;
}

EngineImpl::Turn EngineImpl::take(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    work_->notify_all();
  });
  std::unique_lock lock(mutex_);
  Turn turn;
  while (true) {
    const bool ends = draining_ || stop.stop_requested();
    if (ends && claimed_.empty() && claiming_ == 0) {
      turn.leave = true;
      break;
    }
    if (!claimed_.empty() && (ending_ < kEndingMax || ends) && slots_.try_take()) {
      turn.job = std::move(claimed_.front());
      claimed_.pop_front();
    }
    if (queue_.size() == 0 && running_.empty() && parked_.empty() && lines_.empty())
      after_loss_ = false;  // what was found is done
    const std::optional<Instant> next_guest = ends ? std::nullopt : move_guests_locked();
    const std::size_t free = slots_.free();
    while (!ends && (turn.job || free != 0) && queue_.ready() && may_start_more_locked(free)) {
      auto running = pop_locked();
      auto unclaimed = take_unclaimed_locked(*running);
      if (!unclaimed) {
        turn.claims.push_back(std::move(running));
        continue;
      }
      --claiming_;
      claimed_.push_back(
          {.run = *std::move(unclaimed), .running = std::move(running), .at = services_.clock.monotonic()});
      if (!turn.job && slots_.try_take()) {
        turn.job = std::move(claimed_.front());
        claimed_.pop_front();
      }
      break;  // others are ready when they are wanted
    }
    if (turn.job || !turn.claims.empty()) break;
    if (next_guest)
      work_->wait_for(lock, *next_guest - services_.clock.monotonic());
    else
      work_->wait(lock);
  }
  if (turn.job) heal_claimed_locked();
  // The one that was to look when the next guest's turn comes may have been this one.
  if (turn.job && slots_.free() != 0 && (queue_.ready() || !guests_.empty())) work_->notify_one();
  return turn;
}

void EngineImpl::work(const std::stop_token& stop) {
  while (true) {
    Turn turn = take(stop);
    if (turn.leave) {
      const std::lock_guard lock(mutex_);
      work_->notify_all();  // the others may leave as well
      return;
    }
    for (const auto& running : turn.claims) claim(running);
    if (turn.job) walk(*std::move(turn.job));
  }
}

void EngineImpl::chore(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  chores_.push_back(std::move(work));
  chore_->notify_one();
}

void EngineImpl::do_chores(const std::stop_token& stop) {
  while (true) {
    std::function<void()> next;
    {
      std::unique_lock lock(mutex_);
      if (!chore_->wait(lock, stop, [&] { return !chores_.empty(); }))
        return;  // whoever stops it has waited for all jobs
      next = std::move(chores_.front());
      chores_.pop_front();
    }
    next();
  }
}

void EngineImpl::claim(const std::shared_ptr<Running>& running) {
  const std::string& job = running->ticket.job;
  std::optional<Fresh> fresh;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = fresh_.find(job); found != fresh_.end()) {
      fresh = std::move(found->second);
      fresh_.erase(found);
    }
  }
  if (fresh) return claim_with(std::move(fresh->record), std::move(fresh->spec), running);
  auto record = ledger_.load(JobId(job));
  if (!record) return claim_refused(running, record.error(), 0);
  claim_with(*std::move(record), nullptr, running);
}

Result<void> EngineImpl::start(JobRecord& row, Change& change, Timestamp at) const {
  TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, job::JobEvent::kStart));
  ++row.view.fence;
  ++row.starts;
  if (membership_ != nullptr) row.owner = membership_->id();
  change.events.push_back(
      {job::EventData("job.started").member("fence", row.view.fence).member("start", row.starts), at});
  return {};
}

void EngineImpl::claim_with(JobRecord record, SpecPtr spec, const std::shared_ptr<Running>& running) {
  const auto decide = [this](JobRecord& row, Change& change) -> Result<void> {
    const bool queued = row.view.state == job::JobState::kQueued;
    if (row.view.cancel_requested && queued)
      return move_without_result(services_.store, row, change, job::JobEvent::kCancel,
                                 make_error(errors::kCancelled, "cancelled by the client before it ran"));
    if (row.suspend_requested && queued)
      return move_without_result(services_.store, row, change, job::JobEvent::kSuspend,
                                 make_error(errors::kCancelled, "suspended by the client"));
    if (queued && waited_too_long(row, services_.clock.now().micros)) return expire_wait(services_.store, row, change);
    return start(row, change, services_.clock.now());
  };
  const std::uint64_t version = record.version;
  ledger_.change(
      std::move(record), "engine", decide,
      [this, spec = std::move(spec), running, version](Result<JobRecord> row) mutable {
        if (row) return claimed(*std::move(row), std::move(spec), running);
        // What it means takes a look at the store, and this is no thread to look from.
        chore([this, running, version, error = std::move(row).error()] { claim_refused(running, error, version); });
      });
}

/// On a thread of the store.
void EngineImpl::claimed(JobRecord row, SpecPtr spec, const std::shared_ptr<Running>& running) {
  if (row.view.state != job::JobState::kRunning) return not_started(running);  // it ended here
  const std::lock_guard lock(mutex_);
  --claiming_;
  claimed_.push_back({.run = {.record = std::move(row), .spec = std::move(spec), .start = {}},
                      .running = running,
                      .at = services_.clock.monotonic()});
  if (slots_.free() == 0) heal_claimed_locked();
  work_->notify_one();
}

void EngineImpl::not_started(const std::shared_ptr<Running>& running) {
  {
    const std::lock_guard lock(mutex_);
    --claiming_;
    queue_.charge(running->ticket, -running->charged_s);
  }
  let_go(JobId(running->ticket.job), running, nullptr, std::nullopt);
}

void EngineImpl::claim_refused(const std::shared_ptr<Running>& running, const Error& error, std::uint64_t version) {
  const JobId id(running->ticket.job);
  bool look_again = false;
  bool key_is_taken = false;
  std::optional<Error> trouble = is_store_trouble(error) ? std::optional(error) : std::nullopt;
  if (error.number == errors::kPreconditionFailed) {
    // Somebody changed the row, or has the serial key.
    const auto record = ledger_.load(id);
    const bool waits = record && record->view.state == job::JobState::kQueued;
    look_again = waits && record->version != version;
    key_is_taken = waits && record->version == version;
    if (!record && is_store_trouble(record.error())) trouble = record.error();
  }
  {
    const std::lock_guard lock(mutex_);
    --claiming_;
    queue_.charge(running->ticket, -running->charged_s);
    running->look_again = running->look_again || look_again;
    if (key_is_taken) {
      running->keeps_key = true;
      held_keys_.push_back(running->ticket);
      running->look_again = true;
    }
  }
  // Ended while it waited, or another process was faster: nothing to do. Anything else is worth a line.
  if (!is_usual(error))
    services_.log.write(LogLevel::kWarning, "job.not_started", {{"job_id", id.value}, {"error", error.to_string()}});
  let_go(id, running, nullptr, std::move(trouble));
}

bool EngineImpl::read_unclaimed(Claimed& claimed) {
  JobRecord& row = claimed.run.record;
  if (row.version != 0) return true;
  auto read = ledger_.load(row.view.id);
  if (read && is_ready(*read)) {
    row = *std::move(read);
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    ++claiming_;
  }
  if (read)
    claim_with(*std::move(read), nullptr, claimed.running);
  else
    claim_refused(claimed.running, read.error(), 0);
  return false;
}

void EngineImpl::walk(Claimed claimed) {
  const auto place = std::make_shared<WorkerSlots::Place>(slots_);
  if (!read_unclaimed(claimed)) return;
  const std::shared_ptr<Running> running = claimed.running;
  const JobId id = claimed.run.record.view.id;
  const RunControl control{
      .place = *place,
      .stop = running->stop.get_token(),
      .drain = drain_.get_token(),
      .reason =
          [&] {
            const std::lock_guard lock(mutex_);
            return running->reason;
          },
      .holds = [this] { return may_start(); },
      .on_progress =
          [&](const Progress& progress) {
            progress_.note(progress);
            listeners_->publish(progress);
          },
      .on_told_to_stop = [&](ToldToStop told) { await_stop({.id = id, .running = running, .told = std::move(told)}); }};
  {
    const std::lock_guard lock(mutex_);
    running->place = place;
    if (draining_) {
      running->reason = std::max(running->reason, StopReason::kDraining);
      running->stop.request_stop();
    }
  }
  const Instant begin = services_.clock.monotonic();
  RunOutcome outcome = runner_.run(std::move(claimed.run), control);
  const double took_s = seconds(services_.clock.monotonic() - begin - place->time_outside());
  {
    const std::lock_guard lock(mutex_);
    if (running->left) {
      if (!running_.contains(id)) progress_.forget(id);
      return;
    }
    running->place.reset();
    running->behind = outcome.behind;
    mean_run_s_ += kMeanShare * (took_s - mean_run_s_);
    queue_.charge(running->ticket, std::max(took_s, kChargedMinS) - running->charged_s);
    ending_locked(*running, 1);
  }
  end(std::move(outcome), running);
}

void EngineImpl::ending_locked(const Running& running, int more) {
  ending_ += static_cast<std::size_t>(more);
  if (running.found) found_ending_ += static_cast<std::size_t>(more);
}

void EngineImpl::end(RunOutcome outcome, const std::shared_ptr<Running>& running) {
  if (!outcome.decide) return end_again(std::move(outcome), running, false);
  const auto kept = std::make_shared<RunOutcome>(std::move(outcome));  // for a second try
  ledger_.change(kept->run.record, "engine", kept->decide, [this, kept, running](Result<JobRecord> row) mutable {
    if (row) {
      if (job::is_final(row->view.state)) services_.meter.add("tandem_jobs_ended_total", 1);
      {
        const std::lock_guard lock(mutex_);
        ending_locked(*running, -1);
        if (row->view.state == job::JobState::kQueued) running->look_again = true;
      }
      return let_go(row->view.id, running, nullptr, std::nullopt);
    }
    kept->error = std::move(row).error();
    chore([this, kept, running]() mutable { end_again(std::move(*kept), running, true); });
  });
}

/// The slow way, with reading and waiting: where the row was changed meanwhile, or the end could not be stored.
void EngineImpl::end_again(RunOutcome outcome, const std::shared_ptr<Running>& running, bool was_refused) {
  const JobId id = outcome.run.record.view.id;
  const std::uint64_t fence = outcome.run.record.view.fence;
  bool is_as_it_was = true;  // what was refused, and not yet the failure that it comes to
  for (int tries = 0; was_refused; ++tries) {
    if (outcome.error->number != errors::kPreconditionFailed || tries != 0) {
      StopReason reason = StopReason::kNone;
      {
        const std::lock_guard lock(mutex_);
        reason = running->reason;
      }
      const Error error = *outcome.error;
      outcome = runner_.end_with(std::move(outcome.run), error, reason);
      is_as_it_was = false;
    }
    if (!outcome.decide) break;
    auto row = ledger_.update(id, fence, "engine", outcome.decide);
    if (row) {
      if (job::is_final(row->view.state)) services_.meter.add("tandem_jobs_ended_total", 1);
      outcome.error.reset();
      break;
    }
    if (outcome.run.start && is_too_late(row.error())) {
      outcome.error.reset();  // somebody ended or took it before anything of this run was stored
      break;
    }
    services_.log.write(LogLevel::kError, "job.end_not_stored",
                        {{"job_id", id.value}, {"error", row.error().to_string()}});
    // What cannot be stored as it is fails the job: a result that is too large, or what rests on rows that are not so. update() has
    // read those anew already.
    const bool again = is_as_it_was && row.error().number != errors::kStaleFence && !is_store_trouble(row.error());
    outcome.error = std::move(row).error();
    if (!again) break;
  }
  {
    const std::lock_guard lock(mutex_);
    ending_locked(*running, -1);
    running->look_again = true;
  }
  std::optional<Error> unstored = std::move(outcome.error);
  if (unstored && unstored->number == errors::kStaleFence) {
    // Somebody else's by now, as a rule. If it still is ours nobody else would ever come back to it.
    const auto row = ledger_.load(id);
    const bool ours = !row || (row->view.state == job::JobState::kRunning && row->view.fence == fence &&
                               row->owner == (membership_ != nullptr ? membership_->id() : ""));
    if (!ours) unstored.reset();
  }
  let_go(id, running, std::move(outcome.run.spec), std::move(unstored));
}

void EngineImpl::let_go(const JobId& id, const std::shared_ptr<Running>& running, SpecPtr spec,
                        std::optional<Error> unstored) {
  // A lease that ran out says nothing of the store: the job waits until there is one again.
  const bool trouble = unstored && is_store_trouble(*unstored);
  progress_.forget(id);
  const std::lock_guard lock(mutex_);  // held to the end: nothing here is touched after an engine may be gone
  running_.erase(id);
  if (unstored)
    park_locked(id, std::move(spec), running->ticket);
  else
    parkings_.erase(id);
  if (!unstored && !running->keeps_key) queue_.release(running->ticket);
  const bool runs_here = options_.runs == Runs::kEveryJob || attended_.contains(id);
  if (!unstored && running->look_again && runs_here && !draining_) {
    if (!running->behind.empty() && bulkheads_.is_full(running->behind)) lines_.add(running->behind, id.value);
    chores_.push_back([this, id] { look_again(id); });
  }
  let_in_locked();
  if (trouble) chores_.push_back([this, error = *std::move(unstored)] { cannot_store(error); });
  if (!chores_.empty()) chore_->notify_one();
  wake_locked(id);
  work_->notify_one();
  if (draining_) changed_->notify_all();
}

void EngineImpl::look_again(const JobId& id) {
  const auto record = ledger_.load(id);
  const bool waits = record && record->view.state == job::JobState::kQueued;
  const std::lock_guard lock(mutex_);
  if (!waits) {
    lines_.erase(id.value);
    return let_in_locked();
  }
  const Queued queued = queued_of(*record);
  // It counts towards no queue's delay: more workers would not help it.
  if (lines_.contains(id.value)) return note_limit_locked(queued);
  enqueue_locked(queued);
}

void EngineImpl::let_in_locked() {
  if (draining_ || lines_.empty()) return;
  for (std::string& job : lines_.take_first([&](const std::string& name) { return !bulkheads_.is_full(name); }))
    chores_.push_back([this, id = JobId(std::move(job))] { look_again(id); });
  if (!chores_.empty()) chore_->notify_one();
}

}  // namespace tandem::engine
