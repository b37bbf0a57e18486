#include "tandem/orchestrate/engine/store_check.h"

#include <utility>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {
namespace {

Result<job::Event> event_of(const store::LogEntry& entry) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(entry.value, "event"));
  return job::Event::parse(document);
}

}  // namespace

void StoreCheck::finding(std::string place, std::string what) {
  ++findings_total_;
  if (findings_.size() < kFindingsMax) findings_.push_back({std::move(place), std::move(what)});
}

void StoreCheck::row(store::Table table, const store::Row& row) {
  ++rows_[static_cast<std::size_t>(table)];
  const std::string place = fmt::format("{}/{}", to_string(table), row.key);
  if (table == store::Table::kJob) {
    auto keys = job_index_keys(row);
    if (!keys) return finding(place, keys.error().to_string());
    index_.insert(keys->begin(), keys->end());
  } else if (table == store::Table::kJobIndex) {
    const bool of_a_job = !row.key.starts_with(kAnswerIndex);
    if (of_a_job && index_.erase(row.key) == 0) finding(place, "there is no job that this index entry is of");
  } else if (table == store::Table::kBlob) {
    if (const std::string computed = sha256(row.value).hex(); computed != row.key)
      finding(place, fmt::format("its {} bytes hash to {}", row.value.size(), computed));
  }
}

void StoreCheck::entry(const store::LogEntry& entry) {
  ++entries_;
  const std::string place = fmt::format("log/{}", entry.sequence);
  if (entry.sequence != sequence_ + 1) finding(place, fmt::format("it follows entry {}", sequence_));
  sequence_ = entry.sequence;
  const auto event = event_of(entry);
  if (!event) return finding(place, event.error().to_string());
  if (event->job.value != entry.subject)
    finding(place, fmt::format("an event of {} is filed under {}", quote(event->job.value), quote(entry.subject)));
}

void StoreCheck::finish() {
  for (const std::string& key : index_) finding("job_index/" + key, "it is missing, and the job is there");
  index_.clear();
}

}  // namespace tandem::engine
