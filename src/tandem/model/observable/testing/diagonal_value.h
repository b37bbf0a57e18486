// tandem/model/observable/testing/diagonal_value.h - the plain sum that tests hold diagonal observables to.
//
// Room: model, tests only.
#pragma once

#include <bit>
#include <cstdint>

#include "tandem/base/assert.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::observable {

/// Value of a diagonal sum on one basis state (bit i = qubit i); asserts is_diagonal().
inline double diagonal_value(const PauliSum& sum, std::uint64_t basis_state) {
  TANDEM_ASSERT(sum.is_diagonal());
  double value = 0;
  for (const PauliTerm& term : sum.terms())
    value += (std::popcount(term.z & basis_state) & 1) != 0 ? -term.coefficient : term.coefficient;
  return value;
}

}  // namespace tandem::observable
