// tandem/compute/statevector/testing/kernel_checks.h - each kernel of a table against the reference, over what it is called with.
//
// Room: compute; tests only. A check is a function of the table, so that a table with a fault in it must come out differently.
#pragma once

#include <array>
#include <span>

#include "tandem/base/text.h"
#include "tandem/compute/statevector/testing/kernel_reference.h"

namespace tandem::statevector::testing {

/// What rounding may do. Each kernel is at most ten turns, or a product and a sum, or a sum over 2^14 products.
template <class Real>
inline constexpr double kKernelTolerance = sizeof(Real) == 4 ? 2e-6 : 4e-15;

/// At most 1, as the planner makes it; at times one of those at the ends.
template <class Real>
Real some_ratio(Xoshiro256& rng) {
  constexpr std::array<Real, 4> kEnds{0, 1, -1, static_cast<Real>(-0.0)};
  return rng.below(8) == 0 ? kEnds[rng.below(4)] : static_cast<Real>(2 * rng.uniform() - 1);
}

template <class Real>
std::string name_of(std::uint64_t num_blocks, std::span<const Turn<Real>> turns) {
  std::string out = fmt::format("{} blocks:", num_blocks);
  for (const auto& turn : turns)
    out += fmt::format(" {}{}{}({})", turn.about_x ? "x" : "y", turn.bit, turn.large ? " large " : " ", turn.ratio);
  return out;
}

/// TileKernels::turn.
template <class Real>
Verdict check_turns(const TileKernels<Real>& kernels) {
  Verdict out;
  Xoshiro256 rng(1);
  const auto one = [&](std::uint32_t block_bits, std::uint64_t chosen, bool about_x, std::uint64_t large) {
    std::vector<Turn<Real>> turns;
    for (std::uint32_t bit = 0; bit < block_bits; ++bit) {
      if ((chosen >> bit & 1) == 0) continue;
      const bool is_large = (large >> turns.size() & 1) != 0;
      turns.push_back({kLaneBits<Real> + bit, about_x, is_large, some_ratio<Real>(rng)});
    }
    Tile<Real> tile(std::uint64_t{1} << block_bits, rng);
    Places wanted = tile.places();
    for (const auto& turn : turns) turned(wanted, turn);
    kernels.turn(tile.data(), tile.num_blocks(), turns.data(), turns.size());
    out.compare(tile, wanted, name_of<Real>(tile.num_blocks(), turns));
  };
  for (const bool about_x : {false, true}) {
    // One to four that share readings, on any bits of 32 blocks, and any of them large.
    for (std::uint64_t chosen = 1; chosen < 32; ++chosen)
      for (std::uint64_t large = 0; large >> std::popcount(chosen) == 0; ++large) one(5, chosen, about_x, large);
    // One on each bit of a tile of 1024 blocks.
    for (std::uint32_t bit = 0; bit < 10; ++bit)
      for (std::uint64_t large = 0; large < 2; ++large) one(10, std::uint64_t{1} << bit, about_x, large);
    // More than share a reading, within a run of 64 blocks, and on larger tiles with others above.
    for (std::uint32_t block_bits = 6; block_bits <= 10; ++block_bits) {
      for (const std::uint64_t near : {0b111u, 0b1111u, 0b111111u, 0b101011u, 0b110101u}) {
        for (std::uint64_t far = 0; far >> (block_bits - 6) == 0; ++far)
          one(block_bits, near | far << 6, about_x, rng());
      }
    }
  }
  return out;
}

/// TileKernels::turn_lanes: any lanes, about either axis, any of them large, behind no phases, a table, or a table and a factor.
template <class Real>
Verdict check_lanes(const TileKernels<Real>& kernels) {
  static constexpr std::uint64_t kStart = 0;
  Verdict out;
  Xoshiro256 rng(2);
  const auto one = [&](std::uint64_t num_blocks, std::span<const Turn<Real>> turns, bool by_table, Amplitude factor) {
    Tile<Real> tile(num_blocks, rng), table(num_blocks, rng);
    const RunPhases<Real> phases{.table = by_table ? table.data() : nullptr,
                                 .re = static_cast<Real>(factor.real()),
                                 .im = static_cast<Real>(factor.imag())};
    Places wanted = tile.places();
    const Places factors = table.places();
    for (std::size_t i = 0; i < wanted.size() && by_table; ++i)
      wanted[i] *= factors[i] * Amplitude(phases.re, phases.im);
    for (const auto& turn : turns) turned(wanted, turn);
    const std::string name =
        fmt::format("{} table {} factor {} + i {}", name_of<Real>(num_blocks, turns), by_table, phases.re, phases.im);
    const Tile<Real> before = tile;
    const Passage<Real> asking{.to_read = {.first = tile.data(), .at = &kStart, .block_bits = 10}};
    kernels.turn_lanes(tile.data(), num_blocks, turns.data(), turns.size(), phases, &asking);
    out.compare(tile, wanted, name);
    if (!turns.empty() || !std::has_single_bit(num_blocks)) return;
    compare_passages(out, before, wanted, rng, name, [&](Real* to, const Passage<Real>* passage) {
      kernels.turn_lanes(to, num_blocks, nullptr, 0, phases, passage);
    });
  };
  for (const std::uint64_t num_blocks : {1u, 3u, 64u, 128u}) {
    for (std::uint64_t chosen = 0; chosen < kLanes<Real>; ++chosen) {
      for (std::uint64_t large = 0; large >> std::popcount(chosen) == 0; ++large) {
        for (const bool about_x : {false, true}) {
          std::vector<Turn<Real>> turns;
          for (std::uint32_t bit = 0; bit < kLaneBits<Real>; ++bit)
            if ((chosen >> bit & 1) != 0)
              turns.push_back({bit, about_x, (large >> turns.size() & 1) != 0, some_ratio<Real>(rng)});
          one(num_blocks, turns, false, 1);
          for (const Amplitude factor : {Amplitude(1), Amplitude(-1), Amplitude(0, 1), Amplitude(0.28, -0.96)})
            one(num_blocks, turns, true, factor);
        }
      }
    }
  }
  return out;
}

/// TileKernels::turn_mirror.
template <class Real>
Verdict check_mirror(const TileKernels<Real>& kernels) {
  Verdict out;
  Xoshiro256 rng(3);
  for (const bool large : {false, true}) {
    for (const std::uint64_t num_blocks : {1u, 2u, 4u, 32u, 128u}) {
      const Turn<Real> turn{0, true, large, some_ratio<Real>(rng)};
      const std::string name = fmt::format("{} blocks, large {}, ratio {}", num_blocks, large, turn.ratio);
      for (const std::uint64_t count : {num_blocks / 4, num_blocks / 2, num_blocks}) {
        Tile<Real> a(num_blocks, rng), b(num_blocks, rng);
        Places wanted_a = a.places(), wanted_b = b.places();
        mirrored(wanted_a, wanted_b, count * kLanes<Real>, turn);
        kernels.turn_mirror(a.data(), b.data(), num_blocks, count, turn);
        out.compare(a, wanted_a, name);
        out.compare(b, wanted_b, name + ", second");
      }
      if (num_blocks == 1) continue;
      Tile<Real> both(num_blocks, rng);  // its halves
      Places wanted = both.places();
      mirrored(wanted, wanted, wanted.size() / 2, turn);
      kernels.turn_mirror(both.data(), both.data(), num_blocks, num_blocks / 2, turn);
      out.compare(both, wanted, name + ", one tile");
    }
  }
  return out;
}

/// Coefficients for kLanes lanes as `kind` says, keep then mix.
template <class Real>
simd::AlignedVector<Real> some_coefficients(PairKind kind, Xoshiro256& rng) {
  constexpr std::size_t kHalf = kLanes<Real>;
  simd::AlignedVector<Real> out(4 * kHalf);
  for (Real& number : out) number = static_cast<Real>(2 * rng.uniform() - 1);
  for (std::size_t lane = 0; lane < kHalf; ++lane) {
    if (kind == PairKind::kExchange) {
      out[2 * kHalf + lane] = static_cast<Real>(rng.below(2));
      out[lane] = 1 - out[2 * kHalf + lane];
      out[3 * kHalf + lane] = 0;
    }
    if (kind != PairKind::kGeneral) out[kHalf + lane] = 0;
    if (kind == PairKind::kReal) out[3 * kHalf + lane] = 0;
    if (kind == PairKind::kImaginaryMix) out[2 * kHalf + lane] = 0;
  }
  return out;
}

/// TileKernels::pair: gates on one, two and three qubits, permutations and phases are these.
template <class Real>
Verdict check_pairs(const TileKernels<Real>& kernels) {
  Verdict out;
  Xoshiro256 rng(4);
  for (const PairKind kind : {PairKind::kExchange, PairKind::kReal, PairKind::kImaginaryMix, PairKind::kGeneral}) {
    for (std::uint32_t lanes = 0; lanes < kLanes<Real>; ++lanes) {
      for (const std::uint64_t operands : {0u, 1u, 4u, 16u, 3u, 5u, 18u, 21u, 31u}) {
        for (const bool two : {false, true}) {
          if (two && operands == 0) continue;
          const std::uint64_t a = rng() & operands;
          std::uint64_t b = a;
          while (two && a == b) b = rng() & operands;
          const auto of_a = some_coefficients<Real>(kind, rng), of_b = some_coefficients<Real>(kind, rng);
          const PairWork<Real> work{.operands = operands,
                                    .a = a,
                                    .b = b,
                                    .lanes = lanes,
                                    .kind = kind,
                                    .a_keep = of_a.data(),
                                    .a_mix = of_a.data() + 2 * kLanes<Real>,
                                    .b_keep = of_b.data(),
                                    .b_mix = of_b.data() + 2 * kLanes<Real>};
          Tile<Real> tile(32, rng);
          Places wanted = tile.places();
          paired(wanted, work);
          kernels.pair(tile.data(), tile.num_blocks(), work);
          out.compare(tile, wanted,
                      fmt::format("kind {}, operands {}, blocks {} and {}, lanes ^ {}", static_cast<int>(kind),
                                  operands, a, b, lanes));
        }
      }
    }
  }
  return out;
}

/// TileKernels::spread, of which tables of phases are made.
template <class Real>
Verdict check_tables(const TileKernels<Real>& kernels) {
  Verdict out;
  Xoshiro256 rng(5);
  for (const std::uint64_t num_blocks : {1u, 2u, 32u}) {
    Tile<Real> base(num_blocks, rng), lanes(1, rng), table(num_blocks);
    simd::AlignedVector<Real> re(num_blocks), im(num_blocks);
    for (Real& number : re) number = some_ratio<Real>(rng);
    for (Real& number : im) number = some_ratio<Real>(rng);
    Places wanted = base.places();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::size_t block = i / kLanes<Real>;
      wanted[i] *= lanes.places()[i % kLanes<Real>] * Amplitude(re[block], im[block]);
    }
    kernels.spread(table.data(), base.data(), lanes.data(), re.data(), im.data(), num_blocks);
    out.compare(table, wanted, fmt::format("spread, {} blocks", num_blocks));
  }
  return out;
}

}  // namespace tandem::statevector::testing
