#include "tandem/model/problem/bqm.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/compensated_sum.h"

namespace tandem::problem {
namespace {

bool by_pair(const QuadraticTerm& a, const QuadraticTerm& b) { return std::pair(a.u, a.v) < std::pair(b.u, b.v); }

/// One stable counting sort of `from` into `to` by a key below `keys`.
template <typename Key>
void counting_sort(std::span<const QuadraticTerm> from, std::span<QuadraticTerm> to, std::size_t keys, Key key) {
  std::vector<std::size_t> next(keys + 1, 0);
  for (const QuadraticTerm& term : from) ++next[key(term) + 1];
  for (std::size_t k = 1; k <= keys; ++k) next[k] += next[k - 1];
  for (const QuadraticTerm& term : from) to[next[key(term)]++] = term;
}

/// Sorts by (u, v), keeping the order of equal pairs.
void sort_terms(std::vector<QuadraticTerm>& terms, std::size_t num_variables) {
  if (std::is_sorted(terms.begin(), terms.end(), by_pair)) return;
  if (terms.size() < num_variables / 8) {  // few terms over many variables: the counters would cost more than the terms
    std::stable_sort(terms.begin(), terms.end(), by_pair);
    return;
  }
  std::vector<QuadraticTerm> buffer(terms.size());
  counting_sort(terms, buffer, num_variables, [](const QuadraticTerm& term) { return term.v; });
  counting_sort(buffer, terms, num_variables, [](const QuadraticTerm& term) { return term.u; });
}

/// Sums runs of one pair and drops zeros.
void merge_sorted_terms(std::vector<QuadraticTerm>& terms) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < terms.size();) {
    QuadraticTerm merged = terms[i];
    for (++i; i < terms.size() && terms[i].u == merged.u && terms[i].v == merged.v; ++i) merged.bias += terms[i].bias;
    if (merged.bias != 0) terms[kept++] = merged;
  }
  terms.resize(kept);
}

/// A coefficient as digits / 10^places, with the fewest places.
struct Decimal {
  std::int64_t digits = 0;
  int places = 0;
};

constexpr int kDecimalsMax = 9;
constexpr double kDigitsMax = 1e15;  // every decimal of up to 15 digits is told apart by its double
constexpr double kIntegerMax = static_cast<double>(IntegerBqm::kMagnitudeMax);
constexpr std::array<std::int64_t, kDecimalsMax + 1> kPowersOfTen{
    1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000, 1'000'000'000};

std::optional<Decimal> to_decimal(double value) {
  if (std::trunc(value) == value) {
    if (std::abs(value) > kIntegerMax) return std::nullopt;
    return Decimal{.digits = static_cast<std::int64_t>(value), .places = 0};
  }
  for (int places = 1; places <= kDecimalsMax; ++places) {
    const auto power = static_cast<double>(kPowersOfTen[static_cast<std::size_t>(places)]);
    // The product is off by less than 0.12 below 10^15, so rounding finds the integer if there is one; the quotient of two
    // exact doubles is the double nearest to the decimal.
    const double digits = std::nearbyint(value * power);
    if (std::abs(digits) > kDigitsMax) return std::nullopt;
    if (digits / power == value) return Decimal{.digits = static_cast<std::int64_t>(digits), .places = places};
  }
  return std::nullopt;
}

constexpr std::size_t kLookEvery = std::size_t{1} << 16;  // coefficients: less than a millisecond

/// Calls `visit` with every coefficient until it answers false or `stop` is requested; true when neither happened.
template <typename Visit>
bool for_each_coefficient(const Bqm& bqm, const std::stop_token& stop, Visit visit) {
  if (!visit(bqm.offset())) return false;
  for (const double value : bqm.linear()) {
    if (!visit(value)) return false;
  }
  for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
    if (t % kLookEvery == 0 && stop.stop_requested()) return false;
    if (!visit(bqm.terms()[t].bias)) return false;
  }
  return true;
}

/// The integer model whose coefficients are map(coefficient); terms that become zero are dropped. Only a part of it after a stop.
template <typename Map>
IntegerBqm map_coefficients(const Bqm& bqm, int decimals, const std::stop_token& stop, Map map) {
  IntegerBqm out{
      .vartype = bqm.vartype(), .decimals = decimals, .linear = {}, .terms = {}, .offset = map(bqm.offset())};
  out.linear.reserve(bqm.num_variables());
  for (const double value : bqm.linear()) out.linear.push_back(map(value));
  out.terms.reserve(bqm.terms().size());
  for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
    if (t % kLookEvery == 0 && stop.stop_requested()) break;
    const QuadraticTerm& term = bqm.terms()[t];
    if (const std::int64_t bias = map(term.bias); bias != 0) out.terms.push_back({term.u, term.v, bias});
  }
  return out;
}

}  // namespace

std::int64_t IntegerBqm::energy(AssignmentView values) const {
  TANDEM_ASSERT(values.size() == linear.size());
  std::int64_t sum = offset;
  for (std::size_t i = 0; i < linear.size(); ++i) sum += linear[i] * values[i];
  for (const IntegerTerm& term : terms) sum += term.bias * (values[term.u] * values[term.v]);
  return sum;
}

double IntegerBqm::to_objective(std::int64_t energy) const {
  TANDEM_ASSERT(decimals >= 0 && decimals <= kDecimalsMax);
  const std::int64_t power = kPowersOfTen[static_cast<std::size_t>(decimals)];
  constexpr std::int64_t kExactMax = std::int64_t{1} << 53;
  if (power == 1 || (energy >= -kExactMax && energy <= kExactMax)) {
    return static_cast<double>(energy) / static_cast<double>(power);
  }
  // Beyond 2^53 a division of doubles would round twice; the text is exact and its reading rounds once.
  const std::uint64_t size = energy < 0 ? 0 - static_cast<std::uint64_t>(energy) : static_cast<std::uint64_t>(energy);
  const auto unit = static_cast<std::uint64_t>(power);
  return *parse_double(fmt::format("{}{}.{:0{}}", energy < 0 ? "-" : "", size / unit, size % unit, decimals));
}

Result<Bqm> Bqm::create(Vartype vartype, std::vector<double> linear, std::vector<QuadraticTerm> terms, double offset) {
  if (linear.size() > kVariablesMax) {
    return fail(errors::kModelTooLarge, "the model has {} variables, the limit is {}; split it", linear.size(),
                kVariablesMax);
  }
  if (terms.size() > kTermsMax) {
    return fail(errors::kModelTooLarge, "the model has {} terms, the limit is {}; split it", terms.size(), kTermsMax);
  }
  if (!std::isfinite(offset))
    return fail(errors::kNotFinite, "the offset {} is not finite; use a finite number", offset);
  double magnitude = std::abs(offset);
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (!std::isfinite(linear[i])) {
      return fail(errors::kNotFinite, "the linear bias {} of variable {} is not finite; use a finite number", linear[i],
                  i);
    }
    linear[i] += 0.0;  // -0 becomes 0, so that equal models have equal documents
    magnitude += std::abs(linear[i]);
  }
  for (QuadraticTerm& term : terms) {
    if (term.u >= linear.size() || term.v >= linear.size()) {
      return fail(errors::kIndexOutOfRange, "the pair ({}, {}) names a variable that is not below {}; use 0 to {}",
                  term.u, term.v, linear.size(), static_cast<std::int64_t>(linear.size()) - 1);
    }
    if (term.u == term.v) {
      return fail(errors::kIndexOutOfRange, "the pair ({}, {}) names one variable twice; give it as a linear bias",
                  term.u, term.v);
    }
    if (!std::isfinite(term.bias)) {
      return fail(errors::kNotFinite, "the bias {} of the pair ({}, {}) is not finite; use a finite number", term.bias,
                  term.u, term.v);
    }
    if (term.u > term.v) std::swap(term.u, term.v);
    magnitude += std::abs(term.bias);
  }
  if (!(magnitude <= kMagnitudeMax)) {
    return fail(errors::kCoefficientOverflow, "the coefficients add up to {}, the limit is {}; scale them down",
                magnitude, kMagnitudeMax);
  }
  sort_terms(terms, linear.size());
  merge_sorted_terms(terms);
  Bqm bqm;
  bqm.vartype_ = vartype;
  bqm.linear_ = std::move(linear);
  bqm.terms_ = std::move(terms);
  bqm.offset_ = offset + 0.0;
  return bqm;
}

double Bqm::energy(AssignmentView values) const {
  TANDEM_ASSERT(values.size() == linear_.size());
  CompensatedSum sum(offset_);
  for (std::size_t i = 0; i < linear_.size(); ++i) sum.add(linear_[i] * values[i]);
  for (const QuadraticTerm& term : terms_) sum.add(term.bias * (values[term.u] * values[term.v]));
  return sum.value();
}

Bqm Bqm::with_vartype(Vartype vartype) const {
  if (vartype == vartype_) return *this;
  Bqm out;
  out.vartype_ = vartype;
  out.linear_ = linear_;
  out.terms_ = terms_;
  out.offset_ = offset_;
  if (vartype == Vartype::kSpin) {  // x = (1 + s) / 2
    for (double& value : out.linear_) {
      value /= 2;
      out.offset_ += value;
    }
    for (QuadraticTerm& term : out.terms_) {
      term.bias /= 4;
      out.linear_[term.u] += term.bias;
      out.linear_[term.v] += term.bias;
      out.offset_ += term.bias;
    }
  } else {  // s = 2x - 1
    for (double& value : out.linear_) {
      out.offset_ -= value;
      value *= 2;
    }
    for (QuadraticTerm& term : out.terms_) {
      out.offset_ += term.bias;
      out.linear_[term.u] -= 2 * term.bias;
      out.linear_[term.v] -= 2 * term.bias;
      term.bias *= 4;
    }
  }
  // A quarter of the smallest double is zero.
  std::erase_if(out.terms_, [](const QuadraticTerm& term) { return term.bias == 0; });
  return out;
}

Bqm Bqm::negated() const {
  Bqm out = *this;
  out.offset_ = 0.0 - offset_;  // not -offset_: zero stays positive
  for (double& value : out.linear_) value = 0.0 - value;
  for (QuadraticTerm& term : out.terms_) term.bias = -term.bias;
  return out;
}

std::optional<IntegerBqm> Bqm::to_integer(const std::stop_token& stop) const {
  int decimals = 0;
  const bool decimal = for_each_coefficient(*this, stop, [&](double value) {
    const std::optional<Decimal> parts = to_decimal(value);
    if (parts) decimals = std::max(decimals, parts->places);
    return parts.has_value();
  });
  if (!decimal) return std::nullopt;
  const auto scaled = [&](double value) -> std::optional<std::int64_t> {
    const Decimal parts = *to_decimal(value);
    std::int64_t out = 0;
    if (__builtin_mul_overflow(parts.digits, kPowersOfTen[static_cast<std::size_t>(decimals - parts.places)], &out)) {
      return std::nullopt;
    }
    return out;
  };
  std::uint64_t magnitude = 0;
  const bool fits = for_each_coefficient(*this, stop, [&](double value) {
    const std::optional<std::int64_t> out = scaled(value);
    if (!out || *out < -IntegerBqm::kMagnitudeMax || *out > IntegerBqm::kMagnitudeMax) return false;
    magnitude += static_cast<std::uint64_t>(std::abs(*out));
    return magnitude <= static_cast<std::uint64_t>(IntegerBqm::kMagnitudeMax);
  });
  if (!fits) return std::nullopt;
  IntegerBqm out = map_coefficients(*this, decimals, stop, [&](double value) { return *scaled(value); });
  if (stop.stop_requested()) return std::nullopt;
  return out;
}

IntegerBqm Bqm::to_rounded_integer() const {
  constexpr int kMagnitudeBits = 50;
  double magnitude = 0;
  for_each_coefficient(*this, {}, [&](double value) {
    magnitude += std::abs(value);
    return true;
  });
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude in [2^(exponent-1), 2^exponent)
  return map_coefficients(*this, 0, {}, [&](double value) {
    return static_cast<std::int64_t>(std::nearbyint(std::ldexp(value, kMagnitudeBits - exponent)));
  });
}

}  // namespace tandem::problem
