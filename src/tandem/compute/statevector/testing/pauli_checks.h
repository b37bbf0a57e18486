// tandem/compute/statevector/testing/pauli_checks.h - each kernel over two states against the reference, as kernel_checks.h.
//
// Room: compute; tests only.
#pragma once

#include <numeric>

#include "tandem/compute/statevector/testing/kernel_checks.h"
#include "tandem/compute/statevector/tile_gate.h"
#include "tandem/compute/statevector/tile_readings.h"

namespace tandem::statevector::testing {

/// PauliKernels::overlaps, add_image and product.
template <class Real>
Verdict check_images(const PauliKernels<Real>& kernels) {
  constexpr std::uint64_t kBlocks = 16;
  Verdict out;
  Xoshiro256 rng(7);
  for (std::uint64_t block = 0; block < kBlocks; ++block) {
    for (std::uint32_t lane = 0; lane < kLanes<Real>; ++lane) {
      const std::uint64_t x = block * kLanes<Real> | lane;
      for (const Part part : {Part::kReal, Part::kImaginary}) {
        Tile<Real> ket(kBlocks, rng), bra(kBlocks, rng);
        const Places k = ket.places(), b = bra.places();
        const std::string name = fmt::format("block {}, lane {}, imaginary {}", block, lane, part == Part::kImaginary);
        simd::AlignedVector<double> found(k.size());
        const std::uint64_t first = rng.below(kBlocks - 1) + 1;  // in two pieces
        kernels.overlaps(ket.data(), bra.data(), 0, first, block, lane, part, found.data());
        kernels.overlaps(ket.data(), bra.data(), first, kBlocks - first, block, lane, part,
                         found.data() + first * kLanes<Real>);
        for (std::uint64_t z = 0; z < k.size(); ++z) {
          const Amplitude term = std::conj(b[z ^ x]) * k[z];
          out.compare(found[z], part == Part::kReal ? term.real() : term.imag(), 1, "overlaps, " + name);
        }
        const std::uint64_t period = kLanes<Real> << rng.below(5);  // of one block up to all of them
        simd::AlignedVector<double> weights(period);
        for (double& weight : weights) weight = static_cast<double>(some_ratio<Real>(rng));
        Places wanted = b;
        for (std::uint64_t z = 0; z < k.size(); ++z)
          wanted[z ^ x] += weights[z % period] * (part == Part::kReal ? k[z] : Amplitude(0, 1) * k[z]);
        kernels.add_image(ket.data(), bra.data(), kBlocks, block, lane, part, weights.data(), period);
        out.compare(bra, wanted, fmt::format("image, period {}, {}", period, name));
      }
    }
  }
  for (const std::uint64_t num_blocks : {1u, 2u, 64u, 512u}) {
    Tile<Real> ket(num_blocks, rng), bra(num_blocks, rng);
    const Places k = ket.places(), b = bra.places();
    std::vector<double> weights(num_blocks);
    kernels.weights(ket.data(), num_blocks, weights.data());
    for (std::uint64_t i = 0; i < num_blocks; ++i) {
      double wanted = 0;
      for (std::uint64_t lane = 0; lane < kLanes<Real>; ++lane) wanted += std::norm(k[i * kLanes<Real> + lane]);
      out.compare(weights[i], wanted, wanted, fmt::format("weight of block {} of {}", i, num_blocks));
    }
    out.compare(kernels.product(ket.data(), bra.data(), num_blocks), between(b, k, 0, 0).real(),
                size_of(k) * size_of(b), fmt::format("product, {} blocks", num_blocks));
  }
  return out;
}

/// SumKernels.
inline Verdict check_sums(const SumKernels& kernels) {
  Verdict out;
  Xoshiro256 rng(8);
  for (const std::uint64_t count : {1u, 2u, 3u, 4u, 7u, 8u, 9u, 64u, 1000u}) {
    std::vector<double> a(count), b(count);
    for (double& value : a) value = rng.uniform();
    for (double& value : b) value = rng.uniform();
    std::vector<double> sum = a, difference = b, added = a;
    kernels.butterfly(sum.data(), difference.data(), count);
    kernels.add(added.data(), b.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = fmt::format("number {} of {}", i, count);
      out.compare(sum[i], a[i] + b[i], 1, "sum, " + name);
      out.compare(difference[i], a[i] - b[i], 1, "difference, " + name);
      out.compare(added[i], a[i] + b[i], 1, "added, " + name);
    }
  }
  return out;
}

/// TileReadings: strings of every kind on a tile, with Z bits outside of it and a scale. `asked`: what is bound for `wanted`; another one where
/// a fault is planted.
template <class Real>
Verdict check_readings(const PauliKernels<Real>& kernels, double scale_told = 1) {
  constexpr std::uint32_t kInside = kLaneBits<Real> + 8;
  constexpr std::uint32_t kBits = kInside + 2;
  constexpr std::uint64_t kOutsideMask = std::uint64_t{3} << kInside;
  Verdict out;
  Xoshiro256 rng(9);
  std::vector<std::uint32_t> position(kBits, kOutside);
  std::iota(position.begin(), position.begin() + kInside, 0u);
  std::vector<Reading> readings;
  for (std::uint32_t bit = 0; bit < kInside; ++bit) {  // X and Y alone, with and without Z outside
    const std::uint64_t x = std::uint64_t{1} << bit;
    readings.push_back({.x = x, .z = rng() & kOutsideMask});
    readings.push_back({.x = x, .z = x | (rng() & kOutsideMask)});
  }
  for (int i = 0; i < 40; ++i)
    readings.push_back(
        {.x = rng() & ((std::uint64_t{1} << kInside) - 1), .z = rng() & ((std::uint64_t{1} << kBits) - 1)});
  for (int i = 0; i < 5; ++i) readings.push_back({.x = 0, .z = rng() & ((std::uint64_t{1} << kBits) - 1)});
  TileReadings<Real> work(readings, position, 0);
  constexpr double kScale = 0.75;
  work.bind(kScale * scale_told);
  for (std::uint64_t above = 0; above < 4; ++above) {
    const std::uint64_t base = above << kInside;
    Tile<Real> ket(std::uint64_t{1} << 8, rng), bra(ket.num_blocks(), rng);
    const Places k = ket.places(), b = bra.places();
    simd::AlignedVector<double> values(k.size());
    std::vector<double> slots(readings.size());
    work.apply(ket.data(), bra.data(), base, values, kernels, slots.data());
    for (std::size_t i = 0; i < readings.size(); ++i) {
      const bool negative = std::popcount(readings[i].z & base) % 2 != 0;
      const double wanted = between(b, k, readings[i].x, readings[i].z & ~kOutsideMask).imag();
      out.compare(slots[i], (negative ? -kScale : kScale) * wanted, size_of(k) * size_of(b),
                  fmt::format("X on {:b}, Z on {:b}, base {}", readings[i].x, readings[i].z, above));
    }
  }
  return out;
}

}  // namespace tandem::statevector::testing
