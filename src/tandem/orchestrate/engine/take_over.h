// tandem/orchestrate/engine/take_over.h - what becomes of the jobs of a process whose lease ran out.
//
// Room: orchestrate.
#pragma once

#include "tandem/base/log.h"
#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/membership.h"

namespace tandem::engine {

/// Processes in a row that may be lost while they run one job, when it got nothing done in any of them: no step, no submission.
inline constexpr std::uint32_t kLostLeasesMax = 5;

/// Buries the processes that lapsed and puts what they ran back into the queue under a higher fence, so that whatever they still
/// write is refused; a job that its client had cancelled ends, and so does one that took down too many. Any process may do it, also
/// several at once; one that dies half way leaves the rest to the next. A process that comes back meanwhile is left alone. It reads what the lost ones own and nothing else. Errors: those of the
/// store.
Result<void> take_over(Membership& membership, store::Store& store, JobLedger& ledger, Log& log);

/// Puts back what runs and belongs to no process, as the backup of a store that was not shared has it. Reads every running job, so
/// whoever begins to lead does it once. Errors: those of the store.
Result<void> take_over_ownerless(store::Store& store, JobLedger& ledger);

/// Puts back all that runs in a store that this process has alone. `lost`: the one before was, which is counted as above; otherwise it
/// may have been ended by its user, or could not store what it ended. Errors: those of the store.
Result<void> take_over_all(store::Store& store, JobLedger& ledger, bool lost);

}  // namespace tandem::engine
