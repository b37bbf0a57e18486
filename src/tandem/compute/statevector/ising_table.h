// tandem/compute/statevector/ising_table.h - the energies of a polynomial of any order, one number a place.
//
// Room: compute, inside statevector. For costs that no quadratic form holds (LABS, k-SAT). Not here: quadratic ones (ising_form.h).
#pragma once

#include <cstdint>

#include "tandem/base/executor.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::statevector {

/// table[z] = energy of z without the constant term, for all z of `num_bits` bits. Variables above are 0 (spin -1); bits without a variable
/// change nothing. `spins` has spin variables (asserted). Sums are taken in double.
/// Cost: O(terms) for each 2^12 places, and 12 additions a place.
template <class Real>
void fill_energy_table(const problem::Polynomial& spins, std::uint32_t num_bits, Real* table, Executor& executor);

extern template void fill_energy_table<float>(const problem::Polynomial&, std::uint32_t, float*, Executor&);
extern template void fill_energy_table<double>(const problem::Polynomial&, std::uint32_t, double*, Executor&);

}  // namespace tandem::statevector
