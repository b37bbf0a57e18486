#include "tandem/compute/solve/convex_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

typedef double Block __attribute__((vector_size(8 * kConvexBlock), aligned(8), may_alias));

const Block& block(const double* at) { return *reinterpret_cast<const Block*>(at); }
Block& block(double* at) { return *reinterpret_cast<Block*>(at); }

void add(double* y, const double* x, double factor, std::size_t count) {
  std::size_t i = 0;
  for (; i + kConvexBlock <= count; i += kConvexBlock) block(y + i) += factor * block(x + i);
  for (; i < count; ++i) y[i] += factor * x[i];
}

double sum_of(const Block& lanes) {
  double sum = 0;
  for (std::size_t i = 0; i < kConvexBlock; ++i) sum += lanes[i];
  return sum;
}

double dot(const double* a, const double* b, std::size_t num_blocks) {
  Block lanes = {};
  for (std::size_t k = 0; k < num_blocks; ++k) lanes += block(a + k * kConvexBlock) * block(b + k * kConvexBlock);
  return sum_of(lanes);
}

double step(const SpinStep& it) {
  Block lanes = {};
  for (std::size_t k = 0; k < it.num_blocks; ++k) {
    const std::size_t at = k * kConvexBlock;
    const Block image = block(it.from + at) + it.spin * block(it.along + at);
    block(it.image + at) = image;
    lanes += image * block(it.next + at);
    block(it.fields + at) = block(it.fields_from + at) + it.spin * block(it.row + at);
  }
  return sum_of(lanes);
}

}  // namespace

extern const ConvexKernels kConvexKernels = {&add, &dot, &step};

}  // namespace tandem::solve::TANDEM_ISA
