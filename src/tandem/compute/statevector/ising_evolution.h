// tandem/compute/statevector/ising_evolution.h - IsingEvolution: layers of Ising phases and mixers of one qubit, with gradients.
//
// Room: compute. Pure: no clock, no I/O; threads only through the Executor. Not here: mixers that keep a number of ones
// (fixed_weight_evolution.h), angles and circuits of QAOA (middleware/ansatz).
// Source: Farhi, Goldstone, Gutmann, arXiv 1411.4028; butterflies as in Lykov et al., arXiv 2309.04841. Ours: the phases are a quadratic
// form that is walked, with no table of the size of the state; layers are skewed in time, so that one pass ends a layer and begins the
// next; gradients by the adjoint method along the same passes.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/plan.h"
#include "tandem/model/problem/bqm.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::statevector {

struct IsingLayer;
template <class Real>
struct IsingState;

/// Of layer l: exp(-i betas[l] M) exp(-i gammas[l] C). As many gammas as betas; radians over the unit of C.
struct LayerAngles {
  std::span<const double> gammas;
  std::span<const double> betas;
};

/// A value and its derivatives by all angles.
struct IsingGradient {
  double value = 0;
  std::vector<double> gammas;
  std::vector<double> betas;
};

/// Of the lowest `share` of a distribution of energies.
struct IsingTail {
  double quantile = 0;  ///< the highest energy in it
  double mean = 0;  ///< the conditional value at risk
};

/// |psi> = the layers, the first one first, on the uniform state, M being the sum of all X; C is the energy of a model, variable i being qubit i, 1 or spin +1 where
/// the qubit is 1. The same state as a circuit of RZ, RZZ and RX gives, and the same bytes whatever the number of threads and the
/// instruction set.
///
/// Warm starts (Egger, Marecek, Woerner, Quantum 5, 479 (2021)): where the shares of the ones are given, qubit i starts in
/// sqrt(1 - c)|0> + sqrt(c)|1>, c = ones[i], and M is the sum of sin(theta) X + cos(theta) Z, of which that is the state to 1:
/// sin(theta) = 2 sqrt(c (1 - c)), cos(theta) = 1 - 2c. Half everywhere is the uniform state and X. A turn about such an axis is one about x
/// between two phases, which go into those of the layers: it costs one layer more, and about as much again for derivatives. Derivatives
/// lose digits as 1 / |cos(theta)| grows where beta is near pi/2.
///
/// Without fields and shares flipping all qubits changes nothing, and half of the amplitudes are held and worked on.
///
/// Limits:  1 to StateVector::kQubitsMax variables, and the memory given to create().
/// Threads: one caller at a time; the loops inside run on the executor given to create(), which must outlive this.
/// `Real`:  as for BasicStateVector. In float a value is off by about 1e-6 of the largest |C|.
/// Cost:    p layers are p + 1 passes over memory while the variables are at most about 28, up to twice as many beyond; n + 6 complex
///          products' worth of arithmetic an amplitude and layer. A gradient costs about four values, and a second state.
template <class Real>
class IsingEvolution {
 public:
  /// `ones`: the shares of a warm start; empty: there is none.
  /// Errors: 1113 too_many_qubits and 1004 out_of_memory as BasicStateVector::create(); 1104 size_mismatch - not one share a variable;
  ///         1023 value_out_of_range - no variable, or a share outside of [0, 1].
  static Result<IsingEvolution> create(const problem::Bqm& cost, std::uint64_t memory_bytes_max, Executor& executor,
                                       std::span<const double> ones = {});
  /// The same for any order, without a warm start. Above two the energies of all states that are held stand in a table, one `Real` each beside the two of the
  /// amplitude; phases take a sine and a cosine each. Without terms of odd order half of both is held.
  /// Errors: those of create(); 1103 and 1108 as Polynomial::with_vartype().
  static Result<IsingEvolution> create(const problem::Polynomial& cost, std::uint64_t memory_bytes_max,
                                       Executor& executor);
  /// What create() asks for, without allocating; a gradient asks for a second state. Errors: as create().
  static Result<std::uint64_t> bytes_needed(const problem::Bqm& cost, std::span<const double> ones = {});
  static Result<std::uint64_t> bytes_needed(const problem::Polynomial& cost);

  IsingEvolution(IsingEvolution&&) noexcept;
  IsingEvolution& operator=(IsingEvolution&&) noexcept;
  ~IsingEvolution();

  /// For tests: the answer does not depend on it, nor, but for rounding, on the size of tiles (at least three bits above those of a block).
  void use_isa(simd::Isa isa) { isa_ = isa; }
  void use_tile_bits(std::uint32_t bits) { tile_bits_ = bits; }

  /// <psi|C|psi>, taken in the last pass.
  /// Errors: 1104 size_mismatch - not as many gammas as betas; 1102 not_finite - an angle; 1002 cancelled; 1023 value_out_of_range - a
  ///         gamma that makes phases of a table too large for their precision (kQuarterTurnsMax).
  Result<double> value(const LayerAngles& angles, std::stop_token stop = {});
  /// The same and all derivatives, by the adjoint method.
  /// Errors: as value(); 1004 out_of_memory - for the second state.
  Result<IsingGradient> gradient(const LayerAngles& angles, std::stop_token stop = {});

  /// value() and gradient() of every set, the same bytes. Up to kBatchQubitsMax variables threads take sets, each with states of its own in
  /// what is left of the memory given to create(); else, and where nothing is left, one set after the other is taken by all threads.
  /// No value() came last afterwards.
  /// Errors: as value() and gradient(), of the first set that has any.
  Result<std::vector<double>> values(std::span<const LayerAngles> sets, std::stop_token stop = {});
  Result<std::vector<IsingGradient>> gradients(std::span<const LayerAngles> sets, std::stop_token stop = {});
  static constexpr std::uint32_t kBatchQubitsMax = 16;  ///< beyond, one state fills the caches

  /// Of what measuring |psi> of the last value() gives, to 2^-36 of the sum of all |coefficients| (2^-20 in float); value() came last
  /// (asserted). The shot on the border counts in part: mean = (sum of what lies below + the rest of the share of the quantile) / share.
  /// Cost: a reading of the state for each 12 bits of that.
  /// Errors: 1023 value_out_of_range - a share that is not in (0, 1]; 1002 cancelled.
  Result<IsingTail> tail(double share, std::stop_token stop = {}) const;
  /// Of |psi> of the last value(); value() came last (asserted).
  std::complex<double> amplitude(std::uint64_t state) const;

 private:
  struct Model;
  struct Sizes;
  static Result<std::unique_ptr<Model>> new_model(const Sizes& sizes, std::uint64_t memory_bytes_max);
  explicit IsingEvolution(std::unique_ptr<Model> model, Executor& executor);
  std::vector<IsingLayer> layers(const LayerAngles& angles) const;
  struct Valued;
  Result<Valued> value_on(const IsingState<Real>& state, const LayerAngles& angles, const std::stop_token& stop) const;
  Result<IsingGradient> gradient_on(const IsingState<Real>& state, const LayerAngles& angles,
                                    const std::stop_token& stop) const;
  template <class Answer, class Together, class Alone>
  Result<std::vector<Answer>> batch(std::span<const LayerAngles> sets, bool with_bra, const Together& together,
                                    const Alone& alone);
  std::unique_ptr<Model> model_;
  Executor* executor_;
  simd::Isa isa_ = simd::best_isa();
  std::uint32_t tile_bits_ = kTileShape<Real>.most;
};

extern template class IsingEvolution<double>;
extern template class IsingEvolution<float>;

}  // namespace tandem::statevector
