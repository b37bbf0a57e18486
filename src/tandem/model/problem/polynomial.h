// tandem/model/problem/polynomial.h - PUBO and higher-order Ising: a polynomial of any order over binary or spin variables.
//
// Room: model. Never quadratised here: that is an encoding (middleware/encode), and only where a backend needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/problem/bqm.h"
#include "tandem/model/problem/vartype.h"

namespace tandem::problem {

/// coefficient * product of the variables. An empty product is the constant.
struct Monomial {
  std::vector<std::uint32_t> variables;  ///< strictly ascending
  double coefficient = 0;
  friend bool operator==(const Monomial&, const Monomial&) = default;
};

/// E(x) = sum_t coefficient_t * prod_{i in variables_t} x_i. Lower is better.
///
/// Shapes:  terms in order of (size, variables), each set of variables once, no zero coefficient.
/// Limits:  Bqm::kVariablesMax variables, kDegreeMax variables a term, Bqm::kTermsMax terms.
/// Threads: immutable after create().
class Polynomial {
 public:
  static constexpr std::size_t kDegreeMax = 64;  ///< a phase on more qubits than any simulator here holds
  static constexpr std::size_t kExpandedTermsMax = std::size_t{1}
                                                   << 24;  ///< of with_vartype(): about 1 GB of monomials

  Polynomial() = default;
  /// Repeated variables in a term are reduced (x*x = x, s*s = 1), equal terms summed.
  /// Errors: 1101 index_out_of_range; 1102 not_finite; 1103 model_too_large; 1108 coefficient_overflow (as Bqm::create).
  static Result<Polynomial> create(Vartype vartype, std::size_t num_variables, std::vector<Monomial> terms);
  static Polynomial from_bqm(const Bqm& bqm);

  Vartype vartype() const { return vartype_; }
  std::size_t num_variables() const { return num_variables_; }
  std::span<const Monomial> terms() const { return terms_; }
  std::size_t degree() const;
  double energy(AssignmentView values) const;
  Polynomial negated() const;
  /// Errors: 1103 model_too_large - a term of degree d expands into 2^d terms, together beyond kExpandedTermsMax;
  ///         1108 coefficient_overflow.
  Result<Polynomial> with_vartype(Vartype vartype) const;
  /// The Bqm of the same function; empty when degree() > 2.
  std::optional<Bqm> to_bqm() const;

  friend bool operator==(const Polynomial&, const Polynomial&) = default;

 private:
  Vartype vartype_ = Vartype::kBinary;
  std::size_t num_variables_ = 0;
  std::vector<Monomial> terms_;
};

}  // namespace tandem::problem
