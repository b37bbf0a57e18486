#include "tandem/compute/solve/exact_order.h"

namespace tandem::solve {

namespace {

using problem::AssignmentView;
using problem::Bqm;
using problem::Monomial;
using problem::Polynomial;
using problem::QuadraticTerm;

int sign_of(std::int64_t value) { return value < 0 ? -1 : (value > 0 ? 1 : 0); }

int sign_of_difference(const Bqm& bqm, AssignmentView a, AssignmentView b) {
  ExactSum sum;  // coefficients times -2 .. 2: exact
  for (std::size_t i = 0; i < bqm.num_variables(); ++i) {
    if (a[i] != b[i]) sum.add(bqm.linear()[i] * (a[i] - b[i]));
  }
  for (const QuadraticTerm& term : bqm.terms()) {
    const int difference = a[term.u] * a[term.v] - b[term.u] * b[term.v];
    if (difference != 0) sum.add(term.bias * difference);
  }
  return sum.sign();
}

int sign_of_difference(const Polynomial& polynomial, AssignmentView a, AssignmentView b) {
  ExactSum sum;
  for (const Monomial& term : polynomial.terms()) {
    int at_a = 1;
    int at_b = 1;
    for (const std::uint32_t variable : term.variables) {
      at_a *= a[variable];
      at_b *= b[variable];
    }
    if (at_a != at_b) sum.add(term.coefficient * (at_a - at_b));
  }
  return sum.sign();
}

}  // namespace

void ExactSum::add(double value) {
  std::size_t kept = 0;
  for (const double part : parts_) {
    const double sum = value + part;
    const double of_part = sum - value;
    const double lost = (value - (sum - of_part)) + (part - of_part);
    if (lost != 0) parts_[kept++] = lost;
    value = sum;
  }
  parts_.resize(kept);
  if (value != 0) parts_.push_back(value);
}

int ExactSum::sign() const {
  if (parts_.empty()) return 0;
  return parts_.back() < 0 ? -1 : 1;
}

int ExactOrder::compare(AssignmentView a, AssignmentView b) const {
  if (const auto* polynomial = std::get_if<const Polynomial*>(&model_)) return sign_of_difference(**polynomial, a, b);
  const Bqm& bqm = *std::get<const Bqm*>(model_);
  if (!looked_) integers_ = bqm.to_integer();
  looked_ = true;
  if (integers_) return sign_of(integers_->energy(a) - integers_->energy(b));
  return sign_of_difference(bqm, a, b);
}

}  // namespace tandem::solve
