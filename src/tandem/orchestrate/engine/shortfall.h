// tandem/orchestrate/engine/shortfall.h - what came of how much, where an answer is a part of what was asked for.
//
// Room: orchestrate.
#pragma once

#include <optional>

#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/fallback.h"

namespace tandem::engine {

/// Empty where all came. Bits of expectations are the backend's own business. Only `asked` and `got` are set.
std::optional<job::PartialAnswer> shortfall(const backend::Work& work, const backend::WorkResult& result);

}  // namespace tandem::engine
