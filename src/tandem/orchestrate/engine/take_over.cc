#include "tandem/orchestrate/engine/take_over.h"

#include <algorithm>
#include <optional>

namespace tandem::engine {
namespace {

constexpr std::size_t kPage = 1000;

/// Of a job that runs: how many runs of late ended without end and got nothing done, with the one that is lost now.
Result<std::uint32_t> lost_in_vain(store::Store& store, const JobId& id) {
  std::uint32_t out = 0;
  bool in_vain = true;  // the run so far
  std::uint64_t after = 0;
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::LogEntry> entries, store.read_log(after, kPage, id.value));
    for (const store::LogEntry& entry : entries) {
      TANDEM_TRY_ASSIGN(const job::Event event, job::Event::parse(entry.value, entry.sequence));
      if (event.type == "job.requeued") {
        out += in_vain ? 1 : 0;
        in_vain = true;
      } else if (event.type.starts_with("step.") || event.type.starts_with("submission.")) {
        out = 0;
        in_vain = false;
      }
    }
    if (entries.size() < kPage) return out + (in_vain ? 1 : 0);
    after = entries.back().sequence;
  }
}

/// `node`: whose it has to be; none: of whoever ran it in a store that was his alone.
Result<void> requeue(const JobId& id, const std::optional<std::string>& node, store::Store& store, JobLedger& ledger) {
  auto done = ledger.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    if (record.view.state != job::JobState::kRunning || (node && record.owner != *node))
      return fail(errors::kStaleFence, "job {} was taken over before", id.value);
    ++record.view.fence;
    ++record.lost_leases;
    if (record.lost_leases >= kLostLeasesMax) {
      TANDEM_TRY_ASSIGN(const std::uint32_t in_vain, lost_in_vain(store, id));
      record.lost_leases = std::min(record.lost_leases, in_vain);
    }
    job::JobEvent event = job::JobEvent::kRequeue;
    Error reason{.message = "the process that ran it was lost"};
    if (node) {
      reason =
          make_error(errors::kLeaseLost, "the process that ran it ({}) was lost", node->empty() ? "unknown" : *node);
    }
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

Result<void> requeue_running(const std::optional<std::string>& node, store::Store& store, JobLedger& ledger) {
  TANDEM_TRY_ASSIGN(const std::vector<JobId> running, jobs_in_state(store, job::JobState::kRunning));
  for (const JobId& id : running) TANDEM_TRY(requeue(id, node, store, ledger));
  return {};
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

Result<void> take_over_ownerless(store::Store& store, JobLedger& ledger) { return requeue_running("", store, ledger); }

Result<void> take_over_all(store::Store& store, JobLedger& ledger) {
  return requeue_running(std::nullopt, store, ledger);
}

}  // namespace tandem::engine
