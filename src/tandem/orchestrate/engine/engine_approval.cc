// What people say to a plan that waits for them.
#include "tandem/orchestrate/engine/engine_impl.h"

namespace tandem::engine {

Result<approval::Approval> EngineImpl::approval(const approval::ApprovalId& id) {
  return approval::load(services_.store, id);
}

Result<approval::Approval> EngineImpl::decide(const approval::ApprovalId& id, const identity::Principal& who,
                                              const approval::Word& word) {
  const Timestamp now = services_.clock.now();
  approval::Approval asked;
  auto done = ledger_.update(id.job, std::nullopt, who.actor(), [&](JobRecord& row, Change& change) -> Result<void> {
    TANDEM_TRY_ASSIGN(asked, approval::load(services_.store, id));
    TANDEM_TRY(asked.decide(who, word, now));
    approval::put(change.batch, asked);
    change.events.push_back({job::EventData("approval.decided")
                                 .member("approval_id", id.text())
                                 .member("decision", to_string(word.verdict))
                                 .member("external_ref", word.external_ref)
                                 .member("plan_digest", asked.subject.plan_digest)
                                 .member("reason", word.reason)
                                 .member("state", to_string(asked.state))});
    if (asked.state == approval::State::kRejected) {
      return move_without_result(
          services_.store, row, change, job::JobEvent::kRejected,
          make_error(errors::kApprovalRejected, "{} did not approve the plan: {}", who.user, word.reason));
    }
    if (asked.state != approval::State::kApproved) {
      change.keeps_row = true;
      return {};
    }
    TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, job::JobEvent::kApproved));
    change.events.push_back(
        {job::EventData("job.approved").member("approval_id", id.text()).member("approved_by", asked.approved_by())});
    return {};
  });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  if (!done && done.error().number == errors::kJobNotFound)  // it goes with its job
    return tl::unexpected(approval::no_such_approval(id.text()));
  TANDEM_TRY_ASSIGN(const JobRecord row, std::move(done));
  if (row.view.state == job::JobState::kQueued && options_.runs == Runs::kEveryJob) enqueue(queued_of(row));
  wake(id.job);
  return asked;
}

}  // namespace tandem::engine
