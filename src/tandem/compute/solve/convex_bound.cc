#include "tandem/compute/solve/convex_bound.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

constexpr simd::KernelTables<ConvexKernels> kKernels = {&portable::kConvexKernels, &avx2::kConvexKernels,
                                                        &avx512::kConvexKernels};

// Measured on random models of 40 to 120 variables, dense and sparse; the tree hardly changes below, and bursts above 0.05.
constexpr double kBarrierShare = 0.01;  // of the root mean square norm of a row of couplings
constexpr double kBarrierStart = 100;  // times the last one
constexpr double kBarrierFactor = 0.3;
constexpr std::size_t kStepsMax = 40;
constexpr double kSettled = 0.3;  // Newton decrement below which full steps stay inside the cone

/// Square matrices as rows of `size`.
using Matrix = std::vector<double>;

/// Replaces a symmetric positive definite matrix by its inverse; false when it is not positive definite or when stopped.
bool invert(const ConvexKernels& kernels, Matrix& a, std::size_t size, const std::function<bool()>& stop) {
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
      kernels.add(row, pivot_row, -factor, size);
    }
  }
  return true;
}

/// Replaces a symmetric positive definite matrix by R with A = R'R in its upper triangle; false when it is not.
bool factor_upper(const ConvexKernels& kernels, Matrix& a, std::size_t size, const std::function<bool()>& stop) {
  for (std::size_t k = 0; k < size; ++k) {
    if (stop()) return false;
    double* pivot_row = a.data() + k * size;
    if (!(pivot_row[k] > 0)) return false;
    const double root = std::sqrt(pivot_row[k]);
    for (std::size_t j = k; j < size; ++j) pivot_row[j] /= root;
    for (std::size_t i = k + 1; i < size; ++i) {
      kernels.add(a.data() + i * size + i, pivot_row + i, -pivot_row[i], size - i);
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

}  // namespace

ConvexBound::ConvexBound(std::vector<double> couplings, std::vector<double> fields, simd::Isa isa)
    : kernels_(simd::kernels_for(kKernels, isa)),
      size_(fields.size()),
      padded_((size_ + kConvexBlock - 1) / kConvexBlock * kConvexBlock),
      couplings_(std::move(couplings)),
      fields_(std::move(fields)),
      shift_(size_),
      inverse_(size_),
      along_(size_ * padded_),
      along_square_(size_),
      half_shift_(size_ + 1),
      scratch_(padded_) {
  double squares = 0;
  double largest = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    double row = 0;
    for (std::size_t j = 0; j < size_; ++j) {
      const double coupling = couplings_[i * size_ + j];
      row += std::abs(coupling);
      squares += coupling * coupling;
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
  bool settled = false;
  if (!improve_shift(stop, settled)) return false;
  const bool last = (settled && barrier_ <= barrier_end_) || steps_ + 1 >= kStepsMax;
  if (last && !factorise(stop)) return false;
  if (settled) barrier_ = std::max(barrier_end_, barrier_ * kBarrierFactor);
  ++steps_;
  prepared_ = last;
  return true;
}

std::vector<double> ConvexBound::shifted(const std::vector<double>& shift) const {
  std::vector<double> a = couplings_;
  for (std::size_t i = 0; i < size_; ++i) a[i * size_ + i] = shift[i];
  return a;
}

bool ConvexBound::improve_shift(const std::function<bool()>& stop, bool& settled) {
  const std::size_t m = size_;
  Matrix inverse = shifted(shift_);
  if (!invert(kernels_, inverse, m, stop)) return !stop();  // or nearly singular: then the shift stays as it is
  // Maximise -sum u / 2 - h'A^-1 h / 2 + barrier log det A / 2.
  std::vector<double> solved(m);  // A^-1 h
  for (std::size_t i = 0; i < m; ++i) kernels_.add(solved.data(), inverse.data() + i * m, fields_[i], m);
  std::vector<double> gradient(m);
  Matrix hessian(m * m);
  for (std::size_t i = 0; i < m; ++i) {
    gradient[i] = 0.5 * (solved[i] * solved[i] + barrier_ * inverse[i * m + i] - 1);
    for (std::size_t j = 0; j < m; ++j) {
      const double b = inverse[i * m + j];
      hessian[i * m + j] = b * (solved[i] * solved[j] + 0.5 * barrier_ * b);
    }
  }
  if (!factor_upper(kernels_, hessian, m, stop)) return !stop();
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
    if (!factor_upper(kernels_, a, m, stop)) {
      if (stop()) return false;
      continue;
    }
    shift_ = std::move(next);
    break;
  }
  return true;
}

bool ConvexBound::factorise(const std::function<bool()>& stop) {
  const std::size_t m = size_;
  // A from its last row and column to its first has R'R with R upper triangular; back in order that is UU'.
  Matrix a = shifted(shift_);
  std::ranges::reverse(a);
  if (!factor_upper(kernels_, a, m, stop)) {
    TANDEM_ASSERT(stop());  // improve_shift() keeps it positive definite
    return false;
  }
  columns_.reserve(m * (m - 1) / 2);
  for (std::size_t i = 0; i < m; ++i) {
    inverse_[m - 1 - i] = 1 / a[i * m + i];
    for (std::size_t j = m; --j > i;) columns_.push_back(a[i * m + j]);
  }
  std::vector<double> row(padded_);
  for (std::size_t level = m; level-- > 0;) {
    half_shift_[level] = half_shift_[level + 1] + shift_[level] / 2;
    std::copy_n(couplings_.data() + level * m, m, row.data());
    if (level + 1 < m) along_square_[level] = image(level + 1, row.data(), along_.data() + level * padded_);
  }
  return true;
}

double ConvexBound::image(std::size_t level, const double* fields, double* image) {
  std::copy(fields + level, fields + size_, scratch_.data() + level);
  const double* column = columns_.data();
  double square = 0;
  for (std::size_t k = size_; k-- > level;) {
    const double value = scratch_[k] * inverse_[k];
    image[k] = value;
    square += value * value;
    kernels_.add(scratch_.data() + level, column + level, -value, k - level);
    column += k;
  }
  return square;
}

}  // namespace tandem::solve
