#include "tandem/orchestrate/engine/job_ledger.h"

#include <iterator>
#include <type_traits>
#include <variant>

#include "tandem/base/assert.h"
#include "tandem/orchestrate/engine/crash_points.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr std::string_view kSides[] = {"before", "after"};

/// What a batch rests on: rows of these versions, or none.
struct Premise {
  store::Table table{};
  std::string key;
  store::Expect expect;
  friend bool operator==(const Premise& a, const Premise& b) {
    return a.table == b.table && a.key == b.key && a.expect.kind == b.expect.kind &&
           a.expect.version == b.expect.version;
  }
};

std::vector<Premise> premises_of(const store::Batch& batch) {
  std::vector<Premise> out;
  for (const store::Operation& operation : batch.operations) {
    std::visit(
        [&](const auto& one) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(one)>, store::Append>) {
            if (one.expect.kind != store::Expect::Kind::kAny) out.push_back({one.table, one.key, one.expect});
          }
        },
        operation);
  }
  return out;
}

Error owned_by_another(const JobRecord& row, std::uint64_t fence) {
  return make_error(errors::kStaleFence, "job {} is owned under fence {}, this worker has {}; it stops",
                    row.view.id.value, row.view.fence, fence);
}

Error not_running(const JobId& id, job::JobState state, std::uint64_t fence) {
  return make_error(errors::kStaleFence, "job {} is {} by now and not this worker's under fence {}; it stops", id.value,
                    job::to_string(state), fence);
}

/// orchestrate/submit has its own, and an alert is stored with what crossed the limit.
bool has_crash_points(std::string_view event_type) {
  return !event_type.starts_with("submission.") && !event_type.starts_with("budget.");
}

/// "job.after_queued" of "job.queued".
std::string crash_point_of(std::string_view side, std::string_view event_type) {
  const std::size_t dot = event_type.find('.');
  return fmt::format("{}.{}_{}", event_type.substr(0, dot), side, event_type.substr(dot + 1));
}

}  // namespace

std::vector<std::string> crash_point_names() {
  std::vector<std::string> out(kPoints.begin(), kPoints.end());
  for (const job::EventRecord& event : job::event_catalogue()) {
    if (!has_crash_points(event.type)) continue;
    for (const std::string_view side : kSides) out.push_back(crash_point_of(side, event.type));
  }
  return out;
}

Result<void> move_without_result(store::Store& store, JobRecord& row, Change& change, job::JobEvent event,
                                 const Error& reason) {
  const job::JobState before = row.view.state;
  TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(before, event));
  if (before == job::JobState::kAwaitingApproval && event != job::JobEvent::kRejected)
    TANDEM_TRY(close_approval(store, row, change,
                              event == job::JobEvent::kExpire ? approval::State::kExpired : approval::State::kVoid,
                              reason.message));
  const auto number = static_cast<std::uint16_t>(reason.number);
  const bool ends = job::is_final(row.view.state);
  if (ends) {
    row.view.error = reason.message;
    row.view.error_number = number;
    TANDEM_TRY(budget::Budget(store).release(change.batch, row.view.id));
  }
  if (row.view.state == job::JobState::kSuspended) row.suspend_requested = false;
  const bool queued = row.view.state == job::JobState::kQueued;
  change.events.push_back({job::EventData(fmt::format("job.{}", queued ? "requeued" : job::to_string(row.view.state)))
                               .member("error", reason.message)
                               .member("number", number)});
  return {};
}

Result<void> close_approval(store::Store& store, const JobRecord& row, Change& change, approval::State how,
                            const std::string& why) {
  TANDEM_TRY_ASSIGN(approval::Approval asked, approval::load(store, {row.view.id, row.approvals}));
  asked.close(how, why);
  approval::put(change.batch, asked);
  change.events.push_back({job::EventData("approval.closed")
                               .member("approval_id", asked.id.text())
                               .member("reason", asked.reason)
                               .member("state", to_string(asked.state))});
  return {};
}

bool is_too_late(const Error& error) {
  return error.number == errors::kStaleFence || error.number == errors::kJobFinal ||
         error.number == errors::kIllegalTransition || error.number == errors::kJobNotFound;
}

Result<JobRecord> JobLedger::update(const JobId& id, std::optional<std::uint64_t> fence, const std::string& actor,
                                    const Decide& decide) {
  std::optional<std::vector<Premise>> failed;
  while (true) {
    TANDEM_TRY_ASSIGN(JobRecord record, load(id));
    if (fence && record.view.fence != *fence) return tl::unexpected(owned_by_another(record, *fence));
    const job::JobState state = record.view.state;
    TANDEM_TRY_ASSIGN(Prepared prepared, decided(std::move(record), actor, decide));
    if (fence && state != job::JobState::kRunning && prepared.record.view.fence == *fence)
      return tl::unexpected(not_running(id, state, *fence));
    std::vector<Premise> premises = premises_of(prepared.batch);
    auto done = commit_and_wait(std::move(prepared));
    if (done || done.error().number != errors::kPreconditionFailed) return done;
    // Another writer won and made progress, so this ends; unless all that is read anew is as it was, and what the change rests on
    // is not so.
    if (failed == premises) return done;
    failed = std::move(premises);
  }
}

Result<JobRecord> JobLedger::advance(const JobRecord& known, const std::string& actor, const Decide& decide) {
  TANDEM_TRY_ASSIGN(Prepared prepared, decided(known, actor, decide));
  auto done = commit_and_wait(std::move(prepared));
  if (done || done.error().number != errors::kPreconditionFailed) return done;
  return update(known.view.id, known.view.fence, actor, decide);
}

Result<void> JobLedger::require_owned(store::Batch& batch, const JobId& id, std::uint64_t fence) {
  TANDEM_TRY_ASSIGN(const JobRecord row, load(id));
  if (row.view.fence != fence) return tl::unexpected(owned_by_another(row, fence));
  if (row.view.state != job::JobState::kRunning) return tl::unexpected(not_running(id, row.view.state, fence));
  batch.check(store::Table::kJob, id.value, store::Expect::at(row.version));
  return {};
}

Result<JobLedger::Prepared> JobLedger::decided(JobRecord record, const std::string& actor, const Decide& decide) {
  const Indexed previous(record);
  Change change;
  TANDEM_TRY(decide(record, change));
  return prepare(std::move(record), previous, actor, std::move(change));
}

void JobLedger::change(JobRecord record, const std::string& actor, const Decide& decide,
                       std::function<void(Result<JobRecord>)> done) {
  auto prepared = decided(std::move(record), actor, decide);
  if (!prepared) return done(tl::unexpected(std::move(prepared).error()));
  commit(*std::move(prepared), std::move(done));
}

void JobLedger::insert(JobRecord record, Change change, std::function<void(Result<JobRecord>)> done) {
  const std::string actor = record.view.submitted_by;
  commit(prepare(std::move(record), std::nullopt, actor, std::move(change)), std::move(done));
}

Result<JobRecord> JobLedger::commit_and_wait(Prepared prepared) {
  TANDEM_TRY_ASSIGN(const store::Committed committed, store_.commit_and_wait(std::move(prepared.batch)));
  tell(std::move(prepared.events), committed);
  return std::move(prepared.record);
}

void JobLedger::commit(Prepared prepared, std::function<void(Result<JobRecord>)> done) {
  store_.commit(std::move(prepared.batch), [this, row = std::move(prepared.record), events = std::move(prepared.events),
                                            done = std::move(done)](Result<store::Committed> committed) mutable {
    if (!committed) return done(tl::unexpected(std::move(committed).error()));
    tell(std::move(events), *committed);
    done(std::move(row));
  });
}

Result<void> JobLedger::remove(std::span<Removal> removals) {
  store::Batch batch;
  for (Removal& removal : removals)
    std::move(removal.batch.operations.begin(), removal.batch.operations.end(), std::back_inserter(batch.operations));
  for (const Removal& removal : removals) reach("before", {removal.event});
  TANDEM_TRY_ASSIGN(const store::Committed committed, store_.commit_and_wait(std::move(batch)));
  for (const Removal& removal : removals) reach("after", {removal.event});
  TANDEM_ASSERT(committed.sequences.size() == removals.size());
  for (std::size_t i = 0; i < removals.size(); ++i) {
    removals[i].event.sequence = committed.sequences[i];
    publish_(removals[i].event);
  }
  return {};
}

JobLedger::Prepared JobLedger::prepare(JobRecord record, const std::optional<Indexed>& previous,
                                       const std::string& actor, Change change) {
  if (record.view.state != job::JobState::kRunning) record.owner.clear();
  if (previous) record.view.updated_at = clock_.now();
  Prepared out{.record = std::move(record), .batch = std::move(change.batch), .events = {}};
  if (change.keeps_row)
    out.batch.check(store::Table::kJob, out.record.view.id.value, store::Expect::at(out.record.version));
  else
    put_job(out.batch, out.record, previous);
  for (Told& told : change.events) {
    job::Event event{.job = out.record.view.id,
                     .type = std::string(told.data.type()),
                     .at = told.at.value_or(out.record.view.updated_at),
                     .actor = actor,
                     .data = told.data.finish()};
    out.batch.append(event.job.value, event.stored());
    out.events.push_back(std::move(event));
  }
  if (!change.keeps_row) ++out.record.version;  // as the store counts it
  reach("before", out.events);
  return out;
}

void JobLedger::reach(std::string_view side, const std::vector<job::Event>& events) const {
  if (!crash_points_.armed()) return;
  for (const job::Event& event : events)
    if (has_crash_points(event.type)) crash_points_.reach(crash_point_of(side, event.type));
}

void JobLedger::tell(std::vector<job::Event> events, const store::Committed& committed) {
  reach("after", events);
  // The batch may carry events of others (money) before ours: ours are the last ones.
  const std::size_t first = committed.sequences.size() - events.size();
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].sequence = committed.sequences[first + i];
    publish_(std::move(events[i]));
  }
}

}  // namespace tandem::engine
