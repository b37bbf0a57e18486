// tandem/compute/statevector/run_plan.h - a plan, carried out on the amplitudes in memory.
//
// Room: compute, inside statevector.
#pragma once

#include <span>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/plan.h"

namespace tandem::statevector {

template <class Real>
const TileKernels<Real>& tile_kernels(simd::Isa isa);

/// Each tile is one thread's, and the same whoever takes it. A plan of several stages takes 512 KiB a thread, and fewer threads where the
/// machine refuses that.
/// `row_weights`: empty, or one for each row of the state (sampling.h), which the last stage writes while its tiles are in the cache;
/// gives_row_weights() must hold then (asserted).
/// Errors: 1002 cancelled - the amplitudes are worth nothing then; 1004 out_of_memory - not even for one thread; nothing was done.
template <class Real>
Result<void> run_plan(const Plan<Real>& plan, Real* amplitudes, std::uint32_t num_bits, simd::Isa isa,
                      Executor& executor, const std::stop_token& stop, std::span<double> row_weights = {});
/// Whether the last stage has all amplitudes in its tiles, by whole rows.
template <class Real>
bool gives_row_weights(const Plan<Real>& plan);

/// The same on two states of one scale, which the plan takes, and `found[i]` becomes what reading i of the plan's steps finds between them.
/// Sums are taken in double, over fixed stretches.
template <class Real>
Result<void> run_plan_on_pair(const Plan<Real>& plan, Real* ket, Real* bra, std::uint32_t num_bits, simd::Isa isa,
                              Executor& executor, const std::stop_token& stop, std::span<double> found);

}  // namespace tandem::statevector
