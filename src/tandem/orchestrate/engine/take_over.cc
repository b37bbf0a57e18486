#include "tandem/orchestrate/engine/take_over.h"

#include <fmt/format.h>

#include <optional>

namespace tandem::engine {
namespace {

constexpr std::size_t kPage = 1000;

/// An event of somebody who works on a job, and of what became of it.
bool gets_on(std::string_view event) {
  if (event.starts_with("submission."))
    return event != "submission.taken_over";  // each process that looks for it takes it over
  return event == "step.finished" || event == "step.failed" || event == "step.retrying";
}

/// Of a job that runs and is lost now: how many runs in a row were lost in which it did not get on.
Result<std::uint32_t> lost_in_vain(store::Store& store, const JobId& id) {
  std::uint32_t out = 0;
  bool in_vain = true;  // the run so far
  std::uint64_t after = 0;
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::LogEntry> entries, store.read_log(after, kPage, id.value));
    for (const store::LogEntry& entry : entries) {
      const job::EventHead head = job::EventHead::of(entry.value);
      if (gets_on(head.type)) {
        out = 0;
        in_vain = false;
      } else if (head.type == "job.requeued") {
        const auto event = job::Event::parse(entry.value, entry.sequence);  // where it is damaged `store check` says so
        const bool lost =
            event && event->data.value().value("number", 0) == static_cast<std::uint16_t>(errors::kLeaseLost);
        out += lost && in_vain ? 1 : 0;
        in_vain = true;
      }
    }
    if (entries.size() < kPage) return out + (in_vain ? 1 : 0);
    after = entries.back().sequence;
  }
}

/// Of which running jobs it is said that their process was lost.
struct Lost {
  std::optional<std::string> owner;  ///< of those; none: whoever it was
  bool counts = true;
  const Burial* burial =
      nullptr;  ///< of that owner: one that has come back runs what it runs, and gives back what it had itself
};

Result<void> requeue(const JobId& id, const Lost& lost, store::Store& store, JobLedger& ledger) {
  auto done = ledger.update(id, std::nullopt, "engine", [&](JobRecord& record, Change& change) -> Result<void> {
    if (record.view.state != job::JobState::kRunning || (lost.owner && record.owner != *lost.owner))
      return fail(errors::kStaleFence, "job {} was taken over before", id.value);
    if (lost.burial != nullptr) lost.burial->require(change.batch);
    ++record.view.fence;
    job::JobEvent event = job::JobEvent::kRequeue;
    Error reason{.message = "the process that ran it ended"};
    if (lost.counts) {
      // Most are lost for the first time, and no log is read for them.
      if (++record.lost_leases > 1) {
        TANDEM_TRY_ASSIGN(record.lost_leases, lost_in_vain(store, id));
      }
      reason = make_error(errors::kLeaseLost, "the process that ran it{} was lost",
                          lost.owner ? fmt::format(" ({})", *lost.owner) : "");
    }
    if (record.view.cancel_requested) {
      event = job::JobEvent::kCancel;
      reason = make_error(errors::kCancelled, "cancelled by the client; the process that ran it was lost");
    } else if (lost.counts && record.lost_leases >= kLostLeasesMax) {
      event = job::JobEvent::kFail;
      reason = make_error(errors::kPoisonJob, "{} processes were lost while they ran it", record.lost_leases);
    }
    return move_without_result(store, record, change, event, reason);
  });
  // By now it was taken over, or it ended and was removed.
  if (done || done.error().number == errors::kStaleFence || done.error().number == errors::kJobNotFound) return {};
  return tl::unexpected(std::move(done).error());
}

Result<void> requeue_running(const Lost& lost, store::Store& store, JobLedger& ledger) {
  TANDEM_TRY_ASSIGN(const std::vector<JobId> running, jobs_in_state(store, job::JobState::kRunning));
  for (const JobId& id : running) TANDEM_TRY(requeue(id, lost, store, ledger));
  return {};
}

}  // namespace

Result<void> take_over(Membership& membership, store::Store& store, JobLedger& ledger, Log& log) {
  TANDEM_TRY_ASSIGN(const std::vector<std::string> lapsed, membership.lapsed());
  for (const std::string& node : lapsed) {
    TANDEM_TRY_ASSIGN(const std::optional<Burial> burial, membership.bury(node));
    if (!burial) continue;
    TANDEM_TRY_ASSIGN(const std::vector<JobId> jobs, jobs_of_owner(store, node));
    std::size_t taken = 0;
    for (const JobId& id : jobs) {
      const auto done = requeue(id, {.owner = node, .burial = &*burial}, store, ledger);
      if (!done && done.error().number == errors::kPreconditionFailed) break;  // it is back, or somebody else does this
      TANDEM_TRY(done);
      ++taken;
    }
    log.write(LogLevel::kWarning, "node.buried", {{"node", node}, {"jobs", std::to_string(taken)}});
  }
  return {};
}

Result<void> take_over_ownerless(store::Store& store, JobLedger& ledger) {
  return requeue_running({.owner = "", .counts = false}, store, ledger);
}

Result<void> take_over_all(store::Store& store, JobLedger& ledger, bool lost) {
  return requeue_running({.owner = std::nullopt, .counts = lost}, store, ledger);
}

}  // namespace tandem::engine
