#include "tandem/model/circuit/gate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <numbers>
#include <set>

#include "tandem/base/rng.h"
#include "tandem/base/setting.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::circuit {
namespace {

using Complex = std::complex<double>;
constexpr double kPi = std::numbers::pi;
constexpr double kTolerance = 4e-15;  // a handful of roundings of numbers below 1
constexpr Complex kImaginary{0, 1};

/// A square matrix, row-major.
struct Matrix {
  std::size_t size = 0;
  std::vector<Complex> entries;
  explicit Matrix(std::size_t n) : size(n), entries(n * n) {}
  Matrix(std::initializer_list<Complex> values) : size(values.size() == 4 ? 2 : 4), entries(values) {}
  explicit Matrix(std::vector<Complex> values)
      : size(static_cast<std::size_t>(std::sqrt(static_cast<double>(values.size())))), entries(std::move(values)) {}
  Complex& at(std::size_t row, std::size_t column) { return entries[row * size + column]; }
  Complex at(std::size_t row, std::size_t column) const { return entries[row * size + column]; }
};

Matrix identity(std::size_t n) {
  Matrix m(n);
  for (std::size_t i = 0; i < n; ++i) m.at(i, i) = 1;
  return m;
}

Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix product(a.size);
  for (std::size_t i = 0; i < a.size; ++i) {
    for (std::size_t j = 0; j < a.size; ++j) {
      for (std::size_t k = 0; k < a.size; ++k) product.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return product;
}

Matrix operator*(Complex factor, Matrix m) {
  for (Complex& entry : m.entries) entry *= factor;
  return m;
}

Matrix operator+(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.entries.size(); ++i) a.entries[i] += b.entries[i];
  return a;
}

Matrix dagger(const Matrix& m) {
  Matrix result(m.size);
  for (std::size_t i = 0; i < m.size; ++i) {
    for (std::size_t j = 0; j < m.size; ++j) result.at(i, j) = std::conj(m.at(j, i));
  }
  return result;
}

/// `second` acts on the high bit of the index, which is the second qubit.
Matrix kron(const Matrix& first, const Matrix& second) {
  Matrix result(first.size * second.size);
  for (std::size_t i = 0; i < result.size; ++i) {
    for (std::size_t j = 0; j < result.size; ++j) {
      result.at(i, j) = first.at(i % first.size, j % first.size) * second.at(i / first.size, j / first.size);
    }
  }
  return result;
}

double distance(const Matrix& a, const Matrix& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.entries.size(); ++i) largest = std::max(largest, std::abs(a.entries[i] - b.entries[i]));
  return a.size == b.size ? largest : 1e9;
}

Matrix of(Gate gate, std::vector<double> parameters = {}) { return Matrix(gate_unitary(gate, parameters)); }

const Matrix kI2{1, 0, 0, 1};
const Matrix kX2{0, 1, 1, 0};
const Matrix kY2{0, {0, -1}, {0, 1}, 0};
const Matrix kZ2{1, 0, 0, -1};

/// exp(-i theta/2 P) of an operator with P P = 1.
Matrix rotation(double theta, const Matrix& p) {
  return std::cos(theta / 2) * identity(p.size) + Complex{0, -std::sin(theta / 2)} * p;
}

/// U on the second qubit where the first is 1: |0><0| (x) 1 + |1><1| (x) U.
Matrix controlled(const Matrix& u) { return kron(Matrix{1, 0, 0, 0}, identity(u.size)) + kron(Matrix{0, 0, 0, 1}, u); }

/// A few parameter rows: one where there are none, else random angles and one row of zeros.
std::vector<std::vector<double>> parameter_rows(const GateRecord& record) {
  if (record.num_parameters == 0) return {{}};
  Xoshiro256 rng(17);
  std::vector<std::vector<double>> rows{std::vector<double>(record.num_parameters)};
  for (int i = 0; i < 20; ++i) {
    std::vector<double> row;
    for (int j = 0; j < record.num_parameters; ++j) row.push_back((rng.uniform() - 0.5) * 4 * kPi);
    rows.push_back(row);
  }
  return rows;
}

std::vector<const GateRecord*> unitary_records() {
  std::vector<const GateRecord*> records;
  for (const GateRecord& record : gate_table()) {
    if ((record.flags & kUnitary) != 0) records.push_back(&record);
  }
  return records;
}

// Signals of rounding are below 1e-14, true entries above 1e-9 for the angles drawn.
bool is_zero(Complex value) { return std::abs(value) < 1e-12; }

bool is_diagonal(const Matrix& m) {
  for (std::size_t i = 0; i < m.size; ++i) {
    for (std::size_t j = 0; j < m.size; ++j) {
      if (i != j && !is_zero(m.at(i, j))) return false;
    }
  }
  return true;
}

bool is_permutation(const Matrix& m) {
  for (std::size_t i = 0; i < m.size; ++i) {
    std::size_t entries = 0;
    for (std::size_t j = 0; j < m.size; ++j) entries += is_zero(m.at(i, j)) ? 0 : 1;
    if (entries != 1) return false;
  }
  return true;
}

bool is_symmetric(const Matrix& m, std::uint8_t num_qubits) {
  if (num_qubits < 2) return false;
  for (std::uint8_t a = 0; a < num_qubits; ++a) {
    for (std::uint8_t b = 0; b < a; ++b) {
      const auto exchanged = [&](std::size_t i) {
        const std::size_t differ = ((i >> a) ^ (i >> b)) & 1;
        return i ^ (differ << a) ^ (differ << b);
      };
      for (std::size_t i = 0; i < m.size; ++i) {
        for (std::size_t j = 0; j < m.size; ++j) {
          if (!is_zero(m.at(i, j) - m.at(exchanged(i), exchanged(j)))) return false;
        }
      }
    }
  }
  return true;
}

Matrix pauli_string(std::size_t code, std::uint8_t num_qubits) {
  const std::array<const Matrix*, 4> letters{&kI2, &kX2, &kY2, &kZ2};
  Matrix product = *letters[code % 4];
  for (std::uint8_t i = 1; i < num_qubits; ++i) product = kron(product, *letters[(code >> (2 * i)) % 4]);
  return product;
}

/// Maps every Pauli string to a Pauli string up to sign.
bool is_clifford(const Matrix& m, std::uint8_t num_qubits) {
  const std::size_t strings = std::size_t{1} << (2 * num_qubits);
  for (std::size_t code = 0; code < strings; ++code) {
    const Matrix image = m * pauli_string(code, num_qubits) * dagger(m);
    bool found = false;
    for (std::size_t other = 0; other < strings && !found; ++other) {
      const Matrix candidate = pauli_string(other, num_qubits);
      found = distance(image, candidate) < 1e-12 || distance(image, -1.0 * candidate) < 1e-12;
    }
    if (!found) return false;
  }
  return true;
}

TEST(GateTable, stands_in_the_order_of_the_enumeration_with_unique_names) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kNumGates; ++i) {
    const GateRecord& record = gate_table()[i];
    EXPECT_EQ(static_cast<std::size_t>(record.gate), i);
    EXPECT_EQ(find_gate(record.name), record.gate);
    EXPECT_TRUE(names.insert(record.name).second) << record.name;
    EXPECT_FALSE(record.help.empty()) << record.name;
    EXPECT_EQ(record.unitary != nullptr, (record.flags & kUnitary) != 0) << record.name;
  }
  EXPECT_EQ(find_gate("toffoli"), std::nullopt);
}

TEST(GateTable, every_unitary_is_unitary) {
  for (const GateRecord* record : unitary_records()) {
    for (const auto& row : parameter_rows(*record)) {
      const Matrix m = of(record->gate, row);
      EXPECT_EQ(m.size, std::size_t{1} << record->num_qubits);
      EXPECT_LT(distance(m * dagger(m), identity(m.size)), kTolerance) << record->name;
    }
  }
}

TEST(GateTable, flags_are_what_the_matrices_say) {
  for (const GateRecord* record : unitary_records()) {
    bool diagonal = true;
    bool permutation = true;
    bool hermitian = true;
    bool symmetric = true;
    bool clifford = true;
    for (const auto& row : parameter_rows(*record)) {
      const Matrix m = of(record->gate, row);
      diagonal = diagonal && is_diagonal(m);
      permutation = permutation && is_permutation(m);
      hermitian = hermitian && distance(m, dagger(m)) < 1e-12;
      symmetric = symmetric && is_symmetric(m, record->num_qubits);
      clifford = clifford && is_clifford(m, record->num_qubits);
    }
    const int expected = kUnitary | (diagonal ? kDiagonal : 0) | (permutation ? kPermutation : 0) |
                         (clifford ? kClifford : 0) | (hermitian ? kHermitian : 0) | (symmetric ? kSymmetric : 0);
    EXPECT_EQ(int{record->flags}, expected) << record->name;
  }
}

TEST(GateTable, inverse_times_gate_is_the_identity) {
  for (const GateRecord* record : unitary_records()) {
    for (const auto& row : parameter_rows(*record)) {
      Instruction instruction{.gate = record->gate};
      for (std::size_t i = 0; i < row.size(); ++i) instruction.angles[i] = Angle::constant(row[i]);
      const Instruction inverse = inverse_of(instruction);
      std::vector<double> parameters;
      for (std::size_t i = 0; i < gate_record(inverse.gate).num_parameters; ++i) {
        parameters.push_back(inverse.angles[i].value({}));
      }
      const Matrix product = of(inverse.gate, parameters) * of(record->gate, row);
      EXPECT_LT(distance(product, identity(product.size)), kTolerance) << record->name;
    }
  }
}

TEST(GateTable, fixed_gates_are_the_textbook_matrices) {
  const double root = 1 / std::sqrt(2.0);
  EXPECT_EQ(distance(of(Gate::kI), kI2), 0);
  EXPECT_EQ(distance(of(Gate::kX), kX2), 0);
  EXPECT_EQ(distance(of(Gate::kY), kY2), 0);
  EXPECT_EQ(distance(of(Gate::kZ), kZ2), 0);
  EXPECT_LT(distance(of(Gate::kH), root * (kX2 + kZ2)), kTolerance);
  EXPECT_EQ(distance(of(Gate::kS), Matrix{1, 0, 0, kImaginary}), 0);
  EXPECT_LT(distance(of(Gate::kT), Matrix{1, 0, 0, std::exp(kImaginary * kPi / 4.0)}), kTolerance);
  // sqrt(X) is the root with eigenvalues 1 and i: (1 + i)/2 + (1 - i)/2 X.
  EXPECT_EQ(distance(of(Gate::kSx), Complex{0.5, 0.5} * kI2 + Complex{0.5, -0.5} * kX2), 0);
  EXPECT_EQ(distance(of(Gate::kSdg), dagger(of(Gate::kS))), 0);
  EXPECT_EQ(distance(of(Gate::kTdg), dagger(of(Gate::kT))), 0);
  EXPECT_EQ(distance(of(Gate::kSxdg), dagger(of(Gate::kSx))), 0);
}

TEST(GateTable, rotations_are_exponentials_of_paulis) {
  for (const double theta : {0.0, 0.3, -1.7, kPi, 5.0}) {
    EXPECT_LT(distance(of(Gate::kRx, {theta}), rotation(theta, kX2)), kTolerance);
    EXPECT_LT(distance(of(Gate::kRy, {theta}), rotation(theta, kY2)), kTolerance);
    EXPECT_LT(distance(of(Gate::kRz, {theta}), rotation(theta, kZ2)), kTolerance);
    EXPECT_LT(distance(of(Gate::kRxx, {theta}), rotation(theta, kron(kX2, kX2))), kTolerance);
    EXPECT_LT(distance(of(Gate::kRyy, {theta}), rotation(theta, kron(kY2, kY2))), kTolerance);
    EXPECT_LT(distance(of(Gate::kRzz, {theta}), rotation(theta, kron(kZ2, kZ2))), kTolerance);
    EXPECT_LT(distance(of(Gate::kP, {theta}), std::exp(kImaginary * theta / 2.0) * rotation(theta, kZ2)), kTolerance);
    for (const double phi : {0.4, -2.2}) {
      const double lambda = 1.1 - phi;
      EXPECT_LT(distance(of(Gate::kU, {theta, phi, lambda}),
                         std::exp(kImaginary * (phi + lambda) / 2.0) *
                             (rotation(phi, kZ2) * rotation(theta, kY2) * rotation(lambda, kZ2))),
                kTolerance);
      // XX and YY commute, so the exponential of their sum is the product of the exponentials.
      EXPECT_LT(distance(of(Gate::kXxPlusYy, {theta, phi}),
                         kron(rotation(-phi, kZ2), kI2) * rotation(theta / 2, kron(kX2, kX2)) *
                             rotation(theta / 2, kron(kY2, kY2)) * kron(rotation(phi, kZ2), kI2)),
                kTolerance);
    }
  }
}

TEST(GateTable, native_gates_of_ion_traps_turn_about_axes_in_the_plane) {
  for (const double phi : {0.0, 0.9, -2.5}) {
    const auto axis = [](double angle) { return std::cos(angle) * kX2 + std::sin(angle) * kY2; };
    EXPECT_LT(distance(of(Gate::kGpi, {phi}), kImaginary * rotation(kPi, axis(phi))), kTolerance);
    EXPECT_LT(distance(of(Gate::kGpi2, {phi}), rotation(kPi / 2, axis(phi))), kTolerance);
    for (const double other : {0.0, 1.3})
      for (const double theta : {kPi / 2, -0.4})
        EXPECT_LT(distance(of(Gate::kMs, {phi, other, theta}), rotation(theta, kron(axis(phi), axis(other)))),
                  kTolerance);
  }
}

TEST(GateTable, controls_come_first) {
  EXPECT_EQ(distance(of(Gate::kCx), controlled(kX2)), 0);
  EXPECT_EQ(distance(of(Gate::kCy), controlled(kY2)), 0);
  EXPECT_EQ(distance(of(Gate::kCz), controlled(kZ2)), 0);
  EXPECT_EQ(distance(of(Gate::kCh), controlled(of(Gate::kH))), 0);
  EXPECT_EQ(distance(of(Gate::kCcx), controlled(controlled(kX2))), 0);
  EXPECT_EQ(distance(of(Gate::kCcz), controlled(controlled(kZ2))), 0);
  EXPECT_EQ(distance(of(Gate::kCswap), controlled(of(Gate::kSwap))), 0);
  for (const double theta : {0.3, -2.0}) {
    EXPECT_EQ(distance(of(Gate::kCp, {theta}), controlled(of(Gate::kP, {theta}))), 0);
    EXPECT_EQ(distance(of(Gate::kCrx, {theta}), controlled(of(Gate::kRx, {theta}))), 0);
    EXPECT_EQ(distance(of(Gate::kCry, {theta}), controlled(of(Gate::kRy, {theta}))), 0);
    EXPECT_EQ(distance(of(Gate::kCrz, {theta}), controlled(of(Gate::kRz, {theta}))), 0);
  }
  const Matrix half_sum = kron(kI2, kI2) + kron(kX2, kX2) + kron(kY2, kY2) + kron(kZ2, kZ2);
  EXPECT_EQ(distance(of(Gate::kSwap), 0.5 * half_sum), 0);
  EXPECT_LT(distance(of(Gate::kIswap), rotation(-kPi / 2, kron(kX2, kX2)) * rotation(-kPi / 2, kron(kY2, kY2))),
            kTolerance);
}

/// docs/guide/gates.md, from the table.
std::string gate_page() {
  std::string page =
      "<!-- GENERATED from the gate table (src/tandem/model/circuit/gate.cc). A test compares it and prints what it\n"
      "should be. -->\n# Gates\n\n"
      "The first qubit of an instruction is the least significant bit of the matrix index; controls come first. Angles "
      "are\n"
      "in radians. In a job document an instruction is `[name, [qubits], [angles]]`; `measure` adds the classical "
      "bit.\n\n"
      "| name | qubits | angles | inverse | properties | meaning |\n|---|---|---|---|---|---|\n";
  const std::array<std::pair<GateFlag, std::string_view>, 5> properties{{{kDiagonal, "diagonal"},
                                                                         {kPermutation, "permutation"},
                                                                         {kClifford, "Clifford"},
                                                                         {kHermitian, "own inverse"},
                                                                         {kSymmetric, "symmetric"}}};
  for (const GateRecord& record : gate_table()) {
    std::vector<std::string_view> names;
    for (const auto& [flag, name] : properties) {
      if ((record.flags & flag) != 0) names.push_back(name);
    }
    std::string inverse(gate_record(record.inverse).name);
    switch (record.inverse_rule) {
      case InverseRule::kNone:
        inverse = "none";
        break;
      case InverseRule::kNegateAll:
        inverse += record.num_parameters > 0 ? ", angle negated" : "";
        break;
      case InverseRule::kNegateFirst:
        inverse += ", first angle negated";
        break;
      case InverseRule::kNegateLast:
        inverse += ", last angle negated";
        break;
      case InverseRule::kSame:
        inverse += ", same angle";
        break;
      case InverseRule::kOpposite:
        inverse += ", angle plus pi";
        break;
      case InverseRule::kEuler:
        inverse += "(-theta, -lambda, -phi)";
        break;
      case InverseRule::kPiZero:
        inverse += "(pi, 0)";
        break;
    }
    const std::string qubits = record.num_qubits == 0 ? "all" : std::to_string(record.num_qubits);
    page += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", record.name, qubits, record.num_parameters, inverse,
                        fmt::join(names, ", "), record.help);
  }
  return page;
}

TEST(GateTable, the_guide_shows_this_table) {
  const std::string root = SystemEnvironment().get("TANDEM_SOURCE_DIR");
  if (root.empty()) GTEST_SKIP() << "TANDEM_SOURCE_DIR is not set; ctest sets it";
  std::ifstream file(root + "/docs/guide/gates.md");
  const std::string found((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(found, gate_page());
}

}  // namespace
}  // namespace tandem::circuit
