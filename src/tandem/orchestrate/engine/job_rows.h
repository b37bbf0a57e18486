// tandem/orchestrate/engine/job_rows.h - JobRows: rows of jobs as they are stored now, without working out again what is known.
//
// Room: orchestrate; for the sources of this part only. A running job's row has its plan, and is read for every commit about its
// submissions. Every load reads the store: only what the same bytes say is kept.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {

/// Threads: safe to call concurrently.
class JobRows {
 public:
  static constexpr std::size_t kRowsMax = 256;  ///< kept; of more than one process runs at once nothing is gained
  static constexpr std::size_t kRowBytesMax = 32'768;  ///< of a row that is kept

  explicit JobRows(store::Store& store) : store_(store) {}

  /// As load_job(), and with the same errors.
  Result<JobRecord> load(const JobId& id);

 private:
  struct Known {
    Bytes value;
    JobRecord record;
  };
  store::Store& store_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Known>> known_;
};

}  // namespace tandem::engine
