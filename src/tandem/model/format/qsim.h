// tandem/model/format/qsim.h - the text format of circuits of the simulator qsim: the number of qubits, then a gate a line.
//
// Room: model. For this part only. Source: docs/input_format.md of quantumlib/qsim.
#pragma once

#include <string_view>

#include "tandem/model/format/circuit_file.h"

namespace tandem::format {

/// True when the first line is one whole number, and the second a number and a word.
bool looks_like_qsim(std::string_view text);

/// The gates stand in the order in which they act; their times only have to grow on each qubit. "m" measures its qubits into the next
/// free classical bits. Errors: those of read_circuit().
Result<circuit::Circuit> read_qsim(std::string_view text, std::string_view name, const CircuitLimits& limits);

}  // namespace tandem::format
