#include "tandem/orchestrate/engine/take_over.h"

namespace tandem::engine {
namespace {

Result<void> requeue(const JobId& id, const std::string& node, store::Store& store, JobLedger& ledger) {
  auto done = ledger.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    if (record.view.state != job::JobState::kRunning || record.owner != node)
      return fail(errors::kStaleFence, "job {} was taken over before", id.value);
    ++record.view.fence;
    ++record.lost_leases;
    job::JobEvent event = job::JobEvent::kRequeue;
    Error reason =
        make_error(errors::kLeaseLost, "the process that ran it ({}) was lost", node.empty() ? "unknown" : node);
    if (record.view.cancel_requested) {
      event = job::JobEvent::kCancel;
      reason = make_error(errors::kCancelled, "cancelled by the client; the process that ran it was lost");
    } else if (record.lost_leases >= kLostLeasesMax) {
      event = job::JobEvent::kFail;
      reason = make_error(errors::kPoisonJob, "{} processes were lost while they ran it", record.lost_leases);
    }
    return move_without_result(store, record, change, event, reason);
  });
  // By now it was taken over, or it ended and was removed.
  if (done || done.error().number == errors::kStaleFence || done.error().number == errors::kJobNotFound) return {};
  return tl::unexpected(std::move(done).error());
}

}  // namespace

Result<void> take_over(Membership& membership, store::Store& store, JobLedger& ledger, Log& log) {
  TANDEM_TRY_ASSIGN(const std::vector<std::string> lapsed, membership.lapsed());
  for (const std::string& node : lapsed) {
    TANDEM_TRY_ASSIGN(const bool buried, membership.bury(node));
    if (!buried) continue;
    TANDEM_TRY_ASSIGN(const std::vector<JobId> jobs, jobs_of_owner(store, node));
    for (const JobId& id : jobs) TANDEM_TRY(requeue(id, node, store, ledger));
    log.write(LogLevel::kWarning, "node.buried", {{"node", node}, {"jobs", std::to_string(jobs.size())}});
  }
  return {};
}

Result<void> take_over_ownerless(store::Store& store, JobLedger& ledger) {
  TANDEM_TRY_ASSIGN(const std::vector<JobId> running, jobs_in_state(store, job::JobState::kRunning));
  for (const JobId& id : running) TANDEM_TRY(requeue(id, "", store, ledger));
  return {};
}

}  // namespace tandem::engine
