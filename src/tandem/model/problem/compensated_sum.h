// tandem/model/problem/compensated_sum.h - a sum of doubles that does not lose small terms beside large ones.
//
// Room: model, inside problem. Energies are small differences of large penalties: a plain sum loses what matters in them.
// Source: Ogita, Rump, Oishi 2005, "Accurate sum and dot product" (SIAM J. Sci. Comput. 26), algorithm Sum2.
#pragma once

namespace tandem::problem {

/// Cost: seven operations a term. The error is that of one rounding, and count^2 2^-106 of the sum of all |terms|.
class CompensatedSum {
 public:
  explicit CompensatedSum(double first = 0) : sum_(first) {}
  void add(double value) {
    const double sum = sum_ + value;
    const double of_value = sum - sum_;
    lost_ += (sum_ - (sum - of_value)) + (value - of_value);
    sum_ = sum;
  }
  double value() const { return sum_ + lost_; }

 private:
  double sum_;
  double lost_ = 0;
};

}  // namespace tandem::problem
