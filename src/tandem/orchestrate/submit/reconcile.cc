#include "tandem/orchestrate/submit/reconcile.h"

#include "tandem/base/pause.h"
#include "tandem/orchestrate/submit/ledger.h"
#include "tandem/orchestrate/submit/wire.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using backend::WorkState;
using enum SubmissionState;

constexpr std::chrono::seconds kAskTime{5};  // for one question to a provider

/// What one look at one submission came to; counted in the report.
enum class Seen : std::uint8_t { kConfirmed, kHeld, kOrphaned, kFinished, kWaiting, kUnanswered, kBusy, kEnded };

/// One look at one submission that nobody runs.
class Look {
 public:
  Look(Ledger& ledger, backend::Backend& backend, SubmissionRecord record, bool job_is_over, std::stop_token stop)
      : ledger_(ledger),
        backend_(backend),
        record_(std::move(record)),
        job_is_over_(job_is_over),
        wire_(backend, ledger.services().crash_points, std::move(stop),
              Deadline::after(ledger.services().clock, kAskTime)) {}

  Result<Seen> take() {
    switch (record_.state) {
      case kReserved:
        if (!job_is_over_) return Seen::kWaiting;  // nothing was sent; the run that comes back sends it
        TANDEM_TRY(move({.event = SubmissionEvent::kCancel,
                         .reason = make_error(errors::kCancelled, "the job ended before anything was sent"),
                         .bill = job::Money{}}));
        return Seen::kFinished;
      case kIntent:
        TANDEM_TRY(move({.event = SubmissionEvent::kDoubt,
                         .reason = make_error(errors::kSubmissionAmbiguous,
                                              "the process ended after the intent; the provider may have the work")}));
        return resolve();
      case kAmbiguous:
        return resolve();
      case kConfirmed:
        if (!job_is_over_) return Seen::kWaiting;
        TANDEM_TRY(abandon());
        return watch();
      case kTerminal:
        if (!job_is_over_) return Seen::kWaiting;
        TANDEM_TRY(move({.event = SubmissionEvent::kDiscover, .reason = unused()}));
        return Seen::kOrphaned;
      default:
        return watch();
    }
  }

 private:
  /// ambiguous: one lookup.
  Result<Seen> resolve() {
    const SubmitSafety safety = backend_.info().safety;
    if (safety == SubmitSafety::kD) return hold("the provider cannot be asked for it; a person has to look there");
    const auto found = wire_.lookup(record_);
    if (!found) return Seen::kUnanswered;
    if (found->kind == backend::Reconciled::Kind::kFound) {
      TANDEM_TRY(move({.event = SubmissionEvent::kConfirm, .handle = found->handle}));
      if (!job_is_over_) return Seen::kConfirmed;
      TANDEM_TRY(abandon());
      return watch();
    }
    const std::int64_t age_ms = (ledger_.services().clock.now().micros - record_.intent_at.micros) / 1000;
    if (age_ms < ledger_.options().settle_window.count()) return Seen::kWaiting;
    if (safety == SubmitSafety::kA && !job_is_over_)
      return Seen::kWaiting;  // the run that comes back may send it again
    return hold(fmt::format("the provider does not know it {} ms after the intent; it may still appear", age_ms));
  }

  /// held: finds out what became of it; a bill ends it.
  Result<Seen> watch() {
    if (record_.handle.empty()) {
      if (backend_.info().safety == SubmitSafety::kD) return Seen::kWaiting;
      const auto found = wire_.lookup(record_);
      if (!found) return Seen::kUnanswered;
      if (found->kind == backend::Reconciled::Kind::kNotFound) return Seen::kWaiting;
      TANDEM_TRY(move({.event = SubmissionEvent::kConfirm, .reason = unused(), .handle = found->handle}));
    }
    const auto status = wire_.poll(record_.work());
    if (!status) return Seen::kUnanswered;
    switch (status->state) {
      case WorkState::kQueued:
      case WorkState::kRunning: {
        const auto asked = wire_.cancel(record_.work());  // nobody waits for it: it need not cost more
        return asked ? Seen::kWaiting : Seen::kUnanswered;
      }
      case WorkState::kSucceeded:
        return discover(*status);
      case WorkState::kFailed:
      case WorkState::kCancelled:
        break;
    }
    if (!status->billed) return Seen::kWaiting;
    const bool failed = status->state == WorkState::kFailed;
    TANDEM_TRY(move({.event = failed ? SubmissionEvent::kFail : SubmissionEvent::kCancel,
                     .reason = make_error(errors::kBackendJobFailed, "the provider reports it {}: {}",
                                          failed ? "failed" : "cancelled", status->detail),
                     .bill = status->billed,
                     .used = status->used}));
    return Seen::kFinished;
  }

  /// Done after the step had moved on: the bill is posted and the bytes are kept, where the provider still has them.
  Result<Seen> discover(const backend::PollStatus& status) {
    const auto raw = wire_.fetch(record_.work());
    if (!raw && (raw.error().number != errors::kUnknownHandle || !status.billed)) return Seen::kUnanswered;
    Change change{.event = SubmissionEvent::kDiscover, .reason = unused(), .bill = status.billed, .used = status.used};
    if (raw) change.raw = &*raw;
    TANDEM_TRY(move(change));
    return Seen::kOrphaned;
  }

  /// confirmed, and its job has ended.
  Result<void> abandon() {
    return move({.event = SubmissionEvent::kHold,
                 .reason = make_error(errors::kCancelled, "the job ended while the provider had the work")});
  }

  Result<Seen> hold(std::string why) {
    TANDEM_TRY(move(
        {.event = SubmissionEvent::kHold, .reason = make_error(errors::kSubmissionAmbiguous, "{}", std::move(why))}));
    return Seen::kHeld;
  }

  static Error unused() {
    return make_error(errors::kSubmissionAmbiguous, "found after the step had moved on: billed and used by nobody");
  }

  Result<void> move(Change change) {
    change.actor = "reconciler";
    TANDEM_TRY_ASSIGN(record_, ledger_.apply(record_, change));
    return {};
  }

  Ledger& ledger_;
  backend::Backend& backend_;
  SubmissionRecord record_;
  bool job_is_over_;
  Wire wire_;
};

void count(SweepReport& report, Seen seen) {
  switch (seen) {
    case Seen::kConfirmed:
      ++report.confirmed;
      return;
    case Seen::kHeld:
      ++report.held;
      return;
    case Seen::kOrphaned:
      ++report.orphaned;
      return;
    case Seen::kFinished:
      ++report.finished;
      return;
    case Seen::kWaiting:
      ++report.waiting;
      return;
    case Seen::kUnanswered:
      ++report.failed;
      return;
    case Seen::kBusy:
      ++report.busy;
      return;
    case Seen::kEnded:
      return;
  }
}

/// The rows or the figures of one submission are not what they can be: a person has to look, and the others go on.
bool is_of_one(const Error& error) {
  return error.number == errors::kStoreDamaged || error.number == errors::kValueOutOfRange;
}

}  // namespace

Result<SweepReport> Reconciler::sweep(std::stop_token stop) {
  Ledger& ledger = *submitter_.ledger_;
  SweepReport report;
  const auto look_at = [&](const std::string& token) -> Result<Seen> {
    const auto claim = ledger.live().try_claim(token);
    if (!claim) return Seen::kBusy;
    TANDEM_TRY_ASSIGN(auto record, ledger.load(token));
    if (!record || is_final(record->state)) return Seen::kEnded;  // since the scan
    if (runs_elsewhere_) {
      TANDEM_TRY_ASSIGN(const bool elsewhere, runs_elsewhere_(record->job, record->fence));
      if (elsewhere) return Seen::kBusy;
    }
    backend::Backend* backend = backends_.find(record->backend);
    if (backend == nullptr) return Seen::kUnanswered;
    TANDEM_TRY_ASSIGN(const bool over, ledger.job_is_over(record->job));
    auto seen = Look(ledger, *backend, std::move(*record), over, stop).take();
    // A worker of another process may have come back to it meanwhile.
    if (!seen && seen.error().number == errors::kStaleFence) return Seen::kBusy;
    return seen;
  };
  const std::string prefix = open_key("");
  store::Scan scan = store::Scan::prefix(store::Table::kSubmission, prefix);
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, ledger.services().store.scan(scan));
    for (const store::Row& row : rows) {
      if (stop.stop_requested()) return fail(errors::kCancelled, "stopped in the middle of a sweep");
      ++report.open;
      const std::string token = row.key.substr(prefix.size());
      const auto seen = look_at(token);
      if (!seen && !is_of_one(seen.error())) return tl::unexpected(seen.error());
      count(report, seen.value_or(Seen::kUnanswered));
      if (!seen)
        ledger.services().log.write(LogLevel::kError, "reconciler.submission_failed",
                                    {{"token", token}, {"error", seen.error().to_string()}});
    }
    if (rows.size() < scan.limit) break;
    scan.from = rows.back().key + '\0';
  }
  ledger.services().meter.set("tandem_submissions_open", static_cast<double>(report.open));
  return report;
}

std::unique_ptr<Timer> Reconciler::start(Executor& executor, std::chrono::milliseconds interval) {
  return executor.start_loop("reconciler", [this, &executor, interval](std::stop_token stop) {
    do {
      const auto report = sweep(stop);
      if (report || report.error().number == errors::kCancelled) continue;
      submitter_.ledger_->services().log.write(LogLevel::kError, "reconciler.sweep_failed",
                                               {{"error", report.error().to_string()}});
    } while (pause(executor, interval, stop));
  });
}

}  // namespace tandem::submit
