// tandem/compute/statevector/testing/dense_reference.h - the oracle: whole matrices by Kronecker products.
//
// Room: compute; tests only. It shares no code with the engine: a circuit is a product of 2^n x 2^n matrices, an observable
// is a sum of them, and noise acts on density matrices. Cost: 4^n to 8^n, so n stays below 7.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/model/circuit/circuit.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector::testing {

using Complex = std::complex<double>;

/// A square matrix, row-major.
struct Dense {
  std::size_t size = 0;
  std::vector<Complex> entries;

  explicit Dense(std::size_t n) : size(n), entries(n * n) {}
  Dense(std::size_t n, std::vector<Complex> values) : size(n), entries(std::move(values)) {}
  Complex& at(std::size_t row, std::size_t column) { return entries[row * size + column]; }
  Complex at(std::size_t row, std::size_t column) const { return entries[row * size + column]; }

  static Dense identity(std::size_t n) {
    Dense m(n);
    for (std::size_t i = 0; i < n; ++i) m.at(i, i) = 1;
    return m;
  }
};

inline Dense operator*(const Dense& a, const Dense& b) {
  Dense product(a.size);
  for (std::size_t i = 0; i < a.size; ++i) {
    for (std::size_t k = 0; k < a.size; ++k) {
      if (a.at(i, k) == 0.0) continue;
      for (std::size_t j = 0; j < a.size; ++j) product.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return product;
}

inline std::vector<Complex> operator*(const Dense& a, const std::vector<Complex>& x) {
  std::vector<Complex> y(a.size);
  for (std::size_t i = 0; i < a.size; ++i) {
    for (std::size_t k = 0; k < a.size; ++k) y[i] += a.at(i, k) * x[k];
  }
  return y;
}

inline Dense& operator+=(Dense& a, const Dense& b) {
  for (std::size_t i = 0; i < a.entries.size(); ++i) a.entries[i] += b.entries[i];
  return a;
}

inline Dense operator*(Complex factor, Dense m) {
  for (Complex& entry : m.entries) entry *= factor;
  return m;
}

inline Dense dagger(const Dense& m) {
  Dense result(m.size);
  for (std::size_t i = 0; i < m.size; ++i) {
    for (std::size_t j = 0; j < m.size; ++j) result.at(i, j) = std::conj(m.at(j, i));
  }
  return result;
}

/// `high` acts on the high bits of the index.
inline Dense kron(const Dense& high, const Dense& low) {
  Dense result(high.size * low.size);
  for (std::size_t i = 0; i < result.size; ++i) {
    for (std::size_t j = 0; j < result.size; ++j) {
      result.at(i, j) = high.at(i / low.size, j / low.size) * low.at(i % low.size, j % low.size);
    }
  }
  return result;
}

/// One 2 x 2 factor a qubit, qubit 0 lowest.
inline Dense kron_all(const std::vector<Dense>& factors) {
  Dense product = Dense::identity(1);
  for (const Dense& factor : factors) product = kron(factor, product);
  return product;
}

/// A gate on `qubits` of n, as the sum over its entries (i, j) of U_ij times one |i_q><j_q| for each qubit it acts on.
inline Dense embed(std::span<const Complex> unitary, std::span<const std::uint32_t> qubits, std::uint32_t n) {
  const std::size_t dimension = std::size_t{1} << qubits.size();
  Dense result(std::size_t{1} << n);
  for (std::size_t i = 0; i < dimension; ++i) {
    for (std::size_t j = 0; j < dimension; ++j) {
      if (unitary[i * dimension + j] == 0.0) continue;
      std::vector<Dense> factors(n, Dense::identity(2));
      for (std::size_t k = 0; k < qubits.size(); ++k) {
        Dense unit(2);
        unit.at((i >> k) & 1, (j >> k) & 1) = 1;
        factors[qubits[k]] = unit;
      }
      result += unitary[i * dimension + j] * kron_all(factors);
    }
  }
  return result;
}

inline Dense instruction_matrix(const circuit::Instruction& instruction, std::span<const double> values,
                                std::uint32_t n) {
  if (instruction.gate == circuit::Gate::kBarrier) return Dense::identity(std::size_t{1} << n);
  const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
  std::vector<double> angles;
  for (std::size_t i = 0; i < record.num_parameters; ++i) angles.push_back(instruction.angles[i].value(values));
  return embed(circuit::gate_unitary(instruction.gate, angles), std::span(instruction.qubits).first(record.num_qubits),
               n);
}

/// The state after a circuit without measurements, from |0...0>.
inline std::vector<Complex> final_state(const circuit::Circuit& circuit, std::span<const double> values) {
  std::vector<Complex> state(std::size_t{1} << circuit.num_qubits());
  state[0] = 1;
  for (const auto& instruction : circuit.instructions()) {
    state = instruction_matrix(instruction, values, circuit.num_qubits()) * state;
  }
  return state;
}

/// The Pauli string of a term, without its coefficient: letters by x and z bit.
inline Dense pauli_matrix(const observable::PauliTerm& term, std::uint32_t n) {
  const Dense letters[2][2] = {{Dense::identity(2), Dense(2, {1, 0, 0, -1})},
                               {Dense(2, {0, 1, 1, 0}), Dense(2, {0, {0, -1}, {0, 1}, 0})}};
  std::vector<Dense> factors;
  for (std::uint32_t i = 0; i < n; ++i) factors.push_back(letters[(term.x >> i) & 1][(term.z >> i) & 1]);
  return kron_all(factors);
}

inline double expectation(const observable::PauliSum& sum, const std::vector<Complex>& state) {
  Complex value = 0;
  for (const auto& term : sum.terms()) {
    const std::vector<Complex> image = pauli_matrix(term, sum.num_qubits()) * state;
    for (std::size_t i = 0; i < state.size(); ++i) value += term.coefficient * std::conj(state[i]) * image[i];
  }
  return value.real();
}

/// Depolarises `qubits` of a density matrix: (1 - p) rho + p * average of P rho P over all Pauli strings on them.
inline Dense depolarised(const Dense& rho, std::span<const std::uint32_t> qubits, double p, std::uint32_t n) {
  const std::size_t strings = std::size_t{1} << (2 * qubits.size());
  Dense result = (1 - p) * rho;
  for (std::size_t code = 0; code < strings; ++code) {
    observable::PauliTerm term;
    for (std::size_t k = 0; k < qubits.size(); ++k) {
      term.x |= std::uint64_t{(code >> (2 * k)) & 1} << qubits[k];
      term.z |= std::uint64_t{(code >> (2 * k + 1)) & 1} << qubits[k];
    }
    const Dense pauli = pauli_matrix(term, n);
    result += (p / static_cast<double>(strings)) * (pauli * rho * pauli);
  }
  return result;
}

/// The density matrix after a circuit whose gates on one and two qubits are followed by depolarising noise;
/// measurements are left out.
inline Dense noisy_density(const circuit::Circuit& circuit, double error_1q, double error_2q) {
  const std::uint32_t n = circuit.num_qubits();
  Dense rho(std::size_t{1} << n);
  rho.at(0, 0) = 1;
  for (const auto& instruction : circuit.instructions()) {
    if (instruction.gate == circuit::Gate::kMeasure || instruction.gate == circuit::Gate::kBarrier) continue;
    const Dense u = instruction_matrix(instruction, {}, n);
    const std::size_t operands = circuit::gate_record(instruction.gate).num_qubits;
    rho = depolarised(u * rho * dagger(u), std::span(instruction.qubits).first(operands),
                      operands == 1 ? error_1q : error_2q, n);
  }
  return rho;
}

}  // namespace tandem::statevector::testing
