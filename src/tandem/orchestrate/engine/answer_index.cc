#include "tandem/orchestrate/engine/answer_index.h"

#include <algorithm>

#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {
namespace {

/// "answer/<tenant>/<project>/<data class>/<label>/<question>/"; the backend follows. No part holds a slash.
std::string answer_prefix(AnswerScope scope, std::string_view label, std::string_view question_sha256) {
  return fmt::format("{}{}/{}/{}/{}/{}/", kAnswerIndex, scope.tenant, scope.project, scope.data_class, label,
                     question_sha256);
}
/// Former releases left the project out. Nobody is answered from there: it is not known whose it was.
std::string former_prefix(AnswerScope scope, std::string_view label, std::string_view question_sha256) {
  return fmt::format("{}{}/{}/{}/{}/", kAnswerIndex, scope.tenant, scope.data_class, label, question_sha256);
}

Result<EarlierAnswer> parse_answer(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, row.key));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  EarlierAnswer out;
  TANDEM_TRY_ASSIGN(const std::string job, reader.string("job_id"));
  out.job = JobId(job);
  TANDEM_TRY_ASSIGN(const std::string finished_at, reader.string("finished_at"));
  TANDEM_TRY_ASSIGN(out.finished_at, parse_rfc3339(finished_at));
  TANDEM_TRY(reader.object("work"));
  TANDEM_TRY_ASSIGN(out.work, lineage::WorkRecord::parse(*reader.find("work"), reader.at("work")));
  return out;
}

}  // namespace

bool asks_whole(std::string_view label) { return label == "solve" || label == "run"; }

void put_answers(store::Batch& batch, AnswerScope scope, const JobId& job, const std::vector<lineage::WorkRecord>& work,
                 Timestamp finished_at) {
  for (const lineage::WorkRecord& record : work) {
    const bool partial = std::any_of(record.partial.begin(), record.partial.end(),
                                     [](const job::PartialAnswer& one) { return one.used; });
    if (record.question_sha256.empty() || record.raw_sha256.empty() || partial || record.cached) continue;
    batch.put(
        store::Table::kJobIndex, answer_prefix(scope, record.label, record.question_sha256) + record.backend,
        Json{{"job_id", job.value}, {"finished_at", format_rfc3339(finished_at)}, {"work", record.document()}}.dump());
  }
}

Result<void> drop_answers(store::Store& store, store::Batch& batch, AnswerScope scope, const JobId& job,
                          const std::vector<lineage::WorkRecord>& work) {
  for (const lineage::WorkRecord& record : work) {
    if (record.question_sha256.empty()) continue;
    for (const auto& prefix : {answer_prefix(scope, record.label, record.question_sha256),
                               former_prefix(scope, record.label, record.question_sha256)}) {
      TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kJobIndex, prefix + record.backend));
      if (!row) continue;
      TANDEM_TRY_ASSIGN(const EarlierAnswer answer, parse_answer(*row));
      if (answer.job == job) batch.erase(store::Table::kJobIndex, row->key, store::Expect::at(row->version));
    }
  }
  return {};
}

Result<EarlierAnswer> find_answer(store::Store& store, AnswerScope scope, std::string_view label,
                                  const std::string& question_sha256, const job::Fallback& entry, Timestamp now) {
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows,
                    rows_under(store, store::Table::kJobIndex, answer_prefix(scope, label, question_sha256)));
  std::optional<EarlierAnswer> youngest;
  for (const store::Row& row : rows) {
    TANDEM_TRY_ASSIGN(EarlierAnswer answer, parse_answer(row));
    const bool allowed = std::find(entry.from.begin(), entry.from.end(), answer.work.backend) != entry.from.end();
    const std::int64_t age_ms = (now.micros - answer.finished_at.micros) / 1000;
    if (!allowed || age_ms > entry.age_max_ms) continue;
    if (youngest && youngest->finished_at.micros >= answer.finished_at.micros) continue;
    TANDEM_TRY_ASSIGN(const auto blob, store.get(store::Table::kBlob, answer.work.raw_sha256));
    if (!blob) continue;  // its job was removed
    answer.raw = blob->value;
    youngest = std::move(answer);
  }
  if (youngest) return *std::move(youngest);
  return fail(errors::kNoCachedResult, "there is no answer to this question of the last {} by {}",
              format_duration(std::chrono::milliseconds(entry.age_max_ms)),
              entry.from.empty() ? "a backend that may be used" : fmt::format("{}", fmt::join(entry.from, " or ")));
}

}  // namespace tandem::engine
