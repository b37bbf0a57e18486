#include "tandem/orchestrate/engine/job_ledger.h"

#include "tandem/base/assert.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {

Result<void> move_without_result(store::Store& store, JobRecord& row, Change& change, job::JobEvent event,
                                 const Error& reason) {
  TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, event));
  const auto number = static_cast<std::uint16_t>(reason.number);
  const bool ends = job::is_final(row.view.state);
  if (ends) {
    row.view.error = reason.message;
    row.view.error_number = number;
    TANDEM_TRY(budget::Budget(store).release(change.batch, row.view.id));
  }
  change.events.push_back({fmt::format("job.{}", ends ? job::to_string(row.view.state) : "requeued"),
                           {{"error", reason.message}, {"number", number}}});
  return {};
}

Result<JobRecord> JobLedger::update(const JobId& id, std::optional<std::uint64_t> fence, const std::string& actor,
                                    const std::function<Result<void>(JobRecord&, Change&)>& decide) {
  while (true) {
    TANDEM_TRY_ASSIGN(JobRecord record, load_job(store_, id));
    if (fence && record.view.fence != *fence) {
      return fail(errors::kStaleFence, "job {} is owned under fence {}, this worker has {}; it stops", id.value,
                  record.view.fence, *fence);
    }
    const Indexed previous{.state = record.view.state, .owner = record.owner};
    Change change;
    TANDEM_TRY(decide(record, change));
    if (record.view.state != job::JobState::kRunning) record.owner.clear();
    record.view.updated_at = clock_.now();
    auto done = commit(record, previous, actor, std::move(change));
    if (done) return record;
    // Another writer won; every loss means that somebody else made progress, so this ends.
    if (done.error().number != errors::kPreconditionFailed) return tl::unexpected(std::move(done).error());
  }
}

Result<void> JobLedger::insert(const JobRecord& record, Change change) {
  return commit(record, std::nullopt, record.actor, std::move(change));
}

Result<void> JobLedger::commit(const JobRecord& record, const std::optional<Indexed>& previous,
                               const std::string& actor, Change change) {
  if (change.keeps_row)
    change.batch.check(store::Table::kJob, record.view.id.value, store::Expect::at(record.version));
  else
    put_job(change.batch, record, previous);
  std::vector<job::Event> events;
  for (auto& [type, data] : change.events) {
    job::Event event{.job = record.view.id,
                     .type = std::move(type),
                     .at = record.view.updated_at,
                     .actor = actor,
                     .data = std::move(data)};
    TANDEM_ASSERT(job::catalogue_violation(event) == "");
    change.batch.append(event.job.value, event.document().dump());
    events.push_back(std::move(event));
  }
  TANDEM_TRY_ASSIGN(const store::Committed committed, store_.commit_and_wait(std::move(change.batch)));
  // The batch may carry events of others (money) before ours: ours are the last ones.
  const std::size_t first = committed.sequences.size() - events.size();
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].sequence = committed.sequences[first + i];
    publish_(events[i]);
  }
  return {};
}

}  // namespace tandem::engine
