#include "tandem/orchestrate/engine/removal.h"

#include <algorithm>
#include <iterator>

#include "tandem/base/assert.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/blob_sweep.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

using store::Expect;
using store::Table;

constexpr std::size_t kRowsMax = 1'000 * submit::kRowsOfSubmission;  ///< in one commit; no submission is cut
constexpr std::size_t kStepsPage = 64;  ///< read at once; some are large

/// Erases the checkpoints of a job.
Result<void> take_steps(store::Store& store, const JobRecord& record, store::Batch& rows,
                        std::vector<std::string>& blobs) {
  store::Scan scan = store::Scan::prefix(Table::kStep, record.view.id.value + "/", kStepsPage);
  while (true) {
    TANDEM_TRY_ASSIGN(const auto steps, store.scan(scan));
    for (const store::Row& row : steps) {
      if (row.key == result_key(record.view.id)) continue;  // goes with the job itself
      rows.erase(Table::kStep, row.key);
      each_raw(row.value, [&](std::string_view hash) { blobs.emplace_back(hash); });
    }
    if (steps.size() < kStepsPage) return {};
    scan.from = steps.back().key + '\0';
  }
}

/// Erases what is beyond the first kRowsMax of `rows`, the last ones first, as long as the job is what it was.
Result<void> erase_beyond_one_commit(store::Store& store, const JobRecord& record, store::Batch& rows,
                                     const std::vector<std::string>& blobs) {
  std::vector<store::Operation>& all = rows.operations;
  while (all.size() > kRowsMax) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>((all.size() - 1) / kRowsMax * kRowsMax);
    store::Batch some;
    leave_blobs(some, std::get<store::Erase>(*begin).key, blobs);  // which goes, so no other commit has this name
    some.check(Table::kJob, record.view.id.value, Expect::at(record.version));
    some.operations.insert(some.operations.end(), begin, all.end());
    all.erase(begin, all.end());
    TANDEM_TRY(store.commit_and_wait(std::move(some)));
  }
  return {};
}

Result<void> take_lineage(store::Store& store, const JobRecord& record, store::Batch& batch,
                          std::vector<std::string>& blobs) {
  if (record.view.lineage_id.empty()) return {};
  TANDEM_TRY_ASSIGN(const auto row, store.get(Table::kLineage, record.view.lineage_id));
  if (!row) return {};
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, "lineage " + row->key, {.bytes_max = UINT64_MAX}));
  TANDEM_TRY_ASSIGN(const lineage::LineageRecord lineage, lineage::LineageRecord::parse(document));
  TANDEM_TRY_ASSIGN(const std::string data_class, lineage.data_class());
  TANDEM_TRY(drop_answers(store, batch,
                          {.tenant = record.view.tenant, .project = record.view.project, .data_class = data_class},
                          record.view.id, lineage.work));
  each_raw(row->value, [&](std::string_view hash) { blobs.emplace_back(hash); });
  batch.erase(Table::kLineage, row->key, Expect::at(row->version));
  return {};
}

}  // namespace

Result<Removal> prepare_removal(store::Store& store, submit::Submitter& submitter, const JobRecord& record,
                                std::string_view actor, std::string_view reason, Timestamp now) {
  const JobId& id = record.view.id;
  if (!job::is_final(record.view.state))
    return fail(errors::kJobNotFinal, "job {} is {}; cancel it first, or wait", id.value,
                job::to_string(record.view.state));
  Removal out;
  store::Batch& batch = out.batch;
  batch.erase(Table::kJob, id.value, Expect::at(record.version));
  for (const std::string& key : job_index_keys(record)) batch.erase(Table::kJobIndex, key);
  if (!record.result_sha256.empty()) batch.erase(Table::kStep, result_key(id));
  std::vector<std::string> blobs = {record.spec_sha256};
  store::Batch rows;  // that there may be many of
  TANDEM_TRY(submitter.forget(rows, id, blobs));
  TANDEM_TRY(budget::Budget(store).forget(batch, rows, id));
  TANDEM_TRY(take_lineage(store, record, batch, blobs));
  TANDEM_TRY(take_steps(store, record, rows, blobs));
  std::sort(blobs.begin(), blobs.end());
  blobs.erase(std::unique(blobs.begin(), blobs.end()), blobs.end());
  leave_blobs(batch, id.value, blobs);
  TANDEM_TRY(erase_beyond_one_commit(store, record, rows, blobs));
  std::move(rows.operations.begin(), rows.operations.end(), std::back_inserter(batch.operations));
  job::EventData data("job.removed");
  data.member("reason", reason)
      .member("result_sha256", record.result_sha256)
      .member("spec_sha256", record.spec_sha256)
      .member("state", job::to_string(record.view.state));
  out.event = {.job = id, .type = "job.removed", .at = now, .actor = std::string(actor), .data = data.finish()};
  batch.append(id.value, out.event.stored());
  return out;
}

}  // namespace tandem::engine
