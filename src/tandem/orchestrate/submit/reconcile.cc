#include "tandem/orchestrate/submit/reconcile.h"

#include <algorithm>

#include "tandem/base/pause.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/submit/ledger.h"
#include "tandem/orchestrate/submit/wire.h"

namespace tandem::submit {
namespace {

using backend::SubmitSafety;
using backend::WorkState;
using enum SubmissionState;

constexpr std::chrono::seconds kAskTime{5};  // for one question to a provider
// A sweep lets go of a submission after a question or two, and a person need not ask again for that.
constexpr int kClaimTries = 20;
constexpr std::chrono::milliseconds kClaimPause{100};

/// What one look at one submission came to; counted in the report.
enum class Seen : std::uint8_t { kConfirmed, kHeld, kOrphaned, kFinished, kWaiting, kUnanswered, kBusy, kEnded };

/// One look at one submission that nobody runs.
class Look {
 public:
  /// What the provider showed others since `asked_since` may answer it.
  Look(Ledger& ledger, backend::Backend& backend, SubmissionRecord record, bool job_is_over, Instant asked_since,
       std::stop_token stop)
      : ledger_(ledger),
        backend_(backend),
        record_(std::move(record)),
        job_is_over_(job_is_over),
        asked_since_(asked_since),
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

  /// As the provider told it last; empty: it was not asked, or did not answer.
  const std::optional<backend::PollStatus>& status() const { return status_; }
  /// It is done, its result is there no more, and it names no bill: nothing will come of it any more.
  bool is_gone() const { return gone_; }
  /// It does not know the work by what it showed before this look: to see all takes more than one.
  bool is_from_before() const { return is_from_before_; }

 private:
  /// ambiguous: one lookup.
  Result<Seen> resolve() {
    const SubmitSafety safety = backend_.info().safety;
    if (safety == SubmitSafety::kD) return hold("the provider cannot be asked for it; a person has to look there");
    if (!record_.doubt_at)
      TANDEM_TRY(move({.event = SubmissionEvent::kDoubt, .reason = Ledger::why_doubt_begins_anew()}));
    const auto found = wire_.lookup(record_, asked_since_, ledger_.services().clock);
    if (!found) return Seen::kUnanswered;
    if (found->handle) {
      TANDEM_TRY(move({.event = SubmissionEvent::kConfirm, .handle = *found->handle}));
      if (!job_is_over_) return Seen::kConfirmed;
      TANDEM_TRY(abandon());
      return watch();
    }
    // What was no before the window ended is no proof.
    if (!ledger_.window_was_over(record_, found->seen_since)) return Seen::kWaiting;
    if (safety == SubmitSafety::kA && !job_is_over_)
      return Seen::kWaiting;  // the run that comes back may send it again
    return hold(ledger_.why_given_up(record_));
  }

  /// held: finds out what became of it; a bill ends it.
  Result<Seen> watch() {
    if (record_.handle.empty()) {
      if (backend_.info().safety == SubmitSafety::kD) return Seen::kWaiting;
      const auto found = wire_.lookup(record_, asked_since_, ledger_.services().clock);
      if (!found) return Seen::kUnanswered;
      is_from_before_ = !found->handle && found->is_from_before;
      if (!found->handle) return Seen::kWaiting;
      TANDEM_TRY(move({.event = SubmissionEvent::kConfirm, .reason = unused(), .handle = *found->handle}));
    }
    const auto status = wire_.poll(record_.work());
    if (!status) return Seen::kUnanswered;
    status_ = *status;
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
                     .error_class = status->said,
                     .bill = status->billed,
                     .used = status->used}));
    return Seen::kFinished;
  }

  /// Done after the step had moved on: the bill is posted and the bytes are kept, where the provider still has them.
  Result<Seen> discover(const backend::PollStatus& status) {
    const auto raw = wire_.fetch(record_.work());
    gone_ = !raw && raw.error().number == errors::kUnknownHandle && !status.billed;
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

  Error unused() const {
    const std::string by =
        record_.said.empty() ? "" : fmt::format(" ({} by the word of {})", record_.said, record_.said_by);
    return make_error(errors::kSubmissionAmbiguous, "found after the step had moved on: billed and used by nobody{}",
                      by);
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
  Instant asked_since_;
  Wire wire_;
  std::optional<backend::PollStatus> status_;
  bool gone_ = false;
  bool is_from_before_ = false;
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

/// It becomes part of a path at the provider.
Result<void> check_handle(std::string_view handle) {
  const bool plain = std::ranges::all_of(handle, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
  if (plain && !handle.empty() && handle.size() <= kHandleBytesMax) return {};
  return fail_at("/handle", errors::kValueOutOfRange, "{} is no handle: those are 1 to {} letters, digits, '-' and '_'",
                 quote(handle), kHandleBytesMax);
}

std::string what_it_is(const SubmissionRecord& record) {
  std::string out = fmt::format("submission {} is {}", record.token, to_string(record.state));
  if (record.has_bill) out += fmt::format(", billed {}", format_usd(record.billed.usd_micros));
  if (!record.said.empty()) out += fmt::format(": {} ({})", record.said, record.said_by);
  return out;
}

/// What the provider says counts before what a person says. Empty: it leaves room for that. `known`: it has named the work.
std::string why_its_bill_will_be_known(const Look& look, bool known) {
  const auto& status = look.status();
  if (!status && known)
    return "it does not answer now, and will be asked again; where it never will, take the backend out of the settings";
  if (!status) return "";
  if (status->state == WorkState::kQueued || status->state == WorkState::kRunning)
    return fmt::format("{}, and was asked to cancel it; its bill will be known", status->detail);
  if (status->billed) return fmt::format("billed {}", format_usd(status->billed->usd_micros));
  if (status->state == WorkState::kSucceeded && !look.is_gone())
    return fmt::format("{}; its result and bill will be asked for again", status->detail);
  return "";
}

/// Errors: 5029 submission_not_held - another one has that handle: a provider's work stands for one of ours; 3003 store_damaged - one
/// that cannot be read any more may have it.
Result<void> require_free(store::Store& store, const SubmissionRecord& wanting, std::string_view handle) {
  store::Scan scan = store::Scan::prefix(store::Table::kSubmission, "");
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, store.scan(scan));
    for (const store::Row& row : rows) {
      if (row.key.find('/') != std::string::npos) continue;  // of the index
      const auto other = SubmissionRecord::parse(row);
      if (!other) {
        if (row.value.find(handle) != std::string::npos) return tl::unexpected(other.error());
        continue;
      }
      if (other->token == wanting.token || other->backend != wanting.backend || other->handle != handle) continue;
      return fail(errors::kSubmissionNotHeld, "{} is the work of another submission at {}", quote(handle),
                  wanting.backend);
    }
    if (rows.size() < scan.limit) return {};
    scan.from = rows.back().key + '\0';
  }
}

/// The same of records that have no row of their own for their handle yet, and then what the commit itself makes sure of.
Premise stays_free(store::Store& store, const SubmissionRecord& wanting, std::string_view handle) {
  return [&store, &wanting, handle, takes = takes_handle(store, wanting, handle)](store::Batch& batch) -> Result<void> {
    TANDEM_TRY(require_free(store, wanting, handle));
    return takes(batch);
  };
}

}  // namespace

struct Reconciler::Taken {
  LiveSet::Claim claim;
  SubmissionRecord record;
};

Result<Reconciler::Taken> Reconciler::take(std::string_view token, const std::stop_token& stop) {
  Ledger& ledger = *submitter_.ledger_;
  for (int tries = 1; tries <= kClaimTries; ++tries) {
    auto claim = ledger.live().try_claim(std::string(token));
    if (!claim) {
      TANDEM_TRY(pause(ledger.services().executor, kClaimPause, stop));
      continue;
    }
    TANDEM_TRY_ASSIGN(auto record, submitter_.find(token));
    return Taken{.claim = *std::move(claim), .record = std::move(record)};
  }
  return fail(errors::kSubmissionNotHeld, "submission {} is being worked on at this moment; it may resolve by itself",
              token);
}

Result<SubmissionRecord> Reconciler::release(std::string_view token, const PersonsWord& word, job::Money billed,
                                             std::stop_token stop) {
  if (billed < job::Money{} || billed > budget::kAmountMax)
    return fail_at("/billed_usd_micros", errors::kValueOutOfRange, "{} is not an amount from $0 to {}",
                   format_usd(billed.usd_micros), format_usd(budget::kAmountMax.usd_micros));
  TANDEM_TRY_ASSIGN(Taken taken, take(token, stop));
  Ledger& ledger = *submitter_.ledger_;
  const auto not_held = [](const SubmissionRecord& record) {
    return fail(errors::kSubmissionNotHeld, "{}; only what is held is released", what_it_is(record));
  };
  if (taken.record.state != kHeld) return not_held(taken.record);
  if (backend::Backend* backend = backends_.find(taken.record.backend); backend != nullptr) {
    Look look(ledger, *backend, taken.record, /*job_is_over=*/true, ledger.services().clock.monotonic(), stop);
    if (const auto seen = look.take(); !seen && !is_of_one(seen.error())) return tl::unexpected(seen.error());
    if (stop.stop_requested())
      return fail(errors::kCancelled, "stopped while the provider was asked for submission {}", token);
    TANDEM_TRY_ASSIGN(taken.record, submitter_.find(token));
    if (taken.record.state != kHeld) return not_held(taken.record);
    if (look.is_from_before())
      return fail(errors::kSubmissionNotHeld,
                  "what is known of submission {} at the provider is from before you asked; say it again", token);
    if (const std::string why = why_its_bill_will_be_known(look, !taken.record.handle.empty()); !why.empty())
      return fail(errors::kSubmissionNotHeld, "the provider has submission {} as {}: {}", token, taken.record.handle,
                  why);
  }
  const std::string said = fmt::format(
      "{}: {}", billed == job::Money{} ? "not billed" : "billed " + format_usd(billed.usd_micros), word.reason);
  return ledger.apply(
      taken.record,
      {.event = SubmissionEvent::kRelease,
       .actor = word.actor,
       .reason = make_error(errors::kSubmissionAmbiguous, "released as {}", said),
       .bill = billed,
       // What was not billed was not used, for all that anybody knows; else limits count what was asked for.
       .used = billed == job::Money{} ? std::optional(job::MeteredUse{}) : std::nullopt,
       .said = said});
}

Result<SubmissionRecord> Reconciler::adopt(std::string_view token, const PersonsWord& word, std::string_view handle,
                                           std::stop_token stop) {
  TANDEM_TRY(check_handle(handle));
  TANDEM_TRY_ASSIGN(Taken taken, take(token, stop));
  Ledger& ledger = *submitter_.ledger_;
  SubmissionRecord& record = taken.record;
  if (record.state != kHeld && record.state != kAmbiguous)
    return fail(errors::kSubmissionNotHeld, "{}; only what is held or ambiguous is adopted", what_it_is(record));
  if (!record.handle.empty() && record.handle != handle)
    return fail(errors::kSubmissionNotHeld, "submission {} has the handle {}, and is not {}", token, record.handle,
                quote(handle));
  if (record.state == kAmbiguous && runs_elsewhere_) {
    TANDEM_TRY_ASSIGN(const bool elsewhere, runs_elsewhere_(record.job, record.fence));
    if (elsewhere)
      return fail(errors::kSubmissionNotHeld, "another process works on submission {}; it may resolve by itself",
                  token);
  }
  backend::Backend* backend = backends_.find(record.backend);
  if (backend == nullptr)
    return fail(errors::kUnknownBackend, "there is no backend {} to ask for {}; configure it", quote(record.backend),
                quote(handle));
  TANDEM_TRY_ASSIGN(const bool over, ledger.job_is_over(record.job));
  if (record.handle.empty()) {
    Wire wire(*backend, ledger.services().crash_points, stop, Deadline::after(ledger.services().clock, kAskTime));
    TANDEM_TRY(wire.poll({.handle = std::string(handle), .token = record.token}));
    // Where nobody can say whose work it is, it must at least be nobody else's.
    const bool unchecked = backend->info().safety == SubmitSafety::kD;
    const std::string said =
        fmt::format("handle {}{}: {}", handle, unchecked ? ", which the provider cannot bear out" : "", word.reason);
    TANDEM_TRY_ASSIGN(
        record,
        ledger.apply(record, {.event = SubmissionEvent::kConfirm,
                              .actor = word.actor,
                              .reason = make_error(errors::kSubmissionAmbiguous, "adopted: {}", said),
                              .handle = std::string(handle),
                              .premise = unchecked ? stays_free(ledger.services().store, record, handle) : Premise(),
                              .said = said}));
  }
  // What is not answered now is asked for again by the next sweep.
  TANDEM_TRY(Look(ledger, *backend, record, over, ledger.services().clock.monotonic(), stop).take());
  return submitter_.find(token);
}

Result<SweepReport> Reconciler::sweep(std::stop_token stop) {
  Ledger& ledger = *submitter_.ledger_;
  const Instant began = ledger.services().clock.monotonic();
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
    auto seen = Look(ledger, *backend, std::move(*record), over, began, stop).take();
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
