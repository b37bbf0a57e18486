// tandem/orchestrate/engine/removal.h - Removal: what goes with a job that is removed.
//
// Room: orchestrate; for the sources of this part only. Goes: the row, its index entries and earlier answers, checkpoints, submissions,
// money, lineage, the idempotency key. Stays: its events, since the log is the audit; what was learned of backends (evidence), which is
// about no job. Blobs are left to the sweep (blob_sweep.h).
#pragma once

#include <string>
#include <string_view>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/submit/submit.h"

namespace tandem::engine {

/// Reads what the job has and prepares the one commit that removes it. Of checkpoints, submissions and reservations, of which there may be
/// more than one commit takes and which nobody needs after the end, the last ones then go in commits before that.
/// Errors: 5025 job_not_final; 5027 submission_open; 3003 store_damaged; those of the store.
Result<Removal> prepare_removal(store::Store& store, submit::Submitter& submitter, const JobRecord& record,
                                std::string_view actor, std::string_view reason, Timestamp now);

}  // namespace tandem::engine
