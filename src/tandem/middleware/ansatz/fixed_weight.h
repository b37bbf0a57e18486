// tandem/middleware/ansatz/fixed_weight.h - circuits from |0...0> to states in which a fixed number of qubits is 1.
//
// Room: middleware. Sources: Baertschi, Eidenbenz, arXiv 1904.07358 (Dicke states, gates O(n k), no ancillas).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/model/circuit/circuit.h"
#include "tandem/model/problem/cardinality.h"

namespace tandem::ansatz {

/// The uniform superposition of all states of `qubits` with exactly `ones` of them 1 (a Dicke state).
/// `qubits` must be in |0...0>, distinct and not fewer than `ones` (asserted). Other qubits are left alone.
/// With 2 <= ones <= qubits.size() - 2 it needs gates on three qubits, else none on more than two.
void append_uniform_weight(circuit::Circuit& circuit, std::span<const std::uint32_t> qubits, std::uint32_t ones);

/// Blocks of up to three qubits, in their order, among which the ones are spread evenly.
std::vector<problem::Cardinality> weight_blocks(std::span<const std::uint32_t> qubits, std::uint32_t ones);

/// The same number of ones, uniform over each of weight_blocks(): not all states, but under one gate on two qubits a qubit, for devices whose gates err.
void append_block_weight(circuit::Circuit& circuit, std::span<const std::uint32_t> qubits, std::uint32_t ones);

}  // namespace tandem::ansatz
