// tandem/sim/world.h - simulate: one history of machines, clients, a device and faults, by one seed, and what did not hold in it.
//
// Room: sim. First the faults, then calm, in which everything must come to its end.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/base/json.h"
#include "tandem/sim/options.h"
#include "tandem/sim/oracle.h"

namespace tandem::sim {

struct Report {
  Options options;
  std::string violation;  ///< the first thing that did not hold; empty: everything did
  std::uint64_t steps = 0;  ///< of the scheduler: the events of the simulation
  std::uint64_t hash = 0;  ///< of all steps; the same seed and program give the same
  std::uint64_t jobs = 0;
  std::uint64_t commits = 0;
  double virtual_ms = 0;
  Coverage coverage;
  Json document() const;
};

/// Same options, same report, on every machine. Cost: milliseconds to a second. Threads: one; several calls may run side by side.
Report simulate(const Options& options, Oracle::Trace trace = nullptr);

}  // namespace tandem::sim
