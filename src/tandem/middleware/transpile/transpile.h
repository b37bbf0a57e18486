// tandem/middleware/transpile/transpile.h - circuit -> circuit for a target: native gates, couplings, and a preflight.
//
// Room: middleware. Plain and correct here; routing quality and optimisation are a later issue's.
#pragma once

#include <string>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/device/calibration.h"

namespace tandem::transpile {

struct Transpiled {
  circuit::Circuit circuit;           ///< only native gates on coupled qubits; clbits as before
  std::vector<std::uint32_t> layout;  ///< logical qubit -> physical qubit at the start
  std::vector<std::string> passes;    ///< names of the passes that ran, for lineage
};

/// Same measurement distribution. Gates are rewritten by a table of decompositions into {rz, sx, x, cz | cx | rzz} as the
/// target has; far pairs are brought together with swaps along shortest paths.
/// Errors: 1113 too_many_qubits; 1402 backend_cannot - the target's gates are not universal for this circuit.
Result<Transpiled> transpile(const circuit::Circuit& circuit, const device::Target& target);

}  // namespace tandem::transpile
