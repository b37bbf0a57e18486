#include "tandem/compute/solve/polynomial_model.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

using problem::Monomial;
using problem::Polynomial;
using problem::Vartype;

constexpr int kDecimalsMax = 9;
constexpr double kExactMax = 0x1.0p53;  // integers that doubles tell apart
constexpr int kRoundedBits = 50;

/// The factor that makes every coefficient an integer: a power of ten where that is exact, else a power of two.
struct Scale {
  double factor = 1;
  bool exact = true;
};

Scale scale_of(const Polynomial& polynomial) {
  double magnitude = 0;
  for (const Monomial& term : polynomial.terms()) magnitude += std::abs(term.coefficient);
  double power = 1;
  for (int decimals = 0; decimals <= kDecimalsMax; ++decimals, power *= 10) {
    if (magnitude * power >= kExactMax) break;
    const auto whole = [&](const Monomial& term) {
      return std::nearbyint(term.coefficient * power) / power == term.coefficient;
    };
    if (std::ranges::all_of(polynomial.terms(), whole)) return {.factor = power};
  }
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  return {.factor = std::ldexp(1.0, kRoundedBits - exponent), .exact = false};
}

}  // namespace

Result<PolynomialModel> PolynomialModel::create(const Polynomial& polynomial, std::uint64_t memory_bytes_max) {
  const std::size_t n = polynomial.num_variables();
  std::uint64_t num_factors = 0;
  for (const Monomial& term : polynomial.terms()) num_factors += term.variables.size();
  PolynomialModel model;
  model.bytes_ = num_factors * 2 * sizeof(std::uint32_t) + polynomial.terms().size() * 16 + n * 8;
  if (model.bytes_ > memory_bytes_max) {
    return fail(
        errors::kOutOfMemory,
        "solving {} variables needs {} bytes and {} are available; raise memory_bytes_max or narrow the model first", n,
        model.bytes_, memory_bytes_max);
  }
  const Scale scale = scale_of(polynomial);
  model.vartype_ = polynomial.vartype();
  model.unit_ = 1 / scale.factor;
  model.exact_ = scale.exact;
  model.slack_ = scale.exact ? 1e-6 : static_cast<double>(polynomial.terms().size());
  model.factors_.reserve(num_factors);
  model.factors_begin_.push_back(0);
  for (const Monomial& term : polynomial.terms()) {
    if (term.variables.empty()) {
      model.constant_ += term.coefficient;
      continue;
    }
    model.factors_.insert(model.factors_.end(), term.variables.begin(), term.variables.end());
    model.factors_begin_.push_back(model.factors_.size());
    model.coefficients_.push_back(static_cast<std::int64_t>(std::nearbyint(term.coefficient * scale.factor)));
  }
  model.terms_of_begin_.assign(n + 1, 0);
  for (const std::uint32_t variable : model.factors_) ++model.terms_of_begin_[variable + 1];
  for (std::size_t i = 0; i < n; ++i) model.terms_of_begin_[i + 1] += model.terms_of_begin_[i];
  model.terms_of_.resize(model.factors_.size());
  std::vector<std::uint64_t> next(model.terms_of_begin_.begin(), model.terms_of_begin_.end() - 1);
  for (std::size_t t = 0; t < model.num_terms(); ++t) {
    for (const std::uint32_t variable : model.factors(t))
      model.terms_of_[next[variable]++] = static_cast<std::uint32_t>(t);
  }
  return model;
}

std::int64_t PolynomialModel::energy(problem::AssignmentView bits) const {
  TANDEM_ASSERT(bits.size() == size());
  std::int64_t sum = 0;
  for (std::size_t t = 0; t < num_terms(); ++t) {
    std::size_t low = 0;
    for (const std::uint32_t variable : factors(t)) low += bits[variable] == 0 ? 1 : 0;
    if (vartype_ == Vartype::kSpin) {
      sum += low % 2 == 0 ? coefficient(t) : -coefficient(t);
    } else if (low == 0) {
      sum += coefficient(t);
    }
  }
  return sum;
}

std::optional<std::int64_t> PolynomialModel::energy_at_most(double objective) const {
  constexpr double kInt64Max = 9.2e18;
  const double steps = std::floor((objective - constant_) / unit_ + slack_);
  if (!(steps > -kInt64Max)) return std::nullopt;
  return steps >= kInt64Max ? INT64_MAX : static_cast<std::int64_t>(steps);
}

}  // namespace tandem::solve
