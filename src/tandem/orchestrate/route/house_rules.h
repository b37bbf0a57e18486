// tandem/orchestrate/route/house_rules.h - what the rules of the house (trust/access) make of candidates and plans.
//
// Room: orchestrate; for the sources of this part only. What they refuse: policy_refusal() in chain.h. Threads: pure functions.
#pragma once

#include "tandem/orchestrate/route/route.h"

namespace tandem::route {

/// What runs here, and whoever is of the vendor that a rule prefers, where one does.
bool is_preferred(const RouteInput& input, const backend::BackendInfo& info);
/// Names in the plan whose word it needs, and says so in its reasons.
void ask_people(const RouteInput& input, job::Plan& plan);

}  // namespace tandem::route
