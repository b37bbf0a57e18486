#include "tandem/compute/solve/constraint_model.h"

#include <algorithm>
#include <cmath>

namespace tandem::solve {

namespace {

using problem::Comparison;
using problem::LinearConstraint;
using problem::LinearTerm;

constexpr int kDecimalsMax = 9;
constexpr double kExactMax = 0x1.0p50;
constexpr int kRoundedBits = 45;
constexpr double kToleranceError = 1e-4;  // of the tolerance, by which sums of doubles lie beside those of integers

double magnitude_of(const LinearConstraint& constraint) {
  double sum = std::abs(constraint.bound);
  for (const LinearTerm& term : constraint.terms) sum += std::abs(term.coefficient);
  return sum;
}

/// The factor that makes the coefficients integers; `exact` is false where it only rounds. The bound may be anything: 0.1 + 0.2.
double factor_of(const LinearConstraint& constraint, bool& exact) {
  const double magnitude = magnitude_of(constraint);
  double power = 1;
  exact = true;
  for (int decimals = 0; decimals <= kDecimalsMax && magnitude * power < kExactMax; ++decimals, power *= 10) {
    const auto whole = [&](double value) { return std::nearbyint(value * power) / power == value; };
    if (std::ranges::all_of(constraint.terms, whole, &LinearTerm::coefficient)) return power;
  }
  exact = false;
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  return std::ldexp(1.0, kRoundedBits - exponent);
}

}  // namespace

ConstraintModel::ConstraintModel(const problem::Cqm& cqm) : begin_(cqm.num_variables() + 1) {
  for (const LinearConstraint& constraint : cqm.constraints()) {
    for (const LinearTerm& term : constraint.terms) ++begin_[term.variable + 1];
  }
  for (std::size_t i = 0; i < cqm.num_variables(); ++i) begin_[i + 1] += begin_[i];
  entries_.resize(begin_.back());
  std::vector<std::uint64_t> next(begin_.begin(), begin_.end() - 1);
  for (const LinearConstraint& constraint : cqm.constraints()) {
    bool exact = true;
    const double factor = factor_of(constraint, exact);
    double sum = 0;
    for (const LinearTerm& term : constraint.terms) {
      const double scaled = std::nearbyint(term.coefficient * factor);
      sum += std::abs(scaled);
      entries_[next[term.variable]++] = {static_cast<std::uint32_t>(ranges_.size()), static_cast<std::int64_t>(scaled)};
    }
    const double tolerance = problem::kFeasibilityTolerance * std::max(1.0, std::abs(constraint.bound)) * factor;
    const double rounding = exact ? kToleranceError * tolerance : static_cast<double>(constraint.terms.size()) + 2;
    const double bound = constraint.bound * factor;
    Range range{.low = static_cast<std::int64_t>(std::ceil(bound - tolerance - rounding)),
                .high = static_cast<std::int64_t>(std::floor(bound + tolerance + rounding))};
    if (constraint.comparison == Comparison::kLessEqual) range.low = -kOpen;
    if (constraint.comparison == Comparison::kGreaterEqual) range.high = kOpen;
    if (!constraint.terms.empty() && sum > 0) range.typical = sum / static_cast<double>(constraint.terms.size());
    ranges_.push_back(range);
  }
}

std::uint64_t ConstraintModel::bytes(const problem::Cqm& cqm) {
  std::uint64_t out = 8 * (cqm.num_variables() + 1);
  for (const LinearConstraint& constraint : cqm.constraints()) out += 64 + constraint.terms.size() * sizeof(Entry);
  return out;
}

}  // namespace tandem::solve
