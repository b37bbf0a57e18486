// tandem/hybrid/walk/walk.h - the walk of a job as a Loop: formulate, reduce, solve beside the baseline, narrow, refine, lift,
// polish, score, compare, accept. A program walks as one round.
//
// Room: hybrid. The engine drives it live; replay drives it from records. It holds what it derives from the job (models,
// reductions) as a cache; its checkpointed state is complete without that.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>

#include "tandem/hybrid/loop.h"
#include "tandem/model/job/job_spec.h"
#include "tandem/model/job/plan.h"
#include "tandem/model/job/result_document.h"

namespace tandem::walk {

/// The lineage of the last advance has formulation, encoding, trail, objective hash, circuit hash, post-processing.
///
/// State: {"stage": "solve" | "refine", "round": r, ...}; assignments travel as text.
/// A stop ends the reduction that it begins with. Errors: 1002 cancelled.
Result<std::unique_ptr<hybrid::Loop>> make_walk(const job::JobSpec& spec, const job::Plan& plan,
                                                const std::stop_token& stop = {});

/// Memory that the walk of a problem of so many variables takes whatever its terms are: its copies of the model, the reduction,
/// and a solver beside the baseline. A document of a hundred bytes can ask for it.
std::uint64_t bytes_needed(std::size_t num_variables);

/// What the plan says of the orders of a step that go to a remote backend.
void set_remote_limits(const job::PlanStep& step, hybrid::Order& order);

/// Checks the job's success criteria against a result whose elapsed_ms and billed are final. `proof` counts as a criterion.
job::Acceptance evaluate_acceptance(const job::JobSpec& spec, const job::ResultDocument& result);

}  // namespace tandem::walk
