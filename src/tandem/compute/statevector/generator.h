// tandem/compute/statevector/generator.h - how a gate changes with one of its angles, as a sum of Pauli strings.
//
// Room: compute, inside statevector.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "tandem/model/circuit/gate.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector {

/// dU/dangle = -i G U, and G is the sum of the terms; bit i of a term is the gate's qubit i. Identities are left out: they are a phase of
/// the whole state.
struct Generator {
  std::array<observable::PauliTerm, 15> terms{};
  std::size_t count = 0;
  std::span<const observable::PauliTerm> all() const { return std::span(terms).first(count); }
};

/// Of angle `which` of a gate on at most two qubits, at `angles`. Which strings there are follows from gate and `which` alone: at some
/// angles coefficients are 0. Exact up to rounding: each entry of each matrix of the table is a sum of
/// sines and cosines of an angle and of its half (a test holds the table to that), of which five values give the derivative, by trigonometric
/// interpolation. That holds for angles of any size.
Generator generator_of(circuit::Gate gate, std::span<const double> angles, std::size_t which);

}  // namespace tandem::statevector
