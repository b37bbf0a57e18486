#include "tandem/compute/solve/convex_bound.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

// Measured on random dense models of 40 to 80 variables; the tree grows by half within a factor of four around it.
constexpr double kBarrierShare = 0.08;   // of the root mean square norm of a row of couplings
constexpr double kBarrierStart = 100;    // times the last one
constexpr double kBarrierFactor = 0.3;
constexpr std::size_t kRootSteps = 40;
constexpr std::size_t kShrinkShare = 25;  // the shift is improved again when one in 25 variables has gone
constexpr double kSettled = 0.3;          // Newton decrement below which full steps stay inside the cone

/// Square matrices as rows of `size`.
using Matrix = std::vector<double>;

/// Replaces a symmetric positive definite matrix by its inverse; false when it is not positive definite or when stopped.
bool invert(Matrix& a, std::size_t size, const std::function<bool()>& stop) {
  for (std::size_t k = 0; k < size; ++k) {
    if (stop()) return false;
    double* pivot_row = a.data() + k * size;
    const double pivot = pivot_row[k];
    if (!(pivot > 0)) return false;
    pivot_row[k] = 1;
    for (std::size_t j = 0; j < size; ++j) pivot_row[j] /= pivot;
    for (std::size_t i = 0; i < size; ++i) {
      if (i == k) continue;
      double* row = a.data() + i * size;
      const double factor = row[k];
      row[k] = 0;
      for (std::size_t j = 0; j < size; ++j) row[j] -= factor * pivot_row[j];
    }
  }
  return true;
}

/// Replaces a symmetric positive definite matrix by R with A = R'R in its upper triangle; false when it is not.
bool factor_upper(Matrix& a, std::size_t size) {
  for (std::size_t k = 0; k < size; ++k) {
    double* pivot_row = a.data() + k * size;
    if (!(pivot_row[k] > 0)) return false;
    const double root = std::sqrt(pivot_row[k]);
    for (std::size_t j = k; j < size; ++j) pivot_row[j] /= root;
    for (std::size_t i = k + 1; i < size; ++i) {
      double* row = a.data() + i * size;
      const double factor = pivot_row[i];
      for (std::size_t j = i; j < size; ++j) row[j] -= factor * pivot_row[j];
    }
  }
  return true;
}

/// x = (R'R)^-1 b in place.
void solve_factored(const Matrix& r, std::size_t size, std::vector<double>& x) {
  for (std::size_t k = 0; k < size; ++k) {
    const double* row = r.data() + k * size;
    x[k] /= row[k];
    for (std::size_t i = k + 1; i < size; ++i) x[i] -= row[i] * x[k];
  }
  for (std::size_t k = size; k-- > 0;) {
    const double* row = r.data() + k * size;
    double sum = x[k];
    for (std::size_t i = k + 1; i < size; ++i) sum -= row[i] * x[i];
    x[k] = sum / row[k];
  }
}

/// c = a b.
bool multiply(const Matrix& a, const Matrix& b, Matrix& c, std::size_t size, const std::function<bool()>& stop) {
  c.assign(size * size, 0);
  for (std::size_t i = 0; i < size; ++i) {
    if (stop()) return false;
    double* row = c.data() + i * size;
    for (std::size_t k = 0; k < size; ++k) {
      const double factor = a[i * size + k];
      const double* other = b.data() + k * size;
      for (std::size_t j = 0; j < size; ++j) row[j] += factor * other[j];
    }
  }
  return true;
}

}  // namespace

ConvexBound::ConvexBound(std::vector<double> couplings, std::vector<double> fields, problem::Assignment incumbent)
    : size_(fields.size()),
      couplings_(std::move(couplings)),
      mean_(std::move(fields)),
      spread_(size_ * size_),
      incumbent_(std::move(incumbent)),
      shift_(size_),
      improved_at_(size_),
      levels_(size_),
      scratch_(size_) {
  double squares = 0;
  double largest = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    double row = 0;
    for (std::size_t j = 0; j < size_; ++j) {
      row += std::abs(coupling(i, j));
      squares += coupling(i, j) * coupling(i, j);
    }
    shift_[i] = row;
    largest = std::max(largest, row);
  }
  TANDEM_ASSERT(size_ >= 2 && largest > 0);
  // Diagonally dominant, and strictly so: positive definite.
  for (double& u : shift_) u += 0.01 * largest;
  barrier_end_ = kBarrierShare * std::sqrt(squares / static_cast<double>(size_));
  barrier_ = kBarrierStart * barrier_end_;
}

bool ConvexBound::prepare(const std::function<bool()>& stop) {
  const std::size_t left = size_ - level_;
  const bool at_root = level_ == 0 && barrier_ > 0 && steps_ < kRootSteps;
  if (at_root || (improved_at_ - left) * kShrinkShare >= improved_at_) {
    bool settled = false;
    if (!improve_shift(stop, settled)) return false;
    ++steps_;
    improved_at_ = left;
    if (at_root && !(settled && barrier_ <= barrier_end_)) {
      if (settled) barrier_ = std::max(barrier_end_, barrier_ * kBarrierFactor);
      if (steps_ < kRootSteps) return true;
    }
    barrier_ = barrier_end_;
  }
  factorise();
  fix_next();
  return true;
}

bool ConvexBound::improve_shift(const std::function<bool()>& stop, bool& settled) {
  const std::size_t m = size_ - level_;
  const auto shifted = [&](std::span<const double> u) {
    Matrix a(m * m);
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < m; ++j) a[i * m + j] = coupling(level_ + i, level_ + j);
      a[i * m + i] = u[i];
    }
    return a;
  };
  Matrix inverse = shifted(shift_);
  if (!invert(inverse, m, stop)) return !stop();  // or nearly singular: then the shift stays as it is
  // Second moments of the fields: spread and mean. Their image under the inverse has what the gradient needs.
  Matrix moments(m * m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) {
      moments[i * m + j] = spread_[(level_ + i) * size_ + level_ + j] + mean_[i] * mean_[j];
    }
  }
  Matrix half;
  Matrix image;
  if (!multiply(inverse, moments, half, m, stop) || !multiply(half, inverse, image, m, stop)) return false;
  // Maximise -sum u / 2 - tr(A^-1 M) / 2 + barrier log det A / 2.
  std::vector<double> gradient(m);
  Matrix hessian(m * m);
  for (std::size_t i = 0; i < m; ++i) {
    gradient[i] = 0.5 * (image[i * m + i] + barrier_ * inverse[i * m + i] - 1);
    for (std::size_t j = 0; j < m; ++j) {
      const double b = inverse[i * m + j];
      hessian[i * m + j] = b * (0.5 * (image[i * m + j] + image[j * m + i]) + 0.5 * barrier_ * b);
    }
  }
  if (stop() || !factor_upper(hessian, m)) return !stop();
  std::vector<double> step = gradient;
  solve_factored(hessian, m, step);
  double decrement = 0;
  for (std::size_t i = 0; i < m; ++i) decrement += gradient[i] * step[i];
  decrement = std::sqrt(2 * std::max(0.0, decrement) / barrier_);
  settled = decrement < kSettled;
  double length = settled ? 1 : 1 / (1 + decrement);
  for (int tries = 0; tries < 20; ++tries, length /= 2) {
    std::vector<double> next(m);
    for (std::size_t i = 0; i < m; ++i) next[i] = shift_[i] + length * step[i];
    Matrix a = shifted(next);
    if (!factor_upper(a, m)) continue;
    shift_ = std::move(next);
    break;
  }
  return true;
}

void ConvexBound::factorise() {
  const std::size_t m = size_ - level_;
  Matrix a(m * m);
  Level& level = levels_[level_];
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = i + 1; j < m; ++j) a[i * m + j] = coupling(level_ + i, level_ + j);
    a[i * m + i] = shift_[i];
    level.half_shift += shift_[i] / 2;
  }
  const bool positive = factor_upper(a, m);
  TANDEM_ASSERT(positive);  // improve_shift() keeps it so, and what is left of a positive definite matrix is one
  level.factor.reserve(m * (m + 1) / 2);
  for (std::size_t i = 0; i < m; ++i) {
    level.factor.push_back(1 / a[i * m + i]);
    level.factor.insert(level.factor.end(), a.begin() + static_cast<std::ptrdiff_t>(i * m + i + 1),
                        a.begin() + static_cast<std::ptrdiff_t>((i + 1) * m));
  }
}

void ConvexBound::fix_next() {
  const std::size_t k = level_++;
  mean_.erase(mean_.begin());
  shift_.erase(shift_.begin());
  for (std::size_t i = level_; i < size_; ++i) {
    mean_[i - level_] += incumbent_[k] * coupling(k, i);
    for (std::size_t j = level_; j < size_; ++j) spread_[i * size_ + j] += coupling(k, i) * coupling(k, j);
  }
}

double ConvexBound::bound(std::size_t level, std::span<const double> fields) {
  const std::size_t m = size_ - level;
  double* z = scratch_.data();
  for (std::size_t i = 0; i < m; ++i) z[i] = fields[i];
  const double* row = levels_[level].factor.data();
  double sum = 0;
  for (std::size_t k = 0; k < m; ++k) {
    const double value = z[k] * row[0];
    sum += value * value;
    for (std::size_t i = 1; i < m - k; ++i) z[k + i] -= row[i] * value;
    row += m - k;
  }
  return -0.5 * sum - levels_[level].half_shift;
}

}  // namespace tandem::solve
