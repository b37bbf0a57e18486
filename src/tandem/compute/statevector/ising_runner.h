// tandem/compute/statevector/ising_runner.h - IsingRunner: layers of phases and X mixers, carried out on amplitudes in memory, there and back.
//
// Room: compute, inside statevector. Not here: where layers come from (ising_evolution.h, ising_layers.h), and who owns the memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/base/trig.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/ising_form.h"
#include "tandem/compute/statevector/ising_kernels.h"
#include "tandem/compute/statevector/ising_schedule.h"
#include "tandem/compute/statevector/plan.h"

namespace tandem::statevector {

/// Phases first, then exp(-i angle X) on every qubit.
struct IsingLayer {
  PhaseForm phases;  ///< of the qubits that are stored; beside a table of energies only `whole` counts,
  double gamma = 0;  ///< and e^(-i gamma energy)
  std::vector<SinCos> turns;  ///< of the angle, one a qubit
  /// The slope by beta is the sum of turn_slopes[q] X before or behind the turns (empty: 1 each), and of axis_slopes[q] Z both at these
  /// phases and at those of the next layer (empty: 0 each).
  std::vector<double> turn_slopes = {};
  std::vector<double> axis_slopes = {};
};

/// The energy of a place: a form, or a number each in memory, blocks of lanes without gaps.
template <class Real>
struct IsingEnergies {
  const EnergyForm* form = nullptr;
  const Real* table = nullptr;

  bool any() const { return form != nullptr || table != nullptr; }
};

/// Amplitudes in memory; bit i of a place is qubit i.
template <class Real>
struct IsingState {
  std::uint32_t num_qubits = 0;
  /// Flipping all qubits changes nothing: the last one is 0 in what is stored, where it is 1 all others are flipped.
  bool symmetric = false;
  Real* ket = nullptr;
  Real* bra = nullptr;  ///< for gradients

  std::uint32_t num_stored() const { return num_qubits - (symmetric ? 1 : 0); }
};

/// Whether half of the amplitudes of so many qubits can be left out.
template <class Real>
bool can_be_halved(std::uint32_t num_qubits) {
  return num_qubits >= kLaneBits<Real> + 2;
}

/// Rows are 512 bytes: longer ones make tiles that need the third-level cache, shorter ones more of them.
template <class Real>
IsingShape ising_shape(std::uint32_t tile_bits) {
  return {.lane_bits = kLaneBits<Real>,
          .leaf_bits = kLaneBits<Real> + kLeafBlockBits,
          .tile_bits = tile_bits,
          .row_bits = kLaneBits<Real> + 2};
}

/// Writes the half of the amplitudes that a symmetry left out behind the one that is there.
template <class Real>
void unfold(Real* amplitudes, std::uint32_t num_qubits, Executor& executor);

template <class Real>
struct IsingRunOptions {
  simd::Isa isa = simd::Isa::kPortable;
  std::uint32_t tile_bits = 0;  ///< at most
  IsingEnergies<Real> energies = {};  ///< read in the last pass; none: nothing is
};

/// One run from the uniform state through all layers.
///
/// Threads: one caller at a time; the loops inside run on the executor. Layers, energy and amplitudes outlive this.
template <class Real>
class IsingRunner {
 public:
  IsingRunner(const IsingState<Real>& state, std::span<const IsingLayer> layers, const IsingRunOptions<Real>& options,
              Executor& executor, const std::stop_token& stop);
  ~IsingRunner();

  const std::vector<IsingPass>& passes() const;
  const TileKind& kind_of(const IsingPass& pass) const;

  /// The passes, each once and in order.
  /// Errors: 1002 cancelled; 1004 out_of_memory - to work in.
  Result<void> forward();
  Result<void> forward(std::size_t pass);
  /// All of them, and the way back with a bra that begins as energy times ket. Energies and the bra are there (asserted).
  Result<void> forward_and_back();

  double scale() const;  ///< of amplitudes: by so much those in memory are to be multiplied
  double energy() const;  ///< <ket|energy|ket>
  /// Derivatives of it by a factor of the layer's energy, in whose units phases are -gamma, and by one beta of all qubits; phases
  /// are a form where there are slopes of Z.
  double by_gamma(std::size_t layer) const;
  double by_beta(std::size_t layer) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

extern template class IsingRunner<float>;
extern template class IsingRunner<double>;

}  // namespace tandem::statevector
