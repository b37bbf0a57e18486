// apps/tandem-bench/bench_circuit.h - circuit: one circuit on the state vector; ising: layers of an Ising model. Timed; a JSON line a run.
//
// Without an observable a run makes everything anew from the circuit: the state, the plan, the evolution. With one, and for an Ising model,
// what a loop would keep is kept - the state, plans -, a run is a pass over all sets of angles, and its time is that of one of them.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/base/result.h"

namespace tandem::bench {

struct WantedEvaluations {
  std::string file;  ///< circuit: its document, OpenQASM 2 or qsim's text; ising: a problem whose model is quadratic
  std::string
      values;  ///< file: an array of arrays, a set of parameters each; of ising the gammas and then the betas of one
  std::string precision = "f64";
  std::string isa;  ///< empty: the best of the machine
  std::uint32_t threads = 2;
  std::uint32_t runs = 1;
  bool gradient = false;  ///< with the value, all derivatives
};

struct WantedCircuit : WantedEvaluations {
  std::string observable;  ///< file: the document of a Pauli sum; empty: the state alone
  std::uint64_t shots = 0;  ///< drawn from the state, timed apart
  std::uint32_t amplitudes = 0;  ///< so many of the last state's go out, for comparison
};

/// Errors: those of the files and of the state vector; 1023 value_out_of_range - another precision;
///         1005 usage - a gradient without an observable, shots with one.
Result<int> run_circuit(const WantedCircuit& wanted);
/// Errors: those of the files and of IsingEvolution; 1023 value_out_of_range - another precision; 1204 format_cannot_express - a problem
///         that is not quadratic and unconstrained.
Result<int> run_ising(const WantedEvaluations& wanted);

}  // namespace tandem::bench
