#include <algorithm>
#include <atomic>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/ising_model.h"

namespace tandem::statevector {
namespace {

constexpr std::uint64_t kBins = 4096;
constexpr std::uint64_t kSharesMax = 64;  // of tiles, each with bins of its own, added in order

struct Bin {
  double weight = 0;
  double energy = 0;  ///< times the weight
};

/// Where a distribution has its lowest part; weights as they stand in memory.
struct Border {
  std::uint64_t bin = 0;
  double below = 0;  ///< weight
  double below_energy = 0;
  double target = 0;  ///< weight
};

/// Among the bins of the range, 1 to kBins, one that has weight: sums of other bins are taken in another order each time, so rounding alone
/// could lead to the outer ones or to an empty one.
Border border_of(const std::vector<Bin>& bins, double share) {
  Border out{.bin = 1, .below = bins[0].weight, .below_energy = bins[0].energy};
  std::size_t last = 0;
  for (std::size_t i = 0; i < bins.size(); ++i) {
    out.target += share * bins[i].weight;
    if (i <= kBins && bins[i].weight > 0) last = i;
  }
  TANDEM_ASSERT(last > 0);
  while (out.bin < last && (bins[out.bin].weight == 0 || out.below + bins[out.bin].weight < out.target)) {
    out.below += bins[out.bin].weight;
    out.below_energy += bins[out.bin].energy;
    ++out.bin;
  }
  return out;
}

}  // namespace

template <class Real>
Result<IsingTail> IsingEvolution<Real>::tail(double share, std::stop_token stop) const {
  if (!(share > 0 && share <= 1)) {
    return fail(errors::kValueOutOfRange, "a share of {} has no quantile; give one above 0 and at most 1", share);
  }
  const Model& model = *model_;
  TANDEM_ASSERT(model.scale != 0);
  const TileKind kind = tile_kinds(model.num_stored(), ising_shape<Real>(tile_bits_)).front();
  const TileOrder& order = kind.order;
  const simd::AlignedVector<Real> pairs =
      model.table ? simd::AlignedVector<Real>() : energy_pairs<Real>(model.energy, order);
  const IsingKernels<Real>& kernels = *kernels_of<Real>(isa_).ising;
  const std::uint64_t num_tiles = model.bytes() / sizeof(Real) / 2 >> order.tile_bits();
  const std::uint64_t num_shares = std::min(num_tiles, kSharesMax);

  const double finest = model.radius * (sizeof(Real) == 8 ? 0x1p-36 : 0x1p-20);
  // With a margin, so that rounding leaves no energy that matters outside.
  constexpr double kMargin = 1.0 / 16;
  double low = -(1 + kMargin) * model.radius;
  double width = 2 * (1 + kMargin) * model.radius / kBins;
  for (;;) {
    const double per_energy = width > 0 ? 1 / width : 0;
    std::vector<std::vector<Bin>> bins(num_shares);
    std::atomic<bool> stopped = false;
    for_blocks(*executor_, num_shares, [&](std::size_t number) {
      std::vector<Bin>& own = bins[number];
      own.resize(kBins + 2);
      const std::uint64_t leaf_blocks = std::uint64_t{1} << (order.leaf_bits - kLaneBits<Real>);
      FormWalk<Adding> energy(model.energy, order);
      for (std::uint64_t tile = number * num_tiles / num_shares; tile < (number + 1) * num_tiles / num_shares; ++tile) {
        if (stop.stop_requested()) stopped.store(true, std::memory_order_relaxed);
        if (stopped.load(std::memory_order_relaxed)) return;
        const std::uint64_t base = tile << order.tile_bits();
        const auto tally = [&](std::uint64_t at, const Real* of_pairs, const double* terms) {
          kernels.tally(model.ket.get() + 2 * (base | at), of_pairs, terms, leaf_blocks, low, per_energy, kBins,
                        &own[0].weight);
        };
        if (model.table) {
          for_leaves(order, [&](std::uint64_t at) { tally(at, model.table.get() + (base | at), kNoTerms.data()); });
          continue;
        }
        energy.begin(base);
        for_leaves(order, [&](std::uint64_t at) { tally(at, pairs.data(), energy.terms()); }, energy);
      }
    });
    if (stopped) return simulation_stopped();
    for (std::size_t i = 1; i < num_shares; ++i)
      for (std::size_t bin = 0; bin < kBins + 2; ++bin) {
        bins[0][bin].weight += bins[i][bin].weight;
        bins[0][bin].energy += bins[i][bin].energy;
      }
    const Border border = border_of(bins[0], share);
    if (width > finest) {
      low += (static_cast<double>(border.bin - 1) - kMargin) * width;
      width *= (1 + 2 * kMargin) / kBins;
      continue;
    }
    const Bin& last = bins[0][border.bin];
    const double quantile = last.energy / last.weight;
    const double mean = (border.below_energy + (border.target - border.below) * quantile) / border.target;
    return IsingTail{.quantile = quantile + model.offset, .mean = mean + model.offset};
  }
}

template Result<IsingTail> IsingEvolution<double>::tail(double share, std::stop_token stop) const;
template Result<IsingTail> IsingEvolution<float>::tail(double share, std::stop_token stop) const;

}  // namespace tandem::statevector
