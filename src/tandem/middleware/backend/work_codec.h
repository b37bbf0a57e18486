// tandem/middleware/backend/work_codec.h - results of local work as bytes: canonical JSON, stored and decoded like remote ones.
//
// Room: middleware.
#pragma once

#include "tandem/middleware/backend/backend.h"

namespace tandem::backend {

/// Without the reason of the stop: the same work gives the same bytes, whether time or a limit ended it.
Bytes encode_outcome(const solve::SolveOutcome& outcome);
/// Errors: 1405 backend_garbage.
Result<SolveResult> decode_outcome(const Bytes& bytes);
Bytes encode_pubs(const std::vector<result::PubResult>& pubs);
Result<ProgramResult> decode_pubs(const Bytes& bytes);

}  // namespace tandem::backend
