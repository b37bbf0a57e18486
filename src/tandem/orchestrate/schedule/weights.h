// tandem/orchestrate/schedule/weights.h - the weights of tenants and projects as people write them.
//
// Room: orchestrate.
#pragma once

#include <string_view>

#include "tandem/base/result.h"
#include "tandem/orchestrate/schedule/fair_queue.h"

namespace tandem::schedule {

/// Beyond them a weight is a typing error: the others, or its own tenant, would get nothing; and service for weight has to stay a number.
inline constexpr double kWeightMin = 1e-6;
inline constexpr double kWeightMax = 1e6;

/// "acme=3, acme/pilot=2": a tenant, or one of its projects, and its share; blanks and an empty text are fine.
/// Errors: 1061 bad_setting - says which entry, where it begins, and what to write.
Result<Weights> parse_weights(std::string_view text);

}  // namespace tandem::schedule
