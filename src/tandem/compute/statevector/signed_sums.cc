#include "tandem/compute/statevector/signed_sums.h"

#include <algorithm>

namespace tandem::statevector {
namespace {

using Masks = std::span<const std::uint64_t>;

const simd::KernelTables<AllPauliKernels> kTables{&portable::kPauliKernels, &avx2::kPauliKernels,
                                                  &avx512::kPauliKernels};

/// The masks without the highest bit of a place below 2 `half`, and those with it. What stands above in them was decided before.
std::pair<Masks, Masks> split(Masks masks, std::uint64_t half) {
  const auto middle = std::ranges::partition_point(masks, [&](std::uint64_t mask) { return (mask & half) == 0; });
  const auto count = static_cast<std::size_t>(middle - masks.begin());
  return {masks.first(count), masks.subspan(count)};
}

void reduce_to(double* values, std::uint64_t size, Masks masks, const SumKernels& kernels) {
  if (size == 1) return;
  const std::uint64_t half = size / 2;
  const auto [without, with] = split(masks, half);
  if (with.empty())
    kernels.add(values, values + half, half);
  else
    kernels.butterfly(values, values + half, half);
  if (!without.empty()) reduce_to(values, half, without, kernels);
  if (!with.empty()) reduce_to(values + half, half, with, kernels);
}

void spread_from(double* values, std::uint64_t size, Masks masks, const SumKernels& kernels) {
  if (size == 1) return;
  const std::uint64_t half = size / 2;
  const auto [without, with] = split(masks, half);
  if (!without.empty()) spread_from(values, half, without, kernels);
  if (!with.empty()) spread_from(values + half, half, with, kernels);
  if (with.empty())
    std::copy_n(values, half, values + half);
  else if (without.empty())
    for (std::uint64_t i = 0; i < half; ++i) {
      values[i] = values[half + i];
      values[half + i] = -values[half + i];
    }
  else
    kernels.butterfly(values, values + half, half);
}

}  // namespace

template <class Real>
const PauliKernels<Real>& pauli_kernels(simd::Isa isa) {
  const AllPauliKernels& all = simd::kernels_for(kTables, isa);
  if constexpr (sizeof(Real) == sizeof(float))
    return all.narrow;
  else
    return all.wide;
}
template const PauliKernels<float>& pauli_kernels<float>(simd::Isa);
template const PauliKernels<double>& pauli_kernels<double>(simd::Isa);

SignedSums::SignedSums(std::vector<std::uint64_t> masks) : masks_(std::move(masks)) { std::ranges::sort(masks_); }

void SignedSums::reduce(std::span<double> values, const SumKernels& kernels) const {
  reduce_to(values.data(), values.size(), masks_, kernels);
}
void SignedSums::spread(std::span<double> values, const SumKernels& kernels) const {
  spread_from(values.data(), values.size(), masks_, kernels);
}

}  // namespace tandem::statevector
