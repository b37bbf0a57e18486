// tandem/compute/statevector/circuit_report.h - what a circuit costs here: its stages, what each has to do and to move, predicted and measured.
//
// Room: compute. Not here: the answer of the circuit (run.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tandem/compute/statevector/machine_profile.h"
#include "tandem/compute/statevector/rounding.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector {

/// One pass over the state.
struct StageReport {
  /// Who does it: the plan of the circuit; layers that were found in it (ising_layers.h); what writes the half that those left out.
  enum class Kind : std::uint8_t { kPlan, kIsing, kMirror } kind = Kind::kPlan;
  std::vector<std::uint32_t> bits;  ///< of places, of a tile
  bool gathered = false;  ///< tiles are not in a row in memory
  std::size_t turns = 0;
  std::size_t lane_turns = 0;
  std::size_t phase_groups = 0;
  std::size_t pair_gates = 0;
  std::size_t dense_gates = 0;
  double moved_bytes = 0;  ///< read and written
  double fused = 0;  ///< operations of a multiplication and an addition that the work needs at least
  double memory_s = 0;  ///< what the bytes take by the profile
  double work_s = 0;  ///< what the work takes on all threads by the profile of our own loops
  double measured_s = 0;  ///< 0 where it was not run

  /// A tile is read, worked on, and written back: one after the other.
  double predicted_s() const { return memory_s + work_s; }
};

std::string_view to_string(StageReport::Kind kind);  ///< "plan", "ising", "mirror"

struct CircuitReport {
  std::uint32_t num_qubits = 0;
  std::size_t gates = 0;
  std::uint64_t state_bytes = 0;
  Precision precision = Precision::kDouble;
  /// By how much rounding may move the probability of any set of outcomes, at most, in either precision (Rounding::of_draws).
  double single_rounding = 0;
  double double_rounding = 0;
  double planning_s = 0;
  std::vector<StageReport> stages;

  double memory_limit_s = 0;  ///< the bytes at the speed of memory; 0 for a state that caches may hold (past_caches.h)
  double arithmetic_limit_s = 0;  ///< the fused operations at the peak of all threads

  double moved_bytes() const;
  double fused() const;
  double predicted_s() const;
  double measured_s() const;
  /// What this machine would take for these passes if memory, or arithmetic, were never waited for: the larger. Of the machine, not of our
  /// loops: a loop that is slow does not raise it.
  double limit_s() const { return std::max(memory_limit_s, arithmetic_limit_s); }
  /// Of the time measured; 0 where it was not run.
  double share_of_limit() const;
};

enum class Measuring : std::uint8_t { kPlanOnly, kRun };

struct ReportOptions {
  Precision precision = Precision::kDouble;
  double tolerance = 0;  ///< above 0: single precision where rounding keeps within it (rounding.h), else double
  Measuring measuring = Measuring::kRun;
  std::uint64_t memory_bytes_max = 0;  ///< for the state, when it is run
};

/// Measurements are left out, and parameters get a value: neither changes what is planned.
/// Errors: those of StateVector::fits() when it is run; 1113 too_many_qubits; 1111 bad_circuit - a reset; 1004 out_of_memory; 1023
///         value_out_of_range at /tolerance - it is no number above 0, or double precision cannot promise it.
Result<CircuitReport> report_circuit(const circuit::Circuit& circuit, const MachineProfile& profile,
                                     const ReportOptions& options, Executor& executor, const Clock& clock);

}  // namespace tandem::statevector
