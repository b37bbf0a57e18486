#include "tandem/orchestrate/engine/job_reads.h"

#include <algorithm>

#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kPageMax = 1000;  ///< jobs, or events, in one answer

/// Billed, and used by nobody: found so, or said to be so by a person.
bool is_orphan(const submit::SubmissionRecord& submission) {
  return submission.state == submit::SubmissionState::kOrphan ||
         (submission.state == submit::SubmissionState::kReleased && submission.billed > job::Money{});
}

lineage::OrphanRecord orphan_record(const submit::SubmissionRecord& submission) {
  return {.token = submission.token,
          .step = submission.step,
          .attempt = submission.attempt,
          .backend = submission.backend,
          .emulated = submission.emulated,
          .handle = submission.handle,
          .reason = submission.reason,
          .billed = submission.billed,
          .raw_sha256 = submission.raw_sha256,
          .raw_media_type = submission.media_type,
          .calibration_id = submission.calibration_id,
          .intent_at = format_rfc3339(submission.intent_at),
          .found_at = format_rfc3339(submission.updated_at)};
}

/// What `read` makes of a job's row and of what else is stored of it. What is not there although the row names it may have gone
/// with the job, or been replaced, since the row was read: then the row is asked again.
template <typename Read>
auto of_one_moment(store::Store& store, const JobId& id, const Read& read) -> decltype(read(JobRecord())) {
  TANDEM_TRY_ASSIGN(JobRecord record, load_job(store, id));
  while (true) {
    auto out = read(record);
    if (out || out.error().number != errors::kStoreDamaged) return out;
    TANDEM_TRY_ASSIGN(JobRecord now, load_job(store, id));
    if (now.version == record.version) return out;
    record = std::move(now);
  }
}

Result<Json> read_spec(store::Store& store, const JobRecord& record) {
  const std::string& id = record.view.id.value;
  TANDEM_TRY_ASSIGN(const auto blob, store.get(store::Table::kBlob, record.spec_sha256));
  if (!blob) return fail(errors::kStoreDamaged, "the document of job {} is gone", id);
  return parse_json(blob->value, "job " + id, {.bytes_max = UINT64_MAX});
}

Result<Bytes> read_result(store::Store& store, const JobRecord& record) {
  const JobView& view = record.view;
  if (record.result_sha256.empty()) {
    if (!view.error.empty()) {
      return tl::unexpected(
          Error{.number = static_cast<ErrorNumber>(view.error_number),
                .message = fmt::format("job {} {}: {}", view.id.value, job::to_string(view.state), view.error)});
    }
    return fail(errors::kResultNotReady, "job {} is {} and has no result", view.id.value, job::to_string(view.state));
  }
  TANDEM_TRY_ASSIGN(auto row, store.get(store::Table::kStep, result_key(view.id)));
  if (!row) return fail(errors::kStoreDamaged, "the result {} of job {} is gone", record.result_sha256, view.id.value);
  return std::move(row->value);
}

Result<lineage::LineageRecord> read_lineage(store::Store& store, submit::Submitter& submitter,
                                            const JobRecord& record) {
  const JobView& view = record.view;
  if (view.lineage_id.empty()) {
    return fail(errors::kResultNotReady, "job {} is {}: lineage is written with the result", view.id.value,
                job::to_string(view.state));
  }
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kLineage, view.lineage_id));
  if (!row) return fail(errors::kStoreDamaged, "the lineage of job {} is gone", view.id.value);
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, "lineage " + row->key));
  TANDEM_TRY_ASSIGN(lineage::LineageRecord out, lineage::LineageRecord::parse(document));
  TANDEM_TRY_ASSIGN(const std::vector<submit::SubmissionRecord> submissions, submitter.submissions(view.id));
  for (const submit::SubmissionRecord& submission : submissions)
    if (is_orphan(submission)) out.orphans.push_back(orphan_record(submission));
  return out;
}

Result<lineage::ReplayPackage> read_package(store::Store& store, submit::Submitter& submitter,
                                            const JobRecord& job_record) {
  TANDEM_TRY_ASSIGN(lineage::LineageRecord record, read_lineage(store, submitter, job_record));
  lineage::ReplayPackage out{.plan = record.plan.value(), .work = std::move(record.work)};
  TANDEM_TRY_ASSIGN(out.spec, read_spec(store, job_record));
  for (const lineage::WorkRecord& work : out.work) {
    if (work.recomputed() || work.raw_sha256.empty()) continue;
    TANDEM_TRY_ASSIGN(const auto blob, store.get(store::Table::kBlob, work.raw_sha256));
    if (!blob)
      return fail(errors::kStoreDamaged, "the raw result {} of job {} is gone", work.raw_sha256,
                  job_record.view.id.value);
    out.raw.emplace(work.raw_sha256, blob->value);
  }
  return out;
}

}  // namespace

Result<JobView> JobReads::job(const JobId& id) const {
  return load_job(store_, id).map([](const JobRecord& record) { return record.view; });
}

Result<JobReads::KeyUse> JobReads::key_use(const std::string& row_key, const std::string& fingerprint,
                                           Timestamp since) const {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kIdempotency, row_key));
  if (!row) return KeyUse{};
  TANDEM_TRY_ASSIGN(const IdempotencyEntry entry, IdempotencyEntry::parse(*row));
  const KeyUse anew{.admission = std::nullopt, .row = store::Expect::at(row->version)};
  if (entry.created_at.micros < since.micros) return anew;
  if (entry.fingerprint != fingerprint)
    return fail(errors::kIdempotencyConflict, "this idempotency key was used for another job document; use a new key");
  return KeyUse{.admission = Admission{.id = entry.job, .replayed = true}, .row = anew.row};
}

Result<JobPage> JobReads::jobs(const JobQuery& query) const {
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kPageMax);
  std::string prefix;
  if (query.error_number)
    prefix = error_index_key(*query.error_number, JobId());
  else if (query.state)
    prefix = state_index_key(*query.state, JobId());
  const bool indexed = !prefix.empty();
  store::Scan scan = store::Scan::prefix(indexed ? store::Table::kJobIndex : store::Table::kJob, prefix, limit + 1);
  scan.descending = true;
  if (!query.page_token.empty()) {
    TANDEM_TRY_ASSIGN(const JobId last, parse_job_id(query.page_token));
    scan.until = prefix + last.value;
  }
  JobPage out;
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store_.scan(scan));
    for (const store::Row& found : rows) {
      std::optional<store::Row> row = found;
      if (indexed) {
        TANDEM_TRY_ASSIGN(row, store_.get(store::Table::kJob, found.key.substr(prefix.size())));
        if (!row) continue;  // removed meanwhile
      }
      auto record = JobRecord::parse(*row);
      if (!record) {  // nobody finds the others without the list
        log_.write(LogLevel::kError, "job.unreadable", {{"job_id", row->key}, {"error", record.error().to_string()}});
        continue;
      }
      // Of an index by error, or one that moved on since the entry was read.
      if (query.state && record->view.state != *query.state) continue;
      if (query.tenant && record->view.tenant != *query.tenant) continue;
      if (!query.projects.empty() && std::ranges::find(query.projects, record->view.project) == query.projects.end())
        continue;
      if (out.jobs.size() == limit) {
        out.next_page_token = out.jobs.back().id.value;
        return out;
      }
      out.jobs.push_back(std::move(record->view));
    }
    if (rows.size() <= limit) return out;
    scan.until = rows.back().key;
  }
}

Result<ApprovalPage> JobReads::approvals(const ApprovalQuery& query) const {
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kPageMax);
  const std::string prefix =
      query.job ? approval::row_prefix(*query.job) : state_index_key(job::JobState::kAwaitingApproval, JobId());
  store::Scan scan = store::Scan::prefix(query.job ? store::Table::kStep : store::Table::kJobIndex, prefix, limit + 1);
  if (!query.page_token.empty()) {
    TANDEM_TRY_ASSIGN(const approval::ApprovalId last, approval::ApprovalId::parse(query.page_token));
    if (query.job && last.job != *query.job)
      return fail_at("/page_token", errors::kValueOutOfRange, "{} is no approval of job {}", query.page_token,
                     query.job->value);
    scan.from = (query.job ? approval::row_key(last) : prefix + last.job.value) + '\0';
  }
  ApprovalPage out;
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store_.scan(scan));
    for (const store::Row& found : rows) {
      std::optional<store::Row> row = found;
      if (!query.job) {
        TANDEM_TRY_ASSIGN(const auto job_row, store_.get(store::Table::kJob, found.key.substr(prefix.size())));
        if (!job_row) continue;  // removed meanwhile
        TANDEM_TRY_ASSIGN(const JobRecord record, JobRecord::parse(*job_row));
        TANDEM_TRY_ASSIGN(row, store_.get(store::Table::kStep, approval::row_key({record.view.id, record.approvals})));
        if (!row) continue;
      }
      TANDEM_TRY_ASSIGN(approval::Approval asked, approval::Approval::parse(*row));
      if (!query.job && asked.state != approval::State::kPending) continue;  // decided since the entry was read
      if (query.tenant && asked.tenant != *query.tenant) continue;
      if (!query.projects.empty() && std::ranges::find(query.projects, asked.project) == query.projects.end()) continue;
      if (out.approvals.size() == limit) {
        out.next_page_token = out.approvals.back().id.text();
        return out;
      }
      out.approvals.push_back(std::move(asked));
    }
    if (rows.size() <= limit) return out;
    scan.from = rows.back().key + '\0';
  }
}

Result<Json> JobReads::spec_document(const JobId& id) const {
  return of_one_moment(store_, id, [&](const JobRecord& record) { return read_spec(store_, record); });
}

Result<Json> JobReads::plan_document(const JobId& id) const {
  return of_one_moment(store_, id, [&](const JobRecord& record) -> Result<Json> {
    if (record.plan) return record.plan->value();
    if (record.view.plan_digest.empty())
      return fail(errors::kResultNotReady, "job {} is {} and has no plan yet", id.value,
                  job::to_string(record.view.state));
    return read_lineage(store_, submitter_, record).map([](const lineage::LineageRecord& read) {
      return read.plan.value();
    });
  });
}

Result<Bytes> JobReads::result(const JobId& id) const {
  return of_one_moment(store_, id, [&](const JobRecord& record) { return read_result(store_, record); });
}

Result<lineage::LineageRecord> JobReads::lineage(const JobId& id) const {
  return of_one_moment(store_, id, [&](const JobRecord& record) { return read_lineage(store_, submitter_, record); });
}

Result<lineage::ReplayPackage> JobReads::replay_package(const JobId& id) const {
  return of_one_moment(store_, id, [&](const JobRecord& record) { return read_package(store_, submitter_, record); });
}

Result<std::vector<job::Event>> JobReads::events(const JobId& id, std::uint64_t after, std::size_t limit) const {
  TANDEM_TRY(load_job(store_, id));
  TANDEM_TRY_ASSIGN(const std::vector<store::LogEntry> entries,
                    store_.read_log(after, std::clamp<std::size_t>(limit, 1, kPageMax), id.value));
  std::vector<job::Event> out;
  for (const store::LogEntry& entry : entries) {
    TANDEM_TRY_ASSIGN(job::Event event, job::Event::parse(entry.value, entry.sequence));
    out.push_back(std::move(event));
  }
  return out;
}

}  // namespace tandem::engine
