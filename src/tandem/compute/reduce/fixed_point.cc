#include "tandem/compute/reduce/fixed_point.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>

#include "tandem/base/stopped.h"

namespace tandem::reduce {

namespace {

using problem::Bqm;
using problem::IntegerBqm;

constexpr std::int64_t kDigitsMax = 1'000'000'000'000'000;  // decimals below this read back as themselves
constexpr int kExponentMin = -1074;  // of the least double
constexpr int kDecimalsMax = 9;  // of an IntegerBqm
constexpr double kLastPlace = 0x1.0p-52;

template <class Visit>
void for_each_coefficient(const Bqm& bqm, const std::stop_token& stop, Visit visit) {
  visit(bqm.offset());
  for (const double value : bqm.linear()) visit(value);
  for_each(bqm.terms(), stop, [&](const problem::QuadraticTerm& term) { visit(term.bias); });
}

/// A bound on the sum of all |coefficients|: rounding of the sum stays below one in a thousand.
double magnitude_of(const Bqm& bqm, const std::stop_token& stop) {
  double sum = 0;
  for_each_coefficient(bqm, stop, [&](double value) { sum += std::abs(value); });
  return sum * 1.001;
}

/// Exponent of the lowest bit that is set in any coefficient.
int lowest_bit(const Bqm& bqm, const std::stop_token& stop) {
  int lowest = INT_MAX;
  for_each_coefficient(bqm, stop, [&](double value) {
    if (value == 0) return;
    int exponent = 0;
    const auto digits = static_cast<std::uint64_t>(std::ldexp(std::frexp(std::abs(value), &exponent), 53));
    lowest = std::min(lowest, exponent - 53 + std::countr_zero(digits));
  });
  return lowest;
}

Wide power_of_ten(int exponent) {
  Wide out = 1;
  for (int i = 0; i < exponent; ++i) out *= 10;
  return out;
}

}  // namespace

std::optional<FixedPoint> FixedPoint::create(const Bqm& bqm, const std::stop_token& stop) {
  const double magnitude = magnitude_of(bqm, stop);
  bool whole = true;
  for_each_coefficient(bqm, stop, [&](double value) { whole = whole && std::trunc(value) == value; });
  FixedPoint grid(bqm);
  if (bqm.vartype() == problem::Vartype::kSpin) grid.scale_ = 2;
  if (whole) {
    grid.narrow_ = magnitude <= std::ldexp(1.0, kNarrowBits);
    if (magnitude > std::ldexp(1.0, kWideBits)) return std::nullopt;
    return grid;
  }
  grid.integers_ = bqm.to_integer(stop);
  throw_if(stop);
  if (grid.integers_) {
    grid.narrow_ = std::ldexp(magnitude, -kNarrowBits) * std::pow(10.0, grid.integers_->decimals) <= 1;
    return grid;
  }
  const int lowest = lowest_bit(bqm, stop);  // below 0, for not all are whole
  if (std::ilogb(magnitude) + 1 - lowest > kWideBits) return std::nullopt;
  grid.exponent_ = lowest - (grid.scale_ - 1);
  if (grid.exponent_ < kExponentMin) return std::nullopt;
  grid.narrow_ = std::ilogb(magnitude) + 1 - lowest <= kNarrowBits;
  return grid;
}

double FixedPoint::scaled(double value) const { return std::ldexp(value, -exponent_); }

double FixedPoint::value(Wide integer) const {
  if (exponent_ != 0) return std::ldexp(static_cast<double>(integer), exponent_);
  const Wide unit = scale_ * power_of_ten(integers_ ? integers_->decimals : 0);
  if (integer % unit == 0) return static_cast<double>(integer / unit);
  return static_cast<double>(integer) / static_cast<double>(unit);
}

double FixedPoint::error(Wide integer) const {
  Wide digits = integer;
  if (exponent_ == 0) {
    const Wide unit = scale_ * power_of_ten(integers_ ? integers_->decimals : 0);
    if (integer % unit == 0) {
      digits = integer / unit;
    } else if (integers_ && integers_->decimals > 0) {
      // An odd half has one more decimal.
      const bool half = integer % scale_ != 0;
      const Wide written = half ? 5 * integer : integer / scale_;
      if (written > -kDigitsMax && written < kDigitsMax && integers_->decimals + (half ? 1 : 0) <= kDecimalsMax)
        return 0;
      return std::abs(value(integer)) * 2 * kLastPlace;
    }
  }
  if (static_cast<Wide>(static_cast<double>(digits)) == digits) return 0;
  return std::abs(value(integer)) * kLastPlace;
}

}  // namespace tandem::reduce
