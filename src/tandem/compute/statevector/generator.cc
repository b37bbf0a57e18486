#include "tandem/compute/statevector/generator.h"

#include <algorithm>
#include <bit>
#include <complex>
#include <numbers>
#include <optional>

#include "tandem/base/assert.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::GateRecord;
using Complex = std::complex<double>;
using Matrix = std::array<Complex, 16>;

constexpr std::size_t kAnglesMax = 3;
constexpr double kNothing = 1e-14;  // what rounding leaves of a coefficient that is 0

Matrix unitary(const GateRecord& record, std::span<const double> angles) {
  Matrix out{};
  record.unitary(angles, std::span(out).first(std::size_t{1} << (2 * record.num_qubits)));
  return out;
}

Matrix derivative(const GateRecord& record, std::span<const double> angles, std::size_t which) {
  constexpr double kRoot = std::numbers::sqrt2;
  // f'(t) for frequencies 1/2 and 1: signs over 16 sin^2 of (2 k + 1) pi / 8, at t + (k + 1/2) pi.
  constexpr double kOuter = 1 / (8 - 4 * kRoot);
  constexpr double kInner = -1 / (8 + 4 * kRoot);
  constexpr std::array<double, 4> kWeights{kOuter, kInner, -kInner, -kOuter};
  Matrix out{};
  for (std::size_t k = 0; k < kWeights.size(); ++k) {
    std::array<double, kAnglesMax> shifted{};
    std::ranges::copy(angles, shifted.begin());
    shifted[which] += (static_cast<double>(k) + 0.5) * std::numbers::pi;
    const Matrix value = unitary(record, std::span(shifted).first(angles.size()));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += kWeights[k] * value[i];
  }
  return out;
}

Generator calculated(Gate gate, std::span<const double> angles, std::size_t which) {
  const GateRecord& record = circuit::gate_record(gate);
  TANDEM_ASSERT(record.num_qubits <= 2 && angles.size() == record.num_parameters && which < angles.size());
  const std::size_t size = std::size_t{1} << record.num_qubits;
  const Matrix u = unitary(record, angles);
  const Matrix d = derivative(record, angles, which);
  Matrix product{};  // dU U^-1
  for (std::size_t row = 0; row < size; ++row)
    for (std::size_t column = 0; column < size; ++column)
      for (std::size_t k = 0; k < size; ++k)
        product[row * size + column] += d[row * size + k] * std::conj(u[column * size + k]);
  // G = i dU U^-1; the coefficient of P is tr(P G) / size, and P takes |s> to i^k (-1)^|s & z| |s ^ x>, k being the number of Y.
  constexpr std::array<Complex, 4> kPowers{Complex{1, 0}, Complex{0, 1}, Complex{-1, 0}, Complex{0, -1}};
  Generator out;
  for (std::uint64_t x = 0; x < size; ++x) {
    for (std::uint64_t z = 0; z < size; ++z) {
      if (x == 0 && z == 0) continue;
      Complex trace = 0;
      for (std::uint64_t s = 0; s < size; ++s) {
        const Complex entry = product[s * size + (s ^ x)];
        trace += (std::popcount(s & z) & 1) != 0 ? -entry : entry;
      }
      const double coefficient =
          (Complex{0, 1} * kPowers[static_cast<std::size_t>(std::popcount(x & z))] * trace).real() /
          static_cast<double>(size);
      if (std::abs(coefficient) > kNothing) out.terms[out.count++] = {.x = x, .z = z, .coefficient = coefficient};
    }
  }
  return out;
}

/// For gates that are a turn about one axis, whatever the angle.
using Constants = std::array<std::optional<Generator>, circuit::kNumGates>;
Constants constants() {
  Constants out;
  for (const GateRecord& record : circuit::gate_table()) {
    if (record.num_parameters != 1) continue;
    const Generator first = calculated(record.gate, std::array{0.0}, 0);
    bool same = true;
    for (const double angle : {0.7, 2.9}) {
      const Generator other = calculated(record.gate, std::array{angle}, 0);
      same = same && std::ranges::equal(first.all(), other.all(), [](const auto& a, const auto& b) {
               return a.x == b.x && a.z == b.z && std::abs(a.coefficient - b.coefficient) < kNothing;
             });
    }
    if (same) out[static_cast<std::size_t>(record.gate)] = first;
  }
  return out;
}

}  // namespace

Generator generator_of(Gate gate, std::span<const double> angles, std::size_t which) {
  static const Constants kConstants = constants();
  const std::optional<Generator>& known = kConstants[static_cast<std::size_t>(gate)];
  return known ? *known : calculated(gate, angles, which);
}

}  // namespace tandem::statevector
