#include "tandem/compute/statevector/signed_sums.h"

#include <algorithm>
#include <array>

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

/// values[m] becomes the sum over the first `size` of them, for each of the masks m; the others are worth nothing.
void reduce_to(double* values, std::uint64_t size, Masks masks, const SumKernels& kernels) {
  constexpr std::uint64_t kFew = 8;
  if (size <= kFew) {
    std::array<double, kFew> sums{};
    for (const std::uint64_t mask : masks) {
      double sum = values[0];
      for (std::uint64_t z = 1; z < size; ++z) sum += odd(mask & z & (kFew - 1)) ? -values[z] : values[z];
      sums[mask & (size - 1)] = sum;
    }
    std::copy_n(sums.begin(), size, values);
    return;
  }
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

SignedSums::SignedSums(std::vector<std::uint64_t> masks, std::uint32_t bits)
    : bits_(bits), run_bits_(std::min<std::uint32_t>(bits, std::countr_zero(kRun))), masks_(std::move(masks)) {
  std::ranges::sort(masks_);
  for (const std::uint64_t mask : masks_) lows_.push_back(mask & (run() - 1));
  std::ranges::sort(lows_);
  lows_.erase(std::unique(lows_.begin(), lows_.end()), lows_.end());
  highs_.resize(lows_.size());
  for (const std::uint64_t mask : masks_)
    highs_[static_cast<std::size_t>(std::ranges::lower_bound(lows_, mask & (run() - 1)) - lows_.begin())].push_back(
        mask >> run_bits_);
}

std::size_t SignedSums::place_of(std::uint64_t mask) const {
  const auto low = static_cast<std::uint64_t>(std::ranges::lower_bound(lows_, mask & (run() - 1)) - lows_.begin());
  return run() + low * num_runs() + (mask >> run_bits_);
}

void SignedSums::end_run(std::span<double> scratch, std::uint64_t number, const SumKernels& kernels) const {
  reduce_to(scratch.data(), run(), lows_, kernels);
  for (std::size_t i = 0; i < lows_.size(); ++i) scratch[run() + i * num_runs() + number] = scratch[lows_[i]];
}

void SignedSums::end(std::span<double> scratch, const SumKernels& kernels) const {
  for (std::size_t i = 0; i < lows_.size(); ++i)
    reduce_to(scratch.data() + run() + i * num_runs(), num_runs(), highs_[i], kernels);
}

void SignedSums::spread(std::span<double> values, const SumKernels& kernels) const {
  spread_from(values.data(), values.size(), masks_, kernels);
}

}  // namespace tandem::statevector
