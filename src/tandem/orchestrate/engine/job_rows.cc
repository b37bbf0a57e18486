#include "tandem/orchestrate/engine/job_rows.h"

namespace tandem::engine {

Result<JobRecord> JobRows::load(const JobId& id) {
  TANDEM_TRY_ASSIGN(auto row, store_.get(store::Table::kJob, id.value));
  if (!row) return tl::unexpected(no_such_job(id));
  std::shared_ptr<const Known> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(id.value); found != known_.end()) known = found->second;
  }
  if (known != nullptr && known->value == row->value) {
    JobRecord out = known->record;
    out.version = row->version;
    return out;
  }
  TANDEM_TRY_ASSIGN(JobRecord out, JobRecord::parse(*row));
  if (row->value.size() > kRowBytesMax) return out;
  known = std::make_shared<const Known>(Known{.value = std::move(row->value), .record = out});
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kRowsMax) known_.clear();  // what is in use is soon there again
  known_.insert_or_assign(id.value, std::move(known));
  return out;
}

}  // namespace tandem::engine
