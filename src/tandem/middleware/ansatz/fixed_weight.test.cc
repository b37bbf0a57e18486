#include "tandem/middleware/ansatz/fixed_weight.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <complex>
#include <numeric>
#include <vector>

#include "tandem/middleware/ansatz/testing/circuit_state.h"

namespace tandem::ansatz {
namespace {

std::vector<std::uint32_t> first_qubits(std::uint32_t n) {
  std::vector<std::uint32_t> out(n);
  std::iota(out.begin(), out.end(), 0u);
  return out;
}

double binomial(std::uint32_t n, std::uint32_t k) {
  double out = 1;
  for (std::uint32_t i = 1; i <= k; ++i) out = out * (n - k + i) / i;
  return out;
}

TEST(UniformWeight, every_state_with_that_many_ones_has_the_same_amplitude_and_no_other_has_any) {
  for (std::uint32_t n = 1; n <= 8; ++n)
    for (std::uint32_t ones = 0; ones <= n; ++ones) {
      circuit::Circuit circuit = *circuit::Circuit::create(n, 0);
      append_uniform_weight(circuit, first_qubits(n), ones);
      const auto psi = state_of_circuit(circuit);
      const double expected = 1 / std::sqrt(binomial(n, ones));
      for (std::uint64_t z = 0; z < psi.size(); ++z) {
        const bool inside = static_cast<std::uint32_t>(std::popcount(z)) == ones;
        EXPECT_NEAR(std::abs(psi[z] - Complex(inside ? expected : 0)), 0, 1e-12) << n << " " << ones << " " << z;
      }
    }
}

TEST(UniformWeight, leaves_other_qubits_alone) {
  circuit::Circuit circuit = *circuit::Circuit::create(6, 0);
  const std::vector<std::uint32_t> qubits = {5, 0, 3, 2};
  append_uniform_weight(circuit, qubits, 2);
  const auto psi = state_of_circuit(circuit);
  for (std::uint64_t z = 0; z < psi.size(); ++z) {
    const bool inside = (z & 0b010010u) == 0 && std::popcount(z) == 2;
    EXPECT_NEAR(std::abs(psi[z]), inside ? 1 / std::sqrt(6.0) : 0, 1e-12) << z;
  }
}

TEST(BlockWeight, has_that_many_ones_in_every_state_with_less_than_one_gate_on_two_qubits_a_qubit) {
  for (std::uint32_t n = 1; n <= 11; ++n)
    for (std::uint32_t ones = 0; ones <= n; ++ones) {
      circuit::Circuit circuit = *circuit::Circuit::create(n, 0);
      append_block_weight(circuit, first_qubits(n), ones);
      EXPECT_LT(circuit.count_of(2), n);
      EXPECT_EQ(circuit.count_of(3), 0u);
      double inside = 0;
      const auto psi = state_of_circuit(circuit);
      for (std::uint64_t z = 0; z < psi.size(); ++z)
        if (static_cast<std::uint32_t>(std::popcount(z)) == ones) inside += std::norm(psi[z]);
      EXPECT_NEAR(inside, 1, 1e-12) << n << " " << ones;
    }
}

}  // namespace
}  // namespace tandem::ansatz
