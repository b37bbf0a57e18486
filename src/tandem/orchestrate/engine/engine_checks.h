// tandem/orchestrate/engine/engine_checks.h - what the sources of EngineImpl check alike: waits that are over, words of clients.
//
// Room: orchestrate; for the sources of this part only.
#pragma once

#include <string>
#include <string_view>

#include "tandem/orchestrate/engine/job_ledger.h"

namespace tandem::engine {

/// Its wait has a limit, which is over.
bool waited_too_long(const JobRecord& row, std::int64_t now_micros);
/// Ends it for that, for the `decide` of an update. Errors: those of move_without_result().
Result<void> expire_wait(store::Store& store, JobRecord& row, Change& change);
/// What a client says beside a document is kept in rows that are JSON. Errors: 1023 value_out_of_range - too long, or not UTF-8.
Result<void> check_words(std::string place, std::string_view words, std::size_t bytes_max);
/// What a client says of a job: a sentence or two. Errors: 1023 value_out_of_range.
Result<void> check_reason(std::string_view reason);

}  // namespace tandem::engine
