// tandem/compute/statevector/testing/random_observable.h - random sums of Pauli strings.
//
// Room: compute; tests only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector::testing {

/// `count` strings on `n` qubits with coefficients in [-1, 1), a third of them diagonal.
inline observable::PauliSum random_observable(Xoshiro256& rng, std::uint32_t n, std::size_t count) {
  const std::uint64_t mask = (std::uint64_t{1} << n) - 1;
  std::vector<observable::PauliTerm> terms;
  for (std::size_t i = 0; i < count; ++i)
    terms.push_back(
        {.x = rng.below(3) == 0 ? 0 : rng() & mask, .z = rng() & mask, .coefficient = 2 * rng.uniform() - 1});
  return observable::PauliSum::create(n, std::move(terms)).value();
}

}  // namespace tandem::statevector::testing
