#include "tandem/model/problem/polynomial.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/model/problem/compensated_sum.h"

namespace tandem::problem {
namespace {

bool by_size_and_variables(const Monomial& a, const Monomial& b) {
  if (a.variables.size() != b.variables.size()) return a.variables.size() < b.variables.size();
  return a.variables < b.variables;
}

/// x * x = x for binaries; s * s = 1 for spins. `variables` is sorted.
void reduce_powers(std::vector<std::uint32_t>& variables, Vartype vartype) {
  if (vartype == Vartype::kBinary) {
    variables.erase(std::unique(variables.begin(), variables.end()), variables.end());
    return;
  }
  std::size_t kept = 0;
  for (const std::uint32_t variable : variables) {
    if (kept > 0 && variables[kept - 1] == variable) {
      --kept;
    } else {
      variables[kept++] = variable;
    }
  }
  variables.resize(kept);
}

/// Sums neighbours with equal variables and drops zeros.
void merge_sorted_terms(std::vector<Monomial>& terms) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < terms.size();) {
    Monomial merged = std::move(terms[i]);
    for (++i; i < terms.size() && terms[i].variables == merged.variables; ++i)
      merged.coefficient += terms[i].coefficient;
    if (merged.coefficient != 0) terms[kept++] = std::move(merged);
  }
  terms.resize(kept);
}

/// 2^degree, or the limit where that is less.
std::size_t expansion_size(std::size_t degree) {
  return degree >= 60 ? Polynomial::kExpandedTermsMax + 1 : std::size_t{1} << degree;
}

}  // namespace

Result<Polynomial> Polynomial::create(Vartype vartype, std::size_t num_variables, std::vector<Monomial> terms) {
  if (num_variables > Bqm::kVariablesMax) {
    return fail(errors::kModelTooLarge, "the polynomial has {} variables, the limit is {}; split it", num_variables,
                Bqm::kVariablesMax);
  }
  if (terms.size() > Bqm::kTermsMax) {
    return fail(errors::kModelTooLarge, "the polynomial has {} terms, the limit is {}; split it", terms.size(),
                Bqm::kTermsMax);
  }
  double magnitude = 0;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    Monomial& term = terms[t];
    if (!std::isfinite(term.coefficient)) {
      return fail(errors::kNotFinite, "the coefficient {} of term {} is not finite; use a finite number",
                  term.coefficient, t);
    }
    magnitude += std::abs(term.coefficient);
    std::sort(term.variables.begin(), term.variables.end());
    if (!term.variables.empty() && term.variables.back() >= num_variables) {
      return fail(errors::kIndexOutOfRange, "term {} names variable {}, which is not below {}; use smaller indices", t,
                  term.variables.back(), num_variables);
    }
    reduce_powers(term.variables, vartype);
    if (term.variables.size() > kDegreeMax) {
      return fail(errors::kModelTooLarge,
                  "term {} has {} variables, the limit is {}; split it with auxiliary variables", t,
                  term.variables.size(), kDegreeMax);
    }
  }
  if (!(magnitude <= Bqm::kMagnitudeMax)) {
    return fail(errors::kCoefficientOverflow, "the coefficients add up to {}, the limit is {}; scale them down",
                magnitude, Bqm::kMagnitudeMax);
  }
  std::stable_sort(terms.begin(), terms.end(), by_size_and_variables);
  merge_sorted_terms(terms);
  Polynomial polynomial;
  polynomial.vartype_ = vartype;
  polynomial.num_variables_ = num_variables;
  polynomial.terms_ = std::move(terms);
  return polynomial;
}

Polynomial Polynomial::from_bqm(const Bqm& bqm) {
  Polynomial out;
  out.vartype_ = bqm.vartype();
  out.num_variables_ = bqm.num_variables();
  out.terms_.reserve(1 + bqm.num_variables() + bqm.terms().size());
  if (bqm.offset() != 0) out.terms_.push_back({.variables = {}, .coefficient = bqm.offset()});
  for (std::uint32_t i = 0; i < bqm.num_variables(); ++i) {
    if (bqm.linear()[i] != 0) out.terms_.push_back({.variables = {i}, .coefficient = bqm.linear()[i]});
  }
  for (const QuadraticTerm& term : bqm.terms()) {
    out.terms_.push_back({.variables = {term.u, term.v}, .coefficient = term.bias});
  }
  return out;
}

std::size_t Polynomial::degree() const { return terms_.empty() ? 0 : terms_.back().variables.size(); }

double Polynomial::energy(AssignmentView values) const {
  TANDEM_ASSERT(values.size() == num_variables_);
  CompensatedSum sum;
  for (const Monomial& term : terms_) {
    int product = 1;
    for (const std::uint32_t variable : term.variables) product *= values[variable];
    sum.add(term.coefficient * product);
  }
  return sum.value();
}

Polynomial Polynomial::negated() const {
  Polynomial out = *this;
  for (Monomial& term : out.terms_) term.coefficient = -term.coefficient;
  return out;
}

Result<Polynomial> Polynomial::with_vartype(Vartype vartype) const {
  if (vartype == vartype_) return *this;
  std::size_t expanded_size = 0;
  for (const Monomial& term : terms_) {
    expanded_size += expansion_size(term.variables.size());
    if (expanded_size > kExpandedTermsMax) {
      return fail(errors::kModelTooLarge, "over {} variables the polynomial expands to more than {} terms; keep it {}",
                  to_string(vartype), kExpandedTermsMax, to_string(vartype_));
    }
  }
  std::vector<Monomial> expanded;
  expanded.reserve(expanded_size);
  for (const Monomial& term : terms_) {
    // x = (1 + s) / 2: every subset with c / 2^d. s = 2x - 1: a subset of k variables with c (-1)^(d-k) 2^k.
    const std::size_t d = term.variables.size();
    for (std::uint64_t subset = 0; subset < std::uint64_t{1} << d; ++subset) {
      Monomial part;
      for (std::size_t i = 0; i < d; ++i) {
        if ((subset >> i & 1) != 0) part.variables.push_back(term.variables[i]);
      }
      const auto k = static_cast<int>(part.variables.size());
      const auto degree = static_cast<int>(d);
      part.coefficient = vartype == Vartype::kSpin
                             ? std::ldexp(term.coefficient, -degree)
                             : std::ldexp((degree - k) % 2 == 0 ? term.coefficient : -term.coefficient, k);
      expanded.push_back(std::move(part));
    }
  }
  return create(vartype, num_variables_, std::move(expanded));
}

std::optional<Bqm> Polynomial::to_bqm() const {
  if (degree() > 2) return std::nullopt;
  double offset = 0;
  std::vector<double> linear(num_variables_, 0.0);
  std::vector<QuadraticTerm> terms;
  for (const Monomial& term : terms_) {
    switch (term.variables.size()) {
      case 0:
        offset = term.coefficient;
        break;
      case 1:
        linear[term.variables[0]] = term.coefficient;
        break;
      default:
        terms.push_back({term.variables[0], term.variables[1], term.coefficient});
    }
  }
  auto bqm = Bqm::create(vartype_, std::move(linear), std::move(terms), offset);
  TANDEM_ASSERT(bqm.has_value());  // create() of this class checked the same limits
  return *std::move(bqm);
}

}  // namespace tandem::problem
