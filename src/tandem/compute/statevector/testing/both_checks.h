// tandem/compute/statevector/testing/both_checks.h - kernels that turn two states and read between them against the reference, as kernel_checks.h.
//
// Room: compute; tests only.
#pragma once

#include "tandem/compute/statevector/both_kernels.h"
#include "tandem/compute/statevector/testing/kernel_checks.h"

namespace tandem::statevector::testing {

/// BothKernels: one to three turns on any bits above the lanes, any turns on lanes, and tables.
template <class Real>
Verdict check_both(const BothKernels<Real>& kernels) {
  constexpr std::uint32_t kBits = kLaneBits<Real> + 5;
  constexpr std::uint64_t kBlocks = std::uint64_t{1} << 5;
  constexpr double kBefore = 8;  // what is found is added
  Verdict out;
  Xoshiro256 rng(22);
  const auto one = [&](const std::vector<Turn<Real>>& turns, bool on_lanes) {
    Tile<Real> ket(kBlocks, rng), bra(kBlocks, rng);
    Places wanted_ket = ket.places(), wanted_bra = bra.places();
    const double size = size_of(wanted_ket) * size_of(wanted_bra);
    std::vector<double> wanted(turns.size()), found(turns.size(), kBefore);
    const auto read = [&](std::size_t i) {
      const std::uint64_t bit = std::uint64_t{1} << turns[i].bit;
      wanted[i] = kBefore + between(wanted_bra, wanted_ket, bit, bit).imag();
    };
    for (std::size_t i = 0; i < turns.size() && !on_lanes; ++i) read(i);
    for (std::size_t i = 0; i < turns.size(); ++i) {
      if (on_lanes) read(i);
      turned(wanted_ket, turns[i]);
      turned(wanted_bra, turns[i]);
    }
    (on_lanes ? kernels.turn_lanes : kernels.turn)(ket.data(), bra.data(), kBlocks, turns.data(), turns.size(),
                                                   found.data());
    const std::string name = name_of<Real>(kBlocks, turns);
    out.compare(ket, wanted_ket, "ket, " + name);
    out.compare(bra, wanted_bra, "bra, " + name);
    // Readings between states that earlier turns have made larger.
    const double grown = std::ldexp(size, on_lanes ? static_cast<int>(turns.size()) : 0);
    for (std::size_t i = 0; i < turns.size(); ++i) out.compare(found[i], wanted[i], grown, "reading, " + name);
  };
  const auto turns_on = [&](std::uint64_t chosen, std::uint64_t large) {
    std::vector<Turn<Real>> turns;
    for (std::uint32_t bit = 0; bit < kBits; ++bit) {
      if ((chosen >> bit & 1) == 0) continue;
      const bool is_large = (large >> turns.size() & 1) != 0;
      turns.push_back({bit, false, is_large, some_ratio<Real>(rng)});
    }
    return turns;
  };
  for (std::uint64_t chosen = 1; chosen < 32; ++chosen) {
    const int count = std::popcount(chosen);
    if (count > static_cast<int>(kBothAtOnce)) continue;
    for (std::uint64_t large = 0; large >> count == 0; ++large) one(turns_on(chosen << kLaneBits<Real>, large), false);
  }
  for (std::uint64_t chosen = 1; chosen < kLanes<Real>; ++chosen)
    for (std::uint64_t large = 0; large >> std::popcount(chosen) == 0; ++large) one(turns_on(chosen, large), true);
  for (const Amplitude factor : {Amplitude(1), Amplitude(0.28, -0.96)}) {
    const auto re = static_cast<Real>(factor.real()), im = static_cast<Real>(factor.imag());
    Tile<Real> ket(kBlocks, rng), bra(kBlocks, rng), table(kBlocks, rng);
    Places wanted_ket = ket.places(), wanted_bra = bra.places();
    const Places factors = table.places();
    for (std::size_t i = 0; i < factors.size(); ++i) {
      wanted_ket[i] *= factors[i] * Amplitude(re, im);
      wanted_bra[i] *= factors[i] * Amplitude(re, im);
    }
    kernels.multiply(ket.data(), bra.data(), kBlocks, {.table = table.data(), .re = re, .im = im});
    out.compare(ket, wanted_ket, fmt::format("ket times {} + i {}", re, im));
    out.compare(bra, wanted_bra, fmt::format("bra times {} + i {}", re, im));
  }
  return out;
}

}  // namespace tandem::statevector::testing
