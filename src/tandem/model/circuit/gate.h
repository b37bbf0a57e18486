// tandem/model/circuit/gate.h - the gate set as data: one record a gate. Tests and docs loop over this table.
//
// Room: model. Order of qubits: the first qubit of an instruction is bit 0 (least significant) of the unitary's index.
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tandem::circuit {

/// I..., Measure, Reset and Barrier are not unitary (flag kUnitary unset).
enum class Gate : std::uint8_t {
  kI,
  kX,
  kY,
  kZ,
  kH,
  kS,
  kSdg,
  kT,
  kTdg,
  kSx,
  kSxdg,
  kRx,
  kRy,
  kRz,
  kP,
  kU,
  kGpi,
  kGpi2,
  kCx,
  kCy,
  kCz,
  kCh,
  kCp,
  kCrx,
  kCry,
  kCrz,
  kSwap,
  kIswap,
  kRxx,
  kRyy,
  kRzz,
  kXxPlusYy,
  kMs,
  kCcx,
  kCcz,
  kCswap,
  kMeasure,
  kReset,
  kBarrier,
};
inline constexpr std::size_t kNumGates = static_cast<std::size_t>(Gate::kBarrier) + 1;

enum GateFlag : std::uint8_t {
  kUnitary = 1,
  kDiagonal = 2,      ///< diagonal in the computational basis
  kPermutation = 4,   ///< maps basis states to basis states, up to phases
  kClifford = 8,      ///< for every parameter value
  kHermitian = 16,    ///< its own inverse
  kSymmetric = 32,    ///< two or more qubits, and unchanged when they are exchanged
};

/// How the parameters of the inverse gate follow from those of the gate.
enum class InverseRule : std::uint8_t {
  kNone,         ///< not unitary: no inverse
  kNegateAll,    ///< every parameter negated (also: no parameters)
  kNegateFirst,  ///< theta, beta -> -theta, beta
  kNegateLast,   ///< phi0, phi1, theta -> phi0, phi1, -theta
  kSame,         ///< every parameter as it is
  kOpposite,     ///< phi -> phi + pi: the same turn about the opposite axis
  kEuler,        ///< theta, phi, lambda -> -theta, -lambda, -phi
  kPiZero,       ///< the constants pi, 0 (iswap^-1 = xx_plus_yy(pi, 0))
};

struct GateRecord {
  Gate gate;
  std::string_view name;       ///< OpenQASM spelling, lower case
  std::uint8_t num_qubits;     ///< 0: any number (barrier)
  std::uint8_t num_parameters;
  std::uint8_t flags;
  Gate inverse;                ///< with parameters by `inverse_rule`
  InverseRule inverse_rule;
  /// Row-major 2^n x 2^n, n = num_qubits; null where not unitary. Angles in radians.
  void (*unitary)(std::span<const double> parameters, std::span<std::complex<double>> matrix);
  std::string_view help;
};

std::span<const GateRecord, kNumGates> gate_table();
const GateRecord& gate_record(Gate gate);
std::optional<Gate> find_gate(std::string_view name);
/// The unitary of a gate as a vector of 4^n entries; asserts that the gate is unitary.
std::vector<std::complex<double>> gate_unitary(Gate gate, std::span<const double> parameters);

}  // namespace tandem::circuit
