// tandem/model/problem/noop.h - the problem type `noop`: a job with nothing to compute, for measuring and rehearsing what is around it.
//
// Room: model. It is admitted, planned, queued, leased, checkpointed, completed and recorded like any other.
#pragma once

#include <cstdint>
#include <optional>

#include "tandem/model/problem/problem.h"

namespace tandem::problem {

/// How many steps without work a no-op has, each a checkpoint of its own; empty for every other problem.
std::optional<std::uint32_t> noop_steps(const Problem& problem);

}  // namespace tandem::problem
