// tandem/orchestrate/engine/progress_board.h - ProgressBoard: how far the jobs are that this process runs.
//
// Room: orchestrate. Nothing here is durable: the beat of the process carries it to the others (membership.h).
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "tandem/orchestrate/engine/engine.h"

namespace tandem::engine {

/// Threads: safe to call concurrently; no call takes longer than its own work.
class ProgressBoard {
 public:
  /// What others get of it, so that a beat stays one small row.
  static constexpr std::size_t kToldJobsMax = 64;
  static constexpr std::size_t kToldBytesMax = 16'384;

  void note(const Progress& progress);
  void forget(const JobId& id);
  std::optional<Progress> of(const JobId& id) const;
  /// {job: progress}, the oldest jobs first, within those limits.
  Json document() const;

 private:
  mutable std::mutex mutex_;
  std::map<JobId, Progress> jobs_;
};

/// What such a document says of a job. Another version may have written it: what cannot be read is not known.
std::optional<Progress> told_progress(const Json& jobs, const JobId& id);

}  // namespace tandem::engine
