// tandem/middleware/adapter/ionq/wire_circuit.h - a circuit -> the vendor's list of gates (gateset "qis" or "native").
//
// Room: middleware; for the sources of this part only. Written as the vendor's own client for Qiskit writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::ionq {

/// Gates as the vendor counts them for a price; gates on three qubits as what they are made of.
struct GateCounts {
  std::uint64_t one_qubit = 0;
  std::uint64_t two_qubits = 0;
};

struct WireCircuit {
  std::uint32_t qubits = 0;  ///< highest qubit that is used or measured, plus one
  Json gates = Json::array();
  GateCounts counts;
  bool native = false;
};

/// Measurements and barriers are left out. A circuit with gpi, gpi2 or ms is one of native gates: nothing but those, rzz and id may
/// stand in it, and `native_gates` says which of them the machine has.
///
/// Errors: 1402 backend_cannot - a measurement that is not at the end, a reset, nothing measured, native gates beside others, or one
///         that this machine has not.
Result<WireCircuit> wire_circuit(const circuit::Circuit& circuit, std::span<const double> parameters,
                                 std::span<const circuit::Gate> native_gates);

/// By classical bit: the qubit that is measured into it, if any.
std::vector<std::optional<std::uint32_t>> measured_qubits(const circuit::Circuit& circuit);

}  // namespace tandem::ionq
