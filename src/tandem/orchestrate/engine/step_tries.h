// tandem/orchestrate/engine/step_tries.h - the tries of a step: when another one follows, after how long, and what is kept of them.
//
// Room: orchestrate. Every try that is followed by another is in the store, in the row "<job>/tries", before the wait for the next
// one begins: a restart goes on with the next number and waits only for what is left. Not here: trying (order_runner.h).
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "tandem/model/job/retry.h"
#include "tandem/orchestrate/engine/job_ledger.h"

namespace tandem::engine {

/// Whose tries these are, and what bounds them.
struct TryScope {
  JobId job;
  std::uint64_t fence = 0;
  const job::RetryPolicy& policy;
  std::uint32_t stations = 1;  ///< of the chain: attempts from there on are those of later tries
  Deadline deadline = Deadline::never();  ///< of the station: nobody waits beyond it
};

/// Threads: safe to call concurrently.
class StepTries {
 public:
  StepTries(store::Store& store, JobLedger& ledger, const Clock& clock)
      : store_(store), ledger_(ledger), clock_(clock) {}

  /// What is kept of an order, oldest first. Errors: those of the store.
  Result<std::vector<job::FailedTry>> of(const JobId& job, std::uint32_t round, std::string_view label) const;

  /// A try failed in a way that may pass. Adds delay, number of the next attempt and time to it and stores it, with its event, when
  /// another try may follow; empty when not: the tries, the budget of the job or the time of the station are used up. The delay
  /// depends on nothing but policy, job and try, and on what the provider asked for. Errors: 5005 stale_fence; those of the store.
  Result<std::optional<job::FailedTry>> note(const TryScope& scope, job::FailedTry failed,
                                             std::chrono::milliseconds previous, std::chrono::milliseconds retry_after);

  /// Of the wait after a try, by the wall clock.
  std::chrono::nanoseconds left(const job::FailedTry& failed) const;

 private:
  store::Store& store_;
  JobLedger& ledger_;
  const Clock& clock_;
};

}  // namespace tandem::engine
