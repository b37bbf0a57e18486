// tandem/model/observable/pauli_sum.h - PauliSum: a real weighted sum of Pauli strings, the only observable.
//
// Room: model. Not here: expectation values (compute/statevector, model/result).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::observable {

/// coefficient * product of X on the bits of x, Z on the bits of z, Y where both are set (as the Hermitian Pauli Y).
/// Bit i is qubit i.
struct PauliTerm {
  std::uint64_t x = 0;
  std::uint64_t z = 0;
  double coefficient = 0;
  friend bool operator==(const PauliTerm&, const PauliTerm&) = default;
};

/// Shapes: terms sorted by (x, z), each string once (create() adds equal ones), no zero coefficient. Limits: kQubitsMax qubits, kTermsMax terms.
/// Threads: immutable after create().
class PauliSum {
 public:
  static constexpr std::uint32_t kQubitsMax = 64;
  static constexpr std::size_t kTermsMax = 50'000'000;

  PauliSum() = default;
  /// Errors: 1101 index_out_of_range - a bit at or above num_qubits; 1102 not_finite; 1103 model_too_large.
  static Result<PauliSum> create(std::uint32_t num_qubits, std::vector<PauliTerm> terms);
  /// "XIZY": character i acts on qubit i.
  /// Errors: 1030 bad_encoding - another letter than I, X, Y, Z; 1103 model_too_large - more than kQubitsMax letters.
  static Result<PauliTerm> parse_term(std::string_view paulis, double coefficient);

  std::uint32_t num_qubits() const { return num_qubits_; }
  std::span<const PauliTerm> terms() const { return terms_; }
  bool is_diagonal() const;  ///< only I and Z
  static std::string to_string(const PauliTerm& term, std::uint32_t num_qubits);
  Json document() const;  ///< {"num_qubits": n, "terms": [["XIZ", 0.5], ...]}
  /// Errors: those of ObjectReader, parse_term() and create(); 1104 size_mismatch - a string that is not num_qubits long.
  static Result<PauliSum> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const PauliSum&, const PauliSum&) = default;

 private:
  std::uint32_t num_qubits_ = 0;
  std::vector<PauliTerm> terms_;
};

}  // namespace tandem::observable
