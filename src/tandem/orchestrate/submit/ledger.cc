#include "tandem/orchestrate/submit/ledger.h"

#include <algorithm>
#include <functional>

#include "tandem/base/assert.h"
#include "tandem/base/hash.h"
#include "tandem/base/pause.h"
#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/submit/crash_points.h"

namespace tandem::submit {
namespace {

using store::Expect;
using store::Table;

/// Every conflict means that the job, its hold or another attempt of it got on; a job has nowhere near as many attempts at once.
constexpr int kConflictsMax = 1000;
/// Between two tries, from the third on: a few commits of others who take from the same accounts.
constexpr std::uint64_t kConflictPauseMaxMs = 16;

std::string event_type(SubmissionState state) { return fmt::format("submission.{}", to_string(state)); }

/// By the provider, for all that is known: it named it, or it was paid.
bool was_accepted(const SubmissionRecord& record) { return !record.handle.empty() || record.billed.usd_micros != 0; }

/// Before try number `tries` + 1 of a change that others were faster than. Spread by attempt, so that those who lost together do not
/// meet again.
void stand_back(Executor& executor, const std::string& token, int tries) {
  if (tries < 2) return;
  Xoshiro256 spread(derive_seed(std::hash<std::string>()(token), static_cast<std::uint64_t>(tries)));
  const std::uint64_t most = std::min(kConflictPauseMaxMs, std::uint64_t{1} << std::min(tries, 10));
  (void)pause(executor, std::chrono::milliseconds(1 + spread.below(most)), {});
}

Error taken_over(const SubmissionRecord& ours) {
  return make_error(errors::kStaleFence, "attempt {} of step '{}' changed under worker {}; somebody else has it now",
                    ours.attempt, ours.step, ours.fence);
}

}  // namespace

std::vector<std::string> crash_point_names() {
  std::vector<std::string> out;
  const auto add = [&](std::string_view name) {
    for (const std::string_view side : {"before", "after"}) out.push_back(fmt::format("submit.{}_{}", side, name));
  };
  for (std::size_t i = 0; i < kNumSubmissionStates; ++i) add(to_string(static_cast<SubmissionState>(i)));
  for (const std::string_view call : kWireCalls) add(call);
  return out;
}

Result<LiveSet::Claim> LiveSet::claim(const std::string& token, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  const bool free = changed_->wait(lock, stop, [&] { return !tokens_.contains(token); });
  if (!free) return fail(errors::kCancelled, "stopped while another run has attempt {}", token);
  tokens_.insert(token);
  return Claim(*this, token);
}

std::optional<LiveSet::Claim> LiveSet::try_claim(const std::string& token) {
  const std::lock_guard lock(mutex_);
  if (!tokens_.insert(token).second) return std::nullopt;
  return Claim(*this, token);
}

void LiveSet::leave(const std::string& token) {
  const std::lock_guard lock(mutex_);
  tokens_.erase(token);
  changed_->notify_all();
}

Premise takes_handle(store::Store& store, const SubmissionRecord& wanting, std::string_view handle) {
  return [&store, token = wanting.token, backend = wanting.backend,
          handle = std::string(handle)](store::Batch& batch) -> Result<void> {
    const std::string key = handle_key(backend, handle);
    TANDEM_TRY_ASSIGN(const auto row, store.get(Table::kSubmission, key));
    if (row && row->value != token)
      return fail(errors::kSubmissionNotHeld, "{} is the work of another submission at {}, {}", quote(handle), backend,
                  row->value);
    batch.put(Table::kSubmission, key, token, row ? Expect::at(row->version) : Expect::absent());
    return {};
  };
}

void Ledger::reach(std::string_view side, SubmissionState state) const {
  if (!services_.crash_points.armed()) return;
  services_.crash_points.reach(fmt::format("submit.{}_{}", side, to_string(state)));
}

Result<std::optional<SubmissionRecord>> Ledger::load(std::string_view token) const {
  TANDEM_TRY_ASSIGN(const auto row, services_.store.get(Table::kSubmission, token));
  if (!row) return std::optional<SubmissionRecord>();
  TANDEM_TRY_ASSIGN(SubmissionRecord record, SubmissionRecord::parse(*row));
  return std::optional<SubmissionRecord>(std::move(record));
}

void Ledger::publish_to(std::function<void(const job::Event&)> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void Ledger::append(store::Batch& batch, std::vector<job::Event>& events, budget::Alerts alerts) {
  for (job::EventData& alert : alerts) {
    job::Event event = events.front();
    event.type = std::string(alert.type());
    event.data = alert.finish();
    batch.append(event.job.value, event.stored());
    events.push_back(std::move(event));
  }
}

Result<void> Ledger::commit(store::Batch batch, std::vector<job::Event> events) const {
  TANDEM_TRY_ASSIGN(const store::Committed committed, services_.store.commit_and_wait(std::move(batch)));
  std::function<void(const job::Event&)> listener;
  {
    const std::lock_guard lock(mutex_);
    listener = listener_;
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].sequence = committed.sequences[i];
    if (listener) listener(events[i]);
  }
  return {};
}

job::Event Ledger::put(store::Batch& batch, const SubmissionRecord& record, std::string_view type,
                       std::string_view actor) {
  TANDEM_ASSERT(batch.operations.empty());
  const Expect expect = record.version == 0 ? Expect::absent() : Expect::at(record.version);
  batch.put(Table::kSubmission, record.token, record.document().dump(), expect);
  job::EventData data(type);
  data.member("attempt", record.attempt)
      .member("backend", record.backend)
      .member("billed_usd_micros", record.has_bill ? std::optional(record.billed.usd_micros) : std::nullopt)
      .member("emulated", record.emulated)
      .member("fence", record.fence)
      .member("handle", record.handle)
      .member("raw_sha256", record.raw_sha256)
      .member("reason", record.reason)
      .member("reserved_usd_micros", record.reserved.usd_micros)
      .member("sends", record.sends)
      .member("step", record.step)
      .member("token", record.token);
  job::Event event{.job = record.job,
                   .type = std::string(type),
                   .at = record.updated_at,
                   .actor = std::string(actor),
                   .data = data.finish()};
  batch.append(record.job.value, event.stored());
  return event;
}

Result<void> Ledger::add_index(store::Batch& batch, const SubmissionRecord& record) const {
  batch.put(Table::kSubmission, open_key(record.token), "");
  batch.put(Table::kSubmission, job_key(record.job, record.token), "");
  const std::string step = step_key(record.job, record.step);
  TANDEM_TRY_ASSIGN(const auto latest, services_.store.get(Table::kSubmission, step));
  if (!latest) {
    batch.put(Table::kSubmission, step, record.token, Expect::absent());
    return {};
  }
  TANDEM_TRY_ASSIGN(const auto other, load(latest->value));
  if (other && is_in_flight(other->state)) {
    return fail(errors::kIllegalTransition, "attempt {} of step '{}' is {}; attempt {} waits until it has ended",
                other->attempt, record.step, to_string(other->state), record.attempt);
  }
  batch.put(Table::kSubmission, step, record.token, Expect::at(latest->version));
  return {};
}

Result<void> Ledger::store_new(const SubmissionRecord& record, const Premise& premise,
                               std::optional<job::Money> spend_max) const {
  store::Batch batch;
  std::vector<job::Event> events = {put(batch, record, event_type(record.state), "engine")};
  if (premise) TANDEM_TRY(premise(batch));
  TANDEM_TRY(add_index(batch, record));
  TANDEM_TRY_ASSIGN(budget::Alerts alerts, budget().reserve(batch, {.job = record.job,
                                                                    .token = record.token,
                                                                    .fence = record.fence,
                                                                    .amount = record.reserved,
                                                                    .spend_max = spend_max,
                                                                    .use = record.use,
                                                                    .backend = record.backend,
                                                                    .tier = record.tier,
                                                                    .emulated = record.emulated,
                                                                    .now = record.created_at}));
  append(batch, events, std::move(alerts));
  return commit(std::move(batch), std::move(events));
}

Result<SubmissionRecord> Ledger::open(SubmissionRecord record, const Premise& premise,
                                      std::optional<job::Money> spend_max) {
  TANDEM_ASSERT(record.state == SubmissionState::kReserved && record.version == 0);
  record.created_at = record.intent_at = record.updated_at = services_.clock.now();
  reach("before", record.state);
  for (int tries = 0;; ++tries) {
    const auto stored = store_new(record, premise, spend_max);
    if (stored) break;
    TANDEM_TRY_ASSIGN(const auto existing, load(record.token));
    if (existing) {
      return fail(errors::kPreconditionFailed, "somebody else stored attempt {} meanwhile; load it", record.token);
    }
    if (stored.error().number != errors::kPreconditionFailed) return tl::unexpected(stored.error());
    if (tries == kConflictsMax)
      return fail(
          errors::kAccountsContended,
          "the accounts that attempt {} of step '{}' takes from were changed by others {} times before it could",
          record.attempt, record.step, tries + 1);
    stand_back(services_.executor, record.token, tries);
  }
  record.version = 1;
  services_.meter.add("tandem_submissions_total", 1, {{"state", to_string(record.state)}});
  reach("after", record.state);
  return record;
}

Result<SubmissionRecord> Ledger::take_over(SubmissionRecord record, std::uint64_t fence, const Premise& owned) {
  if (fence < record.fence) {
    return fail(errors::kStaleFence, "worker {} comes back to attempt {} of step '{}', but worker {} has it; stop",
                fence, record.attempt, record.step, record.fence);
  }
  if (fence == record.fence || is_final(record.state)) return record;
  record.fence = fence;
  record.updated_at = services_.clock.now();
  store::Batch batch;
  std::vector<job::Event> events = {put(batch, record, "submission.taken_over", "engine")};
  if (owned) TANDEM_TRY(owned(batch));
  TANDEM_TRY(commit(std::move(batch), std::move(events)));
  ++record.version;
  return record;
}

Result<SubmissionRecord> Ledger::apply(const SubmissionRecord& from, const Change& change) {
  SubmissionRecord next = from;
  TANDEM_TRY_ASSIGN(next.state, require_transition(from.state, change.event));
  next.updated_at = services_.clock.now();
  next.reason = change.reason ? change.reason->message : "";
  next.error_number = change.reason ? static_cast<std::uint16_t>(change.reason->number) : std::uint16_t{0};
  next.error_class = change.error_class;
  if (change.reason && !next.error_class) next.error_class = backend::class_of(*change.reason);
  next.retry_after = change.retry_after;
  if (!change.handle.empty()) next.handle = change.handle;
  if (!change.said.empty()) {
    next.said_by = change.actor;
    next.said = change.said;
  }
  if (change.event == SubmissionEvent::kIntend) next.intent_at = next.updated_at;
  if (change.event == SubmissionEvent::kDoubt) next.doubt_at = next.updated_at;
  if (change.event == SubmissionEvent::kResend) next.doubt_at.reset();
  if (change.event == SubmissionEvent::kIntend || change.event == SubmissionEvent::kResend) ++next.sends;
  if (change.raw != nullptr) {
    next.raw_sha256 = sha256(change.raw->bytes).hex();
    next.media_type = change.raw->media_type;
    next.calibration_id = change.raw->calibration_id;
  }
  if (change.bill || change.raw != nullptr) {
    next.billed = change.bill ? *change.bill : change.raw->billed;
    next.used = change.raw != nullptr && !change.used ? change.raw->used : change.used;
    next.has_bill = true;
  }
  TANDEM_ASSERT(next.has_bill || !is_final(next.state));

  reach("before", next.state);
  for (int tries = 0;; ++tries) {
    store::Batch batch;
    std::vector<job::Event> events = {put(batch, next, event_type(next.state), change.actor)};
    if (change.premise) TANDEM_TRY(change.premise(batch));
    if (change.raw != nullptr) batch.put(Table::kBlob, next.raw_sha256, change.raw->bytes);
    if (is_final(next.state)) {
      TANDEM_TRY_ASSIGN(budget::Alerts alerts, budget().settle(batch, {.job = next.job,
                                                                       .token = next.token,
                                                                       .billed = next.billed,
                                                                       .use = next.used,
                                                                       .backend = next.backend,
                                                                       .emulated = next.emulated,
                                                                       .accepted = was_accepted(next),
                                                                       .begin = next.intent_at,
                                                                       .now = next.updated_at}));
      append(batch, events, std::move(alerts));
      batch.erase(Table::kSubmission, open_key(next.token));
    }
    const auto committed = commit(std::move(batch), std::move(events));
    if (committed) break;
    if (committed.error().number != errors::kPreconditionFailed || tries == kConflictsMax) {
      return tl::unexpected(committed.error());
    }
    stand_back(services_.executor, next.token, tries);
    TANDEM_TRY_ASSIGN(const auto now, load(next.token));  // unchanged: only the job or its money moved, so once more
    if (!now || now->version != from.version) return tl::unexpected(taken_over(from));
  }
  ++next.version;
  services_.meter.add("tandem_submissions_total", 1, {{"state", to_string(next.state)}});
  if (change.reason) {
    services_.log.write(LogLevel::kWarning, event_type(next.state),
                        {{"job_id", next.job.value},
                         {"token", next.token},
                         {"backend", next.backend},
                         {"emulated", next.emulated ? "true" : "false"},
                         {"reason", next.reason}});
  }
  reach("after", next.state);
  return next;
}

Result<backend::RawResult> Ledger::raw(const SubmissionRecord& record) const {
  TANDEM_ASSERT(!record.raw_sha256.empty());
  TANDEM_TRY_ASSIGN(auto row, services_.store.get(Table::kBlob, record.raw_sha256));
  if (!row || sha256(row->value).hex() != record.raw_sha256) {
    return fail_at("blob " + record.raw_sha256, errors::kStoreDamaged,
                   "the raw result of submission {} is {}; restore the store from a backup", record.token,
                   row ? "altered" : "gone");
  }
  return backend::RawResult{.bytes = std::move(row->value),
                            .media_type = record.media_type,
                            .billed = record.billed,
                            .calibration_id = record.calibration_id,
                            .used = record.used};
}

bool Ledger::window_was_over(const SubmissionRecord& record, Timestamp then) const {
  return age_ms(record, then) >= options_.settle_window.count();
}

std::string Ledger::why_given_up(const SubmissionRecord& record) const {
  return fmt::format("{} {} ms after it came into doubt, of {} in which it has to; it may still appear", kWindowOver,
                     age_ms(record, services_.clock.now()), options_.settle_window.count());
}

Error Ledger::why_doubt_begins_anew() {
  return make_error(errors::kSubmissionAmbiguous,
                    "it is not known when it was sent last; the provider has from now on to show it");
}

std::int64_t Ledger::age_ms(const SubmissionRecord& record, Timestamp then) {
  TANDEM_ASSERT(record.doubt_at.has_value());
  return (then.micros - record.doubt_at->micros) / 1000;
}

Result<bool> Ledger::job_is_over(const JobId& job) const {
  TANDEM_TRY_ASSIGN(const budget::Hold hold, budget().load(job));
  return hold.closed;
}

}  // namespace tandem::submit
