// tandem/compute/reduce/first_look.h - what a pass over a model says before anything is reduced.
//
// Room: compute, inside reduce. All of it throws Stopped (base/stopped.h).
#pragma once

#include <stop_token>

#include "tandem/model/problem/bqm.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::reduce {

/// All terms at their lowest, each for itself, over {0, 1} or over {-1, 1}, whichever is higher; below it by what doubles may round.
double loose_bound(const problem::Bqm& bqm, const std::stop_token& stop = {});
/// The same over the variables as they are.
double loose_bound(const problem::Polynomial& polynomial);

/// Whether signs of spins can be changed so that no coupling is positive: every cycle has an even number of positive ones.
bool unfrustrated(const problem::Bqm& bqm, const std::stop_token& stop = {});

/// Whether roof duality is worth its flow: above kDenseTermsMax terms only where a variable has at most kSparseDegree couplings on
/// average, or the model is unfrustrated. In other large models it would fix nothing, and take longer than all the rest.
bool flow_pays(const problem::Bqm& bqm, const std::stop_token& stop = {});

inline constexpr std::uint64_t kDenseTermsMax = 20'000;  ///< a flow on so many takes 4 ms
inline constexpr std::uint64_t kSparseDegree = 32;

}  // namespace tandem::reduce
