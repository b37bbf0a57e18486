// tandem/compute/statevector/testing/ising_checks.h - kernels of Ising layers against the reference, as kernel_checks.h.
//
// Room: compute; tests only. Sums of energies are not here: whole evolutions judge them (ising_evolution.test.cc).
#pragma once

#include <cmath>
#include <numbers>

#include "tandem/compute/statevector/ising_kernels.h"
#include "tandem/compute/statevector/testing/kernel_checks.h"

namespace tandem::statevector::testing {

/// IsingKernels::turn_alike.
template <class Real>
Verdict check_alike(const IsingKernels<Real>& kernels) {
  Verdict out;
  Xoshiro256 rng(21);
  const auto one = [&](std::uint32_t block_bits, std::uint64_t chosen, bool large) {
    const Real ratio = some_ratio<Real>(rng);
    std::vector<Turn<Real>> turns;
    for (std::uint32_t bit = 0; bit < block_bits; ++bit)
      if ((chosen >> bit & 1) != 0) turns.push_back({kLaneBits<Real> + bit, true, large, ratio});
    Tile<Real> tile(std::uint64_t{1} << block_bits, rng);
    Places wanted = tile.places();
    for (const auto& turn : turns) turned(wanted, turn);
    // Two turns together leave out nothing, three as much as one; by itself each leaves out 1 / sqrt(1 + ratio^2).
    double in = 1;
    for (std::size_t left = turns.size(); left > 0; left -= alike_at_once(left))
      if (alike_at_once(left) > 1) in /= 1 + static_cast<double>(ratio) * static_cast<double>(ratio);
    for (Amplitude& amplitude : wanted) amplitude *= in;
    kernels.turn_alike(tile.data(), tile.num_blocks(), turns.data(), turns.size());
    out.compare(tile, wanted, name_of<Real>(tile.num_blocks(), turns));
  };
  for (const bool large : {false, true}) {
    for (std::uint64_t chosen = 0; chosen < 128; ++chosen) one(7, chosen, large);
    for (std::uint32_t bit = 0; bit + 3 <= 11; ++bit) one(11, std::uint64_t{7} << bit, large);
  }
  return out;
}

/// IsingKernels::phase, phase_by, begin and begin_by: alone, with turns of lanes before and behind them of which none or some leave out the
/// sine, and with the three lowest bits turned before, behind, or both.
template <class Real>
Verdict check_leaves(const IsingKernels<Real>& kernels) {
  Verdict out;
  Xoshiro256 rng(22);
  const auto phase = [&] { return std::polar(1.0, (2 * rng.uniform() - 1) * std::numbers::pi); };
  for (std::uint32_t block_bits = 0; block_bits <= kLeafBlockBits; ++block_bits) {
    const std::uint64_t num_blocks = std::uint64_t{1} << block_bits;
    const std::uint64_t size = num_blocks * kLanes<Real>;
    Tile<Real> pairs(num_blocks);
    std::vector<Amplitude> terms{phase()};
    for (std::uint32_t bit = 0; bit < kLaneBits<Real> + block_bits; ++bit) terms.push_back(phase());
    EnergyPhase<Real> law{.high = static_cast<Real>(0.3), .low = static_cast<Real>(1e-9), .re = 0.5, .im = -0.75};
    simd::AlignedVector<Real> energies(size);
    Places by_terms(size), by_energy(size);
    for (std::uint64_t z = 0; z < size; ++z) {
      const Amplitude pair = phase();
      pairs.numbers[number_of<Real>(z)] = static_cast<Real>(pair.real());
      pairs.numbers[number_of<Real>(z) + kLanes<Real>] = static_cast<Real>(pair.imag());
      by_terms[z] = pairs.places()[z] * terms[0];
      for (std::uint32_t bit = 0; bit < kLaneBits<Real> + block_bits; ++bit)
        if ((z >> bit & 1) != 0) by_terms[z] *= terms[1 + bit];
      energies[z] = static_cast<Real>(16 * rng.uniform() - 8);
      by_energy[z] =
          Amplitude(0.5, -0.75) *
          std::polar(1.0, static_cast<double>(energies[z]) *
                              (static_cast<double>(law.high) + static_cast<double>(law.low)) * std::numbers::pi / 2);
    }
    const auto* const of_terms = reinterpret_cast<const double*>(terms.data());
    Tile<Real> leaf(num_blocks, rng);
    const auto some_lanes = [&](int kind) {
      std::vector<Turn<Real>> turns;
      for (std::uint32_t bit = 0; bit < kLaneBits<Real> && kind > 0; ++bit)
        turns.push_back({bit, true, kind == 2 && bit % 2 == 1, some_ratio<Real>(rng)});
      return turns;
    };
    const auto lowest = [&](int kind) {
      std::vector<Turn<Real>> turns;
      const Real ratio = some_ratio<Real>(rng);
      for (std::uint32_t bit = 0; bit < 3 && kind > 0; ++bit)
        turns.push_back({kLaneBits<Real> + bit, true, kind == 2, ratio});
      return turns;
    };
    const auto turned_by = [](Places wanted, const std::vector<Turn<Real>>& lanes,
                              const std::vector<Turn<Real>>& alike) {
      for (const auto& turn : lanes) turned(wanted, turn);
      for (const auto& turn : alike) turned(wanted, turn);
      // Three together leave out as much as one of them (check_alike).
      const double ratio = alike.empty() ? 0 : static_cast<double>(alike[0].ratio);
      for (Amplitude& amplitude : wanted) amplitude /= 1 + ratio * ratio;
      return wanted;
    };
    for (int choice = 0; choice < 81; ++choice) {
      const int of_alike[] = {choice / 9 % 3, choice / 27};
      if (block_bits < 3 && of_alike[0] + of_alike[1] > 0) continue;
      const auto lanes_before = some_lanes(choice % 3), lanes_after = some_lanes(choice / 3 % 3);
      const auto turns_before = lowest(of_alike[0]), turns_after = lowest(of_alike[1]);
      const auto at = [](const std::vector<Turn<Real>>& turns) { return turns.empty() ? nullptr : turns.data(); };
      const BesidePhases<Real> beside{.turns_before = at(turns_before),
                                      .lanes_before = at(lanes_before),
                                      .lanes_after = at(lanes_after),
                                      .turns_after = at(turns_after)};
      const BesidePhases<Real> behind{.lanes_after = beside.lanes_after, .turns_after = beside.turns_after};
      const Places before = turned_by(leaf.places(), lanes_before, turns_before);
      const auto times_before = [&](Places factors) {
        for (std::uint64_t z = 0; z < size; ++z) factors[z] *= before[z];
        return turned_by(factors, lanes_after, turns_after);
      };
      const std::string name =
          fmt::format(", choice {}, {} blocks of {} bytes a number", choice, num_blocks, sizeof(Real));
      Tile<Real> changed = leaf;
      kernels.phase(changed.data(), pairs.data(), of_terms, num_blocks, beside);
      out.compare(changed, times_before(by_terms), "phase" + name);
      changed = leaf;
      kernels.phase_by(changed.data(), energies.data(), law, num_blocks, beside);
      out.compare(changed, times_before(by_energy), "phase by energy" + name);
      std::ranges::fill(changed.numbers, Real(7));
      kernels.begin(changed.data(), pairs.data(), of_terms, num_blocks, behind);
      out.compare(changed, turned_by(by_terms, lanes_after, turns_after), "beginning" + name);
      std::ranges::fill(changed.numbers, Real(7));
      kernels.begin_by(changed.data(), energies.data(), law, num_blocks, behind);
      out.compare(changed, turned_by(by_energy, lanes_after, turns_after), "beginning by energy" + name);
    }
  }
  return out;
}

}  // namespace tandem::statevector::testing
