// tandem/compute/statevector/pauli_basis.h - measuring an observable in few bases: groups of qubit-wise commuting terms.
//
// Room: compute; shared by the exact simulator and compute/noise, so that both measure what a device would.
// Not here: other groupings and shot allocation (middleware/mitigate).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/observable/pauli_sum.h"
#include "tandem/model/result/outcome.h"

namespace tandem::statevector {

/// Terms whose letters agree wherever two of them are not I: one measured basis gives them all.
/// The basis measures X on the bits of x, Z on the bits of z, Y where both are set.
struct PauliBasis {
  std::uint64_t x = 0;
  std::uint64_t z = 0;
  std::vector<observable::PauliTerm> terms{};
};

/// An observable as a constant and bases, first fit in the order of the terms.
struct PauliBases {
  double constant = 0;
  std::vector<PauliBasis> bases{};
};
PauliBases group_qubit_wise(const observable::PauliSum& observable);

/// The gates that turn the basis into the computational one: h for X; sdg, h for Y.
std::vector<circuit::Instruction> basis_change(const PauliBasis& basis);

/// Shots a basis: `pub.shots`, or as many as keep the standard error within `pub.precision` whatever the state:
/// the sum over bases of (sum of |coefficient|)^2 / precision^2.
/// Errors: 1023 value_out_of_range - that is above Pub::kShotsMax.
Result<std::uint64_t> shots_per_basis(const PauliBases& bases, const circuit::Pub& pub);

/// Mean of a basis' terms over `outcomes` (bit i = qubit i, after basis_change()), added to `sum`: its value, the square
/// of its standard error (in place of the error, until finish()) and its shots. One shot has no spread: the bound is taken.
void add_basis(const PauliBasis& basis, std::span<const BasisCount> outcomes, result::Expectation& sum);
result::Expectation finish(result::Expectation sum, const PauliBases& bases);

}  // namespace tandem::statevector
