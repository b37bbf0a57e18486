// tandem/compute/statevector/testing/exponentials.h - exponentials of Pauli strings as circuits write them, and by a plain loop.
//
// Room: compute; tests only.
#pragma once

#include <bit>
#include <cmath>
#include <complex>
#include <utility>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector::testing {

/// X on the bits of x, Z on those of z, Y where both are.
struct PauliString {
  std::uint64_t x = 0;
  std::uint64_t z = 0;
};

/// Not the identity.
inline PauliString random_string(Xoshiro256& rng, std::uint32_t n) {
  const std::uint64_t mask = (std::uint64_t{1} << n) - 1;
  for (;;) {
    const PauliString out{.x = rng.below(4) == 0 ? 0 : rng() & mask, .z = rng() & mask};
    if ((out.x | out.z) != 0) return out;
  }
}

/// exp(-i angle/2 P): turns of X and Y to Z, a ladder of CX on to one of the qubits - a chain, a star or between them, in a random order - a turn
/// about z there, and all of it back.
inline void append_exponential(circuit::Circuit& circuit, const PauliString& string, const circuit::Angle& angle,
                               Xoshiro256& rng) {
  using circuit::Gate;
  std::vector<std::uint32_t> qubits;
  const auto turn = [&](bool back) {
    for (std::uint32_t q = 0; q < circuit.num_qubits(); ++q) {
      if ((string.x >> q & 1) == 0) continue;
      const bool y = (string.z >> q & 1) != 0;
      if (!back && y) circuit.gate(Gate::kSdg, {q});
      circuit.gate(Gate::kH, {q});
      if (back && y) circuit.gate(Gate::kS, {q});
    }
  };
  for (std::uint32_t q = 0; q < circuit.num_qubits(); ++q)
    if (((string.x | string.z) >> q & 1) != 0) qubits.push_back(q);
  for (std::size_t i = qubits.size(); i > 1; --i) std::swap(qubits[i - 1], qubits[rng.below(i)]);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ladder;
  for (std::size_t i = 0; i + 1 < qubits.size(); ++i)  // each to one that comes later, so that the last has all
    ladder.emplace_back(qubits[i], qubits[i + 1 + rng.below(qubits.size() - i - 1)]);
  turn(false);
  for (const auto& [from, to] : ladder) circuit.gate(Gate::kCx, {from, to});
  circuit.gate(Gate::kRz, {qubits.back()}, {angle});
  for (auto it = ladder.rbegin(); it != ladder.rend(); ++it) circuit.gate(Gate::kCx, {it->first, it->second});
  turn(true);
}

/// cos(angle/2) - i sin(angle/2) P.
inline void exponential_plainly(const PauliString& string, double angle, std::vector<std::complex<double>>& state) {
  constexpr std::complex<double> kPowers[4] = {1, {0, 1}, -1, {0, -1}};
  const std::complex<double> power = kPowers[std::popcount(string.x & string.z) % 4];
  const std::vector<std::complex<double>> old = state;
  const std::complex<double> mix = std::complex<double>(0, -std::sin(angle / 2)) * power;
  for (std::uint64_t z = 0; z < state.size(); ++z) state[z] *= std::cos(angle / 2);
  for (std::uint64_t z = 0; z < state.size(); ++z)
    state[z ^ string.x] += (std::popcount(z & string.z) % 2 == 0 ? mix : -mix) * old[z];
}

}  // namespace tandem::statevector::testing
