// tandem/compute/statevector/leaf_kernels.h - phases of a leaf of Ising layers and turns that are alike (leaf.isa.cc).
//
// Room: compute, inside statevector; for its kernels only (compute/simd/isa.h).
#pragma once

#include "tandem/compute/statevector/ising_kernels.h"

namespace tandem::statevector::TANDEM_ISA {

inline constexpr std::size_t kLeafBlocksMax = std::size_t{1} << kLeafBlockBits;

template <class Real>
inline void rounded(Real* out, const double* in, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<Real>(in[i]);
}

/// IsingKernels::phase and phase_by; begin and begin_by, where `kBegins`.
template <class Real, bool kBegins>
void phase(Real* leaf, const Real* pairs, const double* terms, std::uint64_t num_blocks,
           const BesidePhases<Real>& beside);
template <class Real, bool kBegins>
void phase_by(Real* leaf, const Real* energies, const EnergyPhase<Real>& phase, std::uint64_t num_blocks,
              const BesidePhases<Real>& beside);
/// IsingKernels::turn_alike.
template <class Real>
void turn_alike(Real* tile, std::uint64_t num_blocks, const Turn<Real>* turns, std::size_t count);

}  // namespace tandem::statevector::TANDEM_ISA
