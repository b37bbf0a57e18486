// tandem/compute/statevector/run.h - runs PUBs on the state vector: counts, or exact or sampled expectations.
//
// Room: compute. Not here: noise (compute/noise), queues and prices (middleware/backend).
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/result/pub_result.h"

namespace tandem::statevector {

template <class Real>
class PlanCache;

struct RunOptions {
  std::uint64_t seed = 0;
  std::uint64_t memory_bytes_max = 0;  ///< for all states held at once
  /// Of runs before, in double and in single precision; null: of this run only. The result does not depend on them.
  std::shared_ptr<PlanCache<double>> plans = nullptr;
  std::shared_ptr<PlanCache<float>> single_plans = nullptr;
};

/// Runs every binding of `pub`. Without observables: `shots` counts over the classical bits; a circuit that measures
/// only at its end is simulated once, any other from its first measurement, reset or condition on once for each sequence of
/// outcomes that is drawn (branches.h). With observables:
/// exact when shots and precision are 0; else sampled in one basis for each group of qubit-wise commuting terms, with
/// `shots` shots a basis, or as many as keep the standard error within `precision` whatever the state.
/// Expectation.shots is the sum over the bases. In single precision where choose_precision() allows it (rounding.h), and then, or where
/// double was needed for the tolerance, the result says so.
///
/// Threads: blocks; the loops run on `executor`. The result depends on pub and seed only.
/// Errors: those of Pub::check(), choose_precision() and StateVector::create(); 1004 out_of_memory - also for what is read (run_memory.h); 1111 bad_circuit - counts of a circuit that measures
///         nothing, or observables of a circuit that measures, resets or has conditions; 1023 value_out_of_range - a precision that needs
///         more than Pub::kShotsMax shots; 1002 cancelled.
Result<result::PubResult> run(const circuit::Pub& pub, const RunOptions& options, std::stop_token stop,
                              Executor& executor);

}  // namespace tandem::statevector
