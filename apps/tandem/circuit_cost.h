// apps/tandem/circuit_cost.h - what a circuit costs on this machine, and the profile of the machine that says so.
#pragma once

#include <optional>
#include <string>

#include "cli.h"
#include "tandem/compute/statevector/machine_profile.h"

namespace tandem::app {

/// As it stands in machine.json of the data directory; nothing where that is of another processor, number of threads or instruction set, or
/// not there.
std::optional<statevector::MachineProfile> kept_machine_profile(const Settings& settings, Machine& machine,
                                                                std::size_t threads);
/// The same; measured (about a second) and put there where there is none. A directory that cannot be written to only has it measured again.
/// Errors: those of data_dir_of() and measure_machine().
Result<statevector::MachineProfile> machine_profile(const Settings& settings, Machine& machine, Executor& executor);

struct CircuitWanted {
  std::string file;
  std::string precision = "f64";
  std::optional<double> tolerance;  ///< decides the precision
  bool plan_only = false;
};
/// Stages, what each has to do and to move, and its time: predicted, and measured unless it is only to be planned.
/// Errors: those of report_circuit() and of the file.
Result<int> explain_circuit(Cli& cli, const CircuitWanted& wanted);

}  // namespace tandem::app
