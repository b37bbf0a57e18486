#include "tandem/compute/statevector/generator.h"

#include <algorithm>
#include <bit>
#include <complex>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"

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

/// Of what has frequencies 0, 1/2 and 1: five values give it everywhere, and its slope, by the derivative of Dirichlet's kernel. The values
/// are at angles of their own, so that no digit of the angle is lost however large it is.
Matrix derivative(const GateRecord& record, std::span<const double> angles, std::size_t which) {
  constexpr int kNodes = 5;
  const SinCos half = sin_cos(angles[which] / 2);
  Matrix out{};
  for (int k = 0; k < kNodes; ++k) {
    std::array<double, kAnglesMax> there{};
    std::ranges::copy(angles, there.begin());
    there[which] = 4 * std::numbers::pi * k / kNodes;
    const Matrix value = unitary(record, std::span(there).first(angles.size()));
    const SinCos node = sin_cos(there[which] / 2);
    const double sine = half.sin * node.cos - half.cos * node.sin;  // of half the distance
    const double cosine = half.cos * node.cos + half.sin * node.sin;
    const double weight = -sine * (1 + 4 * cosine) / kNodes;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * value[i];
  }
  return out;
}

/// With every string but the identity, many of which a gate never has.
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
      out.terms[out.count++] = {.x = x, .z = z, .coefficient = coefficient};
    }
  }
  return out;
}

/// What is known of an angle of a gate beforehand.
struct Known {
  std::uint16_t strings = 0;  ///< those that calculated() ever has, by their number there
  bool constant = true;  ///< the coefficients are the same for all angles
  Generator first;  ///< at the first angles tried
};

Generator chosen(const Generator& all, std::uint16_t strings) {
  Generator out;
  for (std::size_t i = 0; i < all.count; ++i)
    if ((strings >> i & 1) != 0) out.terms[out.count++] = all.terms[i];
  return out;
}

/// Coefficients are sums of sines and cosines, which are 0 at angles in no simple relation only if they always are.
Known explored(const GateRecord& record, std::size_t which) {
  constexpr std::array<std::array<double, kAnglesMax>, 3> kAngles{{{0.7, 1.9, 0.3}, {2.9, 0.4, 5.1}, {4.3, 3.7, 1.1}}};
  Known out;
  for (const auto& angles : kAngles) {
    const Generator now = calculated(record.gate, std::span(angles).first(record.num_parameters), which);
    if (out.first.count == 0) out.first = now;
    for (std::size_t i = 0; i < now.count; ++i) {
      const double coefficient = now.terms[i].coefficient;
      if (std::abs(coefficient) > kNothing) out.strings |= static_cast<std::uint16_t>(1u << i);
      out.constant = out.constant && std::abs(coefficient - out.first.terms[i].coefficient) < kNothing;
    }
  }
  out.first = chosen(out.first, out.strings);
  return out;
}

using AllKnown = std::array<std::array<Known, kAnglesMax>, circuit::kNumGates>;
AllKnown explored_table() {
  AllKnown out;
  for (const GateRecord& record : circuit::gate_table())
    for (std::size_t which = 0; which < record.num_parameters; ++which)
      out[static_cast<std::size_t>(record.gate)][which] = explored(record, which);
  return out;
}

}  // namespace

Generator generator_of(Gate gate, std::span<const double> angles, std::size_t which) {
  static const AllKnown kKnown = explored_table();
  const Known& known = kKnown[static_cast<std::size_t>(gate)][which];
  return known.constant ? known.first : chosen(calculated(gate, angles, which), known.strings);
}

}  // namespace tandem::statevector
