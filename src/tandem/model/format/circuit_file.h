// tandem/model/format/circuit_file.h - circuits as files: which format a file has, reading it, writing it.
//
// Room: model. Formats: the circuit document of our own (JSON), OpenQASM 2, the text format of qsim. Not here: problems (format.h),
// PUBs and job documents (model/job), rewriting for a device (middleware/transpile).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/base/result.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::format {

enum class CircuitFormat : std::uint8_t {
  kDocument,  ///< {"num_qubits": 2, "instructions": [...]}: circuit::Circuit::document()
  kQasm2,  ///< OpenQASM 2, with or without its first line
  kQsim,  ///< the number of qubits, then lines "time gate qubits angles", qubits from 0
};

std::string_view to_string(CircuitFormat format);  ///< "json", "qasm2", "qsim"
/// Errors: 1203 format_unknown.
Result<CircuitFormat> parse_circuit_format(std::string_view text);

struct CircuitLimits {
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  std::size_t instructions_max = 10'000'000;  ///< a gigabyte of them
};

/// The format of a circuit, told from its first words, whatever the name of the file; nothing when it looks like none of them.
/// A job document and a problem look like none.
std::optional<CircuitFormat> detect_circuit(std::string_view text);
/// The same where a user may have named a format (empty: no), of circuits or of problems. "json" holds both, so the text decides.
std::optional<CircuitFormat> detect_circuit(std::string_view text, std::string_view said);

/// Reads a circuit; `name` stands in places. Bit i of a state is qubit i: registers follow each other in the order of their declaration.
/// A global phase is dropped, everything else is exact to rounding.
///
/// Errors: 1201 format_syntax, 1110 unknown_gate, 1111 bad_circuit, 1101 index_out_of_range, 1102 not_finite - places name:line:column;
///         1204 format_cannot_express - what a Circuit cannot hold: a gate that depends on a measured value, an opaque gate;
///         1003 input_too_large, 1103 model_too_large, 1113 too_many_qubits - above a limit; 1203 format_unknown.
/// Cost:   1 to 2 us an instruction.
Result<circuit::Circuit> read_circuit(std::string_view text, std::string_view name, const CircuitLimits& limits = {},
                                      std::optional<CircuitFormat> format = std::nullopt);

/// Writes a circuit; read_circuit() of the text is the same circuit, but that gates which qelib1.inc has not come back as their parts.
/// Errors: 1204 format_cannot_express - qsim, or parameters in OpenQASM 2.
Result<std::string> write_circuit(const circuit::Circuit& circuit, CircuitFormat format);

}  // namespace tandem::format
