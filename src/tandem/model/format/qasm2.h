// tandem/model/format/qasm2.h - circuits as OpenQASM 2 text.
//
// Room: model. For this part only. Source: Cross, Bishop, Smolin, Gambetta 2017, "Open Quantum Assembly Language" (arXiv:1707.03429).
#pragma once

#include <string>
#include <string_view>

#include "tandem/model/format/circuit_file.h"

namespace tandem::format {

/// True when the first word that is no comment begins a statement of the language.
bool looks_like_qasm2(std::string_view text);

/// Gates that the text defines are replaced by their bodies. With qelib1.inc included, the gates of that file and those of the table of
/// gates (model/circuit/gate.h) are known; a definition in the text stands above them. A barrier spans all qubits, whatever it names.
/// Errors: those of read_circuit().
Result<circuit::Circuit> read_qasm2(std::string_view text, std::string_view name, const CircuitLimits& limits);

/// One register q and one register c, or, where there are conditions, registers c0, c1, ... of the bits that they compare and of those between.
/// Gates that qelib1.inc has not are defined at the head of the text.
/// Errors: 1204 format_cannot_express - a circuit with parameters, or with conditions on overlapping bits.
Result<std::string> write_qasm2(const circuit::Circuit& circuit);

}  // namespace tandem::format
