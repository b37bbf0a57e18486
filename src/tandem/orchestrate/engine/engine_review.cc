// What becomes of a result that waits for a person.
#include "tandem/base/hash.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/engine_impl.h"

namespace tandem::engine {
namespace {

/// The documents of a job with what was said of it; the canonical result, which a replay compares, is the same as before.
struct Reviewed {
  job::ResultDocument result;
  lineage::LineageRecord lineage;
};

Result<Reviewed> reviewed(store::Store& store, const JobRecord& row, const job::ReviewNote& note) {
  TANDEM_TRY_ASSIGN(const auto kept, store.get(store::Table::kStep, result_key(row.view.id)));
  TANDEM_TRY_ASSIGN(const auto stored, store.get(store::Table::kLineage, row.view.lineage_id));
  if (!kept || !stored) return fail(errors::kStoreDamaged, "result or lineage of job {} is gone", row.view.id.value);
  Reviewed out;
  TANDEM_TRY_ASSIGN(const Json result, parse_json(kept->value, "result", {.bytes_max = UINT64_MAX}));
  TANDEM_TRY_ASSIGN(out.result, job::ResultDocument::parse(result));
  TANDEM_TRY_ASSIGN(const Json lineage, parse_json(stored->value, "lineage " + stored->key, {.bytes_max = UINT64_MAX}));
  TANDEM_TRY_ASSIGN(out.lineage, lineage::LineageRecord::parse(lineage));
  out.result.status = row.view.state;
  out.result.review = out.lineage.review = note;
  return out;
}

}  // namespace

Result<void> EngineImpl::review(const JobId& id, Verdict verdict, std::string_view actor, std::string_view reason) {
  TANDEM_TRY(check_reason(reason));
  const bool accepted = verdict == Verdict::kAccept;
  auto done = ledger_.update(id, std::nullopt, std::string(actor), [&](JobRecord& row, Change& change) -> Result<void> {
    TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, accepted ? job::JobEvent::kAccepted
                                                                                       : job::JobEvent::kRejected));
    const Timestamp now = services_.clock.now();
    const job::ReviewNote note{
        .accepted = accepted, .reason = std::string(reason), .actor = std::string(actor), .at = format_rfc3339(now)};
    TANDEM_TRY_ASSIGN(const Reviewed documents, reviewed(services_.store, row, note));
    const Bytes bytes = documents.result.text().text();
    row.result_sha256 = sha256(bytes).hex();
    change.batch.put(store::Table::kStep, result_key(id), bytes);
    change.batch.put(store::Table::kLineage, row.view.lineage_id, documents.lineage.text().text());
    change.events.push_back({job::EventData(accepted ? "job.accepted" : "job.rejected").member("reason", note.reason)});
    if (accepted) {
      TANDEM_TRY_ASSIGN(const std::string data_class, documents.lineage.data_class());
      put_answers(change.batch, {.tenant = row.view.tenant, .project = row.view.project, .data_class = data_class}, id,
                  documents.lineage.work, now);
      change.events.push_back({succeeded(documents.result, row.result_sha256)});
      return {};
    }
    row.view.error = fmt::format("rejected in review: {}", reason.empty() ? "no reason given" : reason);
    row.view.error_number = static_cast<std::uint16_t>(errors::kReviewRejected);
    change.events.push_back(
        {job::EventData("job.failed").member("error", row.view.error).member("number", row.view.error_number)});
    return {};
  });
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  TANDEM_TRY(done);
  wake(id);
  return {};
}

}  // namespace tandem::engine
