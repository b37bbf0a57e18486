// tandem/compute/statevector/run_memory.h - the memory that a PUB takes on the state vector: states, what threads work in, and readings.
//
// Room: compute. For validation before anything is allocated or paid. Not here: one state by itself (StateVector::bytes_needed).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tandem/base/result.h"
#include "tandem/compute/statevector/rounding.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector {

struct RunMemory {
  std::uint64_t states = 0;
  std::uint64_t beside =
      0;  ///< tiles, sums of stretches, draws, outcomes; what is bounded by a constant below a MiB is left out
  std::uint64_t spare = 0;  ///< for states of branches that wait: makes a run faster where it is there
  std::uint64_t all() const { return states + beside; }
};

/// Whether a thread alone is as fast: then several such circuits, or bindings of one, are better run at once.
bool is_small(const circuit::Circuit& circuit);

/// What a PUB is run with.
struct RunMeans {
  std::size_t threads = 1;
  std::uint64_t bytes_max = UINT64_MAX;  ///< of memory
  Precision precision = Precision::kDouble;
};

/// So many bindings are evaluated at once, each by a thread of its own: of a circuit whose state is small, and as many as there is memory for.
std::size_t strands_of(const circuit::Pub& pub, const RunMeans& means);

/// What run() holds at once, at most: above `bytes_max` where one binding at a time does not fit. `pub` has at most StateVector::kQubitsMax
/// qubits and passes Pub::check().
RunMemory memory_of_run(const circuit::Pub& pub, const RunMeans& means);

/// The same in double for `shots` counts of a circuit whose measurements are terminal.
RunMemory memory_of_counts(const circuit::Circuit& circuit, std::uint64_t shots, std::size_t threads);

/// Errors: 1113 too_many_qubits; 1004 out_of_memory - memory_of_run() is above `bytes_max`.
Result<void> check_memory(const circuit::Pub& pub, const RunMeans& means);

}  // namespace tandem::statevector
