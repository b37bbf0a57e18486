// tandem/orchestrate/engine/step_tries.h - the tries of a step: when another one follows, after how long, and what is kept of them.
//
// Room: orchestrate. Every try that is followed by another is in the store, in the row "<job>/tries", before the wait for the next
// one begins: a restart goes on with the next number and waits only for what is left. So is the beginning of a wait for a backend that
// is not ready. Not here: trying (order_runner.h).
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

/// A wait until the backend was ready, or for it in vain, and no try that the policy counts.
inline bool is_wait(const job::FailedTry& one) { return one.tries_max == 0; }

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

  /// The backend of a station is not ready, and is waited for, for so long at most. Stores that, with its event: from then on a restart
  /// goes on with this wait. It counts as no try. Errors: 5005 stale_fence; those of the store.
  Result<job::FailedTry> note_wait(const TryScope& scope, job::FailedTry failed, std::chrono::milliseconds most);

  /// The number that `entry`, the latest of its station, gives to the next attempt is used up, and nothing was sent under it: another one.
  /// Errors: 5005 stale_fence; those of the store.
  Result<void> renumber(const TryScope& scope, job::FailedTry& entry);

  /// Since such a wait began, by the wall clock; never negative.
  std::chrono::milliseconds waited(const job::FailedTry& wait) const;

  /// Until look number `look` at a backend that is waited for, after a pause of `previous` before the look before it.
  static std::chrono::milliseconds next_look(const TryScope& scope, const job::FailedTry& wait, std::uint32_t look,
                                             std::chrono::milliseconds previous);

  /// Of the wait after a try, by the wall clock.
  std::chrono::nanoseconds left(const job::FailedTry& failed) const;

 private:
  store::Store& store_;
  JobLedger& ledger_;
  const Clock& clock_;
};

}  // namespace tandem::engine
