#include "tandem/middleware/ansatz/fixed_weight.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::ansatz {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using Qubits = std::span<const std::uint32_t>;

constexpr std::size_t kBlock = 3;  ///< the largest number for which one or all but one are the only cases

/// One 1, shared alike: it starts on the first qubit and is handed on.
void append_single(Circuit& circuit, Qubits qubits) {
  circuit.gate(Gate::kX, {qubits[0]});
  for (std::size_t i = 0; i + 1 < qubits.size(); ++i) {
    // Of the probability on qubit i the share 1 / left stays there; the amplitudes are real and positive.
    const auto left = static_cast<double>(qubits.size() - i);
    const double theta = 2 * std::acos(std::sqrt(1 / left));
    circuit.gate(Gate::kXxPlusYy, {qubits[i], qubits[i + 1]}, {Angle::constant(theta), Angle::constant(M_PI / 2)});
  }
}

/// ry(theta) on `target` where both controls are 1.
void append_ccry(Circuit& circuit, std::uint32_t a, std::uint32_t b, std::uint32_t target, double theta) {
  circuit.gate(Gate::kRy, {target}, {Angle::constant(theta / 2)});
  circuit.gate(Gate::kCcx, {a, b, target});
  circuit.gate(Gate::kRy, {target}, {Angle::constant(-theta / 2)});
  circuit.gate(Gate::kCcx, {a, b, target});
}

/// The split and cyclic shift of arXiv 1904.07358 (section 2) on the last k + 1 of `qubits`.
void append_shift(Circuit& circuit, Qubits qubits, std::size_t k) {
  const std::size_t n = qubits.size();
  const std::uint32_t last = qubits[n - 1];
  for (std::size_t l = 1; l <= k; ++l) {
    const std::uint32_t target = qubits[n - 1 - l];
    const double theta = 2 * std::acos(std::sqrt(static_cast<double>(l) / static_cast<double>(n)));
    circuit.gate(Gate::kCx, {target, last});
    if (l == 1)
      circuit.gate(Gate::kCry, {last, target}, {Angle::constant(theta)});
    else
      append_ccry(circuit, last, qubits[n - l], target, theta);
    circuit.gate(Gate::kCx, {target, last});
  }
}

}  // namespace

void append_uniform_weight(Circuit& circuit, Qubits qubits, std::uint32_t ones) {
  const std::size_t n = qubits.size();
  TANDEM_ASSERT(ones <= n);
  // With more ones than zeros the zeros are placed, and all is flipped.
  const bool flipped = 2 * std::size_t{ones} > n;
  const std::size_t k = flipped ? n - ones : ones;
  if (k == 1) append_single(circuit, qubits);
  if (k >= 2) {
    for (std::size_t i = n - k; i < n; ++i) circuit.gate(Gate::kX, {qubits[i]});
    for (std::size_t l = n; l >= 2; --l) append_shift(circuit, qubits.first(l), std::min(k, l - 1));
  }
  if (!flipped) return;
  for (const std::uint32_t qubit : qubits) circuit.gate(Gate::kX, {qubit});
}

std::vector<problem::Cardinality> weight_blocks(Qubits qubits, std::uint32_t ones) {
  TANDEM_ASSERT(ones <= qubits.size());
  std::vector<problem::Cardinality> out;
  std::size_t before = 0;  // ones in the blocks so far
  for (std::size_t first = 0; first < qubits.size(); first += kBlock) {
    const Qubits block = qubits.subspan(first, std::min(kBlock, qubits.size() - first));
    // As many as keep the share up to here, so that the last block ends at `ones`.
    const std::size_t upto = ((first + block.size()) * ones + qubits.size() / 2) / qubits.size();
    out.push_back({.variables = {block.begin(), block.end()}, .ones = static_cast<std::uint32_t>(upto - before)});
    before = upto;
  }
  return out;
}

void append_block_weight(Circuit& circuit, Qubits qubits, std::uint32_t ones) {
  for (const problem::Cardinality& block : weight_blocks(qubits, ones))
    append_uniform_weight(circuit, block.variables, block.ones);
}

}  // namespace tandem::ansatz
