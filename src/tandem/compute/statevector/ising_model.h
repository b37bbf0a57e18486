// tandem/compute/statevector/ising_model.h - what an IsingEvolution holds between calls, and the kernels of one.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <complex>
#include <limits>
#include <vector>

#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/ising_kernels.h"
#include "tandem/compute/statevector/ising_runner.h"

namespace tandem::statevector {

inline const simd::KernelTables<AllIsingKernels> kIsingTables{&portable::kIsingKernels, &avx2::kIsingKernels,
                                                              &avx512::kIsingKernels};
inline const simd::KernelTables<AllTileKernels> kTileTables{&portable::kTileKernels, &avx2::kTileKernels,
                                                            &avx512::kTileKernels};

template <class Real>
struct IsingAndTileKernels {
  const IsingKernels<Real>* ising;
  const TileKernels<Real>* tile;
};
template <class Real>
IsingAndTileKernels<Real> kernels_of(simd::Isa isa) {
  const AllIsingKernels& ising = simd::kernels_for(kIsingTables, isa);
  const AllTileKernels& tile = simd::kernels_for(kTileTables, isa);
  if constexpr (sizeof(Real) == sizeof(float))
    return {&ising.narrow, &tile.narrow};
  else
    return {&ising.wide, &tile.wide};
}

/// What the bits of a leaf add to energies that stand in a table.
inline constexpr std::array<double, 1 + kLaneBits<float> + kLeafBlockBits> kNoTerms{};

/// The energies of pairs within a leaf.
template <class Real>
simd::AlignedVector<Real> energy_pairs(const EnergyForm& energy, const TileOrder& order) {
  const std::vector<double> pairs = leaf_pairs(energy, order);
  return {pairs.begin(), pairs.end()};
}

template <class Real>
struct IsingEvolution<Real>::Model {
  std::uint32_t num_qubits = 0;
  bool symmetric = false;  ///< as in IsingState
  std::uint64_t memory_bytes_max = 0;
  double offset = 0;
  EnergyForm energy;  ///< without the offset; where there is no table
  Memory<Real> table;  ///< of energies without the offset
  double radius = 0;  ///< of all energies, about the offset
  std::vector<double> ones;  ///< shares of a warm start; empty: there is none
  std::vector<std::complex<double>> last_phases;  ///< of a warm start, where a qubit is 1, behind the last layer
  Memory<Real> ket;
  Memory<Real> bra;  ///< once a gradient was asked for
  double scale = 1;  ///< of amplitudes; 0: the state is none of a value

  IsingState<Real> state() const {
    return {.num_qubits = num_qubits, .symmetric = symmetric, .ket = ket.get(), .bra = bra.get()};
  }
  /// Layers before those that were asked for.
  std::size_t num_before() const { return ones.empty() ? 0 : 1; }
  double turns_max() const { return table ? kQuarterTurnsMax<Real> : std::numeric_limits<double>::infinity(); }
  IsingEnergies<Real> energies() const { return {.form = table ? nullptr : &energy, .table = table.get()}; }
  std::uint32_t num_stored() const { return state().num_stored(); }
  std::uint64_t bytes() const { return BasicStateVector<Real>::bytes_needed(num_stored()); }
  Memory<Real> new_state() const { return allocate<Real>(bytes() / sizeof(Real)); }
};

/// A value, and the factor of the amplitudes in memory.
template <class Real>
struct IsingEvolution<Real>::Valued {
  double value = 0;
  double scale = 1;
  std::vector<std::complex<double>> last_phases;
};

/// `radius`: no energy is farther from the offset. `turns_max`: quarter turns that a phase may take.
/// Errors: those of IsingEvolution::value() but 1002.
Result<void> check_layers(const LayerAngles& angles, double radius, double turns_max);

inline tl::unexpected<Error> simulation_stopped() {
  return fail(errors::kCancelled, "the simulation was stopped on request");
}

}  // namespace tandem::statevector
