// apps/tandem-bench/bench_circuit.h - circuit: one circuit on the state vector, timed; a JSON line a run.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/base/result.h"

namespace tandem::bench {

struct WantedCircuit {
  std::string file;  ///< a circuit document without parameters, OpenQASM 2 or qsim's text
  std::string precision = "f64";
  std::string isa;  ///< empty: the best of the machine
  std::uint32_t threads = 2;
  std::uint32_t runs = 1;
  std::uint64_t shots = 0;  ///< drawn afterwards, timed apart
  std::uint32_t amplitudes = 0;  ///< so many of the last state's go out, for comparison
};

/// Errors: those of the file and of the state vector; 1023 value_out_of_range - another precision.
Result<int> run_circuit(const WantedCircuit& wanted);

}  // namespace tandem::bench
