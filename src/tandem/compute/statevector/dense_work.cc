#include "tandem/compute/statevector/dense_work.h"

#include <algorithm>
#include <bit>

namespace tandem::statevector {
namespace {

/// Of a lane the bits of the index that the pair has there.
constexpr std::size_t index_in(std::uint32_t lane, DensePair pair, std::size_t lane_mask) {
  return ((lane >> pair.low & 1) | (lane >> pair.high & 1) << 1) & lane_mask;
}

/// As TileKernels::dense reads them.
template <class Real>
void write(const Product& matrix, DensePair pair, Real* to) {
  const std::size_t lane_mask = (pair.low < kLaneBits<Real> ? 1u : 0u) | (pair.high < kLaneBits<Real> ? 2u : 0u);
  const int in_lanes = std::popcount(lane_mask);
  for (std::size_t from = 0; from < 4; ++from) {
    for (std::size_t out = 0; out < std::size_t{4} >> in_lanes; ++out) {
      for (std::uint32_t lane = 0; lane < kLanes<Real>; ++lane) {
        const std::size_t inside = index_in(lane, pair, lane_mask);
        const std::size_t row = out << in_lanes | inside;
        const std::size_t column = (from & ~lane_mask) | ((inside ^ from) & lane_mask);
        to[lane] = static_cast<Real>(matrix[row * 4 + column].real());
        to[kLanes<Real> + lane] = static_cast<Real>(matrix[row * 4 + column].imag());
      }
      to += 2 * kLanes<Real>;
    }
  }
}

}  // namespace

template <class Real>
void DenseWork<Real>::add(DensePair pair, std::array<std::uint64_t, 2> bits, std::vector<std::uint32_t> steps) {
  gates_.push_back({.pair = pair, .bits = bits, .steps = std::move(steps)});
  std::ranges::sort(gates_, {}, [](const Gate& gate) { return gate.pair.high; });
  pairs_.clear();
  for (const Gate& gate : gates_) pairs_.push_back(gate.pair);
}

template <class Real>
void DenseWork<Real>::bind(const Steps& steps) {
  coefficients_.resize(gates_.size() * kDenseNumbers<Real>);
  for (std::size_t i = 0; i < gates_.size(); ++i)
    write(product_of(steps, gates_[i].steps, gates_[i].bits), gates_[i].pair,
          coefficients_.data() + i * kDenseNumbers<Real>);
}

template <class Real>
void DenseWork<Real>::apply(Real* tile, std::uint64_t num_blocks, const TileKernels<Real>& kernels,
                            const Passage<Real>* passage) const {
  kernels.dense(tile, num_blocks, pairs_.data(), pairs_.size(), coefficients_.data(), passage);
}

template <class Real>
std::size_t DenseWork<Real>::bytes() const {
  std::size_t out = sizeof(DenseWork);
  for (const Gate& gate : gates_)
    out += sizeof(Gate) + sizeof(DensePair) + gate.steps.size() * sizeof(std::uint32_t) +
           kDenseNumbers<Real> * sizeof(Real);
  return out;
}

template class DenseWork<float>;
template class DenseWork<double>;

}  // namespace tandem::statevector
