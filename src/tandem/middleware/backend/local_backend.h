// tandem/middleware/backend/local_backend.h - the backends that run here: every solver, and the state-vector simulator.
//
// Room: middleware. Raw results are canonical JSON, so that local and remote work is stored and decoded alike.
#pragma once

#include <memory>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/machine_memory.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::backend {

// `memory`: of which each work reserves what it needs before it begins, and waits where others have it; null: nothing is reserved.

/// "cpu.<solver>": one for each solver of compute/solve. The time budget is a timer that fires the stop token. It reserves what a search of
/// the model holds; what a search tree grows by is bounded by SolveOptions::memory_bytes_max alone.
std::unique_ptr<Backend> make_solver_backend(const solve::Solver& solver, Executor& executor, const Clock& clock,
                                             MachineMemory* memory = nullptr);

/// "simulator.statevector". `memory_bytes_max` decides qubits_max. It reserves the states of the largest of its circuits.
std::unique_ptr<Backend> make_statevector_backend(Executor& executor, const Clock& clock,
                                                  std::uint64_t memory_bytes_max, MachineMemory* memory = nullptr);

/// A backend that is known but absent here ("gpu.cuda"): it validates nothing and says why. The router lists it as infeasible.
std::unique_ptr<Backend> make_absent_backend(BackendInfo info, std::string reason, const Clock& clock);

}  // namespace tandem::backend
