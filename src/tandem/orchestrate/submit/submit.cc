#include "tandem/orchestrate/submit/submit.h"

#include <algorithm>

#include "tandem/base/hash.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/submit/fingerprint.h"
#include "tandem/orchestrate/submit/ledger.h"
#include "tandem/orchestrate/submit/readiness.h"
#include "tandem/orchestrate/submit/wire.h"

namespace tandem::submit {
namespace {

using backend::WorkState;
using enum SubmissionState;

/// For the last question and the request to cancel, asked when the step's own time is over.
constexpr std::chrono::seconds kFarewell{2};

/// A result that stays unreadable that often is not damaged on its way but made like this.
constexpr int kUnreadableMax = 20;

constexpr std::size_t kSubmissionPageMax = 1000;  ///< in one answer

constexpr job::Money kNothing{};

struct Opened {
  SubmissionRecord record;
  bool is_new = false;  ///< made, and its backend asked, just now
  std::optional<NotReady> not_ready;  ///< nothing was made
};

Premise both(Premise first, Premise second) {
  if (!first || !second) return first ? first : second;
  return [first = std::move(first), second = std::move(second)](store::Batch& batch) -> Result<void> {
    TANDEM_TRY(first(batch));
    return second(batch);
  };
}

/// It was given back before anything was sent, because its backend was not ready for it then; or it was held back at the last moment.
bool is_withdrawn(const SubmissionRecord& record) {
  if (record.state == kRefused) return record.error_number == static_cast<std::uint16_t>(errors::kCircuitOpen);
  return record.state == kCancelled && record.sends == 0 && record.error_class &&
         backend::may_pass(*record.error_class);
}

/// One run of one attempt: whatever state the record is in, its next step, until the step can go on.
class Attempt {
 public:
  Attempt(Ledger& ledger, const SubmissionRequest& request, Opened opened, std::stop_token stop)
      : ledger_(ledger),
        request_(request),
        record_(std::move(opened.record)),
        is_new_(opened.is_new),
        stop_(std::move(stop)),
        wire_(request.backend, ledger.services().crash_points, stop_, request.deadline) {}

  Result<SubmissionOutcome> drive() {
    while (is_in_flight(record_.state)) {
      if (stop_.stop_requested()) return fail(errors::kCancelled, "stopped with submission {} open", record_.token);
      TANDEM_TRY(advance());
    }
    return outcome();
  }

 private:
  Result<void> advance() {
    switch (record_.state) {
      case kReserved:
        return send();
      case kIntent:  // found like this: the process died between the intent and the answer
        return decide({.event = SubmissionEvent::kDoubt,
                       .reason = make_error(errors::kSubmissionAmbiguous,
                                            "the process ended after the intent; the provider may have the work")});
      case kAmbiguous:
        return resolve();
      case kConfirmed:
        return follow();
      default:
        return judge();
    }
  }

  /// Nothing is sent otherwise, and whoever has the job by now finds the intent.
  Result<void> still_holds() const {
    if (!request_.holds || request_.holds()) return {};
    return fail(errors::kStaleFence, "this process lost its lease before attempt {} was sent", record_.token);
  }

  /// Reserved by a process that ended before it sent: what was true then may not be now.
  Result<void> ready_again() {
    TANDEM_TRY_ASSIGN(const Asked asked, ask(request_, ledger_.services().clock, stop_));
    if (asked.not_ready) {
      ready_in_ = asked.not_ready->ready_in;
      return tl::unexpected(asked.not_ready->why);
    }
    if (asked.quote.cost <= record_.reserved) return {};
    // Another attempt may take the price of now, where that is allowed.
    return fail(errors::kBackendUnavailable, "{} asks for {} micro-USD by now, {} were reserved; nothing was sent",
                request_.backend.info().id.value, asked.quote.cost.usd_micros, record_.reserved.usd_micros);
  }

  /// reserved -> intent -> [wire, once] -> confirmed, refused or ambiguous
  Result<void> send() {
    if (out_of_time()) {
      return decide({.event = SubmissionEvent::kCancel,
                     .reason = make_error(errors::kExpired, "the step's time was over before anything was sent"),
                     .bill = kNothing});
    }
    if (!is_new_) {
      if (auto ready = ready_again(); !ready) {
        if (ready.error().number == errors::kCancelled) return ready;
        return decide({.event = SubmissionEvent::kCancel, .reason = std::move(ready.error()), .bill = kNothing});
      }
    }
    if (const auto held = request_.backend.held_back()) {  // since it was asked
      ready_in_ = held->retry_after.value_or(std::chrono::milliseconds(0));
      return decide({.event = SubmissionEvent::kCancel, .reason = nothing_sent(held->error), .bill = kNothing});
    }
    if (auto intended = decide({.event = SubmissionEvent::kIntend, .premise = request_.payable}); !intended) {
      if (intended.error().number != errors::kPriceNotApproved) return intended;  // its approval is void since
      return decide({.event = SubmissionEvent::kCancel, .reason = std::move(intended.error()), .bill = kNothing});
    }
    TANDEM_TRY(still_holds());
    if (request_.on_send) request_.on_send();
    const auto sent = wire_.submit(request_.work, record_.token);
    if (sent) return confirm(*sent);
    if (sent.error().ambiguous) {
      return learn({.event = SubmissionEvent::kDoubt,
                    .reason = make_error(errors::kSubmissionAmbiguous, "no clear answer to the submission: {}",
                                         sent.error().error.message)});
    }
    ready_in_ = sent.error().retry_after.value_or(std::chrono::milliseconds(0));
    return learn({.event = SubmissionEvent::kRefuse,
                  .reason = sent.error().error,
                  .error_class = backend::class_of(sent.error()),
                  .retry_after = ready_in_,
                  .bill = kNothing});
  }

  /// The provider took it. Where it cannot tell whose work it has, somebody may have said meanwhile that this is another one's.
  Result<void> confirm(const backend::Handle& handle) {
    if (request_.backend.info().safety != backend::SubmitSafety::kD)
      return learn({.event = SubmissionEvent::kConfirm, .handle = handle});
    auto confirmed = learn({.event = SubmissionEvent::kConfirm,
                            .handle = handle,
                            .premise = takes_handle(ledger_.services().store, record_, handle)});
    if (confirmed || confirmed.error().number != errors::kSubmissionNotHeld) return confirmed;
    const std::string why =
        fmt::format("the provider took it, but {}; a person has to look", confirmed.error().message);
    TANDEM_TRY(
        learn({.event = SubmissionEvent::kDoubt, .reason = make_error(errors::kSubmissionAmbiguous, "{}", why)}));
    return give_up(why);
  }

  /// ambiguous: asks the provider for the token until it is found, the settle window is over, or the step's time is. What is sent again
  /// is so within one window from its intent, however late somebody found it: nobody knows how long a provider recognises a token.
  Result<void> resolve() {
    const backend::SubmitSafety safety = request_.backend.info().safety;
    if (safety == backend::SubmitSafety::kD) {
      return give_up("the provider cannot be asked for it; a person has to look there");
    }
    if (!record_.doubt_at) return decide({.event = SubmissionEvent::kDoubt, .reason = Ledger::why_doubt_begins_anew()});
    const Clock& clock = ledger_.services().clock;
    const auto found = wire_.lookup(record_, clock.monotonic() + -ledger_.options().lookup_interval, clock);
    if (found && found->handle) return learn({.event = SubmissionEvent::kConfirm, .handle = *found->handle});
    if (found && ledger_.window_was_over(record_, found->seen_since)) return give_up(ledger_.why_given_up(record_));
    const bool is_fresh = since_intent() < ledger_.options().settle_window;
    if (found && safety == backend::SubmitSafety::kA && is_fresh && !out_of_time()) return resend();
    if (out_of_time()) {
      return give_up(found ? "the step's time was over before the settle window was"
                           : "the provider could not be asked: " + found.error().message);
    }
    return wait(ledger_.options().lookup_interval);
  }

  /// Class A: the provider recognises the token, so the same bytes may go out again. Not where the approval is void since: then it may
  /// still appear, as of class B.
  Result<void> resend() {
    if (request_.backend.held_back()) return wait(ledger_.options().lookup_interval);
    if (request_.may_resend) {
      TANDEM_TRY_ASSIGN(const bool may, request_.may_resend());
      if (!may) return wait(ledger_.options().lookup_interval);
    }
    auto again =
        decide({.event = SubmissionEvent::kResend,
                .reason = make_error(errors::kSubmissionAmbiguous,
                                     "the provider did not have it and is sent the same again, by the same token"),
                .premise = request_.payable});
    if (!again && again.error().number == errors::kPriceNotApproved) return wait(ledger_.options().lookup_interval);
    TANDEM_TRY(std::move(again));
    TANDEM_TRY(still_holds());
    const auto sent = wire_.submit(request_.work, record_.token);
    if (sent) return learn({.event = SubmissionEvent::kConfirm, .handle = *sent});
    TANDEM_TRY(learn({.event = SubmissionEvent::kDoubt,
                      .reason = make_error(errors::kSubmissionAmbiguous, "no handle for what was sent again: {}",
                                           sent.error().error.message)}));
    return wait(ledger_.options().lookup_interval);
  }

  /// confirmed: polls until the work has ended or the step's time is over.
  Result<void> follow() {
    const Instant asked = ledger_.services().clock.monotonic();
    const auto status = wire_.poll(record_.work(), heard_by(asked));
    note_answer(asked, status);
    if (status && status->state == WorkState::kSucceeded) {
      const auto raw = wire_.fetch(record_.work());
      if (raw) return learn({.event = SubmissionEvent::kFinish, .raw = &*raw});
      known_.reset();
      unfetched_ = raw.error();
      if (out_of_time()) return leave(*unfetched_);
      return wait(ledger_.options().lookup_interval);
    }
    if (status && (status->state == WorkState::kFailed || status->state == WorkState::kCancelled)) {
      return end(*status);
    }
    // A question that the end of the step's time cut off says nothing of the work: the answer before it does.
    if (status || !out_of_time()) known_ = status ? std::optional(*status) : std::nullopt;
    const bool bounded = known_ && known_->state == WorkState::kQueued && request_.queue_wait_max;
    if (bounded && (since_intent() > *request_.queue_wait_max || out_of_time())) {
      return leave(
          make_error(errors::kQueueWaitPredicted, "it is still in the queue after {} ms", since_intent().count()));
    }
    // From now, or from when the work came to it: not every provider says which.
    const bool predicted = bounded && known_->starts_in;
    if (predicted && *known_->starts_in > *request_.queue_wait_max) {
      return leave(make_error(errors::kQueueWaitPredicted, "it is predicted to wait for {} ms, the plan allows {} ms",
                              known_->starts_in->count(), request_.queue_wait_max->count()));
    }
    if (out_of_time() && unfetched_) return leave(*unfetched_);
    if (!out_of_time() && silent_since_ && heard_by(asked).expired(ledger_.services().clock))
      return leave(make_error(errors::kPeerTimeout, "it has answered nothing for the {} ms of limits.heartbeat: {}",
                              request_.heartbeat_max->count(), status.error().message));
    if (out_of_time())
      return leave(known_ ? make_error(errors::kPeerTimeout, "it is {}", known_->detail) : status.error());
    return wait(status ? status->poll_again : ledger_.options().lookup_interval);
  }

  /// confirmed, and the provider ended it without a result. Failed is never assumed to be free.
  Result<void> end(const backend::PollStatus& status) {
    const bool failed = status.state == WorkState::kFailed;
    return end(status, make_error(errors::kBackendJobFailed, "the provider reports it {}: {}",
                                  failed ? "failed" : "cancelled", status.detail));
  }
  Result<void> end(const backend::PollStatus& status, Error reason) {
    const bool failed = status.state == WorkState::kFailed;
    if (!status.billed) {
      reason.message += "; it names no bill, so the reservation stays";
      return decide({.event = SubmissionEvent::kHold, .reason = std::move(reason)});
    }
    return learn({.event = failed ? SubmissionEvent::kFail : SubmissionEvent::kCancel,
                  .reason = std::move(reason),
                  .error_class = status.said,
                  .bill = status.billed,
                  .used = status.used});
  }

  /// confirmed, but the step waits no longer: asks for its end, and looks once more. What `why` is decides who comes next.
  Result<void> leave(const Error& why) {
    TANDEM_TRY(still_holds());
    // Whoever has a new lease by now was told to stop before: the work may be another worker's, who waits for it.
    if (stop_.stop_requested()) return fail(errors::kCancelled, "stopped with submission {} open", record_.token);
    const Clock& clock = ledger_.services().clock;
    Wire farewell(request_.backend, ledger_.services().crash_points, {}, Deadline::after(clock, kFarewell));
    const auto asked = farewell.cancel(record_.work());
    const auto status = farewell.poll(record_.work());
    Error reason = make_error(why.number, "no result within the step's time ({}); {}", why.message,
                              asked ? "the provider was asked to cancel" : "cancelling failed as well");
    if (status && status->billed && status->state == WorkState::kCancelled) return end(*status, std::move(reason));
    return decide({.event = SubmissionEvent::kHold, .reason = std::move(reason)});
  }

  /// terminal: the bytes are on disk; they count when they can be decoded. What arrived damaged is fetched again.
  Result<void> judge() {
    TANDEM_TRY_ASSIGN(const backend::RawResult raw, ledger_.raw(record_));
    const auto decoded = request_.backend.decode(raw, request_.work);
    if (decoded) return decide({.event = SubmissionEvent::kSettle});
    if (out_of_time() || ++unreadable_ > kUnreadableMax) {
      Error reason = decoded.error();
      reason.message = "the result cannot be read: " + reason.message;
      return decide({.event = SubmissionEvent::kFail, .reason = std::move(reason)});
    }
    TANDEM_TRY(wait(ledger_.options().lookup_interval));
    const auto again = wire_.fetch(record_.work());
    if (again && again->bytes != raw.bytes) return learn({.event = SubmissionEvent::kFinish, .raw = &*again});
    return {};
  }

  Result<void> give_up(std::string why) {
    return decide(
        {.event = SubmissionEvent::kHold, .reason = make_error(errors::kSubmissionAmbiguous, "{}", std::move(why))});
  }

  /// What this worker makes of the attempt: only while the job is its own.
  Result<void> decide(Change change) {
    change.premise = both(request_.owned, std::move(change.premise));
    return learn(change);
  }

  /// What became of it at the provider, which is so whoever has the job by now, and may be known to nobody else. It counts if the record
  /// still is what was asked about; whoever changed that since, or takes it over, asks the provider himself.
  Result<void> learn(const Change& change) {
    TANDEM_TRY_ASSIGN(record_, ledger_.apply(record_, change));
    return {};
  }

  /// When a question that is asked now, or was the first one without an answer, has been without one for too long.
  Deadline heard_by(Instant asked) const {
    if (!request_.heartbeat_max) return Deadline::never();
    return Deadline(silent_since_.value_or(asked) + *request_.heartbeat_max);
  }
  /// Nobody there, and no answer in time, are silence; whoever refuses is there.
  void note_answer(Instant asked, const Result<backend::PollStatus>& answer) {
    const backend::ErrorClass what = answer ? backend::ErrorClass::kOk : backend::class_of(answer.error());
    const bool silent = what == backend::ErrorClass::kTransient || what == backend::ErrorClass::kDeviceUnavailable;
    if (!silent)
      silent_since_.reset();
    else if (!silent_since_)
      silent_since_ = asked;
  }

  /// By the wall clock since the intent, so that a restart does not start the wait anew.
  std::chrono::milliseconds since_intent() const {
    return std::chrono::milliseconds((ledger_.services().clock.now().micros - record_.intent_at.micros) / 1000);
  }

  bool out_of_time() const { return request_.deadline.expired(ledger_.services().clock); }

  Result<void> wait(std::chrono::nanoseconds interval) {
    const auto left = request_.deadline.left(ledger_.services().clock);
    return pause(ledger_.services().executor, std::min(interval, left), stop_);
  }

  Result<SubmissionOutcome> outcome() const {
    using Kind = SubmissionOutcome::Kind;
    SubmissionOutcome out{
        .token = record_.token, .handle = record_.handle, .raw_sha256 = record_.raw_sha256, .billed = record_.billed};
    out.sends = record_.sends;
    if (record_.state == kSettled) {
      out.kind = Kind::kResult;
      TANDEM_TRY_ASSIGN(out.raw, ledger_.raw(record_));
      return out;
    }
    const bool held = record_.state == kHeld || record_.state == kOrphan || record_.state == kReleased;
    if (held) out.kind = Kind::kHeld;
    if (record_.state == kFailed) out.kind = Kind::kFailed;
    if (record_.state == kCancelled) out.kind = Kind::kCancelled;
    if (is_withdrawn(record_)) out.kind = Kind::kNotReady;
    out.error = Error{.number = ErrorNumber{record_.error_number},
                      .message = record_.reason,
                      .cost_incurred = held || record_.billed > kNothing};
    out.error_class = record_.error_class.value_or(backend::class_of(*out.error));
    out.retry_after = out.kind == Kind::kNotReady ? ready_in_ : record_.retry_after;
    out.number_is_used = true;
    return out;
  }

  Ledger& ledger_;
  const SubmissionRequest& request_;
  SubmissionRecord record_;
  bool is_new_;
  std::stop_token stop_;
  Wire wire_;
  std::chrono::milliseconds ready_in_{0};  ///< as was said when it was given back, or refused, just now
  int unreadable_ = 0;  ///< results that could not be decoded so far
  std::optional<backend::PollStatus> known_;  ///< of confirmed work, by the last question that was answered
  std::optional<Instant> silent_since_;  ///< when the first of the last questions was asked, of which none was answered
  std::optional<Error> unfetched_;  ///< it is done, and this was said instead of its result
};

/// The record of the attempt, made and paid for if it is new.
Result<Opened> open_or_resume(Ledger& ledger, const SubmissionRequest& request, const std::string& token,
                              const std::stop_token& stop) {
  const std::string work_sha256 = fingerprint(request.work).hex();
  TANDEM_TRY_ASSIGN(auto existing, ledger.load(token));
  if (!existing) {
    TANDEM_TRY(request.backend.validate(request.work));
    TANDEM_TRY_ASSIGN(const Asked asked, ask(request, ledger.services().clock, stop));
    if (asked.not_ready) return Opened{.not_ready = asked.not_ready};
    const backend::Quote& quote = asked.quote;
    auto opened = ledger.open({.token = token,
                               .tenant = request.tenant,
                               .job = request.job,
                               .step = request.step,
                               .attempt = request.attempt,
                               .fence = request.fence,
                               .backend = request.backend.info().id.value,
                               .tier = request.backend.info().tier,
                               .emulated = request.backend.info().emulated,
                               .work_sha256 = work_sha256,
                               .reserved = quote.cost,
                               .use = quote.use},
                              both(request.owned, request.payable), request.spend_max);
    if (opened) return Opened{.record = *std::move(opened), .is_new = true};
    if (opened.error().number != errors::kPreconditionFailed) return tl::unexpected(std::move(opened).error());
    TANDEM_TRY_ASSIGN(existing, ledger.load(token));  // another process was faster
    if (!existing) return tl::unexpected(std::move(opened).error());
  }
  if (existing->work_sha256 != work_sha256) {
    return fail(
        errors::kValueOutOfRange,
        "attempt {} of step '{}' was made for work {} and comes back with work {}; give changed work a new attempt",
        request.attempt, request.step, existing->work_sha256, work_sha256);
  }
  while (true) {
    auto taken = ledger.take_over(*existing, request.fence, request.owned);
    if (taken) return Opened{.record = *std::move(taken)};
    if (taken.error().number != errors::kPreconditionFailed) return tl::unexpected(std::move(taken).error());
    // A reconciler, or a later worker, changed it between the reading and the writing; or somebody the job.
    TANDEM_TRY_ASSIGN(existing, ledger.load(token));
    if (!existing) return tl::unexpected(std::move(taken).error());
  }
}

}  // namespace

std::string_view to_string(SubmissionOutcome::Kind kind) {
  constexpr std::string_view kNames[] = {"result", "refused", "failed", "cancelled", "held", "not_ready"};
  return kNames[static_cast<std::size_t>(kind)];
}

Submitter::Submitter(SubmitServices services, SubmitOptions options)
    : ledger_(std::make_unique<Ledger>(services, options)) {}
Submitter::~Submitter() = default;

void Submitter::publish_to(std::function<void(const job::Event&)> listener) {
  ledger_->publish_to(std::move(listener));
}

Result<SubmissionOutcome> Submitter::run(const SubmissionRequest& request, std::stop_token stop) {
  const std::string token = attempt_token(request.tenant, request.job.value, request.step, request.attempt);
  TANDEM_TRY_ASSIGN(const LiveSet::Claim claim, ledger_->live().claim(token, stop));
  TANDEM_TRY_ASSIGN(Opened opened, open_or_resume(*ledger_, request, token, stop));
  if (opened.not_ready) {
    return SubmissionOutcome{.kind = SubmissionOutcome::Kind::kNotReady,
                             .token = token,
                             .error = opened.not_ready->why,
                             .error_class = backend::class_of(opened.not_ready->why),
                             .retry_after = opened.not_ready->ready_in};
  }
  return Attempt(*ledger_, request, std::move(opened), std::move(stop)).drive();
}

Result<std::optional<NotReady>> Submitter::not_ready(const SubmissionRequest& request,
                                                     const std::stop_token& stop) const {
  return why_not_ready(request, ledger_->services().clock, stop);
}

Result<std::vector<SubmissionRecord>> Submitter::submissions(const JobId& job) {
  std::vector<SubmissionRecord> out;
  const std::string prefix = job_key(job, "");
  store::Scan scan = store::Scan::prefix(store::Table::kSubmission, prefix);
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, ledger_->services().store.scan(scan));
    for (const store::Row& row : rows) {
      TANDEM_TRY_ASSIGN(auto record, ledger_->load(std::string_view(row.key).substr(prefix.size())));
      if (record) out.push_back(std::move(*record));
    }
    if (rows.size() < scan.limit) return out;
    scan.from = rows.back().key + '\0';
  }
}

Error no_such_submission(std::string_view token) {
  return make_error(errors::kSubmissionNotFound, "there is no submission {}", quote(token));
}

Result<SubmissionRecord> Submitter::find(std::string_view token) {
  // Other keys of the table are of the index.
  TANDEM_TRY_ASSIGN(auto record, token.find('/') == std::string_view::npos ? ledger_->load(token) : std::nullopt);
  return record ? Result<SubmissionRecord>(*std::move(record)) : tl::unexpected(no_such_submission(token));
}

Result<SubmissionPage> Submitter::list(const SubmissionQuery& query, const SubmissionFilter& filter) {
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kSubmissionPageMax);
  const bool open = !query.state || !is_final(*query.state);
  const std::string prefix = query.job ? job_key(*query.job, "") : open ? open_key("") : "";
  store::Scan scan = store::Scan::prefix(store::Table::kSubmission, prefix);
  if (!query.page_token.empty()) scan.from = prefix + query.page_token + '\0';
  const auto wanted = [&](const SubmissionRecord& record) -> Result<bool> {
    if (query.state ? record.state != *query.state : is_final(record.state)) return false;
    if (!query.backend.empty() && record.backend != query.backend) return false;
    if (query.tenant && record.tenant != *query.tenant) return false;
    return filter ? filter(record) : Result<bool>(true);
  };
  SubmissionPage out;
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, ledger_->services().store.scan(scan));
    for (const store::Row& row : rows) {
      const std::string token = row.key.substr(prefix.size());
      if (token.find('/') != std::string::npos) continue;  // of the index
      TANDEM_TRY_ASSIGN(auto record, ledger_->load(token));
      if (!record) continue;  // gone with its job
      TANDEM_TRY_ASSIGN(const bool is_wanted, wanted(*record));
      if (!is_wanted) continue;
      if (out.submissions.size() == limit) {
        out.next_page_token = out.submissions.back().token;
        return out;
      }
      out.submissions.push_back(*std::move(record));
    }
    if (rows.size() < scan.limit) return out;
    scan.from = rows.back().key + '\0';
  }
}

Result<void> Submitter::forget(store::Batch& batch, const JobId& job, std::vector<std::string>& blobs) {
  using store::Table;
  TANDEM_TRY_ASSIGN(const std::vector<SubmissionRecord> records, submissions(job));
  for (const SubmissionRecord& record : records) {
    if (!is_final(record.state))
      return fail(errors::kSubmissionOpen, "attempt {} of step '{}' of job {} at {} is {}", record.attempt, record.step,
                  job.value, record.backend, to_string(record.state));
    batch.erase(Table::kSubmission, record.token, store::Expect::at(record.version));
    batch.erase(Table::kSubmission, job_key(job, record.token));
    batch.erase(Table::kSubmission, step_key(job, record.step));  // of the latest attempt, which goes as well
    if (!record.raw_sha256.empty()) blobs.push_back(record.raw_sha256);
  }
  return {};
}

}  // namespace tandem::submit
