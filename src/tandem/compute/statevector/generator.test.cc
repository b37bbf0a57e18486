#include "tandem/compute/statevector/generator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/testing/dense_reference.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::GateRecord;

/// Small angles that turn as much as these: by the library's sines in extended precision, whose reduction is exact.
std::vector<double> turned_back(std::span<const double> angles) {
  std::vector<double> out;
  for (const double angle : angles) {
    const auto half = static_cast<long double>(angle) / 2;
    out.push_back(static_cast<double>(2 * std::atan2(std::sin(half), std::cos(half))));
  }
  return out;
}

double random_large(Xoshiro256& rng) {
  return (rng.below(2) == 0 ? 1 : -1) * std::pow(10.0, 20 * rng.uniform()) * (1 + rng.uniform());
}

template <class Body>
void for_gates_and_large_angles(const Body& body) {
  Xoshiro256 rng(3);
  for (const GateRecord& record : circuit::gate_table()) {
    if ((record.flags & circuit::kUnitary) == 0 || record.num_parameters == 0) continue;
    for (int round = 0; round < 200; ++round) {
      std::vector<double> angles;
      for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(random_large(rng));
      body(record, angles, turned_back(angles));
    }
  }
}

TEST(Generator, of_large_angles_is_that_of_the_small_ones_that_turn_as_much) {
  for_gates_and_large_angles(
      [](const GateRecord& record, std::span<const double> large, std::span<const double> small) {
        if (record.num_qubits > 2) return;
        for (std::size_t which = 0; which < large.size(); ++which) {
          const Generator found = generator_of(record.gate, large, which);
          const Generator wanted = generator_of(record.gate, small, which);
          ASSERT_EQ(found.count, wanted.count) << record.name;
          for (std::size_t i = 0; i < found.count; ++i)
            ASSERT_NEAR(found.terms[i].coefficient, wanted.terms[i].coefficient, 3e-15)
                << record.name << " " << large[which];
        }
      });
}

TEST(Generator, matrices_of_large_angles_are_those_of_the_small_ones_that_turn_as_much) {
  for_gates_and_large_angles(
      [](const GateRecord& record, std::span<const double> large, std::span<const double> small) {
        const auto found = circuit::gate_unitary(record.gate, large);
        const auto wanted = circuit::gate_unitary(record.gate, small);
        for (std::size_t i = 0; i < found.size(); ++i) ASSERT_LT(std::abs(found[i] - wanted[i]), 3e-15) << record.name;
      });
}

/// dU/dangle = -i (G + c) U, c being what identities would give, against a difference quotient at angles that are small.
TEST(Generator, is_the_slope_of_the_gate) {
  constexpr double kStep = 1e-5;
  Xoshiro256 rng(4);
  for (const GateRecord& record : circuit::gate_table()) {
    if ((record.flags & circuit::kUnitary) == 0 || record.num_qubits > 2) continue;
    for (std::size_t which = 0; which < record.num_parameters; ++which) {
      std::vector<double> angles;
      for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(6 * rng.uniform() - 3);
      const auto at = [&](double shift) {
        std::vector<double> there = angles;
        there[which] += shift;
        return testing::Dense(std::size_t{1} << record.num_qubits, circuit::gate_unitary(record.gate, there));
      };
      testing::Dense g(std::size_t{1} << record.num_qubits);
      const auto generator = generator_of(record.gate, angles, which);
      for (const observable::PauliTerm& term : generator.all())
        g += term.coefficient * testing::pauli_matrix(term, record.num_qubits);
      testing::Dense slope = at(kStep);
      slope += std::complex<double>(-1) * at(-kStep);
      testing::Dense found = std::complex<double>(0, 1 / (2 * kStep)) * slope * testing::dagger(at(0));
      std::complex<double> identity = 0;
      for (std::size_t i = 0; i < found.size; ++i) identity += found.at(i, i) / static_cast<double>(found.size);
      for (std::size_t i = 0; i < found.size; ++i) found.at(i, i) -= identity;
      for (std::size_t i = 0; i < found.entries.size(); ++i)
        ASSERT_LT(std::abs(found.entries[i] - g.entries[i]), 1e-9) << record.name << " " << which;
    }
  }
}

}  // namespace
}  // namespace tandem::statevector
