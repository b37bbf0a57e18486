// tandem/compute/statevector/testing/dense_checks.h - dense gates on a tile against their pieces one by one, as kernel_checks.h.
//
// Room: compute; tests only.
#pragma once

#include <bit>
#include <functional>
#include <numbers>

#include "tandem/base/trig.h"
#include "tandem/compute/statevector/dense_work.h"
#include "tandem/compute/statevector/testing/kernel_checks.h"

namespace tandem::statevector::testing {

/// A turn or a phase on places, as Step says.
inline void done(Places& places, const Step& step) {
  for (std::uint64_t place = 0; place < places.size(); ++place) {
    if (step.kind == Step::Kind::kPhase) {
      if ((place & step.touched) == step.touched) places[place] *= step.factor;
    } else if ((place & step.mixing) == 0) {
      Amplitude& a = places[place];
      Amplitude& b = places[place | step.mixing];
      const Amplitude old = a;
      a = step.cosine * a - step.sine * b;
      b = step.cosine * b + step.sine * old;
    }
  }
}

/// Some turns and phases on two bits, whose product is a matrix without zeros.
inline void add_pieces(std::uint64_t low, std::uint64_t high, Xoshiro256& rng, std::vector<Step>& out) {
  const auto angle = [&] { return sin_cos((2 * rng.uniform() - 1) * std::numbers::pi); };
  for (int layer = 0; layer < 3; ++layer) {
    for (const std::uint64_t bit : {low, high}) {
      const SinCos turn = angle();
      out.push_back({.kind = Step::Kind::kTurn, .touched = bit, .mixing = bit, .cosine = turn.cos, .sine = turn.sin});
      const SinCos phase = angle();
      out.push_back({.kind = Step::Kind::kPhase, .touched = bit, .factor = {phase.cos, phase.sin}});
    }
    const SinCos both = angle();
    out.push_back({.kind = Step::Kind::kPhase, .touched = low | high, .factor = {both.cos, both.sin}});
  }
}

/// What is handed to DenseWork in place of the numbers of a gate's pieces and its bits; a fault where one is planted.
using DenseHandOver = std::function<void(std::vector<std::uint32_t>& pieces, std::array<std::uint64_t, 2>& bits)>;

/// TileKernels::dense by DenseWork: a gate on every two bits of a tile, and several at once that are in a run of blocks and above it.
template <class Real>
Verdict check_dense(const TileKernels<Real>& kernels, const DenseHandOver& change = {}) {
  Verdict out;
  Xoshiro256 rng(21);
  const auto one = [&](std::uint32_t tile_bits, const std::vector<DensePair>& pairs) {
    Steps steps;
    DenseWork<Real> work;
    std::string name = fmt::format("tile of {} bits:", tile_bits);
    for (const DensePair& pair : pairs) {
      const std::array<std::uint64_t, 2> bits{std::uint64_t{1} << pair.low, std::uint64_t{1} << pair.high};
      std::vector<std::uint32_t> pieces;
      const std::size_t first = steps.steps.size();
      add_pieces(bits[0], bits[1], rng, steps.steps);
      for (std::size_t i = first; i < steps.steps.size(); ++i) pieces.push_back(static_cast<std::uint32_t>(i));
      std::array<std::uint64_t, 2> told = bits;
      if (change) change(pieces, told);
      work.add(pair, told, std::move(pieces));
      name += fmt::format(" {} and {}", pair.low, pair.high);
    }
    work.bind(steps);
    Tile<Real> tile(std::uint64_t{1} << (tile_bits - kLaneBits<Real>), rng);
    Places wanted = tile.places();
    for (const Step& step : steps.steps) done(wanted, step);
    const Tile<Real> before = tile;
    work.apply(tile.data(), tile.num_blocks(), kernels);
    out.compare(tile, wanted, name);
    compare_passages(out, before, wanted, rng, name, [&](Real* to, const Passage<Real>* passage) {
      work.apply(to, before.num_blocks(), kernels, passage);
    });
  };
  for (std::uint32_t tile_bits = kLaneBits<Real>; tile_bits <= kRunBits<Real>; tile_bits += 3)
    for (std::uint32_t high = 1; high < tile_bits; ++high)
      for (std::uint32_t low = 0; low < high; ++low) one(tile_bits, {{low, high}});
  constexpr std::uint32_t kTile = kRunBits<Real> + 3;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::uint32_t> bits(kTile);
    for (std::uint32_t i = 0; i < kTile; ++i) {
      bits[i] = i;
      std::swap(bits[i], bits[rng.below(i + 1)]);
    }
    std::vector<DensePair> pairs(1 + rng.below(kTile / 2));
    for (std::size_t i = 0; i < pairs.size(); ++i)
      pairs[i] = {std::min(bits[2 * i], bits[2 * i + 1]), std::max(bits[2 * i], bits[2 * i + 1])};
    one(kTile, pairs);
  }
  return out;
}

}  // namespace tandem::statevector::testing
