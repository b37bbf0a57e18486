#include "tandem/orchestrate/engine/store_check.h"

#include <utility>

#include "tandem/base/bytes.h"
#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/job_record.h"
#include "tandem/orchestrate/submit/submission_record.h"

namespace tandem::engine {

void StoreCheck::finding(std::string place, std::string what) {
  ++findings_total_;
  if (findings_.size() < kFindingsMax) findings_.push_back({std::move(place), std::move(what)});
}

void StoreCheck::wants(const std::string& place, const std::string& sha256) {
  if (sha256.empty()) return;
  const auto bytes = from_hex(sha256);
  if (!bytes) return finding(place, fmt::format("{} is no name of a blob", quote(sha256)));
  if (const auto found = blobs_.find(*bytes); found != blobs_.end()) {
    found->second = true;
  } else if (!wanted_.contains(*bytes)) {
    if (namers_.empty() || namers_.back() != place) namers_.push_back(place);
    wanted_.emplace(*bytes, namers_.size() - 1);
  }
}

void StoreCheck::wants_raw(const std::string& place, const Json& document) {
  if (!document.is_structured()) return;
  for (const auto& [key, value] : document.items()) {
    if (key == "raw_sha256" && value.is_string())
      wants(place, value.get<std::string>());
    else
      wants_raw(place, value);
  }
}

void StoreCheck::job(const store::Row& row, const std::string& place) {
  const auto record = JobRecord::parse(row);
  if (!record) return finding(place, record.error().to_string());
  for (std::string& key : job_index_keys(*record)) index_.insert(std::move(key));
  wants(place, record->spec_sha256);
  if (!record->result_sha256.empty()) results_[result_key(record->view.id)] = record->result_sha256;
  if (!record->view.plan_digest.empty() && !record->plan && record->view.lineage_id.empty())
    finding(place, "its plan is missing");
  if (!record->view.lineage_id.empty()) lineages_.insert(record->view.lineage_id);
}

void StoreCheck::index_entry(const store::Row& row, const std::string& place) {
  const bool of_a_job = !row.key.starts_with(kAnswerIndex);
  if (of_a_job && index_.erase(row.key) == 0) finding(place, "there is no job that this index entry is of");
}

void StoreCheck::blob(const store::Row& row, const std::string& place) {
  const std::string computed = sha256(row.value).hex();
  if (computed != row.key) finding(place, fmt::format("its {} bytes hash to {}", row.value.size(), computed));
  if (auto bytes = from_hex(row.key)) {
    const bool named = wanted_.erase(*bytes) != 0;
    blobs_.emplace(*std::move(bytes), named);
  }
}

void StoreCheck::submission(const store::Row& row, const std::string& place) {
  const std::size_t slash = row.key.find('/');
  if (slash == std::string::npos) {
    const auto record = submit::SubmissionRecord::parse(row);
    if (!record) return finding(place, record.error().to_string());
    handles_.emplace(record->token, submit::handle_key(record->backend, record->handle));
    found_by_.push_back(submit::job_key(record->job, record->token));
    if (!submit::is_final(record->state)) found_by_.push_back(submit::open_key(record->token));
    return wants(place, record->raw_sha256);
  }
  if (row.key.starts_with("handle/")) {  // which may outlive its submission
    handle_entries_.emplace(row.key, row.value);
    return;
  }
  const bool names_it = row.key.starts_with("step/");
  submission_entries_.emplace(place, names_it ? row.value : row.key.substr(row.key.rfind('/') + 1));
}

void StoreCheck::lineage(const store::Row& row, const std::string& place) {
  lineages_.erase(row.key);
  const auto document = parse_json(row.value, "lineage", {.bytes_max = UINT64_MAX});
  if (!document) return finding(place, document.error().to_string());
  wants_raw(place, *document);
}

void StoreCheck::budget(const store::Row& row, const std::string& place) {
  const auto parts = budget::held_parts(row);
  if (!parts) return finding(place, parts.error().to_string());
  for (const auto& [where, amount] : *parts) held_[where] += amount;
}

void StoreCheck::row(store::Table table, const store::Row& row) {
  ++rows_[static_cast<std::size_t>(table)];
  const std::string place = fmt::format("{}/{}", to_string(table), row.key);
  switch (table) {
    case store::Table::kJob:
      return job(row, place);
    case store::Table::kJobIndex:
      return index_entry(row, place);
    case store::Table::kStep:
      if (const auto result = results_.find(row.key); result != results_.end()) {
        if (sha256(row.value).hex() != result->second) finding(place, "it is not the result that its job names");
        results_.erase(result);
      }
      return wants_raw(place, parse_json(row.value, "checkpoint", {.bytes_max = UINT64_MAX}).value_or(Json()));
    case store::Table::kBlob:
      return blob(row, place);
    case store::Table::kSubmission:
      return submission(row, place);
    case store::Table::kLineage:
      return lineage(row, place);
    case store::Table::kBudget:
      return budget(row, place);
    default:
      return;
  }
}

void StoreCheck::entry(const store::LogEntry& entry) {
  ++entries_;
  const std::string place = fmt::format("log/{}", entry.sequence);
  if (entry.sequence != sequence_ + 1) finding(place, fmt::format("it follows entry {}", sequence_));
  sequence_ = entry.sequence;
  const auto event = job::Event::parse(entry.value, entry.sequence);
  if (!event) return finding(place, event.error().to_string());
  if (event->job.value != entry.subject)
    finding(place, fmt::format("an event of {} is filed under {}", quote(event->job.value), quote(entry.subject)));
}

void StoreCheck::finish() {
  for (const std::string& key : index_) finding("job_index/" + key, "it is missing, and the job is there");
  for (const auto& [key, hash] : results_) finding("step/" + key, "it is missing, and its job names the result");
  for (const std::string& id : lineages_) finding("lineage/" + id, "it is missing, and its job is there");
  for (const auto& [place, token] : submission_entries_)
    if (!handles_.contains(token)) finding(place, "there is no submission that this entry is of");
  for (const auto& [key, token] : handle_entries_)
    if (const auto named = handles_.find(token); named != handles_.end() && named->second != key)
      finding(fmt::format("{}/{}", to_string(store::Table::kSubmission), key), "its submission has another handle");
  for (const std::string& key : found_by_) {
    std::string place = fmt::format("{}/{}", to_string(store::Table::kSubmission), key);
    if (!submission_entries_.contains(place)) finding(std::move(place), "it is missing, and the submission is there");
  }
  for (const auto& [bytes, namer] : wanted_)
    finding("blob/" + to_hex(bytes), fmt::format("it is missing, and {} names it", namers_[namer]));
  for (const auto& [where, surplus] : held_)
    if (surplus != 0)
      finding("budget/" + where.first,
              fmt::format("it holds {} {} {} than its jobs and attempts have there", std::abs(surplus),
                          to_string(where.second), surplus > 0 ? "more" : "less"));
  for (const auto& [bytes, named] : blobs_) blobs_unreferenced_ += named ? 0 : 1;
  index_.clear();
}

}  // namespace tandem::engine
