#include "tandem/model/circuit/gate.h"

#include <algorithm>
#include <bit>
#include <numbers>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"

namespace tandem::circuit {
namespace {

using Complex = std::complex<double>;
using Parameters = std::span<const double>;
using Matrix = std::span<Complex>;

constexpr double kRootHalf = std::numbers::sqrt2 / 2;
constexpr Complex kImaginary{0, 1};

Complex phase(double angle) {
  const SinCos value = sin_cos(angle);
  return {value.cos, value.sin};
}

void set2(Matrix m, Complex m00, Complex m01, Complex m10, Complex m11) {
  m[0] = m00;
  m[1] = m01;
  m[2] = m10;
  m[3] = m11;
}

void set_diagonal(Matrix m, std::initializer_list<Complex> diagonal) {
  std::ranges::fill(m, Complex{});
  std::size_t row = 0;
  for (const Complex entry : diagonal) {
    m[row * diagonal.size() + row] = entry;
    ++row;
  }
}

// ---- one qubit
void identity(Parameters, Matrix m) { set2(m, 1, 0, 0, 1); }
void x(Parameters, Matrix m) { set2(m, 0, 1, 1, 0); }
void y(Parameters, Matrix m) { set2(m, 0, -kImaginary, kImaginary, 0); }
void z(Parameters, Matrix m) { set2(m, 1, 0, 0, -1); }
void h(Parameters, Matrix m) { set2(m, kRootHalf, kRootHalf, kRootHalf, -kRootHalf); }
void s(Parameters, Matrix m) { set2(m, 1, 0, 0, kImaginary); }
void sdg(Parameters, Matrix m) { set2(m, 1, 0, 0, -kImaginary); }
void t(Parameters, Matrix m) { set2(m, 1, 0, 0, {kRootHalf, kRootHalf}); }
void tdg(Parameters, Matrix m) { set2(m, 1, 0, 0, {kRootHalf, -kRootHalf}); }
void sx(Parameters, Matrix m) { set2(m, {0.5, 0.5}, {0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}); }
void sxdg(Parameters, Matrix m) { set2(m, {0.5, -0.5}, {0.5, 0.5}, {0.5, 0.5}, {0.5, -0.5}); }

void rx(Parameters angles, Matrix m) {
  const SinCos half = sin_cos(angles[0] / 2);
  set2(m, half.cos, {0, -half.sin}, {0, -half.sin}, half.cos);
}
void ry(Parameters angles, Matrix m) {
  const SinCos half = sin_cos(angles[0] / 2);
  set2(m, half.cos, -half.sin, half.sin, half.cos);
}
void rz(Parameters angles, Matrix m) { set2(m, phase(-angles[0] / 2), 0, 0, phase(angles[0] / 2)); }
void p(Parameters angles, Matrix m) { set2(m, 1, 0, 0, phase(angles[0])); }
void u(Parameters angles, Matrix m) {
  // Products of phases, not phases of sums: of large angles a sum has lost what a turn is.
  const SinCos half = sin_cos(angles[0] / 2);
  const Complex below = phase(angles[1]);
  const Complex right = phase(angles[2]);
  set2(m, half.cos, -right * half.sin, below * half.sin, below * right * half.cos);
}

// ---- turns about the axis at the angle phi in the plane of X and Y
void gpi(Parameters angles, Matrix m) { set2(m, 0, phase(-angles[0]), phase(angles[0]), 0); }
void gpi2(Parameters angles, Matrix m) {
  const Complex beside{0, -kRootHalf};
  set2(m, kRootHalf, beside * phase(-angles[0]), beside * phase(angles[0]), kRootHalf);
}

// ---- controls come first and are the low bits of the index, so the target acts where the low bits are all 1
template <void (*target)(Parameters, Matrix), std::size_t target_qubits, std::size_t controls>
void controlled(Parameters parameters, Matrix m) {
  constexpr std::size_t kInner = std::size_t{1} << target_qubits;
  constexpr std::size_t kSize = kInner << controls;
  constexpr std::size_t kOn = (std::size_t{1} << controls) - 1;
  std::array<Complex, kInner * kInner> inner{};
  target(parameters, inner);
  std::ranges::fill(m, Complex{});
  for (std::size_t i = 0; i < kSize; ++i) {
    if ((i & kOn) != kOn) m[i * kSize + i] = 1;
  }
  for (std::size_t row = 0; row < kInner; ++row) {
    for (std::size_t column = 0; column < kInner; ++column) {
      m[((row << controls) | kOn) * kSize + ((column << controls) | kOn)] = inner[row * kInner + column];
    }
  }
}

// ---- two qubits: 00 and 11 at the corners, 01 and 10 in the middle
void swap(Parameters, Matrix m) {
  set_diagonal(m, {1, 0, 0, 1});
  m[6] = m[9] = 1;
}
void iswap(Parameters, Matrix m) {
  set_diagonal(m, {1, 0, 0, 1});
  m[6] = m[9] = kImaginary;
}
void rxx(Parameters angles, Matrix m) {
  const SinCos half = sin_cos(angles[0] / 2);
  set_diagonal(m, {half.cos, half.cos, half.cos, half.cos});
  m[3] = m[6] = m[9] = m[12] = {0, -half.sin};
}
void ryy(Parameters angles, Matrix m) {
  const SinCos half = sin_cos(angles[0] / 2);
  set_diagonal(m, {half.cos, half.cos, half.cos, half.cos});
  m[3] = m[12] = {0, half.sin};
  m[6] = m[9] = {0, -half.sin};
}
void rzz(Parameters angles, Matrix m) {
  const Complex equal = phase(-angles[0] / 2);
  const Complex unequal = phase(angles[0] / 2);
  set_diagonal(m, {equal, unequal, unequal, equal});
}
void xx_plus_yy(Parameters angles, Matrix m) {
  const SinCos half = sin_cos(angles[0] / 2);
  set_diagonal(m, {1, half.cos, half.cos, 1});
  m[6] = Complex{0, -half.sin} * phase(-angles[1]);
  m[9] = Complex{0, -half.sin} * phase(angles[1]);
}
void ms(Parameters angles, Matrix m) {
  const SinCos half = sin_cos(angles[2] / 2);
  const Complex beside{0, -half.sin};
  const Complex both = phase(angles[0]) * phase(angles[1]);
  const Complex opposed = phase(angles[0]) * phase(-angles[1]);
  set_diagonal(m, {half.cos, half.cos, half.cos, half.cos});
  m[3] = beside * std::conj(both);
  m[6] = beside * opposed;
  m[9] = beside * std::conj(opposed);
  m[12] = beside * both;
}

constexpr std::uint8_t kU = kUnitary;
constexpr auto kAll = InverseRule::kNegateAll;

// In the order of the enumeration (tested).
constexpr std::array<GateRecord, kNumGates> kTable{{
    {Gate::kI, "id", 1, 0, kU | kDiagonal | kPermutation | kClifford | kHermitian, Gate::kI, kAll, identity,
     "identity"},
    {Gate::kX, "x", 1, 0, kU | kPermutation | kClifford | kHermitian, Gate::kX, kAll, x, "Pauli X: flips the qubit"},
    {Gate::kY, "y", 1, 0, kU | kPermutation | kClifford | kHermitian, Gate::kY, kAll, y, "Pauli Y = i X Z"},
    {Gate::kZ, "z", 1, 0, kU | kDiagonal | kPermutation | kClifford | kHermitian, Gate::kZ, kAll, z,
     "Pauli Z: flips the phase of 1"},
    {Gate::kH, "h", 1, 0, kU | kClifford | kHermitian, Gate::kH, kAll, h, "Hadamard: exchanges X and Z"},
    {Gate::kS, "s", 1, 0, kU | kDiagonal | kPermutation | kClifford, Gate::kSdg, kAll, s, "square root of Z"},
    {Gate::kSdg, "sdg", 1, 0, kU | kDiagonal | kPermutation | kClifford, Gate::kS, kAll, sdg, "inverse of s"},
    {Gate::kT, "t", 1, 0, kU | kDiagonal | kPermutation, Gate::kTdg, kAll, t, "fourth root of Z"},
    {Gate::kTdg, "tdg", 1, 0, kU | kDiagonal | kPermutation, Gate::kT, kAll, tdg, "inverse of t"},
    {Gate::kSx, "sx", 1, 0, kU | kClifford, Gate::kSxdg, kAll, sx, "square root of X"},
    {Gate::kSxdg, "sxdg", 1, 0, kU | kClifford, Gate::kSx, kAll, sxdg, "inverse of sx"},
    {Gate::kRx, "rx", 1, 1, kU, Gate::kRx, kAll, rx, "exp(-i theta/2 X)"},
    {Gate::kRy, "ry", 1, 1, kU, Gate::kRy, kAll, ry, "exp(-i theta/2 Y)"},
    {Gate::kRz, "rz", 1, 1, kU | kDiagonal | kPermutation, Gate::kRz, kAll, rz, "exp(-i theta/2 Z)"},
    {Gate::kP, "p", 1, 1, kU | kDiagonal | kPermutation, Gate::kP, kAll, p, "phase exp(i lambda) on 1"},
    {Gate::kU, "u", 1, 3, kU, Gate::kU, InverseRule::kEuler, u,
     "any rotation: exp(i (phi + lambda)/2) rz(phi) ry(theta) rz(lambda)"},
    {Gate::kGpi, "gpi", 1, 1, kU | kPermutation | kHermitian, Gate::kGpi, InverseRule::kSame, gpi,
     "half a turn about cos(phi) X + sin(phi) Y; native to ion traps"},
    {Gate::kGpi2, "gpi2", 1, 1, kU, Gate::kGpi2, InverseRule::kOpposite, gpi2,
     "a quarter of a turn about cos(phi) X + sin(phi) Y; native to ion traps"},
    {Gate::kCx, "cx", 2, 0, kU | kPermutation | kClifford | kHermitian, Gate::kCx, kAll, controlled<x, 1, 1>,
     "x on the second qubit where the first is 1"},
    {Gate::kCy, "cy", 2, 0, kU | kPermutation | kClifford | kHermitian, Gate::kCy, kAll, controlled<y, 1, 1>,
     "y on the second qubit where the first is 1"},
    {Gate::kCz, "cz", 2, 0, kU | kDiagonal | kPermutation | kClifford | kHermitian | kSymmetric, Gate::kCz, kAll,
     controlled<z, 1, 1>, "flips the phase of 11"},
    {Gate::kCh, "ch", 2, 0, kU | kHermitian, Gate::kCh, kAll, controlled<h, 1, 1>,
     "h on the second qubit where the first is 1"},
    {Gate::kCp, "cp", 2, 1, kU | kDiagonal | kPermutation | kSymmetric, Gate::kCp, kAll, controlled<p, 1, 1>,
     "phase exp(i lambda) on 11"},
    {Gate::kCrx, "crx", 2, 1, kU, Gate::kCrx, kAll, controlled<rx, 1, 1>,
     "rx on the second qubit where the first is 1"},
    {Gate::kCry, "cry", 2, 1, kU, Gate::kCry, kAll, controlled<ry, 1, 1>,
     "ry on the second qubit where the first is 1"},
    {Gate::kCrz, "crz", 2, 1, kU | kDiagonal | kPermutation, Gate::kCrz, kAll, controlled<rz, 1, 1>,
     "rz on the second qubit where the first is 1"},
    {Gate::kSwap, "swap", 2, 0, kU | kPermutation | kClifford | kHermitian | kSymmetric, Gate::kSwap, kAll, swap,
     "exchanges two qubits"},
    {Gate::kIswap, "iswap", 2, 0, kU | kPermutation | kClifford | kSymmetric, Gate::kXxPlusYy, InverseRule::kPiZero,
     iswap, "exchanges two qubits, with phase i where they differ"},
    {Gate::kRxx, "rxx", 2, 1, kU | kSymmetric, Gate::kRxx, kAll, rxx, "exp(-i theta/2 X X)"},
    {Gate::kRyy, "ryy", 2, 1, kU | kSymmetric, Gate::kRyy, kAll, ryy, "exp(-i theta/2 Y Y)"},
    {Gate::kRzz, "rzz", 2, 1, kU | kDiagonal | kPermutation | kSymmetric, Gate::kRzz, kAll, rzz, "exp(-i theta/2 Z Z)"},
    {Gate::kXxPlusYy, "xx_plus_yy", 2, 2, kU, Gate::kXxPlusYy, InverseRule::kNegateFirst, xx_plus_yy,
     "rotates 01 and 10 into each other: rz(-beta) exp(-i theta/4 (X X + Y Y)) rz(beta), rz on the first qubit"},
    {Gate::kMs, "ms", 2, 3, kU, Gate::kMs, InverseRule::kNegateLast, ms,
     "Molmer-Sorensen: exp(-i theta/2 A B), A = cos(phi0) X + sin(phi0) Y on the first qubit, B by phi1 on the second"},
    {Gate::kCcx, "ccx", 3, 0, kU | kPermutation | kHermitian, Gate::kCcx, kAll, controlled<x, 1, 2>,
     "x on the third qubit where the first two are 1"},
    {Gate::kCcz, "ccz", 3, 0, kU | kDiagonal | kPermutation | kHermitian | kSymmetric, Gate::kCcz, kAll,
     controlled<z, 1, 2>, "flips the phase of 111"},
    {Gate::kCswap, "cswap", 3, 0, kU | kPermutation | kHermitian, Gate::kCswap, kAll, controlled<swap, 2, 1>,
     "exchanges the last two qubits where the first is 1"},
    {Gate::kMeasure, "measure", 1, 0, 0, Gate::kMeasure, InverseRule::kNone, nullptr,
     "reads a qubit in the computational basis into a classical bit"},
    {Gate::kReset, "reset", 1, 0, 0, Gate::kReset, InverseRule::kNone, nullptr, "sets a qubit to 0"},
    {Gate::kBarrier, "barrier", 0, 0, 0, Gate::kBarrier, InverseRule::kNegateAll, nullptr,
     "spans all qubits and keeps rewriting from crossing it"},
}};

}  // namespace

std::span<const GateRecord, kNumGates> gate_table() { return kTable; }

const GateRecord& gate_record(Gate gate) {
  const auto index = static_cast<std::size_t>(gate);
  TANDEM_ASSERT(index < kNumGates);
  return kTable[index];
}

std::optional<Gate> find_gate(std::string_view name) {
  const auto record = std::ranges::find(kTable, name, &GateRecord::name);
  return record == kTable.end() ? std::nullopt : std::optional(record->gate);
}

std::vector<std::complex<double>> gate_unitary(Gate gate, std::span<const double> parameters) {
  const GateRecord& record = gate_record(gate);
  TANDEM_ASSERT((record.flags & kUnitary) != 0);
  TANDEM_ASSERT(parameters.size() == record.num_parameters);
  std::vector<Complex> matrix(std::size_t{1} << (2 * record.num_qubits));
  record.unitary(parameters, matrix);
  return matrix;
}

}  // namespace tandem::circuit
