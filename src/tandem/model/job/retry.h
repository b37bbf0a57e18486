// tandem/model/job/retry.h - when a step is tried again, and what is kept of each try that failed.
//
// Room: model. Not here: which errors may pass (middleware/backend/error_class.h), trying (orchestrate/engine/step_tries.h).
#pragma once

#include <cstdint>
#include <string>

#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::job {

/// `limits.retry` of a job, or of a step that has one of its own. Tries of one backend of a step's chain; after the last one the chain goes
/// on. The wait between two of them is drawn from delay_min to three times the wait before, and not longer than delay_max.
struct RetryPolicy {
  static constexpr std::uint32_t kAttemptsMax = 100;
  static constexpr std::uint32_t kRetriesMax = 1000;  ///< of a job: each is kept
  std::uint32_t max_attempts = 3;  ///< 1: nothing is tried again
  std::int64_t delay_min_ms = 100;
  std::int64_t delay_max_ms = 10'000;
  std::uint32_t budget_retries = 20;  ///< of the whole job; 0: nothing is tried again
  std::int64_t budget_time_ms = 0;  ///< that the job waits between tries in all; 0: no limit
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

/// A try that was followed by another, or, with tries_max 0, a wait until a backend took work.
struct FailedTry {
  std::string step;  ///< label of the order
  std::uint32_t round = 0;
  std::uint32_t station = 0;  ///< of the chain, from 0
  std::string backend;
  std::uint32_t number = 1;  ///< of tries_max, at this station
  std::uint32_t tries_max = 1;
  std::string error_class;  ///< word of backend::ErrorClass
  std::uint16_t error_number = 0;
  std::string reason;
  std::int64_t delay_ms = 0;  ///< before the next try; of a wait, where it has ended
  std::uint32_t next_attempt = 0;  ///< number that the next try has in the ledger of submissions, where it needs one
  std::string at;  ///< when it had failed, or the wait began
  Json document() const;
  static Result<FailedTry> parse(const Json& value, const std::string& pointer);
  friend bool operator==(const FailedTry&, const FailedTry&) = default;
};

}  // namespace tandem::job
