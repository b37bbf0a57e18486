// tandem/compute/statevector/branches.h - counts of a circuit that measures, resets or decides on the way: outcome by outcome, not shot by shot.
//
// Room: compute; for run.cc. Shots that have had the same outcomes share their state: at each measurement they are divided, by as many draws as
// there are shots, and the two parts go on apart. What stands behind the last decision is drawn from one state for all shots of a branch.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/result/outcome.h"

namespace tandem::statevector {

/// So many states of branches wait at most, in so many bytes and in what memory is left; a branch whose state found no room is played again
/// from the first measurement on. The result does not depend on it.
inline constexpr std::uint64_t kBranchStatesMax = 128;
inline constexpr std::uint64_t kBranchBytesMax = std::uint64_t{256} << 20;

/// Outcomes that are held at once at most, equal ones more than once: each stands for a shot at least.
std::uint64_t held_outcomes(const circuit::Pub& pub, std::size_t threads);

struct BranchWork {
  std::span<const circuit::Instruction> rest;  ///< from the first measurement, reset or condition on
  std::uint32_t num_clbits = 0;
  std::span<const double> values;  ///< of the parameters
  std::uint64_t shots = 0;
  std::uint64_t seed = 0;
  std::uint64_t states_max = 2;  ///< with the start; at least two
};

/// Counts over the classical bits; bits that nothing writes are 0. `start`: the state before `rest`.
/// Cost:   the gates behind each decision once for each sequence of outcomes up to it that is drawn, at most once a shot.
/// Errors: 1002 cancelled; 1004 out_of_memory.
Result<result::Counts> counts_of_branches(const BranchWork& work, const StateVector& start, const RunOptions& options,
                                          const std::stop_token& stop, Executor& executor);

}  // namespace tandem::statevector
