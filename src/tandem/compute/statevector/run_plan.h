// tandem/compute/statevector/run_plan.h - a plan, carried out on the amplitudes in memory.
//
// Room: compute, inside statevector.
#pragma once

#include <span>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/plan.h"

namespace tandem::statevector {

/// False when it was stopped: the amplitudes are worth nothing then. Each tile is one thread's, and the same whoever takes it.
template <class Real>
bool run_plan(const Plan<Real>& plan, Real* amplitudes, std::uint32_t num_bits, simd::Isa isa, Executor& executor,
              const std::stop_token& stop);

/// The same on two states, whose scale is that of the plan, and `found[i]` becomes what reading i of the plan's steps finds between them.
/// Sums are taken in double, over fixed stretches.
template <class Real>
bool run_plan_on_pair(const Plan<Real>& plan, Real* ket, Real* bra, std::uint32_t num_bits, simd::Isa isa,
                      Executor& executor, const std::stop_token& stop, std::span<double> found);

}  // namespace tandem::statevector
