#include "tandem/compute/statevector/pauli_basis.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tandem::statevector {
namespace {

using observable::PauliTerm;

double bound(const PauliBasis& basis) {
  double sum = 0;
  for (const PauliTerm& term : basis.terms) sum += std::abs(term.coefficient);
  return sum;
}

bool fits(const PauliBasis& basis, const PauliTerm& term) {
  const std::uint64_t both = (basis.x | basis.z) & (term.x | term.z);
  return (((basis.x ^ term.x) | (basis.z ^ term.z)) & both) == 0;
}

}  // namespace

PauliBases group_qubit_wise(const observable::PauliSum& observable) {
  PauliBases result;
  for (const PauliTerm& term : observable.terms()) {
    if ((term.x | term.z) == 0) {
      result.constant += term.coefficient;
      continue;
    }
    auto basis = std::ranges::find_if(result.bases, [&](const PauliBasis& b) { return fits(b, term); });
    if (basis == result.bases.end()) basis = result.bases.insert(basis, PauliBasis{});
    basis->x |= term.x;
    basis->z |= term.z;
    basis->terms.push_back(term);
  }
  return result;
}

std::vector<circuit::Instruction> basis_change(const PauliBasis& basis) {
  std::vector<circuit::Instruction> gates;
  for (std::uint64_t rest = basis.x; rest != 0; rest &= rest - 1) {
    const auto qubit = static_cast<std::uint32_t>(std::countr_zero(rest));
    if (((basis.z >> qubit) & 1) != 0) gates.push_back({.gate = circuit::Gate::kSdg, .qubits = {qubit}});
    gates.push_back({.gate = circuit::Gate::kH, .qubits = {qubit}});
  }
  return gates;
}

Result<std::uint64_t> shots_per_basis(const PauliBases& bases, const circuit::Pub& pub) {
  if (pub.precision == 0) return pub.shots;
  double variance = 0;
  for (const PauliBasis& basis : bases.bases) variance += bound(basis) * bound(basis);
  const double shots = std::max(1.0, std::ceil(variance / (pub.precision * pub.precision)));
  if (!(shots <= static_cast<double>(circuit::Pub::kShotsMax))) {
    return fail(errors::kValueOutOfRange, "a precision of {} needs {} shots and the limit is {}; ask for less",
                pub.precision, shots, circuit::Pub::kShotsMax);
  }
  return static_cast<std::uint64_t>(shots);
}

void add_basis(const PauliBasis& basis, std::span<const BasisCount> outcomes, result::Expectation& sum) {
  const auto value_of = [&](std::uint64_t outcome) {
    double value = 0;
    for (const PauliTerm& term : basis.terms) {
      const bool odd = (std::popcount(outcome & (term.x | term.z)) & 1) != 0;
      value += odd ? -term.coefficient : term.coefficient;
    }
    return value;
  };
  double shots = 0;
  double total = 0;
  std::vector<double> values;
  values.reserve(outcomes.size());
  for (const BasisCount& outcome : outcomes) {
    values.push_back(value_of(outcome.state));
    total += values.back() * static_cast<double>(outcome.count);
    shots += static_cast<double>(outcome.count);
    sum.shots += outcome.count;
  }
  const double mean = total / shots;
  double squares = 0;  // of the distances to the mean: no cancellation
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    squares += (values[i] - mean) * (values[i] - mean) * static_cast<double>(outcomes[i].count);
  }
  sum.value += mean;
  sum.standard_error += shots > 1 ? squares / (shots - 1) / shots : bound(basis) * bound(basis);
}

result::Expectation finish(result::Expectation sum, const PauliBases& bases) {
  sum.value += bases.constant;
  sum.standard_error = std::sqrt(sum.standard_error);
  return sum;
}

}  // namespace tandem::statevector
